import threading
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

STARTED, GO_ON = threading.Event(), threading.Event()


def page() -> None:
    import streamlit as st

    from tests.ui import test_jobs
    from ui.jobs import show_job, start_job

    if st.button("start", key="start"):
        start_job("work", "Counting", test_jobs.WORK[0])
    result = show_job("work")
    if result is not None:
        st.text(f"result {result}")


WORK: list[Callable[[Any], Any]] = []


def run_until(app: AppTest, done: Callable[[AppTest], object]) -> None:
    """Run the page again until the job's thread has ended and the page has said so."""
    for thread in threading.enumerate():
        if thread.name == "job-work":
            thread.join(20)
    app.run()
    assert done(app), [app.error, app.info, app.text]


def started(work: Callable[[Any], Any]) -> AppTest:
    """Start work that cannot end before the page has been drawn once."""
    drawn = threading.Event()

    def held(progress: Any) -> Any:
        assert drawn.wait(20)
        return work(progress)

    WORK[:] = [held]
    app = AppTest.from_function(page).run()
    app.session_state["interface_language"] = "en"
    app.button(key="start").click().run()
    drawn.set()
    return app


def test_a_finished_job_gives_its_result_once() -> None:
    app = started(lambda progress: progress(1, 2) or "ready")
    run_until(app, lambda app: [text.value for text in app.text] == ["result ready"])
    assert not app.run().text


def test_a_failed_job_says_why_and_an_inner_failure_says_no_more_than_that() -> None:
    from graph.errors import BadInput

    def refused(_progress: object) -> None:
        raise BadInput("row 3: *bad*")

    def broken(_progress: object) -> None:
        raise KeyError("secret")

    app = started(refused)
    run_until(app, lambda app: app.error[0].value == r"row 3: \*bad\*")
    app = started(broken)
    run_until(app, lambda app: "secret" not in app.error[0].value and "log" in app.error[0].value)


def test_a_running_job_can_be_cancelled_and_stops_at_its_next_step() -> None:
    STARTED.clear()
    GO_ON.clear()
    steps: list[int] = []

    def work(progress: Callable[[int, int], None]) -> None:
        for step in range(3):
            steps.append(step)
            progress(step, 3)
            STARTED.set()
            GO_ON.wait(20)

    app = started(work)
    assert STARTED.wait(20)
    app.run()
    app.button(key="cancel_work").click().run()
    GO_ON.set()
    run_until(app, lambda app: "nothing was changed" in app.info[0].value)
    assert steps == [0, 1]
