"""What a customer hears in the reply: an answer, sympathy, a question; or nothing to the point, pressure, the same again."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from evaluation.customers.acts import Ear
from evaluation.customers.rule import EFFECTS, WINDOW, effects_of
from scripts_library.loading import CampaignData
from training.rewards.format import Completion, spoken_of

WAITS = frozenset({"question", "objection"})
"""Kinds of intents that want an answer."""
SCALE = 0.3
"""Sum of a reply's steps that counts as 1: about that of a full answer with sympathy and a question."""


class HeardReward:
    """Score a reply by how it would move the rule buyer: the steps of trust, interest and patience that its acts are worth.

    The rules see what a reply does wrong, and a policy that is punished by them alone learns to say nothing ("Absolutely, I'm glad you
    are interested."). This reward sees whether the customer got what it asked for. The evaluation's rule buyer listens with the same
    ear, so a gain there must be seen with another customer as well.

    Range: -1 to 1, steps added up and divided by `SCALE`, then cut.

    Source: ours; it stands where REPO (arXiv 2510.04214) has its judge score soothing, pursuing and answering.

    Args:
        campaign: Gives a campaign's facts and intents by its name.
    """

    __name__ = "heard"

    def __init__(self, campaign: Callable[[str], CampaignData]) -> None:
        self._campaign = campaign
        self._ears = lru_cache(maxsize=16)(self._ear)

    def __call__(
        self, completions: Sequence[Completion], state: Sequence[str], intent: Sequence[str], **_: Any
    ) -> list[float | None]:
        """Return each reply's score; `intent` is that of the customer's line."""
        rows = zip(spoken_of(completions), state, intent, strict=True)
        return [self._score(spoken.reply, json.loads(place), meant) for spoken, place, meant in rows]

    def _score(self, reply: str, place: dict[str, Any], meant: str) -> float:
        ear, kinds = self._ears(place["campaign"], place["language"])
        kind = kinds.get(meant, "")
        waits = kind in WAITS
        earlier = [turn["reply"] for turn in place["history"]]
        refused = place["refusals"] > 0
        acts = ear.hear(reply, place["customer"], meant if waits else "", earlier, refused=refused)
        lines = 1 + sum(bool(turn["customer"]) for turn in place["history"])
        effects = effects_of(acts, waits=waits, objection=kind == "objection", early=lines < WINDOW - 1)
        total = sum(sum(EFFECTS[name]) for name in effects)
        return max(-1.0, min(1.0, total / SCALE))

    def _ear(self, campaign: str, language: Any) -> tuple[Ear, dict[str, str]]:
        data = self._campaign(campaign)
        return Ear(data, language, {}), {one.name: one.kind for one in data.intents}
