"""How good a classifier of outcomes is, with its doubts: AUC, accuracy, macro-F1, calibration, and two classifiers on the same calls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from graph.intervals import Z

Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]
ROUNDS = 1000
"""Resamples of a bootstrap."""
BINS = 10
"""Of equal width, for the calibration error."""


class Calibration(TypedDict):
    """ece: mean gap between confidence and share, 0..1 (its bootstrap lies above it: few calls a bin look uncalibrated by chance). brier: mean squared error, 0..1."""

    ece: float
    ece_ci: list[float]
    brier: float
    brier_ci: list[float]


class Figures(TypedDict):
    """Of one classifier; intervals are of 95 %, by bootstrap over calls. Accuracy and macro-F1 are of bought or not."""

    auc: float
    auc_ci: list[float]
    accuracy: float
    accuracy_ci: list[float]
    macro_f1: float
    macro_f1_ci: list[float]
    calibration: Calibration
    n: int
    positives: int


class Paired(TypedDict):
    """AUC of the first less AUC of the second, on the same calls."""

    difference: float
    ci: list[float]
    p: float


@dataclass(frozen=True)
class Answers:
    """truth: whether the customer bought. chance: probability that a classifier gave to it, 0..1; both (calls,).

    groups: calls that are no independent draws (of one simulated customer) share a name; empty: all are independent.
    """

    truth: Truths
    chance: Numbers
    groups: tuple[str, ...] = ()

    def take(self, rows: NDArray[np.int64]) -> "Answers":
        """Return some of the calls, as independent ones."""
        return Answers(self.truth[rows], self.chance[rows])

    def resamples(self, seed: int) -> Iterator["Answers"]:
        """Yield `ROUNDS` bootstrap samples, of whole groups."""
        drawn, n = np.random.default_rng(seed), len(self.truth)
        if len(set(self.groups)) in (0, n):
            yield from (self.take(drawn.integers(0, n, n)) for _ in range(ROUNDS))
            return
        names = np.array(self.groups)
        units = [np.flatnonzero(names == name) for name in dict.fromkeys(self.groups)]
        for _ in range(ROUNDS):
            yield self.take(np.concatenate([units[place] for place in drawn.integers(0, len(units), len(units))]))


def auc(answers: Answers) -> float:
    """Return the chance that a call with a purchase is ranked above one without (ties count half); NaN without both."""
    above, below = _placements(answers)
    return float(above.mean()) if len(above) and len(below) else float("nan")


def accuracy(answers: Answers) -> float:
    """Return the share of calls where the likelier side was right."""
    return float(((answers.chance >= 0.5) == answers.truth).mean())


def macro_f1(answers: Answers) -> float:
    """Return the mean of both sides' F1."""
    said = answers.chance >= 0.5
    scores = []
    for side in (True, False):
        right = float(((said == side) & (answers.truth == side)).sum())
        wrong = float(((said == side) != (answers.truth == side)).sum())
        scores.append(2 * right / (2 * right + wrong) if right or wrong else 0.0)
    return float(np.mean(scores))


def ece(answers: Answers) -> float:
    """Return the mean gap between confidence and share, over bins of equal width.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017), equation 3.
    """
    bins = np.minimum((answers.chance * BINS).astype(int), BINS - 1)
    gaps = [
        abs(answers.chance[bins == one].mean() - answers.truth[bins == one].mean()) * (bins == one).mean()
        for one in np.unique(bins)
    ]
    return float(np.sum(gaps))


def brier(answers: Answers) -> float:
    """Return the mean squared error of the probabilities (Brier, 1950)."""
    return float(((answers.chance - answers.truth) ** 2).mean())


def calibration(answers: Answers, seed: int = 0) -> Calibration:
    """Return how far probabilities are from shares."""
    return {
        "ece": round(ece(answers), 4),
        "ece_ci": interval(answers, ece, seed),
        "brier": round(brier(answers), 4),
        "brier_ci": interval(answers, brier, seed),
    }


def figures(answers: Answers, seed: int = 0) -> Figures:
    """Return a classifier's figures.

    Args:
        answers: At least one call of either side.
        seed: Of the bootstrap.
    """
    return {
        "auc": round(auc(answers), 4),
        "auc_ci": interval(answers, auc, seed),
        "accuracy": round(accuracy(answers), 4),
        "accuracy_ci": interval(answers, accuracy, seed),
        "macro_f1": round(macro_f1(answers), 4),
        "macro_f1_ci": interval(answers, macro_f1, seed),
        "calibration": calibration(answers, seed),
        "n": len(answers.truth),
        "positives": int(answers.truth.sum()),
    }


def interval(answers: Answers, figure: Callable[[Answers], float], seed: int = 0) -> list[float]:
    """Return the 95 % interval of a figure by bootstrap over calls; resamples without both sides are left out."""
    samples = (sample for sample in answers.resamples(seed) if 0 < sample.truth.sum() < len(sample.truth))
    values = [figure(sample) for sample in samples]
    low, high = np.quantile(values, [0.025, 0.975])
    return [round(float(low), 4), round(float(high), 4)]


def compare(first: Answers, second: Answers) -> Paired:
    """Test whether two classifiers differ in AUC on the same calls, two-sided.

    Args:
        first: Answers of one classifier.
        second: Answers of the other, to the same calls in the same order; at least two of either side.

    Calls of one group count as independent: with several a group the interval is somewhat too narrow.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988), equations 4 to 8.
    """
    pairs = [_placements(first), _placements(second)]
    difference = auc(first) - auc(second)
    above = np.cov(np.stack([above for above, _ in pairs]))
    below = np.cov(np.stack([below for _, below in pairs]))
    variance = above / len(pairs[0][0]) + below / len(pairs[0][1])
    error = sqrt(max(float(variance[0, 0] + variance[1, 1] - 2 * variance[0, 1]), 0.0))
    p = erfc(abs(difference) / error / sqrt(2)) if error else float(difference == 0)
    ends = [round(difference - Z * error, 4), round(difference + Z * error, 4)]
    return {"difference": round(difference, 4), "ci": ends, "p": round(p, 5)}


def _placements(answers: Answers) -> tuple[Numbers, Numbers]:
    """Return, of each purchase, the share of the others ranked below it, and of each other, the share of purchases above it."""
    bought, others = answers.chance[answers.truth], answers.chance[~answers.truth]
    return _share_below(bought, others), 1 - _share_below(others, bought)


def _share_below(ranked: Numbers, among: Numbers) -> Numbers:
    """Return the share of `among` that lies below each number; ties count half."""
    ordered = np.sort(among)
    ends = [np.searchsorted(ordered, ranked, side) for side in ("left", "right")]
    return np.asarray((ends[0] + ends[1]) / (2 * max(len(among), 1)), dtype=np.float64)
