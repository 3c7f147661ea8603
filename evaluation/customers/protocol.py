"""What every customer can do, whoever it is made of."""

from typing import Protocol

from typing_extensions import TypedDict

from graph.records import ConversationRecord


class Note(TypedDict, total=False):
    """What a customer meant by one line, and how it stood then; the agent never sees it."""

    turn: int
    """Turn of the call whose customer line this is."""
    intent: str
    """The campaign's intent that the line was meant as; absent where the customer does not know."""
    trust: float
    interest: float
    patience: float
    """Hidden state after hearing the agent's last reply, 0..1; absent for customers without one."""
    asked: list[str]
    """Questions (intents) that are still open."""
    decided: str
    """`buys`, `declines`, `hangs_up`, `opts_out` once the customer has decided; absent before."""


class Customer(Protocol):
    """The customer's side of a call; all that it knows of the call is the record, so it goes on wherever a call stands."""

    @property
    def name(self) -> str:
        """What people call this customer."""

    def next_line(self, record: ConversationRecord) -> str | None:
        """Return what the customer says next, or None when the customer has nothing more to say.

        Only words count: the customer reads `customer` and `reply` of each turn and whether the call has ended, never the
        agent's stage, intent, scripts or reasons.
        """

    def notes(self, record: ConversationRecord) -> list[Note]:
        """Return what the customer meant by each of its lines in a call; empty for customers that know nothing of it."""
