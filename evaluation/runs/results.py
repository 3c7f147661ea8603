"""What a run keeps of each call: one JSON line in `calls.jsonl`."""

from typing import Literal

from typing_extensions import TypedDict

from evaluation.customers.protocol import Note
from graph.records import ConversationRecord

Boundary = Literal["agent", "customer", "judge", "server"]
"""Where something broke: our graph, the simulated customer, a judge, or the model server."""
Stopped = Literal["customer", "agent", "max_turns", "opted_out", "error"]
"""Who ended the call: a customer who hung up or had nothing more to say, the agent's ending, or the scenario's limit."""


class Failure(TypedDict):
    """A call or a judgement that could not be finished; data, never a score of the agent."""

    boundary: Boundary
    message: str


class CallResult(TypedDict):
    """One unit of a run: variant × scenario × customer × trial."""

    unit: str
    """`variant|scenario|customer|trial`, unique within the run."""
    variant: str
    scenario: str
    customer: str
    """Kind of customer: `rule`, `persona`, `retrieved`, …"""
    trial: int
    """From 0."""
    seed: int
    """Of the customer; the same for all variants of a scenario, customer and trial (paired)."""
    sessions: list[ConversationRecord]
    """One, and one for each follow-up session; empty when the call failed before it began."""
    notes: list[list[Note]]
    """The customer's notes of each session."""
    stopped: Stopped
    error: Failure | None
    seconds: float
    """That the agent's turns took, of all sessions."""
