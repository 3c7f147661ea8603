"""The report's page: whole in one file, linked to its calls, and deaf to what customers and agents say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from evaluation.report import charts, numbers
from evaluation.report.build import report_of
from evaluation.report.html import page_of
from evaluation.report.table import read_table
from tests.evaluation import made_calls as made
from tests.evaluation.report.test_build import call, made_run
from tests.ui.browser import CHROMIUM, browser

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    results = [
        call(
            variant,
            scenario,
            trial,
            won=(scenario + (variant == "b")) % 3 == 0,
            customer=customer,
            lines=1 + scenario % 3,
        )
        for variant in ("a", "b")
        for scenario in range(8)
        for customer in ("rule", "persona")
        for trial in range(2)
    ]
    results[0]["sessions"][0]["turns"][1] |= {"customer": EVIL, "reply": f"{EVIL} Only 99 yuan a month."}
    error: Any = {"boundary": "server", "message": EVIL}
    table_of = made_run(
        tmp_path_factory.mktemp("page"), [*results, made.result(variant="b", scenario="s-0", trial=7, error=error)]
    )
    table = read_table(table_of)
    return page_of(report_of(table, table_of, table_of.folder), table, f"run {EVIL}")


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    held: dict[str, Any] = json.loads(found.group(1))
    return held


def test_the_page_asks_for_no_other_file_and_lets_no_foreign_script_run(page: str) -> None:
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL))
    assert "url(" not in page and "@import" not in page
    assert "default-src 'none'; script-src 'sha256-" in page.replace("&#39;", "'")
    assert page.count("<script") == 2, "the data and the page's own script; what was said opened none"
    assert EVIL not in page


def test_every_figure_links_to_calls_that_are_in_the_page(page: str) -> None:
    data = data_of(page)
    links = re.findall(r'href="#c(\d+)\.([^"]+)"', page)
    assert len(links) > 100
    names = {name for name, _ in data["metrics"]}
    for cell, metric in links:
        assert metric in names
        places = data["cells"][int(cell)][1]
        assert places and max(places) < len(data["calls"])
    assert all(data["calls"][place]["unit"].startswith("a|") for place in dict(data["cells"])["variant=a"])


def test_the_table_of_all_metrics_tells_the_standard_deviation(page: str) -> None:
    everything = page[page.index('<section id="all">') : page.index('<section id="calls">')]
    assert len(re.findall(r"<small>sd \d+\.\d\d</small>", everything)) > 20
    assert "<small>sd" not in page[: page.index('<section id="all">')]


def test_customers_have_their_own_gates_and_their_own_differences(page: str) -> None:
    gates = page[page.index('<section id="customers">') : page.index('<section id="reliability">')]
    cells = dict(enumerate(name for name, _ in data_of(page)["cells"]))
    linked = {cells[int(cell)] for cell in re.findall(r'href="#c(\d+)\.customer_role_inversion"', gates)}
    assert linked == {f"variant={variant};customer={kind}" for variant in "ab" for kind in ("rule", "persona")}
    folded = re.findall(r"<summary>b less a, customers of kind (\w+) alone</summary>", page)
    assert folded == ["rule", "persona"]


def test_the_counts_in_the_head_link_to_their_calls(page: str) -> None:
    head = page[page.index("<header>") : page.index("</header>")]
    assert re.search(r'<a [^>]*href="#calls">65 calls</a>, <a [^>]*href="#finished">64 of them finished</a>', head)
    assert re.search(r'<a [^>]*href="#b.server"><b>1</b> call broke at the server</a>', head)
    assert data_of(page)["broken"] == {"server": ["b|s-0|rule|7"]}


def test_the_calls_carry_their_words_scores_and_reasons(page: str) -> None:
    first = data_of(page)["calls"][0]
    names = [name for name, _ in data_of(page)["metrics"]]
    scores = {names[place]: (value, reason) for place, value, reason, _ in first["scores"]}
    assert first["turns"][1][1] == EVIL
    price, reason = scores["faithful.unsupported_price"]
    assert price == 1
    assert "turn 1: “99 yuan" in reason
    assert "unsupported_quantity" in first["turns"][1][7]


def test_a_run_without_a_finished_call_has_a_page_that_says_so(tmp_path: Path) -> None:
    broken = made.result(scenario="s-0", error={"boundary": "agent", "message": "a node is missing"})
    run = made_run(tmp_path, [broken])
    table = read_table(run)
    shown = page_of(report_of(table, run, tmp_path), table, "run")
    assert "No call was finished" in shown
    assert "a node is missing" in shown


@pytest.mark.parametrize(
    ("figure", "unit", "expected"),
    [
        ({"mean": 0.42, "low": 0.31, "high": 0.53}, "share", "0.42 (0.31–0.53)"),
        ({"mean": -0.05, "low": -0.1, "high": 0.02}, "share", "−0.05 (−0.10 to 0.02)"),
        ({"mean": -0.001, "low": None, "high": None}, "share", "0.00"),
        ({"mean": 1234.4, "low": 1000.0, "high": 1500.0}, "tokens", "1,234 (1,000–1,500)"),
    ],
)
def test_figures_as_people_read_them(figure: dict[str, float | None], unit: str, expected: str) -> None:
    assert numbers.interval(figure, unit) == expected


@pytest.mark.parametrize(("p", "expected"), [(0.0001, "<0.001"), (0.034, "0.034"), (1.0, "1.000")])
def test_p_values_as_people_read_them(p: float, expected: str) -> None:
    assert numbers.p_value(p) == expected


@pytest.mark.parametrize(
    ("unit", "ends", "value", "expected"),
    [
        ("share", (0.2, 0.4), "mean", (0.0, 1.0)),
        ("points", (3.0, 7.0), "mean", (0.0, 10.0)),
        ("tokens", (900.0, 1300.0), "mean", (0.0, 2000.0)),
        ("share", (-0.08, 0.13), "difference", (-0.2, 0.2)),
        ("count", (0.0, 0.0), "mean", (0.0, 1.0)),
    ],
)
def test_axes_end_on_round_figures(
    unit: str, ends: tuple[float, float], value: str, expected: tuple[float, float]
) -> None:
    figure = {value: sum(ends) / 2, "low": ends[0], "high": ends[1]}
    scale = charts.scale_of(unit, [figure], value)
    assert (scale.low, scale.high) == expected


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM, reason="needs a Chromium")
def test_a_figure_opens_its_calls_and_what_was_said_stays_text(page: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    with browser() as chromium:
        window = chromium.new_page(viewport={"width": 390, "height": 844})
        told: list[str] = []
        window.on("console", lambda message: told.append(message.text))
        window.on("pageerror", lambda error: told.append(str(error)))
        window.on("request", lambda request: told.append(request.url) if request.url != path.as_uri() else None)
        window.goto(path.as_uri())
        assert window.locator("#list > details").count() == 65, "64 calls, and the one that broke"
        window.locator("#means .figure").first.click()
        window.wait_for_function("document.querySelectorAll('#list > details').length === 32")
        window.evaluate("location.hash = '#b.server'")
        window.wait_for_function("document.querySelectorAll('#list > details').length === 1")
        assert "broke at the server" in window.locator("#list").inner_text()
        window.evaluate("location.hash = '#finished'")
        window.wait_for_function("document.querySelectorAll('#list > details').length === 64")
        window.locator("#list > details > summary").first.click()
        assert EVIL in window.locator("#list .said.customer").first.inner_text()
        assert window.evaluate("document.documentElement.scrollWidth") <= 390
        assert window.title() != "owned"
        assert not told
