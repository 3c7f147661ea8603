"""Train the intent head: multinomial logistic regression, logit adjustment for rare intents, calibrated by cross-validation.

Sources: logit adjustment by τ·log prior – Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, eq. 9;
temperature scaling – Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from graph.errors import BadInput
from nodes.intent_features import Embed, Example, block_weights, build_features
from nodes.intent_model import Calibration, Head

PENALTIES = (0.04, 0.3)
"""Inverse strengths C of the L2 penalty; the better by cross-validation is taken (noisy calls want the first, a campaign's
clean examples the second)."""
TOLERANCE = 1e-3
"""Where the fit stops: a tenth of scikit-learn's care takes a fifth of the time and costs nothing on held-out calls."""
ADJUSTMENT = 0.4
"""τ: how far the frequency of an intent in the examples is taken out of the decision (0 none, 1 all)."""
FOLDS = 4
FALLBACK_SHARE = 0.04
"""Share of unseen lines that is left below the threshold: under the 5 % that may be, as lines in use vary more."""
TEMPERATURES = np.geomspace(0.15, 4.0, 60)
BINS = 10

Floats = NDArray[np.float64]
Names = NDArray[np.str_]


def fit_head(examples: Sequence[Example], embed: Embed, dimension: int, seed: int = 0) -> Head:
    """Train and calibrate a head.

    Args:
        examples: Labelled lines.
        embed: Makes their vectors, all in one call.
        dimension: Components of a vector.
        seed: Decides the folds.

    Raises:
        BadInput: Fewer than two intents have examples.
    """
    counts = Counter(example.intent for example in examples)
    if len(counts) < 2:
        raise BadInput(f"An intent classifier needs examples of two intents or more; found {sorted(counts) or 'none'}.")
    features = build_features(examples, embed, dimension)
    labels: Names = np.array([example.intent for example in examples])
    folds = np.array([_fold(example, seed) for example in examples])
    weights = block_weights(dimension)
    chosen, held_out, best = PENALTIES[0], np.empty((0, 0)), -1.0
    names: Names = np.unique(labels)
    for penalty in PENALTIES:
        logits = _held_out(features, labels, folds, weights, penalty)
        accuracy = float(np.mean(names[logits.argmax(axis=1)] == labels))
        if accuracy > best:
            chosen, held_out, best = penalty, logits, accuracy
    head = _fit(features, labels, weights, chosen)
    seen = np.isfinite(held_out).any(axis=1)
    return replace(head, calibration=calibrate(held_out[seen], labels[seen], names))


def _held_out(features: Floats, labels: Names, folds: NDArray[np.int_], weights: Floats, penalty: float) -> Floats:
    """Return logits (n, intents) of every line from a head that had not seen its fold; -inf where there was none."""
    names: Names = np.unique(labels)
    logits = np.full((len(labels), len(names)), -np.inf)
    for fold in range(FOLDS):
        kept = folds != fold
        if len(np.unique(labels[kept])) < 2 or kept.all():
            continue
        part = _fit(features[kept], labels[kept], weights, penalty)
        columns = np.searchsorted(names, np.array(part.intents))
        logits[np.ix_(~kept, columns)] = np.log(np.maximum(part.shares(features[~kept]), 1e-12))
    return logits


def _fold(example: Example, seed: int) -> int:
    name = f"{seed}:{example.group or example.text}"
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % FOLDS


def _fit(features: Floats, labels: Names, weights: Floats, penalty: float) -> Head:
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    known = ~np.isnan(features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, features, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (features - mean) ** 2, 0.0).sum(axis=0) / count)
    constant = spread < 1e-6
    scale = np.where(constant, 0.0, weights / np.where(constant, 1.0, spread))
    standard = np.nan_to_num((features - mean) * scale)
    used = scale != 0
    fitted = LogisticRegression(C=penalty, tol=TOLERANCE, max_iter=300).fit(
        standard[:, used].astype(np.float32), labels
    )
    coefficients, intercept = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:
        coefficients, intercept = np.vstack([-coefficients, coefficients]) / 2, np.append(-intercept, intercept) / 2
    spread_out = np.zeros((len(fitted.classes_), len(used)))
    spread_out[:, used] = coefficients
    prior = np.array([np.mean(labels == name) for name in fitted.classes_])
    return Head(
        intents=tuple(str(name) for name in fitted.classes_),
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
        weights=spread_out.astype(np.float16).astype(np.float32),  # as it is stored
        bias=(intercept - ADJUSTMENT * np.log(prior)).astype(np.float32),
    )


def calibrate(logits: Floats, labels: Names, names: Names) -> Calibration:
    """Choose the temperature (least log loss of "the first is right") and the threshold on unseen lines.

    Args:
        logits: (lines, intents).
        labels: (lines,).
        names: Of the intents, (intents,).
    """
    if not len(labels):
        return Calibration()
    right = names[logits.argmax(axis=1)] == labels
    losses = []
    for temperature in TEMPERATURES:
        top = np.clip(_top(logits, temperature), 1e-6, 1 - 1e-6)
        losses.append(-np.mean(np.where(right, np.log(top), np.log(1 - top))))
    temperature = float(TEMPERATURES[int(np.argmin(losses))])
    confidence = _top(logits, temperature)
    threshold = float(np.quantile(confidence, FALLBACK_SHARE, method="lower"))
    return Calibration(
        temperature=temperature,
        threshold=threshold,
        ece=expected_calibration_error(confidence, right),
        accuracy=float(right.mean()),
        below=float(np.mean(confidence < threshold)),
    )


def _top(logits: Floats, temperature: float) -> Floats:
    scaled = logits / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    top: Floats = 1.0 / raised.sum(axis=1)
    return top


def expected_calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return the mean gap between confidence and accuracy over ten equal bins, weighted by their lines (0–1).

    Args:
        confidence: (n,), 0–1.
        right: (n,), whether the first candidate was right.

    Source: Guo et al. 2017, eq. 3.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[bins == place].mean() - right[bins == place].mean()) * np.mean(bins == place)
        for place in range(BINS)
        if (bins == place).any()
    ]
    return float(sum(gaps))
