"""Ordered classes by one yes-or-no question after the other: A or less? if less, B or less? and so on.

A step is a logistic regression over the calls whose answer to its question is known, so calls of which only a part is known
("not A") teach the first steps and no others. A step that the data cannot teach is left out: what follows it never happens.

Source: continuation-ratio model, e.g. Agresti, Analysis of Ordinal Categorical Data (2010), section 4.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.outcome.classes import ORDER, IntentClass
from evaluation.outcome.features import Floats

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Inverse strengths of regularisation that cross-validation chooses from."""
FEWEST = 12
"""Calls on either side of a question below which it cannot be taught."""


@dataclass(frozen=True)
class Step:
    """A question: this class, rather than a less committed one?"""

    of: IntentClass
    weight: Floats
    bias: float


@dataclass(frozen=True)
class Ordinal:
    """The questions, from the most committed class; the last class is what is left."""

    steps: tuple[Step, ...]
    last: IntentClass

    def probabilities(self, features: Floats) -> dict[IntentClass, NDArray[np.float64]]:
        """Return the probability of each class that the data taught, (calls,) each; they sum to 1."""
        left = np.ones(len(features))
        found: dict[IntentClass, NDArray[np.float64]] = {}
        for step in self.steps:
            yes = 1 / (1 + np.exp(-np.clip(features @ step.weight + step.bias, -30, 30)))
            found[step.of] = left * yes
            left = left * (1 - yes)
        return {**found, self.last: left}


def choose(probabilities: dict[IntentClass, float]) -> IntentClass:
    """Return the likeliest class; between equals the less committed one."""
    return max(probabilities, key=lambda name: (probabilities[name], ORDER.index(name)))


def fit_ordinal(features: Floats, possible: Sequence[tuple[IntentClass, ...]], seed: int = 0) -> Ordinal:
    """Fit the questions.

    Args:
        features: Scaled, (calls, features).
        possible: The class of each call, or those that it may have.
        seed: Of the folds that choose the regularisation.

    Returns:
        The model; without a question when only one class can be told.
    """
    from sklearn.linear_model import LogisticRegressionCV  # type: ignore[import-untyped]
    from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]

    steps, last = [], ORDER[-1]
    for number, name in enumerate(ORDER[:-1]):
        after = set(ORDER[number + 1 :])
        rows = np.array([set(one) == {name} or (bool(one) and set(one) <= after) for one in possible])
        answers = np.array([one == (name,) for one in possible])[rows]
        if min(answers.sum(), (~answers).sum()) < FEWEST:
            if answers.any():
                last = name
                break
            continue
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        model = LogisticRegressionCV(
            Cs=list(STRENGTHS),
            cv=folds,
            scoring="neg_log_loss",
            max_iter=2000,
            l1_ratios=(0,),
            use_legacy_attributes=False,
        ).fit(features[rows], answers)
        steps.append(Step(name, model.coef_[0].astype(np.float32), float(model.intercept_[0])))
        last = next(lower for lower in ORDER[number + 1 :] if any(lower in one for one in possible))
    return Ordinal(tuple(steps), last)
