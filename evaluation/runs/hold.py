"""Hold one unit: a customer and the served graph, through the one door."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluation.customers.protocol import Customer
from evaluation.runs.results import Boundary, CallResult, Failure, Stopped
from evaluation.runs.units import Unit
from graph.errors import CallEnded, ModelUnavailable
from graph.records import ConversationRecord, TurnRecord
from graph.session import Calls

OVER = ("opted_out", "handoff")
"""Outcomes after which the agent says nothing more of its own."""


class Broken(Exception):
    """A unit that cannot be finished, and whose fault it is; never leaves this package."""

    def __init__(self, boundary: Boundary, message: str) -> None:
        super().__init__(message)
        self.failure: Failure = {"boundary": boundary, "message": message[:500]}


@dataclass
class _Held:
    """The sessions of a unit so far."""

    records: list[ConversationRecord]
    customers: list[Customer]
    stopped: Stopped = "customer"


MakeCustomer = Callable[[Sequence[ConversationRecord]], Customer]
"""Makes the customer of a session; it is given the records of the earlier ones."""


def hold(calls: Calls, unit: Unit, make_customer: MakeCustomer, attempt: int) -> CallResult:
    """Hold a unit's call and its follow-up sessions, or go on where a killed process left them.

    Args:
        calls: The variant's door to the graph.
        unit: What is held.
        make_customer: Makes the customer of each session.
        attempt: How often the unit has failed before.

    Returns:
        The result; a failure stands in its `error`, with the boundary where it happened, and keeps what was said until then.
    """
    held = _Held([], [])
    error: Failure | None = None
    try:
        for session in range(unit.scenario.sessions):
            after = held.records[-1]["call"] if held.records else ""
            _session(calls, unit, make_customer, unit.call(session, attempt), after, held)
            if not _declined(held):
                break
    except Broken as broken:
        held.stopped, error = "error", broken.failure
    notes = [customer.notes(record) for customer, record in zip(held.customers, held.records, strict=True)]
    return {
        "unit": unit.name,
        "variant": unit.variant.name,
        "scenario": unit.scenario.id,
        "customer": unit.customer,
        "trial": unit.trial,
        "seed": unit.seed,
        "sessions": held.records,
        "notes": notes,
        "stopped": held.stopped,
        "error": error,
        "seconds": round(
            sum(turn["latency_ms"]["total"] for record in held.records for turn in record["turns"]) / 1000, 3
        ),
    }


def _declined(held: _Held) -> bool:
    """Tell whether a follow-up session is due: the customer said no, as it tells itself, else as the agent noted."""
    record = held.records[-1]
    decided = [note["decided"] for note in held.customers[-1].notes(record) if "decided" in note]
    if decided and record["outcome"]["status"] not in OVER:
        return decided[-1] == "declines"
    return record["outcome"]["status"] == "declined"


def _session(calls: Calls, unit: Unit, make_customer: MakeCustomer, call: str, after: str, held: _Held) -> None:
    """Hold one session, and add it to what is held."""
    try:
        customer = make_customer(held.records)
    except Exception as error:
        raise _of_customer(error) from error
    record = _begin(calls, unit, call, after)
    held.records.append(record)
    held.customers.append(customer)
    _check(record["turns"])
    held.stopped = _talk(calls, unit, customer, record)
    held.records[-1] = calls.record(call)


def _begin(calls: Calls, unit: Unit, call: str, after: str) -> ConversationRecord:
    """Open a call, or find the one that a killed process left."""
    scenario = unit.scenario
    try:
        if calls.store.exists(call):
            calls.recover(call)
        else:
            calls.start(
                scenario.campaign,
                call=call,
                language=scenario.language,
                profile=scenario.profile,
                strategy=scenario.strategy or None,
                after=after,
            )
        return calls.record(call)
    except ModelUnavailable as error:
        raise Broken("server", _told(error)) from error
    except Exception as error:
        raise Broken("agent", _told(error)) from error


def _talk(calls: Calls, unit: Unit, customer: Customer, record: ConversationRecord) -> Stopped:
    """Let the customer talk until somebody ends the call; the record grows with it."""
    while True:
        if record["outcome"]["status"] == "opted_out":
            return "opted_out"
        if record["ended"] or record["outcome"]["status"] in OVER:
            return "agent"
        said = sum(1 for turn in record["turns"] if turn["customer"])
        if said >= unit.scenario.max_turns:
            return "max_turns"
        line = _next_line(customer, record)
        if line is None:
            return "customer"
        turn = _answer(calls, record["call"], line, said)
        record["turns"].append(turn)
        record["ended"], record["outcome"]["status"] = turn["ended"], turn["outcome"]
        _check([turn])


def _next_line(customer: Customer, record: ConversationRecord) -> str | None:
    try:
        line = customer.next_line(record)
    except Exception as error:
        raise _of_customer(error) from error
    if line is not None and not line.strip():
        raise Broken("customer", "the customer said an empty line")
    return line


def _of_customer(error: Exception) -> Broken:
    """Book what broke in a customer: on its model server, if it has one that does not answer, else on the customer."""
    return Broken("server" if isinstance(error, ModelUnavailable) else "customer", _told(error))


def _answer(calls: Calls, call: str, line: str, number: int) -> TurnRecord:
    try:
        return calls.turn(call, line, key=f"line-{number}")
    except (CallEnded, ModelUnavailable) as error:
        raise Broken("server" if isinstance(error, ModelUnavailable) else "agent", _told(error)) from error
    except Exception as error:
        raise Broken("agent", _told(error)) from error


def _check(turns: list[TurnRecord]) -> None:
    """Refuse turns that a dead or overloaded model server left to approved lines: they would measure it, not the agent."""
    for turn in turns:
        error = turn["why"].get("error", "")
        if error.startswith(("model:", "deadline:")) and error != "model: empty answer":
            raise Broken("server", f"turn {turn['turn']}: {error}")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
