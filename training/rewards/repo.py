"""REPO's way to combine rewards: judge and rules strengthen or erase what the main reward says, and never turn its sign.

    R = R_m + |R_m| * clip(E, -n, n) / n        E = E_judge + E_rules

so that R lies between 0 and 2 R_m whatever judge and rules say, and is 0 where R_m is.

Departures from the paper (arXiv 2510.04214):
1. n is 1, and judge and rules give at most 1 each, where the paper has n = 100 and points: the formula is the same.
2. R_m is the weighted sum of all other rewards of the recipe. With `preference` alone, it is the paper's reward model.
3. What the format's score lacks to 1 counts to E: in the paper, checking the format is one of the deterministic rules, and those
   deduct. So E is 0, and R is R_m, for a reply in which nothing is wrong.
4. The advantages come from groups (GRPO), not from a value model (PPO).
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

N = 1.0
ENHANCING = frozenset({"judge", "rules", "format"})
"""Names of the rewards that make up E."""
FAULTLESS = {"format": 1.0}
"""Score of a reply in which nothing is wrong, where it is not 0."""
Reward = Callable[..., Any]


def combine(main: float, enhancing: float, n: float = N) -> float:
    """Return REPO's reward.

    Args:
        main: R_m, of either sign.
        enhancing: E; what exceeds n on either side is cut.
        n: Value of E that doubles or erases the main reward.

    Source: REPO (arXiv 2510.04214), combination of R_model and E_enh.

    Example:
        >>> combine(2.0, 0.5), combine(2.0, -0.5), combine(-2.0, 0.5), combine(-2.0, -0.5)
        (3.0, 1.0, -1.0, -3.0)
    """
    return main + abs(main) * max(-n, min(n, enhancing)) / n


class RepoReward:
    """Combine rewards as REPO does, and log the mean of every part.

    R_m must be positive for a good reply: with the Bayesian terms in it, which never are, rules that find fault take from an honest reply
    more than from an empty one, and probes win (`probes.py`).

    A part that does not apply (`None`) is left out of its sum; where no main reward applies, neither does this one.

    Range: 0 to 2 R_m, or 2 R_m to 0.

    Source: REPO (arXiv 2510.04214).

    Args:
        parts: Rewards with their weights; those named in `ENHANCING` make up E, at least one other makes up R_m.
    """

    __name__ = "repo"

    def __init__(self, parts: Mapping[Reward, float]) -> None:
        self.parts = dict(parts)

    def bind(self, trainer: Any) -> None:
        """Hand the trainer on to the parts that score with its models."""
        for part in self.parts:
            if hasattr(part, "bind"):
                part.bind(trainer)

    def __call__(self, log_metric: Callable[[str, float], None] | None = None, **given: Any) -> list[float | None]:
        """Return the combined reward of each completion."""
        scores = {part.__name__: _called(part, log_metric=log_metric, **given) for part in self.parts}
        weights = {part.__name__: weight for part, weight in self.parts.items()}
        rows = [dict(zip(scores, row, strict=True)) for row in zip(*scores.values(), strict=True)]
        mains = [_sum({name: row[name] for name in row if name not in ENHANCING}, weights) for row in rows]
        enhancing = [
            _sum({name: _points(name, row[name]) for name in row if name in ENHANCING}, weights) or 0.0 for row in rows
        ]
        if log_metric:
            for name, values in {**scores, "main": mains, "enhancing": enhancing}.items():
                known = [value for value in values if value is not None]
                if known:
                    log_metric(f"repo/{name}", sum(known) / len(known))
        return [None if main is None else combine(main, extra) for main, extra in zip(mains, enhancing, strict=True)]


def _called(part: Reward, **given: Any) -> Sequence[float | None]:
    scores: Any = part(**given)
    found: Sequence[float | None] = asyncio.run(scores) if inspect.iscoroutine(scores) else scores
    return found


def _points(name: str, score: float | None) -> float | None:
    return None if score is None else score - FAULTLESS.get(name, 0.0)


def _sum(scores: Mapping[str, float | None], weights: Mapping[str, float]) -> float | None:
    """Return the weighted sum of what applies; None when nothing does."""
    known = [weights[name] * score for name, score in scores.items() if score is not None]
    return sum(known) if known else None
