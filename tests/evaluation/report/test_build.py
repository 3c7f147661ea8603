"""A report of a run made by hand: every figure can be worked out, and every figure names its calls."""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.report.statistics import FEW
from evaluation.report.table import read_table
from evaluation.runs.results import CallResult
from evaluation.runs.store import Run, append_line, read_run
from tests.evaluation import made_calls as made

WON = {"outcome": "won", "ended": True}
LOST = {"outcome": "declined", "ended": True}
TIERS = ("easy", "hard")


def call(variant: str, scenario: int, trial: int, won: bool, customer: str = "rule", lines: int = 1) -> CallResult:
    turns = [made.turn("Tell me more.", "It costs 199 yuan a month.") for _ in range(lines - 1)]
    last = made.turn("Yes." if won else "No.", "Thank you.", **(WON if won else LOST))
    return made.result([*turns, last], variant=variant, scenario=f"s-{scenario}", customer=customer, trial=trial)


def made_run(tmp_path: Path, results: list[CallResult]) -> Run:
    ids = sorted({result["scenario"] for result in results})
    scenarios = [made.scenario(name, tier=TIERS[place % 2], language="en") for place, name in enumerate(ids)]
    return read_run(made.run_folder(tmp_path / "run", results, scenarios))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four scenarios × two trials: `a` wins the first alone, `b` all but one trial of the last; one call broke."""
    results = [call("a", scenario, trial, won=scenario == 0) for scenario in range(4) for trial in range(2)]
    results += [
        call("b", scenario, trial, won=(scenario, trial) != (3, 1)) for scenario in range(4) for trial in range(2)
    ]
    broken = made.result(
        variant="a", scenario="s-0", trial=2, error={"boundary": "server", "message": "the model server is gone"}
    )
    return made_run(tmp_path_factory.mktemp("made"), [*results, broken])


@pytest.fixture(scope="module")
def report(run: Run) -> dict[str, Any]:
    return made.reported(run)


def test_every_unit_is_counted_and_what_failed_stands_apart(report: dict[str, Any]) -> None:
    assert (report["calls"], report["finished"]) == (17, 16)
    assert report["failed"] == {
        "server": {"calls": 1, "finished": 0, "units": ["a|s-0|rule|2"], "messages": {"the model server is gone": 1}}
    }
    assert report["variants"] == {"a": {"calls": 9}, "b": {"calls": 8}}


def test_intervals_over_few_scenarios_are_warned_of(tmp_path: Path) -> None:
    def held(scenarios: int) -> dict[str, Any]:
        results = [call("a", scenario, 0, won=True) for scenario in range(scenarios)]
        return made.reported(made_run(tmp_path / str(scenarios), results))

    assert [held(scenarios)["few_scenarios"] for scenarios in (FEW - 1, FEW)] == [FEW - 1, 0]


def test_means_are_of_finished_calls_with_their_interval(report: dict[str, Any]) -> None:
    figures = report["metrics"]["success"]["variants"]
    assert (figures["a"]["mean"], figures["a"]["n"], figures["a"]["scenarios"]) == (0.25, 8, 4)
    assert figures["b"]["mean"] == 7 / 8
    assert figures["a"]["sd"] == pytest.approx((8 * 0.25 * 0.75 / 7) ** 0.5)
    assert 0 <= figures["a"]["low"] < 0.25 < figures["a"]["high"] <= 1


def test_every_figure_names_its_calls(report: dict[str, Any]) -> None:
    units = set(report["scores"])
    assert all(set(cell) <= units for cell in report["cells"].values())

    def figures(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if {"mean", "n"} <= set(value):
                yield value
            for inner in value.values():
                yield from figures(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from figures(inner)

    found = list(figures(report))
    assert len(found) > 50
    assert all(report["cells"][figure["cell"]] for figure in found)
    assert report["cells"]["variant=a;tier=easy"] == ["a|s-0|rule|0", "a|s-0|rule|1", "a|s-2|rule|0", "a|s-2|rule|1"]


def test_variants_are_compared_on_the_same_scenario_customer_and_trial(report: dict[str, Any]) -> None:
    row = next(row for row in report["pairs"] if row["metric"] == "success")
    assert (row["a"], row["b"], row["pairs"], row["scenarios"], row["differ"]) == ("a", "b", 8, 4, 5)
    assert row["difference"] == 5 / 8
    assert row["p"] == 2 / 8, "three scenarios differ, all one way"
    won = next(row for row in report["pairs"] if row["metric"] == "won")
    assert won["p_holm"] == 0.5, "success and won are the family's two tests"
    idle = next(row for row in report["pairs"] if row["metric"] == "faithful.call")
    assert (idle["differ"], idle["p"], idle["p_holm"]) == (0, 1.0, 1.0)
    assert report["detectable"]["success"]["a → b"] == pytest.approx(row["detectable"])


def test_variants_are_compared_for_each_kind_of_customer_too(tmp_path: Path) -> None:
    results = [
        call(variant, scenario, 0, won=variant == "b" and kind == "rule", customer=kind)
        for variant in ("a", "b")
        for scenario in range(5)
        for kind in ("rule", "persona")
    ]
    report = made.reported(made_run(tmp_path, results))
    rows = {row["customer"]: row for row in report["pairs"] if row["metric"] == "success"}
    assert {kind: (row["difference"], row["pairs"]) for kind, row in rows.items()} == {
        "": (0.5, 10),
        "rule": (1.0, 5),
        "persona": (0.0, 5),
    }
    assert rows["rule"]["p"] == 2 / 2**5
    assert rows["rule"]["p_holm"] == 4 / 2**5, "success and won; the other kind and the whole are families apart"
    assert rows["persona"]["p_holm"] == 1.0
    assert len(report["cells"][rows["rule"]["cell"]]) == 10
    assert report["detectable"]["success"] == {"a → b": rows[""]["detectable"]}


def test_pass_k_falls_with_k_as_counted_by_hand(report: dict[str, Any]) -> None:
    curve = [(point["k"], point["mean"], point["n"]) for point in report["pass_k"]["b"]]
    assert curve == [(1, 7 / 8, 4), (2, 3 / 4, 4)]


def test_breakdowns_hold_what_their_level_says(report: dict[str, Any]) -> None:
    assert report["by_tier"]["success"]["easy"]["a"]["mean"] == 0.5
    assert report["by_tier"]["success"]["hard"]["a"]["mean"] == 0.0
    assert set(report["by_customer"]["success"]) == {"rule"}
    assert report["by_language"]["success"]["en"]["b"]["n"] == 8


def test_each_kind_of_customer_has_its_own_quality_gates(tmp_path: Path) -> None:
    results = [call("a", scenario, 0, won=True, customer=kind) for scenario in range(3) for kind in ("rule", "persona")]
    results[1]["sessions"][0]["turns"][1]["customer"] = "How can I help you today?"
    found = made.reported(made_run(tmp_path, results))["by_customer"]
    calls = found["customer_inverted_call"]
    assert (calls["rule"]["a"]["mean"], calls["persona"]["a"]["mean"]) == (0.0, pytest.approx(1 / 3))
    assert {"customer_role_inversion", "customer_drift", "customer_leak", "customer_repetition"} <= set(found)


def test_the_report_is_plain_json_and_the_same_again(report: dict[str, Any], run: Run) -> None:
    again = made.reported(read_run(run.folder))
    assert json.dumps(report, allow_nan=False) == json.dumps(again, allow_nan=False)


def test_rules_are_counted_as_said_and_as_blocked(tmp_path: Path) -> None:
    lied = call("a", 0, 0, won=True)
    lied["sessions"][0]["turns"][0]["reply"] = "Only 99 yuan a month."
    lied["sessions"][0]["turns"][1]["rules"] = [
        {"name": "promise", "severity": "high", "action": "blocked", "reason": "…", "text": "I promise"}
    ]
    report = made.reported(made_run(tmp_path, [lied, call("a", 1, 0, won=True)]))
    unit = lied["unit"]
    assert report["rules"]["unsupported_quantity"]["a"] == {"said": 1, "blocked": 0, "units": [unit]}
    assert report["rules"]["promise"]["a"] == {"said": 0, "blocked": 1, "units": [unit]}
    assert report["metrics"]["bought_lie"]["variants"]["a"]["mean"] == 0.5
    assert report["scores"][unit]["success"] == 0


def test_two_customers_rank_the_scenarios_alike_or_not(tmp_path: Path) -> None:
    results = [
        call("a", scenario, trial, won=won, customer=customer)
        for customer in ("rule", "persona")
        for scenario, trial in itertools.product(range(3), range(2))
        for won in [scenario + trial > 1 if customer == "rule" else scenario + trial < 2]
    ]
    report = made.reported(made_run(tmp_path, results))
    row = next(row for row in report["rank_correlation"] if row["metric"] == "success")
    assert (row["customers"], row["of"], row["variant"], row["n"]) == (["rule", "persona"], "scenarios", "a", 3)
    assert row["value"] == -1.0


def test_success_is_shown_by_the_length_of_the_call(tmp_path: Path) -> None:
    results = [call("a", scenario, 0, won=scenario < 2, lines=1 + scenario) for scenario in range(4)]
    found = made.reported(made_run(tmp_path, results))["score_against_turns"]
    assert found["metric"] == "success"
    assert [(point["turns"], point["mean"]) for point in found["variants"]["a"]["points"]] == [
        (1, 1),
        (2, 1),
        (3, 0),
        (4, 0),
    ]
    assert found["variants"]["a"]["spearman"]["value"] < -0.8


def judged(run: Run, unit: str, outcome: float | None, process: float | None, boundary: str = "judge") -> None:
    for rubric, criterion, value in (("outcome", "points", outcome), ("process", "progress", process)):
        error = None if value is not None else {"boundary": boundary, "message": "no valid JSON"}
        row = {"unit": unit, "session": 0, "turn": None, "rubric": rubric, "rubric_version": 1, "criterion": criterion}
        row |= {"value": value, "reason": "…", "turns": [1], "judge": "fake", "error": error, "seconds": 1.0}
        append_line(run.folder / "judged.jsonl", row)


def test_the_score_weighs_outcome_and_process_and_the_weight_is_swept(tmp_path: Path) -> None:
    run = made_run(tmp_path, [call("a", scenario, 0, won=True) for scenario in range(3)])
    for place, unit in enumerate(result["unit"] for result in run.results):
        judged(run, unit, 10.0, 2.0 + place)
    rated = [f"{result['unit']},sue,{place},process.progress" for place, result in enumerate(run.results)]
    (run.folder / "ratings.csv").write_text("\n".join(["item,rater,rating,criterion", *rated]), encoding="utf-8")
    report = made.reported(run)
    assert report["metrics"]["score"]["variants"]["a"]["mean"] == pytest.approx(6.5)
    swept = {row["alpha"]: row["variants"]["a"]["mean"] for row in report["alpha_sweep"]}
    assert len(swept) == 9
    assert swept[0.1] == pytest.approx(0.1 * 10 + 0.9 * 3)
    assert swept[0.9] == pytest.approx(0.9 * 10 + 0.1 * 3)
    assert {row["value"] for row in report["human"]} == {1.0}


@pytest.mark.parametrize(("scored", "metric"), [(0, "success"), (1, "success"), (2, "score"), (4, "score")])
def test_the_score_stands_against_turns_once_half_of_the_calls_have_one(
    tmp_path: Path, scored: int, metric: str
) -> None:
    run = made_run(tmp_path, [call("a", scenario, 0, won=True) for scenario in range(4)])
    for result in run.results[:scored]:
        judged(run, result["unit"], 10.0, 4.0)
    assert made.reported(run)["score_against_turns"]["metric"] == metric


@pytest.mark.parametrize("boundary", ["judge", "server"])
def test_a_judge_that_fails_is_the_error_of_it_or_its_server_and_nobodys_score(tmp_path: Path, boundary: str) -> None:
    run = made_run(tmp_path, [call("a", scenario, 0, won=True) for scenario in range(2)])
    judged(run, "a|s-0|rule|0", 10.0, None, boundary)
    judged(run, "a|s-1|rule|0", 10.0, 4.0)
    report = made.reported(run)
    assert report["failed"] == {
        boundary: {"calls": 1, "finished": 1, "units": ["a|s-0|rule|0"], "messages": {"no valid JSON": 1}}
    }
    assert report["finished"] == 2
    assert report["metrics"]["score"]["variants"]["a"]["n"] == 1


def test_a_judge_cites_turns_of_a_follow_up_session_by_their_number_in_the_call(tmp_path: Path) -> None:
    twice = call("a", 0, 0, won=True, lines=2)
    twice["sessions"].append(call("a", 0, 0, won=True)["sessions"][0])
    twice["notes"].append([])
    run = made_run(tmp_path, [twice])
    row = {"unit": twice["unit"], "turn": None, "rubric": "process", "rubric_version": 1, "criterion": "progress"}
    for session in (0, 1):
        answer = {
            "session": session,
            "value": 4.0,
            "reason": "…",
            "turns": [1],
            "judge": "j",
            "error": None,
            "seconds": 1,
        }
        append_line(run.folder / "judged.jsonl", row | answer)
    [held] = read_table(run).rows
    assert held.scores["process.progress"]["turns"] == [1, 4], "three turns come before the second session's"
    assert held.call.turns[4].session == 1


def test_a_run_of_which_every_call_failed_still_reports(tmp_path: Path) -> None:
    broken = made.result(scenario="s-0", error={"boundary": "customer", "message": "said nothing"})
    report = made.reported(made_run(tmp_path, [broken]))
    assert (report["calls"], report["finished"], report["metrics"]) == (1, 0, {})
    assert report["failed"]["customer"]["calls"] == 1


def test_a_run_of_160_calls_is_reported_in_a_few_seconds(tmp_path: Path) -> None:
    results = [
        call(variant, scenario, 0, won=(scenario + len(variant)) % 3 == 0, customer=customer, lines=6)
        for variant in ("on", "off")
        for scenario in range(40)
        for customer in ("rule", "retrieved")
    ]
    run = made_run(tmp_path, results)
    started = time.process_time()
    assert made.reported(run)["calls"] == 160
    assert time.process_time() - started < 12, "of the processor's time, whatever else runs"
