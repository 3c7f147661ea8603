"""What a run's figures rest on: each check can be worked out by hand, and names its calls."""

from pathlib import Path
from typing import Any

import pytest

from evaluation.customers.likeness import FILE
from evaluation.judging.checked import keep_checks
from evaluation.kept import keep
from evaluation.report.build import report_of
from evaluation.report.html import page_of
from evaluation.report.table import read_table
from evaluation.runs.store import Run, append_line, read_run
from tests.evaluation import made_calls as made
from tests.evaluation.report.test_build import call

INCLINED = (0.8, 0.8, 0.2, 0.2)


def run_of(folder: Path, won: dict[str, tuple[bool, ...]]) -> Run:
    """Return a run of four scenarios, two of which are inclined to buy; `won` says by kind of customer who did."""
    results = [
        call("a", place, 0, won=did, customer=kind)
        for kind, all_won in won.items()
        for place, did in enumerate(all_won)
    ]
    scenarios = [made.scenario(f"s-{place}", propensity=value) for place, value in enumerate(INCLINED)]
    return read_run(made.run_folder(folder / "run", results, scenarios))


def test_the_inclination_behind_closed_calls_is_told_for_each_kind(tmp_path: Path) -> None:
    run = run_of(
        tmp_path, {"rule": (True, True, False, False), "persona": (True, False, True, False), "recorded": (True,) * 4}
    )
    report = made.reported(run)
    found = {row["customer"]: row for row in report["propensity"] if row["metric"] == "won"}
    assert (found["rule"]["closed"]["mean"], found["rule"]["open"]["mean"]) == pytest.approx((0.8, 0.2))
    assert found["rule"]["gap"]["value"] == pytest.approx(0.6), "the scenario decides"
    assert found["persona"]["gap"]["value"] == pytest.approx(0.0), "the scenario decides nothing"
    assert found["persona"]["gap"]["low"] < 0 < found["persona"]["gap"]["high"]
    assert (found["recorded"]["open"], found["recorded"]["gap"]) == (None, None)
    assert report["cells"][found["persona"]["closed"]["cell"]] == ["a|s-0|persona|0", "a|s-2|persona|0"]


def test_telebots_judge_stands_beside_what_is_computed(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"rule": (True, True, True, True)})
    assert made.reported(run)["telebot_agreement"] == {}
    for place, value in enumerate((1.0, 1.0, 0.0)):
        row: dict[str, Any] = {"unit": f"a|s-{place}|rule|0", "session": 0, "turn": None, "rubric": "telebot"}
        row |= {
            "rubric_version": 1,
            "criterion": "repetition",
            "value": value,
            "reason": "…",
            "turns": [],
            "judge": "fake",
        }
        append_line(run.folder / "judged.jsonl", row | {"error": None, "seconds": 1.0})
    report = made.reported(run)
    [(name, both)] = report["telebot_agreement"].items()
    assert (name, both["n"], both["kappa"]) == ("repetition", 3, None)
    assert both["share"] == pytest.approx(2 / 3)
    assert report["cells"][both["cell"]] == [f"a|s-{place}|rule|0" for place in range(3)]


def test_likeness_is_shown_where_it_was_measured_and_its_lack_where_not(tmp_path: Path) -> None:
    run = run_of(tmp_path, {"rule": (True,) * 4, "persona": (True,) * 4, "recorded": (True,) * 4})
    figure = {"value": 0.12, "low": 0.1, "high": 0.15}
    row = {"bleu": figure, "rouge_1": figure, "rouge_2": None, "rouge_l": figure, "cosine": figure}
    row |= {"calls": 20}
    table = read_table(run)
    assert report_of(table, run, tmp_path)["likeness"] == {"rule": None, "persona": None}
    keep(tmp_path / FILE, {"rule": row, "chance": row, "retrieved": row})
    report = report_of(table, run, tmp_path)
    found = {kind: one and one["bleu"] for kind, one in report["likeness"].items()}
    assert found == {"rule": figure, "persona": None, "chance": figure}, "people's own lines need no measure"
    shown = page_of(report, table, "run")
    assert "0.12 (0.10–0.15)" in shown and report["likeness"]["rule"]["at"][:10] in shown
    assert "likeness of persona not measured: salesman evaluate customers --kinds persona" in shown
    assert "likeness of recorded" not in shown


@pytest.mark.parametrize(
    ("separated", "check", "told"),
    [
        ({"en": True}, "passed", ""),
        ({"en": False, "zh": True}, "failed", "does not tell its gold conversation from its bad one"),
        ({"zh": True}, "unchecked", "was not checked: salesman evaluate rubrics --check"),
        ({}, "unchecked", "was not checked: salesman evaluate rubrics --check"),
    ],
)
def test_a_report_says_of_each_rubric_whether_its_judge_can_be_trusted(
    tmp_path: Path, separated: dict[str, bool], check: str, told: str
) -> None:
    run = run_of(tmp_path / "run", {"rule": (True,) * 4})
    answer = {"unit": "a|s-0|rule|0", "session": 0, "turn": None, "rubric": "process", "rubric_version": 1}
    answer |= {"criterion": "progress", "value": 5.0, "reason": "r", "turns": [], "judge": "small"}
    append_line(run.folder / "judged.jsonl", answer | {"error": None, "seconds": 1.0})
    found = [
        {"rubric": "process", "version": 1, "language": language, "separates": good}
        for language, good in separated.items()
    ]
    keep_checks(tmp_path, "small", found)
    keep_checks(tmp_path, "bigger", [{"rubric": "process", "version": 1, "language": "en", "separates": not found}])
    table = read_table(run)
    report = report_of(table, run, tmp_path)
    assert report["judges"] == {"process": {"judge": "small", "version": 1, "check": check}}
    shown = page_of(report, table, "run")
    assert (f"Rubric process: small {told}" in shown) == bool(told)
