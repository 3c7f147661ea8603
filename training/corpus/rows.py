"""What trainers read: rows with TRL's column names, as JSON lines. Nothing trains on a row of a test dialogue, and nothing else is measured on."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from graph.errors import BadInput
from nodes.speak import ThoughtFilter
from training.corpus.lines import read_lines, refuse, write_lines
from training.corpus.splits import is_test


class Message(TypedDict):
    """A message of a chat, as every chat template takes it."""

    role: str
    content: str


class _Row(TypedDict):
    dialogue: str
    turn: int
    """Place of the agent's line among the dialogue's turns."""
    campaign: str
    language: str
    stage: str
    intent: str
    """Of the customer's line that is answered."""
    split: str
    method: str
    prompt: list[Message]
    """As the served graph would send it."""


class SFTRow(_Row):
    """A reply to learn."""

    completion: list[Message]


class PromptRow(_Row):
    """A turn to answer (GRPO)."""

    reference: str
    """What the expert said."""
    state: str
    """JSON of the graph's state before the answer: what the guard's rules read."""


class PreferenceRow(_Row):
    """Two replies, one of them better."""

    chosen: list[Message]
    rejected: list[Message]
    pool: str
    """Where the pair comes from: `marks`, `outcomes`, `rules`, `inverted`."""


def asks_thought(row: Mapping[str, Any]) -> bool:
    """Tell whether a row's prompt asks for a thought before the reply."""
    return ThoughtFilter.OPEN in row["prompt"][-1]["content"]


def read_rows(path: Path, *columns: str, held_out: bool = False) -> list[dict[str, Any]]:
    """Read rows to train on, or those that are held out.

    Args:
        path: JSON lines.
        columns: Those that every row must have, e.g. `prompt`, `completion`.
        held_out: Read rows of test dialogues and no others; by default, no such row.

    Raises:
        BadInput: No such file, no row, rows that are no JSON objects, lack a column or are of the wrong split; all faults at once, a line each.
    """
    if not path.is_file():
        raise BadInput(f"Rows {path} do not exist; make them with `salesman train corpus rows`.")
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    for number, line in read_lines(path):
        row = _parsed(line)
        wrong = _fault(row, columns, held_out)
        if wrong:
            faults.append(f"line {number}: {wrong}")
        else:
            rows.append(row)
    refuse(f"Rows {path}", faults)
    if not rows:
        raise BadInput(f"Rows {path} hold none.")
    return rows


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _fault(row: Any, columns: Iterable[str], held_out: bool) -> str:
    """Return why a row cannot be used; empty when it can."""
    if not isinstance(row, dict):
        return "no JSON object"
    missing = [name for name in ("dialogue", "split", *columns) if name not in row]
    if missing:
        return f"lacks {', '.join(missing)}"
    if held_out and row["split"] != "test":
        return f"dialogue '{row['dialogue']}' is of split {row['split']}; make rows by `corpus rows --split test`"
    if not held_out and (row["split"] == "test" or is_test(row["dialogue"], row.get("method", ""))):
        return f"dialogue '{row['dialogue']}' is held out for tests; nothing trains on it"
    return ""


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows and return how many; an earlier file is replaced whole."""
    return write_lines(path, (json.dumps(row, ensure_ascii=False) for row in rows))
