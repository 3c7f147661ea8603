"""Recorded calls as data: `persuasion_for_good`'s CSV files, JSONL files, and the project's own exported records.

Both forms of the CSV files are read: the published one, and the one shipped with the campaign `save_the_children`,
which lacks the participants' background and user ids. Every reader drops what is no speech (empty turns, numbers, NaN,
symbols alone) and joins what one speaker said in a row; what cannot be a call at all is an error that names the file.

Source: Wang et al., "Persuasion for Good", ACL 2019, arXiv 1906.06725.
"""

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Literal

from graph.errors import BadInput

Role = Literal["agent", "customer"]
Split = Literal["train", "dev", "test"]

ROLES: dict[str, Role] = {
    "agent": "agent", "assistant": "agent", "persuader": "agent", "seller": "agent", "salesman": "agent", "0": "agent",
    "customer": "customer", "user": "customer", "persuadee": "customer", "buyer": "customer", "client": "customer",
    "human": "customer", "1": "customer",
}  # fmt: skip
WON = frozenset({"won", "true", "yes", "success", "agreed"})
LOST = frozenset(
    {
        "lost",
        "false",
        "no",
        "failure",
        "declined",
        "open",
        "follow_up",
        "opted_out",
        "handoff",
        "",
        "none",
        "null",
        "nan",
    }
)
CAMPAIGNS = Path(__file__).parent / "campaigns"
ANNOTATED = "annotated_dialog.csv"


@dataclass(frozen=True)
class RecordedTurn:
    """What one speaker said before the other spoke again.

    acts: labels of its sentences (dialogue acts, or the intent of an own record); empty where the data has none.
    stage: stage of an own record, else empty.
    """

    role: Role
    text: str
    acts: tuple[str, ...] = ()
    stage: str = ""


@dataclass(frozen=True)
class RecordedCall:
    """A recorded call; outcome is what it brought (dollars given, 1 for a success without an amount, 0 for none)."""

    id: str
    turns: tuple[RecordedTurn, ...]
    outcome: float

    @property
    def won(self) -> bool:
        """Whether the call succeeded."""
        return self.outcome > 0


@dataclass(frozen=True)
class ActSentence:
    """One labelled sentence of `annotated_dialog.csv`.

    dialogue: id of its call. turn: 0-based. position: 0-based place of the sentence within its speaker's turn.
    label: its dialogue act (`er_label_1` of the agent, `ee_label_1` of the customer), unmerged.
    previous_agent_text: the agent's last turn before this one; empty at the start.
    previous_customer_text: likewise the customer's.
    """

    dialogue: str
    turn: int
    position: int
    role: Role
    text: str
    label: str
    previous_agent_text: str = ""
    previous_customer_text: str = ""


def split_of(dialogue: str) -> Split:
    """Return the split of a dialogue, from its id alone: about 60 % train, 15 % dev, 25 % test."""
    share = int(hashlib.sha256(dialogue.encode()).hexdigest()[:8], 16) % 100
    return "train" if share < 60 else "dev" if share < 75 else "test"


def clean(text: object) -> str:
    """Return what was said, on one line; empty when it is no speech (no string, NaN, or without a letter or digit)."""
    if not isinstance(text, str):
        return ""
    plain = " ".join(re.sub(r"[\x00-\x1f\x7f\ufeff\ufffd]+", " ", text).split())
    if plain.lower() in ("nan", "none", "null") or not any(character.isalnum() for character in plain):
        return ""
    return plain


def role_of(value: object) -> Role | None:
    """Return the speaker that a role column or field names; None when it names none."""
    name = str(value).strip().lower()
    return ROLES.get(name.removesuffix(".0"))


def outcome_of(value: object) -> float | None:
    """Return an outcome as a number (NaN and empty are 0); None when the value says nothing that is known."""
    if isinstance(value, Mapping):
        return outcome_of(value.get("status", value.get("outcome")))
    text = str(value).strip().lower().removeprefix("$")
    if text in WON:
        return 1.0
    if text in LOST:
        return 0.0
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else 0.0


def merge(turns: Iterable[RecordedTurn]) -> tuple[RecordedTurn, ...]:
    """Drop turns without speech and join consecutive turns of one speaker."""
    spoken = [replace(turn, text=text) for turn in turns if (text := clean(turn.text))]
    merged = []
    for _, group in groupby(spoken, key=lambda turn: turn.role):
        parts = list(group)
        acts = tuple(act for part in parts for act in part.acts)
        text = " ".join(dict.fromkeys(part.text for part in parts))
        merged.append(RecordedTurn(parts[0].role, text, acts, parts[-1].stage))
    return tuple(merged)


def _text(path: Path) -> str:
    """Read a text file; bytes that are not UTF-8 become U+FFFD, which `clean` drops."""
    try:
        return path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); give a readable file") from error


def _rows(path: Path, wanted: Iterable[str]) -> list[dict[str, str]]:
    """Read a CSV file that must have the wanted columns."""
    table = csv.DictReader(io.StringIO(_text(path).replace("\x00", "")), strict=False)
    try:
        missing = [name for name in wanted if name not in (table.fieldnames or ())]
        if missing:
            raise BadInput(
                f"{path}: columns {', '.join(missing)} are missing (found: {', '.join(table.fieldnames or ['none'])})"
            )
        return [{name: row[name] or "" for name in row if name in wanted} for row in table]
    except csv.Error as error:
        raise BadInput(f"{path}, line {table.line_num}: no valid CSV ({error})") from error


def _number(path: Path, name: str, value: str) -> int:
    try:
        return int(float(value))
    except (ValueError, OverflowError) as error:
        raise BadInput(f"{path}: column {name} holds {value[:40]!r}; expected a whole number") from error


def read_acts(path: Path) -> list[ActSentence]:
    """Read `annotated_dialog.csv` (either form), in order; sentences without speech or label are left out.

    Args:
        path: The file, or a folder that holds it.

    Raises:
        BadInput: It cannot be read or lacks a column; names both.
    """
    path = path / ANNOTATED if path.is_dir() else path
    found: list[ActSentence] = []
    said: dict[Role, str] = {}
    at: tuple[str, int, Role] | None = None
    current: list[str] = []
    for row in _rows(path, ("B2", "B4", "Turn", "Unit", "er_label_1", "ee_label_1")):
        role, text = role_of(row["B4"]), clean(row["Unit"])
        label = (row["er_label_1"] if role == "agent" else row["ee_label_1"]).strip()
        if role is None or not text or not label:
            continue
        here = (row["B2"], _number(path, "Turn", row["Turn"]), role)
        if at != here:
            if at is not None:
                said = {**said, at[2]: " ".join(current)} if at[0] == row["B2"] else {}
            at, current = here, []
        agent, customer = said.get("agent", ""), said.get("customer", "")
        found.append(ActSentence(row["B2"], here[1], len(current), role, text, label, agent, customer))
        current.append(text)
    return found


def labelled_examples(campaign: str) -> list[ActSentence]:
    """Return the customer's labelled sentences of a bundled campaign's data; empty for a campaign without such data.

    Args:
        campaign: Name of a bundled campaign, e.g. `save_the_children`.
    """
    path = CAMPAIGNS / campaign / "data" / ANNOTATED
    return [sentence for sentence in read_acts(path) if sentence.role == "customer"] if path.is_file() else []


def _folder_calls(folder: Path) -> Iterator[RecordedCall]:
    """Read `full_*.csv`, else `annotated_*.csv`; act labels are added where the folder has them."""
    annotated = folder / ANNOTATED
    form = "full" if (folder / "full_dialog.csv").is_file() else "annotated"
    dialog, info = folder / f"{form}_dialog.csv", folder / f"{form}_info.csv"
    absent = [path.name for path in (dialog, info) if not path.is_file()]
    if absent:
        raise BadInput(
            f"{folder}: no {' and no '.join(absent)}; give a folder like persuasion_for_good, or a JSONL file"
        )
    acts: dict[tuple[str, int, Role], tuple[str, ...]] = {}
    for sentence in read_acts(annotated) if annotated.is_file() else ():
        key = (sentence.dialogue, sentence.turn, sentence.role)
        acts[key] = (*acts.get(key, ()), sentence.label)
    given: dict[str, float] = {}
    for row in _rows(info, ("B2", "B4", "B6")):
        if role_of(row["B4"]) == "customer":
            given[row["B2"]] = outcome_of(row["B6"]) or 0.0
    turns: dict[str, dict[tuple[int, Role], list[str]]] = {}
    for row in _rows(dialog, ("B2", "B4", "Turn", "Unit")):
        role = role_of(row["B4"])
        if role and row["B2"]:
            turn = _number(dialog, "Turn", row["Turn"])
            turns.setdefault(row["B2"], {}).setdefault((turn, role), []).append(clean(row["Unit"]))
    for name, said in turns.items():
        merged = merge(
            RecordedTurn(role, " ".join(filter(None, texts)), acts.get((name, turn, role), ()))
            for (turn, role), texts in said.items()
        )
        if merged:
            yield RecordedCall(name, merged, given.get(name, 0.0))


def _own_turns(item: Mapping[str, object]) -> Iterator[RecordedTurn]:
    """Turn one element of `turns` into what was said: `{role, text}`, or a turn of an own record."""
    if "reply" in item:
        intent = clean(item.get("intent"))
        yield RecordedTurn("customer", clean(item.get("customer")), (intent,) if intent else ())
        yield RecordedTurn("agent", clean(item.get("reply")), stage=clean(item.get("stage")))
        return
    role = role_of(item.get("role"))
    if role:
        yield RecordedTurn(role, clean(item.get("text")))


def _line_call(line: str) -> RecordedCall | str:
    """Read one JSON line; a string is what is wrong with it."""
    try:
        item = json.loads(line)
    except ValueError as error:
        return f"no valid JSON ({error})"
    if not isinstance(item, dict):
        return "expected an object {id, turns, outcome}"
    name = item.get("id", item.get("call"))
    turns, outcome = item.get("turns"), outcome_of(item.get("outcome"))
    if not isinstance(name, str | int) or not str(name).strip():
        return "field id is missing"
    if not isinstance(turns, list):
        return "field turns is missing or no list"
    if outcome is None:
        return f"field outcome holds {str(item.get('outcome'))[:40]!r}; expected a number, true, false, won or lost"
    said = [turn for element in turns if isinstance(element, dict) for turn in _own_turns(element)]
    return RecordedCall(str(name).strip(), merge(said), outcome)


def _file_calls(path: Path) -> Iterator[RecordedCall]:
    errors = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        call = _line_call(line)
        if isinstance(call, str):
            errors.append(f"{path}, line {number}: {call}")
        elif call.turns:
            yield call
    if errors:
        raise BadInput("\n".join(errors))


def read_calls(path: Path) -> list[RecordedCall]:
    """Read recorded calls with their outcomes.

    Args:
        path: A folder like `persuasion_for_good` (`full_dialog.csv` with `full_info.csv`, or the annotated pair), or a
            JSONL file of `{id, turns: [{role, text}], outcome}` or of exported records, one call a line.

    Returns:
        Calls with at least one turn, in the order of the file; the speakers alternate.

    Raises:
        BadInput: It cannot be read, lacks a column or field, or holds no call; lists every broken line.
    """
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder; give a folder like persuasion_for_good or a JSONL file")
    calls = list(_folder_calls(path) if path.is_dir() else _file_calls(path))
    if not calls:
        raise BadInput(f"{path}: holds no call with a spoken turn")
    return calls
