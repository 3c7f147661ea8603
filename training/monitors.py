"""Watch a reinforcement-learning run for collapse, stop it, and say why.

A run collapses when its groups no longer differ (nothing is learnt), when the policy says one thing to every customer, when replies
shrink or never end, or when it has gone far from where it began. The published works report no such monitors.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from graph.errors import BadInput
from training.rewards.format import split_thought

DIVERSITY = "completions/diversity"
"""Name under which `ReplyDiversity` is logged."""


@dataclass(frozen=True)
class Limit:
    """A logged figure that may not stay on one side of a number."""

    metric: str
    """As TRL logs it."""
    wrong: Literal["above", "below"]
    told: str
    """What the figure is."""


LIMITS = {
    "zero_spread": Limit("frac_reward_zero_std", "above", "share of groups without any spread of reward"),
    "entropy": Limit("entropy", "below", "mean entropy of a token, in nats"),
    "diversity": Limit(DIVERSITY, "below", "share of distinct replies among those to different customers"),
    "short": Limit("completions/mean_length", "below", "mean length of a completion, in tokens"),
    "clipped": Limit("completions/clipped_ratio", "above", "share of completions cut off at the limit"),
    "kl": Limit("kl", "above", "divergence from the reference model, in nats a token (with `beta` above 0)"),
}
"""Names that a recipe's `stop` may have."""


class CollapseMonitor(TrainerCallback):
    """Stop a run when a logged figure stays beyond its limit.

    Args:
        limits: Number by a name of `LIMITS`.
        patience: So many logged steps in a row beyond a limit stop the run; at least 1.

    Raises:
        BadInput: An unknown name, or a patience below 1.
    """

    def __init__(self, limits: Mapping[str, float], patience: int) -> None:
        unknown = sorted(set(limits) - set(LIMITS))
        if unknown:
            raise BadInput(f"stop: there is no limit '{unknown[0]}'; expected some of {', '.join(LIMITS)}.")
        if patience < 1:
            raise BadInput(f"patience is {patience}; expected at least 1.")
        self.limits, self.patience = dict(limits), patience
        self.reason = ""
        """Why the run was stopped; empty when it was not."""
        self._beyond = dict.fromkeys(limits, 0)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Count logged steps beyond each limit; a line without the figure counts neither way."""
        for name, number in self.limits.items():
            limit = LIMITS[name]
            value = (logs or {}).get(limit.metric)
            if value is None or not math.isfinite(value):
                continue
            beyond = value > number if limit.wrong == "above" else value < number
            self._beyond[name] = self._beyond[name] + 1 if beyond else 0
            if self._beyond[name] >= self.patience and not self.reason:
                self.reason = (
                    f"{name}: {limit.told} was {limit.wrong} {number:g} in {self.patience} logged steps in a row, "
                    f"last {value:.3g} at step {state.global_step}"
                )
                control.should_training_stop = True


class ReplyDiversity:
    """How far replies to different customers differ, over the prompts last seen.

    Replies to one prompt are compared with those to others only: whether a group differs within itself is told by its spread.

    Args:
        window: So many prompts.
    """

    def __init__(self, window: int = 32) -> None:
        self.window = window
        self._seen: OrderedDict[str, set[str]] = OrderedDict()

    def observe(self, prompts: Sequence[Any], completions: Sequence[str]) -> float:
        """Take a batch in, and return the figure.

        Args:
            prompts: One a completion.
            completions: With or without thoughts, which are left out.

        Returns:
            Distinct replies over all replies, each counted once a prompt, in (0, 1]; 1 when no two customers got the same.
        """
        fresh: dict[str, set[str]] = {}
        for prompt, completion in zip(prompts, completions, strict=True):
            reply = " ".join(split_thought(completion).reply.casefold().split())
            fresh.setdefault(repr(prompt), set()).add(reply)
        for prompt, replies in fresh.items():
            self._seen.pop(prompt, None)
            self._seen[prompt] = replies
        while len(self._seen) > self.window:
            self._seen.popitem(last=False)
        return len(set().union(*self._seen.values())) / sum(map(len, self._seen.values()))
