"""How like real customers a simulated one speaks: its next line against the real one, on held-out real calls.

Teacher-forced: before each line the customer hears the real call so far, real customer's lines included, and its own earlier
lines are forgotten. Source: SalesLLM, arXiv 2604.07054, released code. Departures: plain cosines of the settings' embedder,
not BGE-M3's; the calls are `persuasion_for_good`'s, not the unpublished sales calls, so figures compare customers here and
never with the published table. Cosines of e5 models are compressed (two unrelated lines have about 0.8): read them beside
the row of `CHANCE`.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from evaluation.customers.gates import speaks_as_seller
from evaluation.customers.kinds import speaks_with_a_model
from evaluation.customers.overlap import bleu, rouge, rouge_l, tokens
from evaluation.customers.protocol import Customer, Note
from evaluation.customers.real_lines import CAMPAIGN, real_lines
from evaluation.kept import keep, kept
from evaluation.scenarios.schema import Scenario
from graph.records import ConversationRecord, TurnRecord
from scripts_library.persuasion import CAMPAIGNS, RecordedCall, read_calls, split_of
from serving.embed import Embedder

SHORTEST = 6
"""Characters of a real line that counts; shorter ones are no test (SalesLLM)."""
CHANCE = "chance"
"""The row to read the others by: any line of the train split, whatever was said."""

FILE = "likeness.json"
"""In the home: what was measured last, by kind of customer."""

Make = Callable[[Scenario], Customer]


@dataclass(frozen=True)
class Likeness:
    """One line of a simulated customer against the real one.

    call: id of the real call. said: empty where the customer had nothing more to say. seconds: what the line took.
    inverted: 1 where the gate hears the seller in it, else 0. cosine: -1..1; the other measures 0..1.
    """

    call: str
    turn: int
    real: str
    said: str
    seconds: float
    inverted: float = 0.0
    bleu: float = 0.0
    rouge_1: float = 0.0
    rouge_2: float = 0.0
    rouge_l: float = 0.0
    cosine: float = 0.0


class ChanceCustomer:
    """Says any line of the train split, drawn by scenario and turn.

    Args:
        scenario: Its id seeds the draw.
    """

    name = CHANCE

    def __init__(self, scenario: Scenario) -> None:
        self._id = scenario.id

    def next_line(self, record: ConversationRecord) -> str | None:
        """Return any real line."""
        return Random(f"{self._id}|{len(record['turns'])}").choice(real_lines()).text

    def notes(self, record: ConversationRecord) -> list[Note]:
        """Return nothing: it means nothing."""
        return []


def held_out(limit: int | None = None) -> list[RecordedCall]:
    """Return real calls of the test split, the same ones every time."""
    calls = [call for call in read_calls(CAMPAIGNS / CAMPAIGN / "data") if split_of(call.id) == "test"]
    return sorted(calls, key=lambda call: call.id)[:limit]


def likeness(
    make: Make,
    calls: Sequence[RecordedCall],
    embedder: Embedder,
    progress: Callable[[int, int], None] | None = None,
) -> list[Likeness]:
    """Compare a customer with the real customers of calls.

    Args:
        make: Makes the customer of a scenario (`scenario_of`).
        calls: Held-out real calls.
        embedder: For the cosine.
        progress: Told after every call.

    Returns:
        One row for each real line that counts.
    """
    rows = []
    for number, call in enumerate(calls, start=1):
        customer = make(scenario_of(call))
        for record, real in prefixes(call):
            before = time.perf_counter()
            said = (customer.next_line(record) or "").strip()
            seconds = time.perf_counter() - before
            if len(real) >= SHORTEST:
                inverted = speaks_as_seller(said, [turn["reply"] for turn in record["turns"]]) is not None
                line = Likeness(call.id, len(record["turns"]), real, said, seconds, float(inverted))
                rows.append(_compared(line, embedder) if said else line)
        if progress:
            progress(number, len(calls))
    return rows


def scenario_of(call: RecordedCall) -> Scenario:
    """Return a scenario that says of a real customer only what everybody in the study was told."""
    return Scenario.model_validate(
        {
            "id": f"real-{call.id}",
            "campaign": CAMPAIGN,
            "language": "en",
            "tier": "medium",
            "propensity": 0.5,
            "persona": "An online worker who chats in a paid task with somebody who speaks for a children's charity.",
            "reason": "The task is to chat for about ten turns; at the end a part of the pay may be given, or nothing.",
            "questions": ["ask-org-info", "task-related-inquiry", "ask-donation-procedure"],
            "objections": ["negative-reaction-to-donation"],
            "price_limit": 2,
            "patience": 10,
            "max_turns": 20,
            "success": {"outcomes": ["won"]},
            "checks": ["outcome"],
        }
    )


def prefixes(call: RecordedCall) -> Iterator[tuple[ConversationRecord, str]]:
    """Yield each real customer line with the call before it, as a record of nothing but words."""
    turns: list[TurnRecord] = [TurnRecord(turn=0, customer="", reply="")]
    for turn in call.turns:
        if turn.role == "customer":
            yield _record(call.id, list(turns)), turn.text
            turns.append(TurnRecord(turn=len(turns), customer=turn.text, reply=""))
        else:
            turns[-1] = TurnRecord(turn=turns[-1]["turn"], customer=turns[-1]["customer"], reply=turn.text)


def _record(name: str, turns: list[TurnRecord]) -> ConversationRecord:
    return {
        "version": 1, "call": name, "campaign": CAMPAIGN, "language": "en", "profile": {}, "strategy": "", "model": "",
        "started_at": "", "ended": False, "turns": turns,
        "outcome": {"status": "open", "need": {}, "objections": [], "offers": [], "commitment": {}, "next_step": ""},
    }  # fmt: skip


def _compared(line: Likeness, embedder: Embedder) -> Likeness:
    mine, theirs = tokens(line.said, "en"), tokens(line.real, "en")
    one, other = embedder.query([line.said, line.real])
    return replace(
        line,
        bleu=bleu(mine, theirs),
        rouge_1=rouge(mine, theirs, 1),
        rouge_2=rouge(mine, theirs, 2),
        rouge_l=rouge_l(mine, theirs),
        cosine=float(np.dot(one, other)),
    )


def keep_likeness(home: Path, figures: Mapping[str, Mapping[str, Any]], calls: int, model: str) -> None:
    """Keep what was measured in the home, where reports find it.

    Args:
        home: `SALESMAN_HOME`.
        figures: By kind of customer.
        calls: Held-out calls that they come from.
        model: Of prompted customers.
    """
    keep(
        home / FILE, {kind: {**found, "calls": calls, "model": _model(kind, model)} for kind, found in figures.items()}
    )


def likeness_of_kind(home: Path, kind: str, model: str) -> dict[str, Any] | None:
    """Return what was measured last of a kind of customer: the command's figures, `calls`, `model`, and `at` (ISO 8601).

    Args:
        home: `SALESMAN_HOME`.
        kind: Of customer.
        model: Of prompted customers; figures of another one are none.

    Returns:
        None where it was not measured.
    """
    found: dict[str, Any] | None = kept(home / FILE).get(kind)
    return found if found and found.get("model", "") == _model(kind, model) else None


def _model(kind: str, model: str) -> str:
    """Return the model that a kind's figures are of; the name of a trained customer tells its own."""
    return model if speaks_with_a_model(kind) and ":" not in kind else ""
