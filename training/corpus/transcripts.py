"""Transcripts of others as dialogues: CSV or JSON lines, with the noise that transcripts have."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from graph.errors import BadInput
from scripts_library.persuasion import outcome_of, read_calls, role_of, split_of
from scripts_library.schema import Language
from training.corpus.joining import joined
from training.corpus.lines import refuse
from training.corpus.schema import Dialogue, DialogueTurn, Origin

COLUMNS = ("call", "role", "text")


def read_transcripts(
    path: Path, campaign: str, language: Language, told: Callable[[str], None] = lambda _line: None
) -> list[Dialogue]:
    """Read transcripts; turns without speech are dropped, and what one side says in a row is joined.

    Args:
        path: `.csv` with the columns `call`, `role`, `text` and perhaps `outcome` (of the call, on any of its lines), a line of
            speech each; else JSON lines of `{id, turns: [{role, text}], outcome}`, as `scripts_library.persuasion.read_calls` takes them.
        campaign: That the calls belong to.
        language: That they are held in.
        told: Takes a line on each kind of loss: roles that name no side, and calls in which one side alone speaks.

    Returns:
        Dialogues, split by the call's id.

    Raises:
        BadInput: It cannot be read, a column is missing, an outcome says nothing known, or no dialogue is left; all faults at once.
    """
    read = _table if path.suffix.lower() == ".csv" else _calls
    found = read(path, campaign, language, told)
    kept = [dialogue for dialogue in found if dialogue is not None]
    if len(kept) < len(found):
        told(f"{path}: {len(found) - len(kept)} calls left out, in which one side alone speaks")
    if not kept:
        raise BadInput(f"Transcripts {path} hold no call in which both sides speak.")
    return kept


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig", errors="replace").replace("\x00", "")
    except OSError as error:
        raise BadInput(f"Transcripts {path} cannot be read ({error.strerror}); give a readable file.") from error


def _calls(path: Path, campaign: str, language: Language, told: Callable[[str], None]) -> list[Dialogue | None]:
    calls = read_calls(path)
    items = [json.loads(line) for line in _text(path).splitlines() if line.strip()]
    outcomes = {str(item.get("id", item.get("call"))).strip(): item.get("outcome") for item in items}
    turns = [turn for item in items for turn in item["turns"] if isinstance(turn, dict) and "reply" not in turn]
    _tell_unknown(path, Counter(str(turn.get("role")) for turn in turns if role_of(turn.get("role")) is None), told)
    return [
        _dialogue(
            call.id,
            campaign,
            language,
            [DialogueTurn(role=turn.role, text=turn.text) for turn in call.turns],
            _outcome(outcomes[call.id]),
        )
        for call in calls
    ]


def _tell_unknown(path: Path, roles: Counter[str], told: Callable[[str], None]) -> None:
    for name, count in roles.most_common():
        told(f"{path}: {count} lines of role {name!r} left out: it names neither agent nor customer")


def _outcome(value: object) -> str:
    """Return `won` or `declined`; empty where nothing is told."""
    return "" if value in (None, "") else "won" if outcome_of(value) else "declined"


def _table(path: Path, campaign: str, language: Language, told: Callable[[str], None]) -> list[Dialogue | None]:
    turns: dict[str, list[DialogueTurn]] = {}
    outcomes: dict[str, str] = {}
    unknown: Counter[str] = Counter()
    faults = []
    for number, row in _rows(path):
        call, role = row["call"].strip(), role_of(row["role"])
        if not call:
            faults.append(f"line {number}: call is empty")
        elif outcome_of(row.get("outcome", "")) is None:
            faults.append(
                f"line {number}: outcome {row['outcome'][:40]!r}; expected a number, true, false, won or lost"
            )
        elif role is None:
            unknown[row["role"]] += 1
        else:
            turns.setdefault(call, []).append(DialogueTurn(role=role, text=row["text"] or " "))
        if outcome := _outcome(row.get("outcome", "").strip()):
            outcomes[call] = outcome
    refuse(f"Transcripts {path}", faults)
    _tell_unknown(path, unknown, told)
    return [_dialogue(call, campaign, language, said, outcomes.get(call, "")) for call, said in turns.items()]


def _rows(path: Path) -> list[tuple[int, Mapping[str, str]]]:
    table = csv.DictReader(io.StringIO(_text(path)), restval="")
    missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
    if missing:
        found = ", ".join(table.fieldnames or ["none"])
        raise BadInput(f"Transcripts {path}: columns {', '.join(missing)} are missing (found: {found}).")
    try:
        return [(table.line_num, row) for row in table]
    except csv.Error as error:
        raise BadInput(f"Transcripts {path}, line {table.line_num}: no valid CSV ({error}).") from error


def _dialogue(name: str, campaign: str, language: Language, said: list[DialogueTurn], outcome: str) -> Dialogue | None:
    turns = joined(said)
    if len(turns) < 2:
        return None
    return Dialogue(
        id=name,
        campaign=campaign,
        language=language,
        turns=turns,
        outcome=outcome,
        source=Origin(method="imported"),
        split=split_of(name),
    )
