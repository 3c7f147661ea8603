"""What trainers read: rows with TRL's column names, as JSON lines. A row of a test dialogue is refused."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from graph.errors import BadInput


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


def read_rows(path: Path, *columns: str) -> list[dict[str, Any]]:
    """Read rows to train on.

    Args:
        path: JSON lines.
        columns: Those that every row must have, e.g. `prompt`, `completion`.

    Raises:
        BadInput: No such file, no row, a row that is no JSON object or lacks a column, or one of a test dialogue.
    """
    if not path.is_file():
        raise BadInput(f"Rows {path} do not exist; make them with `salesman train corpus rows`.")
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BadInput(f"Rows {path}, line {number}: no JSON ({error}).") from error
        missing = [name for name in ("dialogue", "split", *columns) if not isinstance(row, dict) or name not in row]
        if missing:
            raise BadInput(f"Rows {path}, line {number}: lacks {', '.join(missing)}.")
        if row["split"] == "test":
            raise BadInput(
                f"Rows {path}, line {number}: dialogue '{row['dialogue']}' is held out for tests; nothing trains on it."
            )
        rows.append(row)
    if not rows:
        raise BadInput(f"Rows {path} hold none.")
    return rows


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows and return how many; an earlier file is replaced whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    count = 0
    with part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    part.replace(path)
    return count
