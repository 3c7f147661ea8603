"""Figures of classifiers, checked against results known from elsewhere."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, f1_score, roc_auc_score  # type: ignore[import-untyped]

from evaluation.outcome.figures import Answers, accuracy, auc, calibration, compare, ece, figures, interval, macro_f1


def drawn(seed: int, n: int = 300, signal: float = 1.0) -> Answers:
    source = np.random.default_rng(seed)
    truth = source.random(n) < 0.4
    return Answers(truth, 1 / (1 + np.exp(-(truth * signal + source.normal(size=n).round(1) - 0.5))))


@pytest.mark.parametrize("seed", range(3))
def test_figures_agree_with_scikit_learn(seed: int) -> None:
    one = drawn(seed)
    assert auc(one) == pytest.approx(roc_auc_score(one.truth, one.chance))
    assert macro_f1(one) == pytest.approx(f1_score(one.truth, one.chance >= 0.5, average="macro"))
    assert calibration(one)["brier"] == pytest.approx(brier_score_loss(one.truth, one.chance), abs=1e-4)


def test_calibration_error_of_a_forecaster_that_is_right_as_often_as_it_says_is_zero() -> None:
    truth = np.array([True] * 7 + [False] * 3)
    assert ece(Answers(truth, np.full(10, 0.7))) == pytest.approx(0.0)
    assert ece(Answers(truth, np.full(10, 0.2))) == pytest.approx(0.5)


def test_calibration_has_intervals_around_what_a_bootstrap_can_see() -> None:
    found = calibration(drawn(1))
    assert found["brier_ci"][0] < found["brier"] < found["brier_ci"][1]
    assert found["ece_ci"][0] < found["ece_ci"][1] and found["ece"] < found["ece_ci"][1]


def test_ties_count_half_and_a_perfect_order_counts_one() -> None:
    truth = np.array([True, True, False, False])
    assert auc(Answers(truth, np.array([0.5, 0.5, 0.5, 0.5]))) == 0.5
    assert auc(Answers(truth, np.array([0.9, 0.8, 0.2, 0.1]))) == 1.0
    assert accuracy(Answers(truth, np.array([0.9, 0.2, 0.2, 0.1]))) == 0.75


def test_intervals_hold_their_figure_and_narrow_with_calls() -> None:
    few, many = figures(drawn(1, 60)), figures(drawn(1, 2000))
    for found in (few, many):
        assert found["auc_ci"][0] < found["auc"] < found["auc_ci"][1]
    assert many["auc_ci"][1] - many["auc_ci"][0] < (few["auc_ci"][1] - few["auc_ci"][0]) / 2


def test_calls_that_say_the_same_twice_do_not_narrow_an_interval() -> None:
    once = drawn(4, 100)
    twice = Answers(np.tile(once.truth, 2), np.tile(once.chance, 2))
    grouped = Answers(twice.truth, twice.chance, tuple(str(call) for call in range(100)) * 2)
    wide, narrow, kept = (high - low for low, high in (interval(one, auc) for one in (once, twice, grouped)))
    assert narrow < 0.85 * wide and kept == pytest.approx(wide, rel=0.15)


def test_the_paired_test_finds_a_real_difference_and_none_with_itself() -> None:
    good = drawn(2, 600, signal=2.0)
    source = np.random.default_rng(3)
    worse = Answers(good.truth, good.chance + source.normal(scale=0.5, size=600))
    found = compare(good, worse)
    assert found["p"] < 0.01 and found["ci"][0] > 0
    assert compare(good, good) == {"difference": 0.0, "ci": [0.0, 0.0], "p": 1.0}


def test_the_paired_test_is_rarely_wrong_about_classifiers_of_equal_worth() -> None:
    wrong = 0
    for seed in range(200):
        source = np.random.default_rng(seed)
        truth = source.random(150) < 0.5
        shared = truth + source.normal(size=150)
        ours, theirs = (Answers(truth, shared + source.normal(size=150)) for _ in range(2))
        wrong += compare(ours, theirs)["p"] < 0.05
    assert 2 <= wrong <= 20, "5 % of 200 are 10"
