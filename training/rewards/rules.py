"""The guard's rules as a reward, and what only training can punish: what is copied from the prompt."""

from collections.abc import Callable, Sequence
from typing import Any

from evaluation.judging.transcript import tokens
from graph.records import RuleHit
from guardrails.sentences import split_sentences
from nodes.release import MAX_SENTENCES
from training.rewards.format import Completion, Spoken, spoken_of

POINTS = {"high": -1.0, "medium": -0.6, "low": -0.3}
"""Severity of a breach → what it costs. All are below 0: the guard blocks whatever breaks a rule."""
LEAST = -1.0
COPIED = 0.6
"""Share of a text's runs of `RUN` words from which on it counts as copied."""
RUN = 3
Hits = Callable[[str, str], Sequence[RuleHit]]
"""A row's `state` and a reply, to the breaches that the guard finds."""


class RulesReward:
    """Score a reply by what the guard would do with it.

    Points of all breaches are added up: those of the guard's own rules by their severity; `low` for more sentences than the gate
    releases, which nobody would hear, and for a reply that is copied from the prompt's last message (what the customer said, the
    outline, the example line), which a served prompt forbids in words ("use your own words") and no rule of the guard can see;
    `medium` for a thought copied from there. A copied reply costs no more than that: the example line is an approved one, and a policy
    that was punished harder for it learnt to say nothing at all.

    Range: -1 to 0; 0 for a reply that breaks nothing, -1 for one severe breach or several lesser ones.

    Source: the deterministic reward of REPO (arXiv 2510.04214), 100 of its points being 1 here; its points are not published.

    Args:
        hits: Finds the guard's breaches; see `training.corpus.guarded.rule_hits`.
    """

    __name__ = "rules"

    def __init__(self, hits: Hits) -> None:
        self.hits = hits

    def __call__(
        self,
        prompts: Sequence[list[dict[str, str]]],
        completions: Sequence[Completion],
        state: Sequence[str],
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float | None]:
        """Return each reply's points; logs the share of replies that the guard would block."""
        parted = spoken_of(completions)
        found = [self.hits(one, spoken.reply) for one, spoken in zip(state, parted, strict=True)]
        if log_metric:
            log_metric("rules/blocked", sum(map(bool, found)) / len(found))
        return [
            points(breaches, spoken, prompt[-1]["content"])
            for breaches, spoken, prompt in zip(found, parted, prompts, strict=True)
        ]


def points(breaches: Sequence[RuleHit], spoken: Spoken, asked: str) -> float:
    """Return the points of one reply.

    Args:
        breaches: Of the guard's rules.
        spoken: The reply, and the thought before it.
        asked: The prompt's last message.
    """
    total = sum(POINTS[hit["severity"]] for hit in breaches)
    if len(split_sentences(spoken.reply)) > MAX_SENTENCES:
        total += POINTS["low"]
    total += POINTS["low"] * (copied(spoken.reply, asked) >= COPIED)
    total += POINTS["medium"] * (copied(spoken.thought, asked) >= COPIED)
    return max(total, LEAST)


def copied(text: str, source: str) -> float:
    """Return the share of a text's runs of three words (of Chinese, characters) that stand in another text, 0 to 1.

    Example:
        >>> copied("May I ask what you sell, please?", "Example line: May I ask what you sell?")
        0.8
    """
    runs, known = _runs(text), set(_runs(source))
    return sum(run in known for run in runs) / len(runs) if runs else 0.0


def _runs(text: str) -> list[tuple[str, ...]]:
    words = tokens(text)
    return [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]
