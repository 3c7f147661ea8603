"""What the rules know when they judge a reply: plain, frozen, built once a turn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from guardrails.quantities import Quantity
from guardrails.units import Kind

Severity = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A claim that a campaign forbids: a regular expression, matched case-insensitively."""

    id: str
    reason: str
    pattern: str
    severity: Severity = "high"


@dataclass(frozen=True, slots=True)
class Range:
    """Every value from low to high of one kind and unit may be said, e.g. a donation of 0 to 2 USD."""

    kind: Kind
    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class GuardContext:
    """Facts of the campaign and state of the call, as far as a rule may need them."""

    language: Literal["en", "zh"] = "en"
    allowed: frozenset[Quantity] = frozenset()
    """What facts and the campaign's allowed numbers state."""
    ranges: tuple[Range, ...] = ()
    """Open amounts that the campaign lets the customer choose from."""
    promises: tuple[str, ...] = ()
    """Approved promise phrases."""
    forbidden: tuple[Forbidden, ...] = ()
    internal_terms: tuple[str, ...] = ()
    prompt_marks: tuple[str, ...] = ()
    """Headings and markers of our own prompts."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """What the customer gave for slots that the SOP names."""
    slot_quantities: frozenset[Quantity] = frozenset()
    """Quantities of those slots: may be repeated back, never as our price, discount or term."""
    personal: tuple[str, ...] = ()
    """Personal data that may be said: what customer or profile gave, and the campaign's own contacts."""
    heard: str = ""
    """The customer's line that is answered."""
    earlier: tuple[str, ...] = ()
    """Earlier replies of this call, oldest first."""
    refused: bool = False
    """The customer has said no to the offer."""
    opted_out: bool = False
    asked_identity: bool = False
    """The customer asked whether this is a human."""
    max_chars: int = 600
    """Longest reply, in characters; 0 means no limit."""
