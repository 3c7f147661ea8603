"""Ordered classes by one question after the other."""

import numpy as np

from evaluation.outcome.classes import ORDER, IntentClass
from evaluation.outcome.ordinal import fit_ordinal


def calls(n: int = 400, seed: int = 0) -> tuple[np.ndarray, list[tuple[IntentClass, ...]]]:  # type: ignore[type-arg]
    """One number tells the class: the higher, the more committed."""
    source = np.random.default_rng(seed)
    height = source.normal(size=n)
    ranks = np.digitize(-height, [-0.8, -0.2, 0.3, 0.9])
    return np.stack([height, source.normal(size=n)], 1).astype(np.float32), [(ORDER[rank],) for rank in ranks]


def test_all_five_classes_are_learnt_and_probabilities_sum_to_one() -> None:
    features, truths = calls()
    shares = fit_ordinal([features], truths).probabilities(features)
    assert list(shares) == list(ORDER)
    assert np.allclose(sum(shares.values()), 1)
    said = [max(shares, key=lambda name: shares[name][row]) for row in range(len(features))]
    assert np.mean([one == truth[0] for one, truth in zip(said, truths, strict=True)]) > 0.7


def test_calls_of_which_only_a_part_is_known_teach_the_first_question_alone() -> None:
    features, truths = calls()
    partly: list[tuple[IntentClass, ...]] = [one if one == ("A",) else ("B", "C", "X", "F") for one in truths]
    model = fit_ordinal([features], partly)
    assert [step.of for step in model.steps] == ["A"]
    whole = fit_ordinal([features], truths)
    assert np.allclose(model.probabilities(features)["A"], whole.probabilities(features)["A"])


def test_classes_that_no_call_has_are_never_said() -> None:
    features, truths = calls()
    above: list[tuple[IntentClass, ...]] = [("C",) if one[0] in ("X", "F") else one for one in truths]
    assert set(fit_ordinal([features], above).probabilities(features)) == {"A", "B", "C"}


def test_a_class_in_the_middle_that_is_too_rare_is_left_out() -> None:
    features, truths = calls()
    rare: list[tuple[IntentClass, ...]] = [("C",) if one == ("B",) else one for one in truths]
    assert set(fit_ordinal([features], rare).probabilities(features)) == {"A", "C", "X", "F"}


def test_blocks_are_fitted_apart_and_their_log_odds_are_averaged() -> None:
    features, truths = calls()
    left, right = features[:, :1], features[:, 1:]
    both, alone, other = (fit_ordinal(blocks, truths) for blocks in ([left, right], [left], [right]))
    assert np.allclose(both.steps[0].weight, np.concatenate([alone.steps[0].weight, other.steps[0].weight]) / 2)
    assert both.steps[0].bias == np.mean([alone.steps[0].bias, other.steps[0].bias])
