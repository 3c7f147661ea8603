"""The report inside the application: choose a run, read its figures, open the calls behind them."""

import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from evaluation import page_report_more as more
from evaluation.customers.likeness import keep_likeness
from evaluation.report.build import report_of
from evaluation.report.table import read_table
from evaluation.runs.results import CallResult
from evaluation.runs.store import read_run, write_about
from tests.evaluation import made_calls as made
from tests.evaluation.report.test_build import call, judged
from tests.ui.app import UNTRUSTED, shown

PAGE = Path(__file__).with_name("page_app.py")


def opened(language: str = "en") -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=60)
    app.session_state["interface_language"] = language
    app.run()
    assert not app.exception, [entry.value for entry in app.exception]
    return app


def scored(app: AppTest) -> AppTest:
    """Press the button and wait until the job has ended."""
    app.button(key="report_score").click().run()
    for thread in threading.enumerate():
        if thread.name == "job-report":
            thread.join(60)
    app.run()
    assert not app.exception, [entry.value for entry in app.exception]
    return app


def write(home: Path, results: list[CallResult], name: str = "first") -> Path:
    ids = sorted({result["scenario"] for result in results})
    return made.run_folder(home / "runs" / name, results, [made.scenario(one) for one in ids])


def both() -> list[CallResult]:
    """`b` wins every scenario, `a` none; `a` says something nasty."""
    results = [call(variant, scenario, 0, won=variant == "b") for variant in ("a", "b") for scenario in range(8)]
    results[0]["sessions"][0]["turns"][1] |= {"customer": UNTRUSTED, "reply": f"{UNTRUSTED} Only 99 yuan."}
    return results


def test_without_a_run_the_page_says_how_to_make_one(own_home: Path) -> None:
    assert "salesman evaluate run" in shown(opened()).replace("\\", "")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_run_is_scored_on_demand_and_shows_its_figures(own_home: Path, language: str) -> None:
    write(own_home, both())
    app = opened(language)
    assert not app.dataframe
    app = scored(app)
    assert [metric.value for metric in app.metric] == ["16", "16", "2", "8"]
    figures = app.dataframe[0].value
    assert list(figures.iloc[:, 0]) == ["a", "b"]
    assert list(figures.iloc[:, 1]) == [0.0, 1.0]
    assert ("b is better than a" if language == "en" else "b 比 a 好") in shown(app)


def test_figures_can_be_broken_down_and_other_metrics_chosen(own_home: Path) -> None:
    write(own_home, both())
    app = scored(opened())
    app.segmented_control(key="report_by").set_value("tier").run()
    assert list(app.dataframe[0].value.iloc[:, 0]) == ["easy", "easy"]
    app.selectbox(key="report_metric").set_value("faithful.call").run()
    assert not app.exception
    assert list(app.dataframe[0].value.iloc[:, 2]) == [pytest.approx(7 / 8), 1.0]
    assert "cannot tell a and b apart" in shown(app)


def test_what_broke_is_told_and_a_run_that_goes_on_is_scored_anew(own_home: Path) -> None:
    error = {"boundary": "server", "message": UNTRUSTED}
    folder = write(own_home, [*both(), made.result(variant="a", scenario="s-0", trial=3, error=error)])  # type: ignore[arg-type]
    app = scored(opened())
    assert "Broke at the model server: 1" in shown(app)
    (folder / "judged.jsonl").write_text("", encoding="utf-8")
    app.run()
    assert app.button(key="report_score")
    assert not app.dataframe


@pytest.mark.parametrize(
    ("boundary", "told"), [("judge", "the judge failed: 1"), ("server", "the judge's server failed: 1")]
)
def test_a_missing_judgement_is_told_apart_from_a_broken_call(own_home: Path, boundary: str, told: str) -> None:
    folder = write(own_home, both())
    judged(read_run(folder), "a|s-0|rule|0", 10.0, None, boundary)
    shown_page = shown(scored(opened()))
    assert told in shown_page
    assert "Broke at" not in shown_page


def test_a_run_of_which_nothing_was_finished_says_so(own_home: Path) -> None:
    error = {"boundary": "customer", "message": "said nothing"}
    write(own_home, [made.result(scenario="s-0", error=error)])  # type: ignore[arg-type]
    assert "No call was finished" in shown(scored(opened()))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_else_a_report_holds_is_there_too(own_home: Path, language: str) -> None:
    results = [
        call(variant, scenario, 0, won=(variant == "b") == (scenario % 2 == 0), customer=kind)
        for variant in ("a", "b")
        for scenario in range(4)
        for kind in ("rule", "persona")
    ]
    folder = write(own_home, results)
    for result in results:
        judged(read_run(folder), result["unit"], 10.0, 4.0)
    about = read_run(folder).about | {
        "left_out": [UNTRUSTED],
        "broken": [{"id": "s-9", "reasons": ["no such campaign"]}],
    }
    write_about(folder, about)
    keep_likeness(own_home, {"rule": {"bleu": {"value": 0.12, "low": 0.1, "high": 0.15}}}, calls=20, model="")
    app = scored(opened(language))
    told = {entry.label: entry for entry in app.expander}
    assert len(told) == 8, "broken scenarios, gates, ranks, propensity, score by weight, cost, rules, all metrics"
    tables = {label: [table.value for table in entry.dataframe] for label, entry in told.items()}
    titles = list(told)
    assert tables[titles[0]][0].iloc[0].to_list() == ["s-9", "no such campaign"]
    assert set(tables[titles[1]][0].iloc[:, 1]) == {"rule", "persona"}
    assert tables[titles[1]][1].iloc[0].to_list()[:2] == ["rule", "0.12 (0.10–0.15)"]
    assert tables[titles[2]][0].iloc[0, 0] == "rule / persona"
    assert set(tables[titles[3]][0].iloc[:, 2]) == {"0.80 (0.80–0.80)"}, "every scenario has the same inclination"
    assert tables[titles[4]][0].iloc[:, 1].to_list()[4] == "7.00 (7.00–7.00)", "α = 0.5 of 10 and 4"
    assert tables[titles[5]][0].iloc[0].to_list()[1:] == ["8", "8"], "eight lines of customers a variant"
    assert "--kinds persona" in shown(app).replace("\\", "")
    assert UNTRUSTED not in shown(app)


def test_every_row_of_every_table_opens_calls_that_have_its_figure(own_home: Path) -> None:
    results = [
        call(variant, scenario, 0, won=(variant == "b") == (scenario % 2 == 0), customer=kind)
        for variant in ("a", "b")
        for scenario in range(4)
        for kind in ("rule", "persona")
    ]
    run = read_run(write(own_home, results))
    for result in results:
        judged(run, result["unit"], 10.0, 4.0)
    table = read_table(read_run(run.folder))
    report = report_of(table, run, own_home)
    parts = (more._gates, more._ranks, more._propensity, more._sweep, more._cost, more._metrics)
    for part in parts:
        lines = part(report)
        assert lines, part.__name__
        for line in lines:
            behind = [row for row in table.rows if row.result["unit"] in line.units]
            assert len(behind) == len(line.units) > 0, (part.__name__, line.shown)
            assert any(row.value(line.metric) is not None for row in behind), (part.__name__, line.metric)
