"""`salesman train corpus`: dialogues to train on, checked, and made into the rows that trainers read."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from evaluation.telling import JsonOption, Paced
from graph.errors import BadInput
from graph.settings import Settings, get_settings
from graph.terminal import dump, note, say
from training.corpus.schema import Dialogue, Split, read_dialogues, write_dialogues

if TYPE_CHECKING:
    from graph.calls import CallStore
    from training.corpus.prompts import Served
    from training.corpus.to_rows import Tally

Kind = Literal["persuasion", "calls", "transcripts", "mapping"]
RowKind = Literal["sft", "prompt", "preference"]
app = typer.Typer(help="Dialogues to train on: import, check, rows.", no_args_is_help=True)


@app.command("import")
def import_(
    kind: Annotated[Kind, typer.Option(help="What SOURCE is.")],
    out: Annotated[Path, typer.Option(help="The corpus, JSON lines; written anew.")],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="persuasion: its folder. calls: exported records, a line each; by default every call of the call store. "
            "transcripts: CSV (call, role, text) or JSON lines. mapping: JSON of any layout."
        ),
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="mapping: YAML that names the fields.")] = None,
    campaign: Annotated[str, typer.Option(help="transcripts: campaign of the calls.")] = "",
    language: Annotated[Literal["en", "zh"], typer.Option(help="transcripts: their language.")] = "en",
    as_json: JsonOption = False,
) -> None:
    """Make a corpus of calls that were held; every dialogue is train, dev or test by its id alone."""
    dialogues = _imported(kind, source, mapping, campaign, language)
    write_dialogues(out, dialogues)
    _tell(dialogues, [], as_json)
    if not as_json:
        say(f"{out}: written; `salesman train corpus check {out}` says whether its splits are disjoint")


def _imported(
    kind: Kind, source: Path | None, mapping: Path | None, campaign: str, language: Literal["en", "zh"]
) -> list[Dialogue]:
    if kind == "calls":
        from training.corpus.recorded import read_recorded, read_store

        found = read_recorded(source) if source else read_store(_store(get_settings()))
        if not found:
            raise BadInput(f"{source or 'The call store'} holds no call in which the customer said something.")
        return found
    if source is None:
        raise BadInput(f"--kind {kind} needs a SOURCE; only calls have one of their own.")
    if kind == "persuasion":
        from training.corpus.imported import read_persuasion

        return read_persuasion(source)
    if kind == "transcripts":
        from training.corpus.transcripts import read_transcripts

        if not campaign:
            raise BadInput("--kind transcripts needs --campaign NAME: transcripts do not say what they are about.")
        return read_transcripts(source, campaign, language, note)
    from training.corpus.mapping import read_mapped, read_mapping

    if mapping is None:
        raise BadInput("--kind mapping needs --mapping FILE.yaml, which names the fields of SOURCE.")
    return read_mapped(source, read_mapping(mapping))


def _store(settings: Settings) -> "CallStore":
    from graph.calls import CallStore
    from scripts_library.database import engine_for

    return CallStore(engine_for(settings))


@app.command()
def check(
    corpora: Annotated[list[Path], typer.Argument(metavar="CORPUS...", help="Checked as one.")],
    as_json: JsonOption = False,
) -> None:
    """Count a corpus, and say where it is broken: exit code 1 when its splits are not disjoint."""
    from training.corpus.splits import split_faults

    dialogues = [dialogue for path in corpora for dialogue in read_dialogues(path)]
    names = Counter(dialogue.id for dialogue in dialogues)
    twice = [f"dialogue '{name}' stands there {count} times" for name, count in names.items() if count > 1]
    faults = twice or split_faults(dialogues)
    _tell(dialogues, faults, as_json)
    if faults:
        raise typer.Exit(1)


def _tell(dialogues: Sequence[Dialogue], faults: Sequence[str], as_json: bool) -> None:
    turns = [turn for dialogue in dialogues for turn in dialogue.turns]
    counts: Mapping[str, Counter[str]] = {
        "split": Counter(dialogue.split for dialogue in dialogues),
        "method": Counter(dialogue.source.method for dialogue in dialogues),
        "outcome": Counter(dialogue.outcome or "unknown" for dialogue in dialogues),
        "campaign": Counter(dialogue.campaign for dialogue in dialogues),
        "turns": Counter(turn.role for turn in turns),
        "stage": Counter(turn.stage or "unlabelled" for turn in turns if turn.role == "agent"),
    }
    if as_json:
        dump({"dialogues": len(dialogues), **counts, "faults": list(faults)})
        return
    say(f"dialogues  {len(dialogues)}")
    for name, counted in counts.items():
        say(f"{name:10} {', '.join(f'{value} {count}' for value, count in counted.most_common())}")
    for fault in faults:
        say(f"fault      {fault}")


@app.command()
def rows(
    corpus: Annotated[Path, typer.Argument(help="A corpus.")],
    kind: Annotated[RowKind, typer.Option(help="sft: replies. prompt: turns to answer (GRPO). preference: pairs.")],
    out: Annotated[Path, typer.Option(help="The rows, JSON lines; written anew.")],
    split: Annotated[Split, typer.Option(help="Trainers refuse rows of `test`.")] = "train",
    limit: Annotated[int | None, typer.Option(min=1, help="So many, drawn at random from all dialogues.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    think: Annotated[bool, typer.Option("--think", help="Thoughts in replies, and prompts that ask for them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make rows whose prompts are what the served graph would send its model; no model is asked."""
    from training.corpus.preferences import preference_rows
    from training.corpus.rows import write_rows
    from training.corpus.splits import split_faults
    from training.corpus.to_rows import Tally, prompt_rows, served_turns, sft_rows

    every = read_dialogues(corpus)
    if faults := split_faults(every):
        raise BadInput(
            f"Corpus {corpus}: its splits are not disjoint, so nothing is made of it: {'; '.join(faults[:3])}."
        )
    dialogues = [dialogue for dialogue in every if dialogue.split == split]
    if not dialogues:
        raise BadInput(f"Corpus {corpus} holds no dialogue of split {split}.")
    settings, tally = get_settings(), Tally()
    drawn = seed if limit is not None and kind != "preference" else None
    turns = _paced(served_turns(dialogues, settings, tally, drawn), tally, len(dialogues) if drawn is None else None)
    made: list[Any]
    if kind == "preference":
        made = preference_rows(turns, _marks(dialogues, settings), think=think)
        made = random.Random(seed).sample(made, min(limit or len(made), len(made)))
    else:
        make = sft_rows if kind == "sft" else prompt_rows
        made = list(islice(make(turns, think=think), limit))
    if not made:
        raise BadInput(f"Corpus {corpus}, split {split}: of {tally.answers} answers none makes a row ({_lost(tally)}).")
    write_rows(out, made)
    pools = Counter(_sort_of(row, kind) for row in made)
    if as_json:
        dump({"rows": len(made), "pools": pools, **vars(tally)})
        return
    say(f"{out}: {len(made)} rows ({', '.join(f'{name} {count}' for name, count in pools.most_common())})")
    say(f"from {tally.answers} answers of {tally.dialogues} dialogues: {_lost(tally)}")
    if tally.rules:
        say(f"what the guard would block: {', '.join(f'{name} {count}' for name, count in tally.rules.most_common())}")


def _sort_of(row: Mapping[str, Any], kind: RowKind) -> str:
    from nodes.speak import ThoughtFilter

    said = row.get("completion") or row.get("chosen") or [{"content": ""}]
    thought = said[0]["content"].startswith(ThoughtFilter.OPEN)
    return f"{row.get('pool', kind)}{' with a thought' if thought else ''}"


def _lost(tally: "Tally") -> str:
    return (
        f"{tally.fixed} are the graph's own lines or come after an opt-out, {tally.blocked} the guard would block, "
        f"{tally.personal} hold personal data"
    )


def _paced(turns: "Iterator[Served]", tally: "Tally", dialogues: int | None) -> "Iterator[Served]":
    """Tell how far the walk is, every few seconds; how many dialogues a draw takes is not known before."""
    paced, of = Paced(), f" of {dialogues}" if dialogues else ""
    for served in turns:
        paced.say(f"{tally.dialogues}{of} dialogues walked")
        yield served


def _marks(dialogues: Sequence[Dialogue], settings: Settings) -> list[dict[str, Any]]:
    """Return people's marks, where own calls are among the dialogues."""
    from graph.export import mark_rows

    own = any(dialogue.source.method == "recorded" for dialogue in dialogues)
    return mark_rows(_store(settings), "training") if own else []
