"""Online figures against textbooks, scipy, and figures counted by hand."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy import stats
from typer.testing import CliRunner

from evaluation.report.ab import compare_arms, lift, sample_size, two_proportions
from evaluation.report.commands import ab
from graph.errors import BadInput
from graph.intervals import Share

HEADER = "arm,seconds,high_intention,follow_up,visit,ai_suspicion,responded,task_success"


def written(tmp_path: Path, lines: Sequence[str], header: str = HEADER) -> Path:
    path = tmp_path / "ab.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


def experiment(tmp_path: Path) -> Path:
    """Each arm has 100 short conversations without a hit and 100 long ones; of these `old` wins 20 and `new` 40."""
    short = [f"{arm},8,0,1,1,1,1,0" for arm in ("old", "new") for _ in range(100)]
    long = [f"{arm},60,{int(place < won)},0,0,0,1," for arm, won in (("old", 20), ("new", 40)) for place in range(100)]
    return written(tmp_path, [*long, *short])


def test_rates_are_counted_over_all_conversations_or_over_the_long_ones(tmp_path: Path) -> None:
    found = compare_arms(experiment(tmp_path))
    assert found["base"] == "old"
    assert found["arms"] == {"old": 200, "new": 200}
    rates = found["rates"]
    assert [(rates[name]["arms"]["new"]["hits"], rates[name]["arms"]["new"]["of"]) for name in rates] == [
        (40, 200), (40, 100), (100, 200), (0, 100), (100, 200), (0, 100), (100, 200), (200, 200), (0, 100),
    ]  # fmt: skip
    assert list(rates) == [
        "high_intention", "high_intention_20s", "follow_up", "follow_up_20s", "visit", "visit_20s", "ai_suspicion", "response",
        "task_success",
    ]  # fmt: skip
    assert found["left_out"] == {}


def test_a_difference_carries_lift_intervals_and_a_test(tmp_path: Path) -> None:
    test = compare_arms(experiment(tmp_path))["rates"]["high_intention_20s"]["against_base"]["new"]
    assert test["difference"]["value"] == pytest.approx(0.2)
    assert 0.07 < test["difference"]["low"] < test["difference"]["high"] < 0.33
    assert test["lift"]["value"] == pytest.approx(1.0)
    assert test["test"] == "z"
    assert test["p"] == pytest.approx(0.00204, abs=2e-5)
    assert test["p_holm"] > test["p"]


def test_the_z_test_is_the_chi_square_test_of_the_table() -> None:
    table = [[40, 60], [20, 80]]
    assert two_proportions(Share(40, 100), Share(20, 100))[1] == pytest.approx(
        stats.chi2_contingency(table, correction=False).pvalue
    )


def test_small_counts_are_tested_exactly() -> None:
    test, p = two_proportions(Share(3, 10), Share(0, 10))
    assert test == "fisher"
    assert p == pytest.approx(0.2105, abs=1e-4)
    assert two_proportions(Share(0, 10), Share(0, 10)) == ("fisher", 1.0)


def test_the_ratios_interval_is_katzs() -> None:
    found = lift(Share(15, 100), Share(10, 100))
    assert found is not None
    spread = 1.959964 * np.sqrt(1 / 15 - 1 / 100 + 1 / 10 - 1 / 100)
    assert (found["low"], found["high"]) == pytest.approx(
        (1.5 * np.exp(-spread) - 1, 1.5 * np.exp(spread) - 1), rel=1e-5
    )
    assert lift(Share(0, 10), Share(1, 10)) is None


@pytest.mark.parametrize(
    ("base", "relative", "power", "expected", "source"),
    [
        (0.50, 0.5, 0.9, 77, "R: power.prop.test(p1 = .50, p2 = .75, power = .90) gives n = 76.7"),
        (0.20, 0.05, 0.8, 25583, "worked by hand: 5,065 · .0101 …"),
        (0.20, -0.05, 0.8, 24640, "fewer of a smaller variance"),
    ],
)
def test_the_sample_size_is_the_textbooks(
    base: float, relative: float, power: float, expected: int, source: str
) -> None:
    assert sample_size(base, relative, power) == pytest.approx(expected, rel=0.002), source


def test_an_experiment_of_the_planned_size_finds_its_lift_as_often_as_planned() -> None:
    count = sample_size(0.2, 0.25)
    drawn = np.random.default_rng(5)
    hits = [two_proportions(Share(int(a), count), Share(int(b), count))[1] < 0.05
            for a, b in zip(drawn.binomial(count, 0.25, 2000), drawn.binomial(count, 0.2, 2000), strict=True)]  # fmt: skip
    assert np.mean(hits) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("base", "relative"), [(0.0, 0.1), (0.9, 0.2), (0.2, 0.0), (1.2, 0.1)])
def test_rates_that_cannot_be_are_refused(base: float, relative: float) -> None:
    with pytest.raises(BadInput, match="between 0 and 1"):
        sample_size(base, relative)


@pytest.mark.parametrize(
    ("lines", "header", "expected"),
    [
        (
            ["a,9,2,,,,,", "b,x,1,,,,,", ",9,1,,,,,"],
            HEADER,
            r"ab.csv:2: high_intention '2'.*\n.*:3: seconds 'x'.*\n.*:4: arm",
        ),
        (["a,1"], "version,won", "expected arm and some of"),
        ([], HEADER, "holds no conversation"),
        (["a,9,1,,,,,"], HEADER, "expected two or more"),
    ],
)
def test_bad_files_are_refused_with_every_fault(tmp_path: Path, lines: list[str], header: str, expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        compare_arms(written(tmp_path, lines, header))


def test_what_is_not_known_counts_for_neither_side(tmp_path: Path) -> None:
    path = written(tmp_path, ["a,1", "a,", "b,0", "b,yes"], "arm,task_success")
    rates = compare_arms(path, "b")["rates"]
    assert list(rates) == ["task_success"]
    assert (rates["task_success"]["arms"]["a"]["of"], rates["task_success"]["arms"]["b"]["rate"]) == (1, 0.5)


def test_a_rate_that_cannot_be_told_is_named_with_the_reason(tmp_path: Path) -> None:
    unknown = compare_arms(written(tmp_path, ["a,1,", "b,0,1"], "arm,high_intention,follow_up"))["left_out"]
    assert {name: rate["reason"] for name, rate in unknown.items()} == {
        "high_intention_20s": "no column seconds",
        "follow_up": "no conversation with a known follow_up in a",
        "follow_up_20s": "no column seconds",
        "visit": "no column visit",
        "visit_20s": "no column visit and no column seconds",
        "ai_suspicion": "no column ai_suspicion",
        "response": "no column responded",
        "task_success": "no column task_success",
    }
    path = written(tmp_path, ["a,20,1", "b,21,0"], "arm,seconds,visit")
    assert compare_arms(path)["left_out"]["visit_20s"]["reason"] == "no conversation over 20 s with a known visit in a"
    app = typer.Typer()
    app.command()(ab)
    shown = CliRunner().invoke(app, ["--data", str(path)]).output
    assert "Visit within 7 days (higher is better)" in shown
    assert "left out: Visit within 7 days, calls over 20 s: no conversation over 20 s with a known visit in a" in shown


def test_the_command_compares_and_plans(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(ab)
    shown = CliRunner().invoke(app, ["--data", str(experiment(tmp_path))])
    assert shown.exit_code == 0
    assert "new: 40.00% (40 of 100), +20.00 pp" in shown.output
    planned = CliRunner().invoke(app, ["--plan", "--base", "0.2", "--lift", "0.05", "--json"])
    assert json.loads(planned.output)["per_arm"] == sample_size(0.2, 0.05)
    assert isinstance(CliRunner().invoke(app, []).exception, BadInput)
