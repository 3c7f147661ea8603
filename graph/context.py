"""What a run of the graph is given beside its state: names and numbers, never objects with a life of their own.

This module imports nothing of the project but `graph.records` and `graph.settings` and may be imported from anywhere.
"""

import time
from dataclasses import dataclass, field
from typing import Literal

from graph.records import Answering
from graph.settings import Settings, get_settings

IntentBy = Literal["usual", "classifier", "model"]
"""`usual`: the classifier, and the model below its threshold. The other two ask one alone."""


@dataclass(frozen=True)
class Understanding:
    """How customers' lines are understood; other than the default only where ways are compared."""

    by: IntentBy = "usual"
    noise: float = 0.0
    """Share of intents (0..1) replaced by another of the campaign's, drawn by call and turn; signals of patterns are left alone."""


USUAL = Understanding()


@dataclass(frozen=True)
class Context:
    """One turn's context; customer data stays out of `configurable`, which LangSmith copies into metadata."""

    settings: Settings = field(default_factory=get_settings)
    started: float = field(default_factory=time.monotonic)
    """Monotonic seconds at which the customer's line came in."""
    answering: Answering = "scripts"
    """What the model's prompt is made of; the guard and the campaign's approved lines are the same in all."""
    understanding: Understanding = USUAL
    drafts: tuple[str, ...] = ()
    """What-if answers only: ids of scripts whose latest version is used instead of the published one."""

    def remaining(self, reserve: float = 0.25) -> float:
        """Return the seconds left of the turn's deadline, less `reserve` for what follows the model."""
        return self.started + self.settings.turn_deadline - reserve - time.monotonic()


def context_of(context: "Context | None") -> Context:
    """Return the context, or a fresh one where the graph runs outside the session (LangGraph Studio)."""
    return context or Context()
