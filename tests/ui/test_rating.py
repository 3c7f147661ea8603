from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from evaluation.judging.agreement import read_ratings
from evaluation.judging.pairs import win_rates
from tests.evaluation.judging.test_pairs import a_run
from tests.ui.app import SECONDS, UNTRUSTED, shown


def page(folder: str) -> None:
    from pathlib import Path

    from evaluation.page_rating import rating

    rating(Path(folder))


def opened(folder: Path) -> AppTest:
    app = AppTest.from_function(page, default_timeout=SECONDS, kwargs={"folder": str(folder)})
    app.session_state["interface_language"] = "en"
    app.run()
    assert not app.exception, [entry.value for entry in app.exception]
    return app


def test_calls_are_rated_one_by_one_without_a_sign_of_their_variant(tmp_path: Path) -> None:
    a_run(tmp_path, scenarios=1)
    app = opened(tmp_path)
    for left in (2, 1):
        words = shown(app)
        assert f"Left for you: {left}." in words
        assert not any(sign in words for sign in ("on|", "off|", "rule", "fake", "hard", "analysis"))
        app.radio[1].set_value(7.0)
        app.button[0].click().run()
    assert "You have rated everything" in shown(app)
    kept = read_ratings(tmp_path / "ratings.csv")
    assert {(one.item, one.rating) for one in kept} == {("on|s0|rule|0", 7.0), ("off|s0|rule|0", 7.0)}


def test_nothing_is_kept_before_a_value_is_chosen(tmp_path: Path) -> None:
    a_run(tmp_path, scenarios=1)
    app = opened(tmp_path)
    app.button[0].click().run()
    assert "Left for you: 2." in shown(app)
    assert not (tmp_path / "ratings.csv").exists()


@pytest.mark.parametrize("kind", ["call", "reply"])
def test_two_are_compared_and_the_win_rate_shows_only_at_the_end(kind: str, tmp_path: Path) -> None:
    a_run(tmp_path, scenarios=2)
    app = opened(tmp_path)
    app.radio(key="rating_what").set_value(kind).run()
    assert "Win rate" not in shown(app)
    assert app.dataframe.len == 0
    for label in ("The left one", "Equally good"):
        next(button for button in app.button if button.label == label).click().run()
    assert "You have rated everything" in shown(app)
    assert [row["variant"] for row in win_rates(tmp_path)] == ["off", "on"]
    assert app.dataframe[0].value["Comparisons"].tolist() == [2, 2]


def test_a_run_of_one_variant_has_nothing_to_compare(tmp_path: Path) -> None:
    run = a_run(tmp_path, scenarios=1)
    first = (run.folder / "calls.jsonl").read_text().splitlines()[0]
    (run.folder / "calls.jsonl").write_text(first + "\n")
    app = opened(tmp_path)
    app.radio(key="rating_what").set_value("call").run()
    assert "needs two variants" in shown(app)


def test_words_of_customers_are_shown_as_they_are(tmp_path: Path) -> None:
    run = a_run(tmp_path, scenarios=1)
    path = run.folder / "calls.jsonl"
    path.write_text(path.read_text().replace("Sure, but I'm busy.", UNTRUSTED.replace('"', '\\"')))
    assert UNTRUSTED in [text.value for text in opened(tmp_path).text]


def test_only_supervisors_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graph.settings import get_settings

    monkeypatch.setenv("SALESMAN_ROLES", "viewer")
    get_settings.cache_clear()
    a_run(tmp_path, scenarios=1)
    app = opened(tmp_path)
    assert app.radio.len == 0
    assert app.error
