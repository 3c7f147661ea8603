"""Near duplicates, by MinHash: of dialogues that are nearly the same text, the first one stays.

Source: Broder, On the resemblance and containment of documents, 1997. Signatures are compared one by one: a corpus that a
teacher writes has some thousands of dialogues, for which buckets (LSH) save nothing worth their code.
"""

import hashlib

import numpy as np

from evaluation.customers.overlap import tokens
from training.corpus.schema import Dialogue

SHINGLE = 3
"""Words (Chinese: characters) of a shingle."""
HASHES = 128
NEAR = 0.7
"""Estimated share of shingles in common from which on two dialogues are the same."""
_PRIME = (1 << 31) - 1
_DICE = np.random.default_rng(1)
_A = _DICE.integers(1, _PRIME, HASHES, dtype=np.uint64)
_B = _DICE.integers(0, _PRIME, HASHES, dtype=np.uint64)


def signature(dialogue: Dialogue) -> np.ndarray:
    """Return a dialogue's MinHash signature: (HASHES,) integers, equal in about the share of shingles in common.

    The greeting is left out: it is one of a campaign's few approved lines.
    """
    units = [unit for turn in dialogue.turns[1:] for unit in tokens(turn.text, dialogue.language)]
    shingles = {" ".join(units[start : start + SHINGLE]) for start in range(max(1, len(units) - SHINGLE + 1))}
    digests = [hashlib.blake2b(one.encode(), digest_size=4).digest() for one in sorted(shingles)]
    values = np.array([int.from_bytes(one, "big") % _PRIME for one in digests], dtype=np.uint64)  # (shingles,)
    least: np.ndarray = ((values[:, None] * _A + _B) % _PRIME).min(axis=0)  # (HASHES,)
    return least


class Duplicates:
    """Remembers what it let pass."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._signatures = np.empty((0, HASHES), dtype=np.uint64)

    def drop(self, dialogue: Dialogue) -> str:
        """Return which earlier dialogue this one nearly is; empty, and remembered, when it is new."""
        own = signature(dialogue)
        alike = (self._signatures == own).mean(axis=1) if self._ids else np.zeros(0)
        if alike.size and alike.max() >= NEAR:
            return f"{alike.max():.0%} the same as {self._ids[int(alike.argmax())]}"
        self._ids.append(dialogue.id)
        self._signatures = np.vstack([self._signatures, own])
        return ""
