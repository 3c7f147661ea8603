"""The one schema of a dialogue to train on, and its files: JSON lines, checked strictly, written whole or not at all."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from graph.errors import BadInput
from scripts_library.schema import Language
from training.corpus.lines import read_lines, refuse, write_lines

Role = Literal["agent", "customer"]
Split = Literal["train", "dev", "test"]
Method = Literal["imported", "recorded", "simulation", "extraction", "role_play", "prefix"]
"""`imported`: calls between people. `recorded`: the project's own. The others: TeleBot's and AI-Salesman's ways of making them."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DialogueTurn(_Strict):
    """What one side said before the other spoke again."""

    role: Role
    text: str = Field(min_length=1)
    stage: str = ""
    intent: str = ""
    """Of a customer's line: what it means."""
    thought: str = ""
    """Of an agent's line: why it says this."""
    scripts: list[str] = []
    """Ids of the scripts that led it."""
    proposed: str = ""
    """Of an agent's line: the stage that Sales proposed, where a Manager adjudicated `stage`."""


class Origin(_Strict):
    """Where a dialogue comes from."""

    method: Method
    seeds: list[str] = []
    """Ids of the transcripts, questions or situations that it was made from."""
    model: str = ""
    """Teacher that wrote it; empty where people spoke."""
    prompt_hash: str = ""
    """Of the teacher's prompt templates."""


class Dialogue(_Strict):
    """A whole dialogue; roles alternate."""

    id: str = Field(min_length=1)
    campaign: str = Field(min_length=1)
    language: Language
    profile: dict[str, str] = {}
    strategy: str = ""
    turns: list[DialogueTurn] = Field(min_length=2)
    outcome: str = ""
    """`won`, `declined`, …, as in records; empty: unknown."""
    source: Origin
    split: Split

    @model_validator(mode="after")
    def _roles_alternate(self) -> Self:
        for number, (one, other) in enumerate(zip(self.turns, self.turns[1:], strict=False), start=1):
            if one.role == other.role:
                raise ValueError(f"turns {number - 1} and {number} are both the {one.role}'s; join them")
        return self


def read_dialogues(path: Path) -> list[Dialogue]:
    """Read a corpus.

    Args:
        path: JSON lines, a dialogue each.

    Raises:
        BadInput: No such file, no dialogue in it, lines that are no dialogues, or ids that occur twice; all faults at once, a line each.
    """
    if not path.is_file():
        raise BadInput(f"Corpus {path} does not exist; make one with `salesman train corpus`.")
    found: dict[str, Dialogue] = {}
    faults: list[str] = []
    for number, line in read_lines(path):
        try:
            dialogue = Dialogue.model_validate_json(line)
        except ValidationError as error:
            faults += [f"line {number}: {_place(fault)}{fault['msg']}" for fault in error.errors()]
            continue
        if dialogue.id in found:
            faults.append(f"line {number}: id '{dialogue.id}' stands there twice")
        found[dialogue.id] = dialogue
    refuse(f"Corpus {path}", faults)
    if not found:
        raise BadInput(f"Corpus {path} holds no dialogue.")
    return list(found.values())


def write_dialogues(path: Path, dialogues: Iterable[Dialogue]) -> int:
    """Write a corpus and return how many dialogues it holds; an earlier file is replaced whole."""
    return write_lines(path, (dialogue.model_dump_json() for dialogue in dialogues))


def _place(fault: object) -> str:
    place = ".".join(str(part) for part in fault["loc"])  # type: ignore[index]
    return f"{place}: " if place else ""
