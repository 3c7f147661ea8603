import json
from pathlib import Path

import pytest

from evaluation.judging.agreement import read_ratings
from evaluation.judging.pairs import (
    calls_to_rate,
    keep_preference,
    keep_rating,
    pairs_to_rate,
    win_rates,
)
from evaluation.judging.transcript import Said
from evaluation.runs.store import Run, read_run
from evaluation.scenarios.schema import Scenario, Success
from graph.errors import BadInput
from tests.evaluation.judging.fake_judge import CALL, record, result

AT = "2026-01-01T00:00:00+00:00"


def scenario(name: str, campaign: str = "lantern_local") -> Scenario:
    return Scenario(
        id=name, campaign=campaign, language="en", tier="hard", propensity=0.2, persona="Busy.", reason="Came in.",
        success=Success(outcomes=["won"]), checks=["outcome"],
    )  # fmt: skip


def a_run(folder: Path, scenarios: int = 4) -> Run:
    """Write a run of two variants; the agent `on` asks another question than `off`."""
    folder.mkdir(exist_ok=True)
    names = [f"s{number}" for number in range(scenarios)]
    answered = {
        "on": record(),
        "off": record(CALL[0], Said(1, CALL[1].customer, "Buy it."), Said(2, "No, thanks.", "Goodbye!")),
    }
    calls = [result(f"{variant}|{name}|rule|0", held) for name in names for variant, held in answered.items()]
    calls.append(result("on|s0|rule|1", error={"boundary": "agent", "message": "down"}))
    (folder / "run.json").write_text('{"asked": {}}')
    (folder / "scenarios.jsonl").write_text("".join(scenario(name).model_dump_json() + "\n" for name in names))
    (folder / "calls.jsonl").write_text("".join(json.dumps(call) + "\n" for call in calls))
    return read_run(folder)


def test_every_rater_gets_all_calls_in_an_order_of_their_own_that_stays(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    orders = {rater: [one.unit for one in calls_to_rate(run, rater, "process.progress")] for rater in ("ann", "bob")}
    assert len(orders["ann"]) == 8, "the call that failed is not shown"
    assert set(orders["ann"]) == set(orders["bob"])
    assert orders["ann"] != orders["bob"]
    assert orders["ann"] == [one.unit for one in calls_to_rate(run, "ann", "process.progress")]


def test_a_rating_is_kept_and_the_call_not_shown_to_its_rater_again(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    first, *rest = calls_to_rate(run, "ann", "process.progress")
    keep_rating(run, first, "ann", "process.progress", 7, AT)
    assert calls_to_rate(run, "ann", "process.progress") == rest
    assert len(calls_to_rate(run, "bob", "process.progress")) == 8
    assert len(calls_to_rate(run, "ann", "telebot.diversity")) == 8
    [kept] = read_ratings(tmp_path / "ratings.csv")
    assert (kept.item, kept.rater, kept.rating, kept.tier, kept.criterion) == (
        first.unit, "ann", 7.0, "hard", "process.progress",
    )  # fmt: skip


def test_pairs_are_of_two_variants_on_the_same_customer_with_the_sides_shuffled(tmp_path: Path) -> None:
    run = a_run(tmp_path, scenarios=30)
    pairs = pairs_to_rate(run, "ann", "call")
    assert len(pairs) == 30
    for pair in pairs:
        first, second = (side.unit.split("|") for side in (pair.first, pair.second))
        assert {first[0], second[0]} == {"on", "off"}
        assert first[1:] == second[1:]
    left = [pair.first.unit.split("|")[0] for pair in pairs]
    assert 5 < left.count("on") < 25, "neither variant always stands on one side"
    assert {pair.id for pair in pairs} == {pair.id for pair in pairs_to_rate(run, "bob", "call")}


def test_pairs_of_replies_end_with_the_first_difference_after_the_same_words(tmp_path: Path) -> None:
    [pair, *_] = pairs_to_rate(a_run(tmp_path), "ann", "reply")
    first, second = pair.first.said[0], pair.second.said[0]
    assert len(first) == len(second) == 2
    assert first[0] == second[0]
    assert first[1].customer == second[1].customer
    assert {first[1].agent, second[1].agent} == {"What do you need most?", "Buy it."}


def test_calls_that_say_the_same_are_not_compared(tmp_path: Path) -> None:
    run = a_run(tmp_path, 1)
    same = [{**call, "sessions": [record()]} for call in run.results if not call["error"]]
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(call) + "\n" for call in same))
    assert pairs_to_rate(read_run(tmp_path), "ann", "call") == []
    assert pairs_to_rate(read_run(tmp_path), "ann", "reply") == []


def test_win_rates_count_ties_half_and_hold_their_interval(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    with pytest.raises(BadInput, match="holds no comparisons"):
        win_rates(tmp_path)
    pairs = pairs_to_rate(run, "ann", "call")
    for pair, preferred in zip(pairs, ["on", "on", "tie", "off"], strict=True):
        units = {side.unit.split("|")[0]: side.unit for side in (pair.first, pair.second)}
        keep_preference(run, pair, "ann", units.get(preferred, preferred), AT)
    assert pairs_to_rate(run, "ann", "call") == []
    off, on = win_rates(tmp_path)
    assert (on["variant"], on["wins"], on["ties"], on["losses"], on["rate"]) == ("on", 2, 1, 1, 0.625)
    assert (off["variant"], off["rate"]) == ("off", 0.375)
    assert on["low"] < 0.625 < on["high"]
    assert off["low"] == pytest.approx(1 - on["high"], abs=2e-4)


def test_comparisons_of_one_scenario_hang_together_and_replies_are_told_apart(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    alone, *others = pairs_to_rate(run, "ann", "call")
    for rater in ("ann", "bob", "cid", "dan"):
        keep_preference(run, alone, rater, alone.first.unit, AT)
    assert {(row["rate"], row["low"], row["high"]) for row in win_rates(tmp_path)} == {
        (0.0, None, None),
        (1.0, None, None),
    }
    keep_preference(run, others[0], "ann", "tie", AT)
    keep_preference(run, pairs_to_rate(run, "ann", "reply")[0], "ann", "tie", AT)
    found = win_rates(tmp_path)
    assert [(row["kind"], row["ties"]) for row in found] == [("call", 1), ("call", 1), ("reply", 1), ("reply", 1)]
    best = max(found, key=lambda row: row["rate"] or 0.0)
    assert (best["low"], best["high"]) == (0.5, 1.0), "two scenarios are drawn, not five comparisons"


def test_a_row_that_prefers_somebody_else_is_told(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    keep_preference(run, pairs_to_rate(run, "ann", "call")[0], "ann", "me", AT)
    with pytest.raises(BadInput, match="'me' is none of"):
        win_rates(tmp_path)


def test_a_name_that_a_spreadsheet_would_run_is_kept_harmless_and_still_known(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    first, *rest = calls_to_rate(run, "=cmd()", "process.progress")
    keep_rating(run, first, "=cmd()", "process.progress", 3, AT)
    assert "'=cmd()" in (tmp_path / "ratings.csv").read_text()
    assert calls_to_rate(run, "=cmd()", "process.progress") == rest
