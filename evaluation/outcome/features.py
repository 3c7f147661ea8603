"""A call as numbers: what its turns mean on average, and what was done in it.

The encoder gives each exchange two vectors, the mean over the agent's tokens and the mean over the customer's. A linear layer on them
tells which dialogue acts were done. A call is then the mean vector of each speaker, and of each act its strongest sign, the
strongest among the last exchanges, and their sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LATE = 3
"""Exchanges at the end whose acts count once more."""


@dataclass(frozen=True)
class ActHead:
    """Tells acts from an exchange's vectors. weight: (acts, width), bias: (acts,)."""

    names: tuple[str, ...]
    weight: Floats
    bias: Floats

    def probabilities(self, vectors: Floats) -> Floats:
        """Return the probability of each act in each exchange, (exchanges, acts)."""
        spoken = spoken_of(vectors)
        logits = vectors @ self.weight.T + self.bias
        sides = np.array([0 if name.startswith("agent:") else 1 for name in self.names], dtype=np.int64)
        shown: Floats = (1 / (1 + np.exp(-np.clip(logits, -30, 30))) * spoken[:, sides]).astype(np.float32)
        return shown


def spoken_of(vectors: Floats) -> Floats:
    """Return whether agent and customer spoke in each exchange, (exchanges, 2): a side without words has no vector."""
    sides = vectors.reshape(len(vectors), 2, -1)
    return np.asarray((np.abs(sides).sum(axis=2) > 0), dtype=np.float32)


def features_of(vectors: Floats, acts: ActHead) -> Floats:
    """Return the numbers of one call, (width + 3 × acts,).

    Args:
        vectors: Of its exchanges, in order, (exchanges, width); width is twice the encoder's.
        acts: The linear layer.
    """
    said = vectors.sum(axis=0).reshape(2, -1) / np.maximum(spoken_of(vectors).sum(axis=0), 1)[:, None]
    done = acts.probabilities(vectors)
    return np.concatenate([said.ravel(), done.max(axis=0), done[-LATE:].max(axis=0), done.sum(axis=0)]).astype(
        np.float32
    )


@dataclass(frozen=True)
class Scaling:
    """Centres features and gives both blocks, meanings and acts, the same total variance."""

    centre: Floats
    scale: Floats

    def __call__(self, features: Floats) -> Floats:
        """Return scaled features, (calls, features)."""
        return np.asarray((features - self.centre) * self.scale, dtype=np.float32)


def fit_scaling(features: Floats, width: int) -> Scaling:
    """Fit a scaling; single features keep their share of the first block's variance, acts are standardised.

    Args:
        features: (calls, features).
        width: Features of the first block.
    """
    spread = features.std(axis=0)
    scale = np.empty_like(spread)
    scale[:width] = 1 / max(float(np.sqrt((spread[:width] ** 2).sum())), 1e-6)
    acts = spread[width:]
    scale[width:] = np.where(acts > 1e-4, 1 / np.maximum(acts, 1e-4), 0) / np.sqrt(max(len(acts), 1))
    return Scaling(features.mean(axis=0), scale)


def stack(calls: Sequence[Floats], acts: ActHead) -> Floats:
    """Return the features of several calls, (calls, features)."""
    return np.stack([features_of(vectors, acts) for vectors in calls])
