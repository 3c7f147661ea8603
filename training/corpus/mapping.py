"""JSON of any layout as dialogues, by a YAML file that names its fields (TeleSalesCorpus: a list of dialogues, whose layout is not published)."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graph.errors import BadInput
from scripts_library.persuasion import split_of
from scripts_library.schema import Language
from training.corpus.joining import joined
from training.corpus.lines import read_lines, refuse
from training.corpus.schema import Dialogue, DialogueTurn, Method, Origin, Role


class FieldMapping(BaseModel):
    """Where things stand in the file; a path is field names with dots between them, e.g. `meta.customer.city`.

    Example (YAML):
        campaign: lantern_local
        language: zh
        id: dialogue_id
        turns: conversation
        role: speaker
        roles: {sales: agent, user: customer}
        text: content
        stage: state
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign: str = Field(min_length=1)
    language: Language
    dialogues: str = ""
    """Path of the list of dialogues; empty: the file is that list, or has a dialogue a line (`.jsonl`)."""
    id: str = ""
    """Within a dialogue; empty: dialogues are numbered, after the file's name."""
    turns: str = Field(min_length=1)
    role: str = Field(min_length=1)
    """Within a turn, as `text`, `stage`, `intent` and `thought` are."""
    roles: dict[str, Role] = Field(min_length=1)
    """Value of the role → side."""
    text: str = Field(min_length=1)
    stage: str = ""
    intent: str = ""
    thought: str = ""
    outcome: str = ""
    """Within a dialogue."""
    outcomes: dict[str, str] = {}
    """Value of the outcome → as in records; empty: values stand as they are."""
    strategy: str = ""
    """Within a dialogue: id of a strategy of the campaign."""
    profile: dict[str, str] = {}
    """Field of the campaign's profile → path within a dialogue; a dialogue that lacks it goes without."""
    method: Method = "imported"
    """How the dialogues were made; those that models wrote are no `imported` ones."""


def read_mapping(path: Path) -> FieldMapping:
    """Read a mapping.

    Raises:
        BadInput: It cannot be read, or does not fit; all faults at once, a line each.
    """
    try:
        return FieldMapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"Mapping {path} cannot be read: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}" for fault in error.errors()
        ]
        raise BadInput("\n".join(f"Mapping {path}, {fault}" for fault in faults)) from error


def read_mapped(path: Path, mapping: FieldMapping) -> list[Dialogue]:
    """Read dialogues as the mapping says; turns without speech are dropped, and what one side says in a row is joined.

    Args:
        path: JSON, or JSON lines where its name ends so.
        mapping: Names the fields.

    Returns:
        Dialogues, split by id.

    Raises:
        BadInput: It cannot be read, or anything in it is not as the mapping says; all faults at once, a line each.
    """
    items = _items(path, mapping)
    faults: list[str] = []
    found: dict[str, Dialogue] = {}
    for number, item in enumerate(items):
        dialogue = _dialogue(item, mapping, f"{path.stem}-{number}")
        if isinstance(dialogue, list):
            faults += [f"dialogue {number}: {fault}" for fault in dialogue]
            continue
        if dialogue.id in found:
            faults.append(f"dialogue {number}: id '{dialogue.id}' stands there twice")
        found[dialogue.id] = dialogue
    refuse(f"Dialogues {path}", faults)
    if not found:
        raise BadInput(f"Dialogues {path} hold none.")
    return list(found.values())


def _items(path: Path, mapping: FieldMapping) -> list[Any]:
    try:
        if path.suffix.lower() == ".jsonl":
            return [json.loads(line) for _, line in read_lines(path)]
        items = _at(json.loads(path.read_text(encoding="utf-8-sig")), mapping.dialogues)
    except (OSError, ValueError) as error:
        raise BadInput(f"Dialogues {path} cannot be read: {error}") from error
    if not isinstance(items, list):
        place = f"at '{mapping.dialogues}'" if mapping.dialogues else "in the file itself"
        raise BadInput(f"Dialogues {path}: no list of dialogues {place}; name its path as `dialogues` in the mapping.")
    return items


def _at(item: Any, path: str) -> Any:
    """Return what stands at a path; None where nothing does."""
    for name in path.split(".") if path else ():
        item = item.get(name) if isinstance(item, Mapping) else None
    return item


def _text(item: Any, path: str) -> str:
    """Return an optional field as text; empty where the mapping does not name it or it is missing."""
    value = _at(item, path) if path else None
    return "" if value is None else str(value).strip()


def _dialogue(item: Any, mapping: FieldMapping, name: str) -> Dialogue | list[str]:
    """Read one dialogue; a list is what is wrong with it."""
    faults: list[str] = []
    if mapping.id and not _text(item, mapping.id):
        faults.append(f"field '{mapping.id}' (id) is missing")
    outcome = _text(item, mapping.outcome)
    if mapping.outcomes and outcome and outcome not in mapping.outcomes:
        faults.append(f"outcome '{outcome}' is none of {', '.join(mapping.outcomes)}")
    turns = joined(_turns(_at(item, mapping.turns), mapping, faults))
    if not faults and len(turns) < 2:
        faults.append("one side alone speaks")
    if faults:
        return faults
    profile = {field: value for field, path in mapping.profile.items() if (value := _text(item, path))}
    own = _text(item, mapping.id) or name
    return Dialogue(
        id=own,
        campaign=mapping.campaign,
        language=mapping.language,
        profile=profile,
        strategy=_text(item, mapping.strategy),
        turns=turns,
        outcome=mapping.outcomes.get(outcome, outcome),
        source=Origin(method=mapping.method),
        split=split_of(own),
    )


def _turns(items: Any, mapping: FieldMapping, faults: list[str]) -> Iterator[DialogueTurn]:
    if not isinstance(items, list):
        faults.append(f"field '{mapping.turns}' (turns) is missing or no list")
        return
    for number, item in enumerate(items):
        said, side = _at(item, mapping.text), _text(item, mapping.role)
        if not isinstance(said, str):
            faults.append(f"turn {number}: field '{mapping.text}' (text) is missing or no text")
        elif side not in mapping.roles:
            faults.append(f"turn {number}: role '{side}' is none of {', '.join(mapping.roles)}")
        elif said.strip():
            yield DialogueTurn(
                role=mapping.roles[side],
                text=said,
                **{name: _text(item, getattr(mapping, name)) for name in ("stage", "intent", "thought")},
            )
