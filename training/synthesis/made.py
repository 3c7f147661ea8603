"""`made.jsonl`: a line for each dialogue that was asked for and came to an end, in the order in which they did."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from evaluation.runs.store import read_lines
from graph.errors import BadInput
from training.corpus.schema import Dialogue, Method

FILE = "made.jsonl"


class Made(BaseModel):
    """One line: a dialogue, or why there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    method: Method
    dialogue: Dialogue | None = None
    failure: str = ""
    """Why the teacher's answer was refused."""
    seconds: float

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.dialogue is None) == (not self.failure):
            raise ValueError("expected either a dialogue or a failure")
        return self


def read_made(folder: Path) -> Iterator[Made]:
    """Yield what was made so far; a last line that a killed process left unfinished is passed over.

    Raises:
        BadInput: A line is not what this program writes.
    """
    path, read = folder / FILE, 0
    try:
        for row in read_lines(path):
            made = Made.model_validate(row)
            read += 1
            yield made
    except ValueError as error:
        raise BadInput(f"{path}, line {read + 1}: not what synthesis writes; give another folder.") from error
