"""What a score is, and what there is to know of each metric."""

from dataclasses import dataclass
from typing import Literal

from typing_extensions import TypedDict

Group = Literal[
    "outcome", "process", "telebot", "grid", "repo", "faithfulness", "respect", "heard", "graph", "cost", "customer"
]


@dataclass(frozen=True)
class Metric:
    """A number that every call may have."""

    name: str
    """Lower case with `_`; of a judge: `rubric.criterion`."""
    group: Group
    label: str
    """What people read."""
    better: Literal["higher", "lower", "neither"]
    unit: Literal["share", "points", "count", "seconds", "tokens"]
    """`share`: 0 or 1 a call (or a share of its turns); `points`: a judge's scale."""
    guardrail: bool = False
    """Whether the gate refuses a candidate that is worse here."""


class Score(TypedDict):
    """One metric of one call. A score always carries its reason."""

    metric: str
    value: float | None
    """None: does not apply to this call, or its judge failed."""
    reason: str
    turns: list[int]
    """Turns that it rests on; may be empty."""
