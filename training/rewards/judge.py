"""A judge model's rating of the reply by the `reply` rubric, many at once."""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evaluation.judging.judge import judge
from evaluation.judging.rubric import Rubric
from evaluation.judging.transcript import Judged, Said
from graph.errors import ModelUnavailable
from scripts_library.schema import Campaign
from training.rewards.format import Completion, Spoken, spoken_of

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

logger = logging.getLogger(__name__)


class JudgeReward:
    """Score a reply by a rubric's weighted mean, as a judge model answers it.

    Requests run side by side in threads, while TRL awaits this function beside other asynchronous ones. What a judge does not answer
    soundly is `None`, is logged, and counts neither for nor against the reply: the scale's middle is 0, which is what TRL adds
    for `None`. A completion without a reply is not shown to the judge.

    Range: -1 (every answer the worst) to 1 (every answer the best); -1 without a reply.

    Source: the rubric reward of REPO (arXiv 2510.04214); its rubric's wording is not published.

    Args:
        model: Loads the judge when it is first needed.
        rubric: What is asked of each reply.
        campaign: Gives a campaign by name, for goal and facts.
        at_once: Requests under way at a time.
    """

    __name__ = "judge"

    def __init__(
        self,
        model: "Callable[[], BaseChatModel]",
        rubric: Rubric,
        campaign: Callable[[str], Campaign],
        *,
        at_once: int = 4,
    ) -> None:
        self.model = model
        self.rubric = rubric
        self.campaign = campaign
        self.at_once = at_once

    async def __call__(
        self,
        completions: Sequence[Completion],
        state: Sequence[str],
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float | None]:
        """Return each reply's rating; logs the share of replies that the judge failed on."""
        turnstile = asyncio.Semaphore(self.at_once)

        async def rated(spoken: Spoken, before: str) -> float | None:
            async with turnstile:
                return await asyncio.to_thread(self._rate, spoken.reply, before)

        pairs = zip(spoken_of(completions), state, strict=True)
        scores = await asyncio.gather(*(rated(spoken, before) for spoken, before in pairs))
        if log_metric:
            log_metric("judge/failed", sum(score is None for score in scores) / len(scores))
        return list(scores)

    def _rate(self, reply: str, state: str) -> float | None:
        if not reply:
            return -1.0
        try:
            answers = judge(self.model(), self.rubric, self._judged(reply, json.loads(state)))
        except ModelUnavailable as error:
            logger.warning("The judge gives no reward: %s", error)
            return None
        failures = {answer.error["message"] for answer in answers if answer.error}
        if failures:
            logger.warning("The judge gives no reward: %s", "; ".join(sorted(failures)))
            return None
        share = self.rubric.score({answer.criterion: answer.value for answer in answers})
        return None if share is None else 2 * share - 1

    def _judged(self, reply: str, state: dict[str, Any]) -> Judged:
        """Return what the judge is shown: the call as far as the window holds it, with the reply as its last line."""
        said = [Said(turn["turn"], turn["customer"], turn["reply"]) for turn in state["history"]]
        turn = said[-1].turn + 1 if said else 0
        campaign, language = self.campaign(state["campaign"]), state["language"]
        background = {
            "goal": campaign.goal.get(language, ""),
            "facts": " ".join(fact.text.get(language, "") for fact in campaign.facts),
        }
        return Judged(language, (*said, Said(turn, state["customer"], reply)), background, turn)
