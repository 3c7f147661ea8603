"""Calls as the classifier reads them: exchanges of one agent's turn and the customer's answer, from every source alike."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from evaluation.outcome.classes import IntentClass, of_call, of_donation
from evaluation.runs.results import CallResult
from evaluation.scenarios.loading import split_ids
from evaluation.scenarios.schema import SPLITS
from graph.errors import BadInput
from graph.records import ConversationRecord
from scripts_library.persuasion import RecordedCall, outcome_of, read_calls, role_of, split_of
from scripts_library.schema import Language


@cache
def _scenario_splits() -> dict[str, str]:
    return {name: split for split in SPLITS for name in split_ids(split)}


@dataclass(frozen=True)
class Exchange:
    """What the agent said and what the customer answered; either may be empty.

    turn: turn of the call whose customer line this is (from 0), numbered through all sessions.
    acts: what was done in it, e.g. `customer:agree-donation`; None where nobody labelled it.
    """

    agent: str
    customer: str
    turn: int
    acts: frozenset[str] | None = None


_MODES = re.compile(r"(?:\.(?:x6|x15|f1|f2))+$")


@dataclass(frozen=True)
class Dialogue:
    """A call.

    possible: its class, or the classes it may have; empty where nothing is known.
    scenario: which customer it was held with; calls of one never lie on both sides of a split. Empty: of no other call.
    """

    id: str
    language: Language
    exchanges: tuple[Exchange, ...]
    possible: tuple[IntentClass, ...] = ()
    scenario: str = ""

    @property
    def group(self) -> str:
        """What splits and lists of training calls go by; a scenario in another mode (`….x6`, `….f2`) is the same customer."""
        return _MODES.sub("", self.scenario) or self.id

    @property
    def held_out(self) -> bool:
        """Whether the call is a test call: by the scenarios' splits, else by the recorded calls' own."""
        return _scenario_splits().get(self.group, split_of(self.group)) == "test"

    @property
    def text(self) -> str:
        """The call, flattened with role tags."""
        return "\n".join(
            f"{tag} {text}"
            for one in self.exchanges
            for tag, text in (("[ASSISTANT]", one.agent), ("[USER]", one.customer))
            if text
        )


def read_donations(folder: Path) -> list[Dialogue]:
    """Read real calls with what was given and, where annotated, what was intended.

    Args:
        folder: As `persuasion_for_good`; background of the participants is never read.

    Raises:
        BadInput: The folder cannot be read; names the file.
    """
    intended = _intended(folder / "annotated_info.csv")
    return [
        Dialogue(
            call.id,
            "en",
            exchanges_of_recording(call),
            of_donation(call.outcome, intended.get(call.id), call.id in intended),
        )
        for call in read_calls(folder)
    ]


def _intended(path: Path) -> dict[str, float | None]:
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig", errors="replace").splitlines()))
    except (OSError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read ({error})") from error
    if rows and (missing := {"B2", "B4", "B5"} - set(rows[0])):
        raise BadInput(f"{path}: columns {', '.join(sorted(missing))} are missing")
    customers = [row for row in rows if role_of(row["B4"]) == "customer"]
    return {row["B2"]: outcome_of(row["B5"]) if (row["B5"] or "").strip() else None for row in customers}


def exchanges_of_recording(call: RecordedCall) -> tuple[Exchange, ...]:
    """Pair each turn of the agent with the customer's answer."""
    agent, acts = "", frozenset[str]()
    found: list[Exchange] = []
    for turn in call.turns:
        if turn.role == "agent":
            agent, acts = turn.text, frozenset(f"agent:{act}" for act in turn.acts)
            continue
        done = acts | {f"customer:{act}" for act in turn.acts}
        found.append(Exchange(agent, turn.text, len(found), done or None))
        agent, acts = "", frozenset()
    if agent:
        found.append(Exchange(agent, "", len(found), acts or None))
    return tuple(found)


def exchanges_of_records(
    sessions: Sequence[ConversationRecord], intents: dict[tuple[int, int], str] | None = None
) -> tuple[Exchange, ...]:
    """Pair each reply of the agent with the customer's next line, over all sessions of a call.

    Args:
        sessions: The call's records, in order.
        intents: (session, its turn) → what the customer's line was meant as.
    """
    meant = intents or {}
    found: list[Exchange] = []
    numbers = count()
    for session, record in enumerate(sessions):
        agent, last = "", -1
        for turn in record["turns"]:
            last = next(numbers)
            if line := turn.get("customer", ""):
                intent = meant.get((session, turn["turn"]))
                found.append(Exchange(agent, line, last, frozenset({f"customer:{intent}"}) if intent else None))
            agent = turn.get("reply", "")
        if agent:
            found.append(Exchange(agent, "", last))
    return tuple(found)


def read_results(results: Sequence[CallResult]) -> list[Dialogue]:
    """Read simulated calls whose customers say what they decided; calls that failed are left out."""
    found = []
    for result in results:
        truth = of_call(result)
        if truth is None or result["error"] is not None or not result["sessions"]:
            continue
        intents = {
            (number, note["turn"]): note["intent"]
            for number, notes in enumerate(result["notes"])
            for note in notes
            if "intent" in note
        }
        language: Language = "zh" if result["sessions"][0]["language"] == "zh" else "en"
        exchanges = exchanges_of_records(result["sessions"], intents)
        found.append(Dialogue(result["unit"], language, exchanges, (truth,), result["scenario"]))
    return found
