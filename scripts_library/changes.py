"""What loading, importing and editing do inside one transaction: they check everything, then change all or nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from sqlalchemy import Connection

from graph.errors import BadInput
from scripts_library import store
from scripts_library.campaign_edits import load_parts
from scripts_library.checks import Known, check_script, suggest
from scripts_library.loading import CampaignData, fingerprint, join_errors, schema_problems
from scripts_library.problem import Problem
from scripts_library.schema import Script
from scripts_library.transfer import read_rows


@dataclass(frozen=True)
class Changes:
    """How many scripts a load or an import touched; `kept` were edited by a person and left alone."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    archived: int = 0


class Check:
    """Checks scripts against the campaigns of the library."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names = list(store.campaign_stamps(connection))
        self._known: dict[str, Known] = {}

    def __call__(self, data: Mapping[str, Any]) -> list[Problem]:
        """Return what is wrong with one script, given as plain data."""
        name = data.get("campaign")
        if not isinstance(name, str):
            return []
        if name not in self._names:
            return [Problem(("campaign",), "unknown campaign", name, suggest(name, self._names))]
        if name not in self._known:
            stored = store.read_campaign(self._connection, name)
            intents = [intent.model_dump(mode="json") for intent in stored.intents]
            self._known[name] = Known.of(stored.campaign.model_dump(mode="json"), intents)
        return check_script(data, self._known[name])


def load_into(connection: Connection, data: CampaignData, folder: Path, author: str, origin: str) -> Changes:
    """Bring those parts of a campaign, and those of its scripts, that nobody edited to what a folder says."""
    name = data.campaign.name
    known = {head.script.id: head.script for head in store.heads(connection, name)}
    strangers = store.find_heads(connection, [script.id for script in data.scripts if script.id not in known])
    if strangers:
        errors = [f"{folder}: [{s.id}].id: used by campaign {s.campaign} – rename it" for s in strangers.values()]
        raise BadInput(join_errors(f"Campaign folder {folder}", errors))
    edited = store.edited_ids(connection, name)
    fresh = [script.model_copy(update=stamp(author)) for script in data.scripts if script.id not in known]
    store.insert_scripts(connection, fresh, author, "load")
    updated = unchanged = archived = 0
    kept = len(edited & set(known))
    ours = {script.id: script for script in data.scripts}
    for old in known.values():
        script = ours.get(old.id)
        if old.id in edited or (script is None and old.status == "archived"):
            continue
        if script is None:
            store.change(connection, old.id, old.version, author, "load", with_status("archived"))
            archived += 1
        elif not store.changed_fields(old, script):
            unchanged += 1
        else:
            store.change(connection, old.id, old.version, author, "load", replaced_by(script))
            updated += 1
    store.save_campaign(connection, load_parts(connection, data, author), fingerprint(folder), origin, author)
    return Changes(len(fresh), updated, unchanged, kept, archived)


def add_into(connection: Connection, scripts: Sequence[Script]) -> None:
    """Insert new scripts, or raise every error of all of them."""
    known = store.find_heads(connection, [script.id for script in scripts])
    check, seen = Check(connection), set(known)
    errors: list[str] = []
    for script in scripts:
        found = check(script.model_dump(mode="json"))
        if script.id in seen:
            found.append(Problem(("id",), "exists already", script.id, "revise it, or choose another id"))
        seen.add(script.id)
        errors += [f"script {script.id}: {place(problem)}: {problem.text()}" for problem in found]
    if errors:
        raise BadInput(join_errors("Scripts", errors))
    store.insert_scripts(connection, scripts, scripts[0].author if scripts else "", "add")


def check_saved(connection: Connection, script: Script) -> None:
    """Refuse a version that does not fit its campaign; archived ones may be anything."""
    problems = Check(connection)(script.model_dump(mode="json")) if script.status != "archived" else []
    if problems:
        lines = [f"script {script.id}: {place(problem)}: {problem.text()}" for problem in problems]
        raise BadInput(join_errors(f"Script {script.id!r}", lines))


def difference(old: Script, new: Script) -> str:
    """Return a unified diff of two versions as YAML; empty when they say the same."""
    before, after = (
        yaml.safe_dump(store.content(script), allow_unicode=True, sort_keys=False, width=1000).splitlines()
        for script in (old, new)
    )
    names = (f"{old.id} version {old.version}", f"{new.id} version {new.version}")
    return "\n".join(unified_diff(before, after, *names, lineterm=""))


def parsed(path: Path) -> list[Script]:
    """Read the scripts of a file.

    Raises:
        BadInput: Every bad row with its number, or the file holds none.
    """
    rows = read_rows(path)
    errors = [f"{path}: row {row.number}: {error}" for row in rows for error in row.errors]
    if errors or not rows:
        raise BadInput(join_errors(str(path), errors or [f"{path}: no script – begin one with `- id:`"]))
    return [row.script for row in rows if row.script is not None]


def place(problem: Problem) -> str:
    """Return where in a script a problem lies, such as `say[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else part for part in problem.loc)


def stamp(author: str) -> dict[str, Any]:
    """Return the bookkeeping of a new script."""
    return {"version": 1, "author": author, "updated_at": store.now()}


def stamped(script: Script, stamp: Mapping[str, Any]) -> Script:
    """Fill in what a file does not say; what it says stays, so that export and import lose nothing."""
    said = script.model_fields_set
    return script.model_copy(update={field: value for field, value in stamp.items() if field not in said})


def with_status(status: str) -> Callable[[Script], Script]:
    """Return an edit that changes the status alone."""
    return lambda script: script.model_copy(update={"status": status})


def replaced_by(other: Script) -> Callable[[Script], Script]:
    """Return an edit that takes over everything that another version says."""
    return lambda script: other.model_copy(update={"version": script.version})


def validated(data: dict[str, Any]) -> Script:
    """Return data as a script.

    Raises:
        BadInput: Every field that is wrong.
    """
    try:
        return Script.model_validate(data)
    except ValidationError as error:
        lines = [f"script {data['id']}: {place(problem)}: {problem.text()}" for problem in schema_problems(error)]
        raise BadInput(join_errors(f"Script {data['id']!r}", lines)) from None
