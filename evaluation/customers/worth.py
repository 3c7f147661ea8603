"""What a reply is worth to the customer who hears it: the steps of trust, interest and patience of the rule buyer, added up."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.customers.acts import Ear
from evaluation.customers.rule import EFFECTS, WINDOW, effects_of
from scripts_library.loading import CampaignData
from scripts_library.schema import IntentKind, Language

WAITS: frozenset[IntentKind | None] = frozenset({"question", "objection"})
"""Kinds of lines that want an answer."""
SCALE = 0.3
"""Sum of a reply's steps that counts as 1: about that of a full answer with sympathy and a question."""


@dataclass(frozen=True)
class Place:
    """Where in a call a reply stands.

    customer: the line that it answers. meant: that line's intent. earlier: the agent's replies before it. refused: whether the
    customer has said no. lines: the customer's lines so far, this one among them.
    """

    customer: str
    meant: str
    earlier: Sequence[str]
    refused: bool
    lines: int


class Listener:
    """Hears replies in the calls of one campaign and language.

    Args:
        data: The campaign.
        language: Of the calls.
    """

    def __init__(self, data: CampaignData, language: Language) -> None:
        self._ear = Ear(data, language, {})
        self._kinds: dict[str, IntentKind] = {intent.name: intent.kind for intent in data.intents}

    def worth(self, reply: str, place: Place) -> float:
        """Return the sum of a reply's steps, divided by `SCALE` and cut to -1..1."""
        kind = self._kinds.get(place.meant)
        waits = kind in WAITS
        asked = place.meant if waits else ""
        acts = self._ear.hear(reply, place.customer, asked, place.earlier, refused=place.refused)
        effects = effects_of(acts, waits=waits, objection=kind == "objection", early=place.lines < WINDOW - 1)
        total = sum(sum(EFFECTS[name]) for name in effects)
        return max(-1.0, min(1.0, total / SCALE))
