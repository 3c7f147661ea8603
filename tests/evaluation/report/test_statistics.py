"""Figures that can be worked by hand, and scipy as the oracle for the rest."""

import time

import numpy as np
import pytest
from scipy import stats

from evaluation.report import statistics


def names(count: int, each: int = 1) -> list[str]:
    return [f"s{place // each}" for place in range(count * each)]


@pytest.mark.parametrize(
    ("given", "expected", "why"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02], "4·.005, 3·.01, 2·.03, and .04 may not fall below .06"),
        ([0.5, 0.6], [1.0, 1.0], "never above one"),
        ([0.02], [0.02], "one test needs no correction"),
        ([], [], "nothing to correct"),
        ([0.01, 0.01], [0.02, 0.02], "equals stay equal"),
    ],
)
def test_holm_as_worked_by_hand(given: list[float], expected: list[float], why: str) -> None:
    assert statistics.holm(given) == pytest.approx(expected), why


@pytest.mark.parametrize(
    ("successes", "trials", "k", "expected"),
    [(3, 4, 1, 0.75), (3, 4, 2, 0.5), (3, 4, 4, 0.0), (4, 4, 4, 1.0), (2, 5, 2, 0.1), (1, 3, 2, 0.0)],
)
def test_pass_k_is_the_share_of_k_trials_drawn_without_return_that_all_succeed(
    successes: int, trials: int, k: int, expected: float
) -> None:
    assert statistics.pass_k(successes, trials, k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("differences", "expected", "why"),
    [
        ([1.0, 2.0, 3.0], 2 / 8, "only +++ and --- are as far of the eight"),
        ([1.0, -1.0, 0.0], 1.0, "balanced; a zero changes nothing"),
        ([5.0], 1.0, "one scenario can show nothing"),
        ([0.0, 0.0], 1.0, "no difference"),
        ([1.0, 1.0, 1.0, 1.0, 1.0, -1.0], 14 / 64, "the 14 assignments with at most one against"),
    ],
)
def test_the_sign_flip_test_as_counted_by_hand(differences: list[float], expected: float, why: str) -> None:
    assert statistics.sign_flip_p(differences, names(len(differences))) == pytest.approx(expected), why


def test_the_sign_flip_test_agrees_with_scipys() -> None:
    values = np.random.default_rng(3).normal(0.4, 1, 11)
    theirs = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert statistics.sign_flip_p(list(values), names(11)) == pytest.approx(theirs.pvalue)
    many = np.random.default_rng(4).normal(0.25, 1, 60)
    p = statistics.sign_flip_p(list(many), names(60))
    assert p == pytest.approx(stats.ttest_1samp(many, 0).pvalue, abs=0.02)
    assert p == statistics.sign_flip_p(list(many), names(60)), "the same run gives the same p"


def test_trials_of_one_scenario_change_sign_together_and_prove_less_than_scenarios_of_their_own() -> None:
    values = [1.0, 1.0] * 4
    assert statistics.sign_flip_p(values, names(4, each=2)) == 2 / 16
    assert statistics.sign_flip_p(values, names(8)) == 2 / 256


def test_a_mean_carries_the_spread_of_scenarios_not_of_calls() -> None:
    values = [1.0] * 10 + [0.0] * 10
    together = statistics.mean(values, names(2, each=10))
    apart = statistics.mean(values, names(20))
    assert together and apart
    assert together.value == apart.value == 0.5
    assert (together.low, together.high) == (0.0, 1.0), "two scenarios, one all won, one all lost"
    assert apart.low is not None and apart.high is not None
    assert 0.25 <= apart.low <= 0.35 and 0.65 <= apart.high <= 0.75
    assert (together.n, together.clusters, apart.clusters) == (20, 2, 20)


def test_the_bootstrap_interval_agrees_with_scipys() -> None:
    values = np.random.default_rng(1).gamma(2.0, 1.0, 40)
    ours = statistics.mean(list(values), names(40))
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=5).confidence_interval
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.7225, 1.0), (0.0, 0.0, 0.2775)])
def test_shares_that_all_agree_keep_their_doubt(value: float, low: float, high: float) -> None:
    found = statistics.mean([value] * 20, names(10, each=2), share=True)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4), "Wilson's interval of 10 of 10"
    counts = statistics.mean([value] * 20, names(10, each=2))
    assert counts is not None
    assert (counts.low, counts.high) == (value, value)


def test_unequal_numbers_of_calls_weigh_by_call() -> None:
    found = statistics.mean([1.0, 0.0, 0.0, 0.0], ["a", "b", "b", "b"])
    assert found is not None
    assert found.value == 0.25


@pytest.mark.parametrize(("values", "expected"), [([], None), ([0.3], (0.3, None, None))])
def test_too_little_has_no_interval(values: list[float], expected: tuple[float, None, None] | None) -> None:
    found = statistics.mean(values, names(len(values)))
    assert (found and (found.value, found.low, found.high)) == expected


def test_the_detectable_effect_is_the_textbooks_and_shrinks_with_the_root_of_the_scenarios() -> None:
    differences = [1.0, -1.0] * 50
    sd = float(np.std(differences, ddof=1))
    found = statistics.detectable(differences, names(100))
    assert found == pytest.approx((1.959964 + 0.841621) * sd / 10, rel=1e-5)
    four_times = statistics.detectable(differences * 4, names(400))
    assert found and four_times and four_times == pytest.approx(found / 2, rel=0.02)
    assert statistics.detectable([1.0, 2.0], names(2)) is None
    assert statistics.detectable([0.5] * 9, names(9)) is None, "without spread there is nothing to tell from"


def test_a_run_finds_its_detectable_effect_in_about_four_of_five_repetitions() -> None:
    drawn = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        noise = drawn.normal(0, 1, 40)
        effect = statistics.detectable(list(noise), names(40))
        assert effect is not None
        hits += statistics.sign_flip_p(list(noise + effect), names(40)) < 0.05
    assert 0.70 <= hits / 200 <= 0.90


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2], [1, 2], None),
        ([1, 1, 1], [1, 2, 3], None),
    ],
)
def test_rank_correlation_of_few(first: list[float], second: list[float], expected: float | None) -> None:
    found = statistics.rank_correlation(first, second)
    assert (found[0] if found else None) == expected


def test_rank_correlation_of_many_has_an_interval_around_scipys_value() -> None:
    drawn = np.random.default_rng(2)
    first = drawn.normal(0, 1, 50)
    second = first + drawn.normal(0, 1, 50)
    found = statistics.rank_correlation(list(first), list(second))
    assert found is not None and found[1] is not None and found[2] is not None
    assert found[0] == pytest.approx(stats.spearmanr(first, second).statistic)
    assert found[1] < found[0] < found[2] < 1


def test_rankings_that_agree_wholly_have_no_interval_of_no_width() -> None:
    once = [0.0] * 39 + [1.0]
    found = statistics.rank_correlation(once, once)
    assert found is not None and found[0] == pytest.approx(1.0) and found[1:] == (None, None)


def test_a_gap_between_groups_draws_whole_scenarios() -> None:
    first, second = [0.8, 0.8, 0.8, 0.5], [0.1, 0.1, 0.5, 0.2]
    found = statistics.gap(first, ["s1", "s1", "s2", "s3"], second, ["s4", "s5", "s3", "s6"])
    assert found and found[0] == pytest.approx(0.725 - 0.225)
    assert found[1] is not None and found[2] is not None and 0.1 < found[1] < 0.5 < found[2] < 0.8
    turned = statistics.gap(second, ["s4", "s5", "s3", "s6"], first, ["s1", "s1", "s2", "s3"])
    assert turned and turned[0] == pytest.approx(-found[0])
    assert statistics.gap([0.1, 0.1], ["s1", "s2"], [0.1], ["s1"]) == (0.0, None, None)
    assert statistics.gap([], [], [0.1], ["s1"]) is None


def test_a_report_of_many_figures_takes_well_under_a_second_each() -> None:
    values = list(np.random.default_rng(0).random(800))
    statistics.mean(values, names(200, each=4))
    started = time.perf_counter()
    for _ in range(20):
        statistics.mean(values, names(200, each=4))
        statistics.sign_flip_p(values, names(200, each=4))
    assert time.perf_counter() - started < 4
