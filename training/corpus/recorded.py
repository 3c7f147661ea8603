"""The project's own calls as dialogues: with the stages, intents, thoughts and scripts that their turns record."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from graph.calls import CallStore
from graph.records import ConversationRecord, TurnRecord
from scripts_library.persuasion import split_of
from scripts_library.schema import Language
from training.corpus.joining import joined
from training.corpus.lines import read_lines, refuse
from training.corpus.schema import Dialogue, DialogueTurn, Origin

EVERY = 1_000_000_000


def read_recorded(path: Path) -> list[Dialogue]:
    """Read exported calls.

    Args:
        path: A `ConversationRecord` a line, as `salesman show CALL --json` prints it.

    Returns:
        Dialogues, as `dialogues_of` makes them.

    Raises:
        BadInput: It cannot be read, or lines are no records; all faults at once, a line each.
    """
    records: list[ConversationRecord] = []
    faults = []
    for number, line in read_lines(path):
        try:
            record = json.loads(line)
            record["call"], record["campaign"], record["outcome"]["status"], [turn["reply"] for turn in record["turns"]]
            records.append(record)
        except (ValueError, KeyError, TypeError):
            faults.append(f"line {number}: no record of a call; export one with `salesman show CALL --json`")
    refuse(f"Calls {path}", faults)
    return dialogues_of(records)


def read_store(store: CallStore) -> list[Dialogue]:
    """Read every call of the call store.

    Returns:
        Dialogues, as `dialogues_of` makes them; oldest first.
    """
    return dialogues_of(store.record(call["id"]) for call in reversed(store.calls(limit=EVERY)))


def dialogues_of(records: Iterable[ConversationRecord]) -> list[Dialogue]:
    """Make a dialogue of each call in which the customer said something; split by the call's id.

    Texts stand as they were said. What a person said in place of the agent is the agent's.
    """
    made = [_dialogue(record) for record in records]
    return [dialogue for dialogue in made if dialogue]


def _dialogue(record: ConversationRecord) -> Dialogue | None:
    turns = joined(turn for entry in record["turns"] for turn in _turns(entry))
    if len(turns) < 2:
        return None
    spoken = [entry["why"]["language"] for entry in record["turns"] if entry.get("why", {}).get("language")]
    language = record.get("language") or (spoken[-1] if spoken else "en")
    return Dialogue(
        id=record["call"],
        campaign=record["campaign"],
        language=cast(Language, language),
        profile=record.get("profile", {}),
        strategy=record.get("strategy", ""),
        turns=turns,
        outcome=record["outcome"]["status"],
        source=Origin(method="recorded", model=record.get("model", "")),
        split=split_of(record["call"]),
    )


def _turns(entry: TurnRecord) -> Iterator[DialogueTurn]:
    why: Mapping[str, Any] = entry.get("why", {})
    if entry.get("customer"):
        yield DialogueTurn(role="customer", text=entry["customer"], intent=entry.get("intent", ""))
    if entry["reply"]:
        yield DialogueTurn(
            role="agent",
            text=entry["reply"],
            stage=entry.get("stage", ""),
            thought=why.get("thought", ""),
            scripts=[script["id"] for script in entry.get("scripts", [])],
            proposed=entry.get("stage_proposed", ""),
        )
