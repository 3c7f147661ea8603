"""`salesman scripts …`: write, review, publish and search scripts on the command line."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graph.errors import BadInput
from graph.settings import get_settings
from scripts_library.schema import Script

if TYPE_CHECKING:
    from scripts_library.changes import Changes
    from scripts_library.library import Library

app = typer.Typer(help="The script library: write, review, publish, search.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Id of a script.")]
Base = Annotated[int, typer.Option("--base", "-b", help="Version that you saw; refused if there is a newer one.")]
Author = Annotated[str, typer.Option("--author", help="Who does it; your login name by default.")]
CampaignFilter = Annotated[str | None, typer.Option("--campaign", "-c", help="Only this campaign.")]
StatusFilter = Annotated[str | None, typer.Option("--status", help="`draft`, `published` (live) or `archived`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_BOOKKEEPING = {"id", "campaign", "status", "version", "author", "updated_at"}


@app.command("list")
def list_scripts(
    campaign: CampaignFilter = None,
    language: Annotated[str | None, typer.Option("--language", "-l")] = None,
    stage: Annotated[str | None, typer.Option()] = None,
    intent: Annotated[str | None, typer.Option()] = None,
    status: StatusFilter = None,
    as_json: AsJson = False,
) -> None:
    """List scripts: latest versions, or with `--status published` what customers may hear."""
    with _library() as library:
        found = library.list(campaign, language=language, stage=stage, intent=intent, status=_status(status))
        live = {head.script.id: head.published_version for head in library.heads(campaign)}
    if as_json:
        _dump([script.model_dump(mode="json") | {"published_version": live[script.id]} for script in found])
        return
    table = Table("id", "campaign / language / stage / intent", "status", "version", "live", "title")
    for script in found:
        place = f"{script.campaign} / {script.language} / {script.stage} / {script.intent}"
        versions = (str(script.version), str(live[script.id] or "–"))
        table.add_row(script.id, place, script.status, *versions, escape(script.title))
    _print(table)


@app.command()
def show(
    script_id: Id,
    version: Annotated[int | None, typer.Option(help="The latest by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print one script as YAML, ready to be edited and given to `revise`."""
    with _library() as library:
        script = library.get(script_id, version)
    if as_json:
        _dump(script.model_dump(mode="json"))
    else:
        typer.echo(_yaml(script), nl=False)


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="YAML or CSV of new scripts.")],
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Add new scripts as version 1, with the status in the file (drafts by default): all or none."""
    from scripts_library.changes import parsed

    scripts = parsed(file)
    with _library() as library:
        saved = library.add_many(scripts, _who(author))
    _saved(saved, as_json)


@app.command()
def revise(
    file: Annotated[Path, typer.Argument(help="A script as `show` prints it, edited; its version is the one you saw.")],
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Save an edited script as a draft; what customers hear stays until it is published."""
    from scripts_library.changes import parsed

    script, *more = parsed(file)
    if more or "version" not in script.model_fields_set:
        raise BadInput(f"{file}: expected one script with its `version`; take it from `salesman scripts show ID`")
    changes = {field: value for field, value in script if field not in _BOOKKEEPING}
    with _library() as library:
        _saved([library.revise(script.id, script.version, _who(author), **changes)], as_json)


@app.command()
def translate(
    script_id: Id,
    to: Annotated[str, typer.Option(help="`en` or `zh`.")],
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Translate a script into its campaign's other language by the chat model: a draft, to be checked by a person."""
    from scripts_library.translate import translate as translated
    from serving.chat import load_chat_model

    with _library() as library:
        _saved([translated(library, script_id, to, load_chat_model(get_settings()), _who(author))], as_json)


@app.command()
def publish(script_id: Id, base: Base, author: Author = "", as_json: AsJson = False) -> None:
    """Make the latest version what customers hear, from the next turn on."""
    with _library() as library:
        _saved([library.publish(script_id, base, _who(author))], as_json)


@app.command()
def archive(script_id: Id, base: Base, author: Author = "", as_json: AsJson = False) -> None:
    """Take a script out of retrieval; its history stays."""
    with _library() as library:
        _saved([library.archive(script_id, base, _who(author))], as_json)


@app.command()
def rollback(
    script_id: Id,
    to: Annotated[int, typer.Option(help="Version to return to, with its status.")],
    base: Base,
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Save an earlier version again as the newest."""
    with _library() as library:
        _saved([library.roll_back(script_id, to, base, _who(author))], as_json)


@app.command()
def history(script_id: Id, as_json: AsJson = False) -> None:
    """Show every version: who, when, which action."""
    with _library() as library:
        revisions = library.history(script_id)
    if as_json:
        _dump(
            [
                {
                    "version": r.script.version,
                    "action": r.action,
                    "status": r.script.status,
                    "author": r.author,
                    "at": r.at,
                }
                for r in revisions
            ]
        )
        return
    table = Table("version", "action", "status", "author", "at (UTC)", "title")
    for r in revisions:
        row = (str(r.script.version), r.action, r.script.status, r.author, r.at[:19], r.script.title)
        table.add_row(*map(escape, row))
    _print(table)


@app.command()
def diff(script_id: Id, a: Annotated[int, typer.Argument()], b: Annotated[int, typer.Argument()]) -> None:
    """Show what changed from version A to version B."""
    with _library() as library:
        typer.echo(library.diff(script_id, a, b))


@app.command("import")
def import_scripts(
    file: Annotated[Path, typer.Argument(help="YAML or CSV, as `export` writes them.")],
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Take scripts from a file: all rows or none; changed ones must carry the version they were exported with."""
    with _library() as library:
        _counted(library.import_file(file, _who(author)), as_json)


@app.command("export")
def export_scripts(
    file: Annotated[Path, typer.Argument(help="Ends with .yaml or .csv.")],
    campaign: CampaignFilter = None,
    status: StatusFilter = None,
) -> None:
    """Write scripts to a file that `import` reads back without loss."""
    with _library() as library:
        count = library.export_file(file, campaign, _status(status))
    typer.echo(f"{count} scripts → {file}")


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="What the customer says.")],
    campaign: Annotated[str, typer.Option("--campaign", "-c")],
    stage: Annotated[str, typer.Option()],
    intent: Annotated[str, typer.Option()] = "any",
    language: Annotated[str, typer.Option("--language", "-l")] = "en",
    k: Annotated[int, typer.Option("-k", min=1, max=100)] = 3,
    as_json: AsJson = False,
) -> None:
    """Show which scripts a turn would get."""
    from serving.embed import load_embedder

    embedder = load_embedder(get_settings())
    with _library() as library:
        found = library.search(campaign, language, stage, intent, embedder.query([text])[0], k)
    if as_json:
        hits = [hit.script.model_dump(mode="json") | {"score": round(hit.score, 4)} for hit in found.hits]
        _dump({"no_hit": found.no_hit, "hits": hits})
        return
    table = Table(
        "score", "id", "version", "title", "first line", title=f"no-hit policy: {found.no_hit or 'not needed'}"
    )
    for hit in found.hits:
        row = (f"{hit.score:.3f}", hit.script.id, str(hit.script.version), hit.script.title, hit.script.say[0])
        table.add_row(*map(escape, row))
    _print(table)


@app.command()
def reindex() -> None:
    """Build the search index anew from the revisions, with the present embedding model."""
    with _library() as library:
        typer.echo(f"{library.reindex()} published scripts indexed")


@app.command()
def load(
    folder: Annotated[Path, typer.Argument(help="campaign.yaml, intents.yaml, scripts.yaml.")],
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Load a campaign folder; scripts that somebody edited in the library are kept."""
    with _library() as library:
        _counted(library.load(folder, _who(author)), as_json)


@app.command()
def check(folder: Annotated[Path, typer.Argument(help="campaign.yaml, intents.yaml, scripts.yaml.")]) -> None:
    """Check a campaign folder without touching the library; every error at once."""
    from scripts_library.loading import load_campaign

    data = load_campaign(folder)
    typer.echo(f"{data.campaign.name}: {len(data.intents)} intents, {len(data.scripts)} scripts, no error")


@app.command()
def mine(
    data: Annotated[Path, typer.Option(help="Folder or file of calls with outcomes (CSV, JSONL).")],
    campaign: Annotated[
        str, typer.Option("--campaign", "-c", help="Whose intents the answers are grouped by.")
    ] = "save_the_children",
    out: Annotated[
        Path | None, typer.Option(help="Write the drafts to this .yaml or .csv, not to the library.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most drafts.")] = 200,
    author: Author = "",
    as_json: AsJson = False,
) -> None:
    """Draft scripts out of the calls that succeeded, for a manager to review."""
    from scripts_library.mining import mine as mine_scripts
    from scripts_library.transfer import write_file

    with _library() as library:
        drafts = mine_scripts(data, campaign, library, author=_who(author), limit=limit)
        if out is not None:
            write_file(out, drafts)
            typer.echo(f"{len(drafts)} drafts → {out}")
            return
        known = {script.id for script in library.list()}
        _saved(library.add_many([draft for draft in drafts if draft.id not in known], _who(author)), as_json)


@contextmanager
def _library() -> Iterator["Library"]:
    from scripts_library.library import open_library

    with open_library(get_settings()) as library:
        yield library


def _saved(scripts: list[Script], as_json: bool) -> None:
    if as_json:
        _dump([script.model_dump(mode="json") for script in scripts])
        return
    for script in scripts:
        typer.echo(f"{script.id} version {script.version} ({script.status})")
    if not scripts:
        typer.echo("nothing new")


def _counted(changes: "Changes", as_json: bool) -> None:
    counts = vars(changes)
    if as_json:
        _dump(counts)
    else:
        typer.echo(", ".join(f"{count} {name}" for name, count in counts.items()))


def _status(status: str | None) -> str | None:
    if status not in (None, "draft", "published", "archived"):
        raise BadInput(f"--status {status!r}: expected draft, published or archived")
    return status


def _who(author: str) -> str:
    if author:
        return author
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _yaml(script: Script) -> str:
    import yaml

    return yaml.safe_dump([script.model_dump(mode="json")], allow_unicode=True, sort_keys=False, width=110)


def _dump(data: Any) -> None:
    typer.echo(json.dumps(data, ensure_ascii=False))


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=240)
    console.print(table)
