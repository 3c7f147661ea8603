"""What a run consists of: one unit is a variant × a scenario × a customer × a trial."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.runs.variants import Variant
from evaluation.scenarios.schema import Scenario


@dataclass(frozen=True)
class Unit:
    """One call to be held (with its follow-up sessions)."""

    variant: Variant
    scenario: Scenario
    customer: str
    """Kind of customer."""
    trial: int
    seed: int
    """Of the customer; the same for all variants."""

    @property
    def name(self) -> str:
        """What the unit is called in the run's files."""
        return f"{self.variant.name}|{self.scenario.id}|{self.customer}|{self.trial}"

    def call(self, session: int, attempt: int) -> str:
        """Return the id of its call; a killed call is found again by it, a failed one is held anew under another."""
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        return f"{digest}-{session}-{attempt}"


def plan(
    variants: Sequence[Variant], scenarios: Sequence[Scenario], customers: Sequence[str], trials: int, seed: int
) -> list[Unit]:
    """Return a run's units: all variants of a pair stand together, so that a run that is cut short still compares.

    Variants with models of their own are not mixed, since a machine that holds two models at once starves both.
    """
    models = list(dict.fromkeys((variant.model, variant.adapter) for variant in variants))
    return [
        Unit(variant, scenario, customer, trial, _seed(seed, scenario.id, customer, trial))
        for model in models
        for trial in range(trials)
        for scenario in scenarios
        for customer in customers
        for variant in variants
        if (variant.model, variant.adapter) == model
    ]


def _seed(seed: int, scenario: str, customer: str, trial: int) -> int:
    return int(hashlib.sha256(f"{seed}|{scenario}|{customer}|{trial}".encode()).hexdigest()[:8], 16)
