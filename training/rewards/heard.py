"""What a customer hears in the reply: an answer, sympathy, a question; or nothing to the point, pressure, the same again."""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from evaluation.customers.worth import Listener, Place
from scripts_library.loading import CampaignData
from training.rewards.format import Completion, spoken_of


class HeardReward:
    """Score a reply by how it would move the rule buyer: the steps of trust, interest and patience that its acts are worth.

    The rules see what a reply does wrong, and a policy that is punished by them alone learns to say nothing ("Absolutely, I'm glad you
    are interested."). This reward sees whether the customer got what it asked for. The evaluation's rule buyer listens with the same
    ear, so a gain there must be seen with another customer as well.

    Range: -1 to 1, see `Listener.worth`.

    Source: ours; it stands where REPO (arXiv 2510.04214) has its judge score soothing, pursuing and answering.

    Args:
        campaign: Gives a campaign's facts and intents by its name.
    """

    __name__ = "heard"

    def __init__(self, campaign: Callable[[str], CampaignData]) -> None:
        self._campaign = campaign
        self._listeners = lru_cache(maxsize=16)(self._listener)

    def __call__(
        self, completions: Sequence[Completion], state: Sequence[str], intent: Sequence[str], **_: Any
    ) -> list[float | None]:
        """Return each reply's score; `intent` is that of the customer's line."""
        rows = zip(spoken_of(completions), state, intent, strict=True)
        return [self._score(spoken.reply, json.loads(place), meant) for spoken, place, meant in rows]

    def _score(self, reply: str, place: dict[str, Any], meant: str) -> float:
        where = Place(
            place["customer"],
            meant,
            [turn["reply"] for turn in place["history"]],
            place["refusals"] > 0,
            1 + sum(bool(turn["customer"]) for turn in place["history"]),
        )
        return self._listeners(place["campaign"], place["language"]).worth(reply, where)

    def _listener(self, campaign: str, language: Any) -> Listener:
        return Listener(self._campaign(campaign), language)
