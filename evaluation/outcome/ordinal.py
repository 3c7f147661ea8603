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


def fit_ordinal(blocks: Sequence[Floats], possible: Sequence[tuple[IntentClass, ...]], seed: int = 0) -> Ordinal:
    """Fit the questions, a logistic regression for each block; a question's answer is the mean of their log-odds.

    Args:
        blocks: Features, (calls, features of the block) each; `Ordinal` reads them side by side.
        possible: The class of each call, or those that it may have.
        seed: Of the folds that choose the regularisation.

    Returns:
        The model; without a question when only one class can be told.
    """
    steps, last = [], max((name for one in possible for name in one), key=ORDER.index)
    for number, name in enumerate(ORDER[:-1]):
        after = set(ORDER[number + 1 :])
        rows = np.array([set(one) == {name} or (bool(one) and set(one) <= after) for one in possible])
        answers = np.array([one == (name,) for one in possible])[rows]
        if answers.sum() < FEWEST:
            continue
        if (~answers).sum() < FEWEST:
            last = name
            break
        fitted = [_fit(block[rows], answers, seed) for block in blocks]
        weight = np.concatenate([weight for weight, _ in fitted]) / len(fitted)
        steps.append(Step(name, weight.astype(np.float32), float(np.mean([bias for _, bias in fitted]))))
    return Ordinal(tuple(steps), last)


def _fit(features: Floats, answers: NDArray[np.bool_], seed: int) -> tuple[Floats, float]:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegressionCV  # type: ignore[import-untyped]
    from sklearn.model_selection import StratifiedKFold  # type: ignore[import-untyped]

    sparse = (features != 0).mean() < 0.1
    model = LogisticRegressionCV(
        Cs=list(STRENGTHS),
        cv=StratifiedKFold(5, shuffle=True, random_state=seed),
        scoring="neg_log_loss",
        max_iter=2000,
        l1_ratios=(0,),
        use_legacy_attributes=False,
    ).fit(csr_matrix(features) if sparse else features, answers)
    return model.coef_[0], float(model.intercept_[0])
