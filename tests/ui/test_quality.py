import threading

import pytest
from streamlit.testing.v1 import AppTest

from graph.marks import add_mark
from tests.ui.app import UNTRUSTED, opened, shown
from ui.shared import calls

pytestmark = pytest.mark.usefixtures("loaded_home")
CAMPAIGN = "lantern_local"


def finished(app: AppTest, name: str) -> AppTest:
    """Run the page again until the job's thread has ended and the page has said so."""
    for thread in threading.enumerate():
        if thread.name == f"job-{name}":
            thread.join(100)
    return app.run()


def test_the_share_of_understood_lines_is_measured_with_its_interval_and_the_missed_ones_are_listed() -> None:
    app = opened("quality")
    app.selectbox(key="understanding_campaign").set_value(CAMPAIGN).run()
    app.button(key="understanding_measure").click().run()
    app = finished(app, "understanding")
    assert {metric.label for metric in app.metric} == {"English", "Chinese"}
    assert all(60 <= int(metric.value.rstrip("%")) <= 100 for metric in app.metric)
    assert "true share between" in shown(app)
    assert not app.dataframe[0].value.empty


def test_a_campaign_without_test_lines_asks_for_some() -> None:
    app = opened("quality")
    app.selectbox(key="understanding_campaign").set_value("save_the_children").run()
    assert "upload some of your own" in shown(app)
    assert app.button(key="understanding_measure").disabled


def test_bad_answers_are_asked_again_without_touching_their_call() -> None:
    app = opened("quality")
    assert "No answer has been marked bad" in shown(app)
    call = calls().start(CAMPAIGN, language="en")["call"]
    said = calls().turn(call, "What does it cost?")
    add_mark(calls().engine, call, 1, "bad", f"beside the point {UNTRUSTED}", "199 yuan a month.", "sue")
    app = opened("quality")
    app.button(key="bad_answers_again").click().run()
    app = finished(app, "bad_answers")
    assert "of 1 answers are word for word as before" in shown(app)
    assert "The agent would say today" in shown(app)
    assert f"beside the point {UNTRUSTED}" in [text.value for text in app.text]
    assert calls().record(call)["turns"][1:] == [said]
