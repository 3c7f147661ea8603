"""Long work in a thread of its own: it shows how far it is, can be cancelled, and blocks no session."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import streamlit as st

from graph.errors import Cancelled, SalesmanError
from ui.faults import fault
from ui.text import plain
from ui.words import t

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Told (done, total); raises `Cancelled` when the user has cancelled."""


@dataclass
class Job:
    """One piece of work, as its thread and its session see it."""

    title: str
    done: int = 0
    total: int = 0
    state: Literal["running", "finished", "failed", "cancelled"] = "running"
    result: Any = None
    error: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    def progress(self, done: int, total: int) -> None:
        """Note how far the work is.

        Raises:
            Cancelled: The user has cancelled.
        """
        if self.cancelled.is_set():
            raise Cancelled(f"{self.title}: cancelled, nothing was changed")
        self.done, self.total = done, total

    def run(self, work: Callable[[Progress], Any]) -> None:
        """Do the work and note what came of it."""
        try:
            self.result = work(self.progress)
            self.state = "finished"
        except Cancelled:
            self.state = "cancelled"
        except SalesmanError as error:
            self.error, self.state = str(error), "failed"
        except Exception:  # the thread's boundary: the session shows one line, the log has the rest
            log.exception("job %s failed", self.title)
            self.error, self.state = t_failed(self.title), "failed"


def t_failed(title: str) -> str:
    """Return the line shown for work that failed for a reason of the program's own."""
    return f"{title}: failed inside; the server's log says why"


def start_job(key: str, title: str, work: Callable[[Progress], Any]) -> None:
    """Start work in a thread; `show_job` with the same key shows it.

    Args:
        key: Names the job in this session; one that still runs under it is left alone.
        title: Shown beside the bar.
        work: Called with a `Progress`; what it returns is the job's result.
    """
    running = st.session_state.get(_slot(key))
    if running is not None and running.state == "running":
        return
    job = Job(title)
    st.session_state[_slot(key)] = job
    threading.Thread(target=job.run, args=(work,), name=f"job-{key}", daemon=True).start()


def show_job(key: str) -> Any:
    """Show a job's bar and its cancel button while it runs; say once how it ended.

    Returns:
        The result, once, when the job has just finished; else None.
    """
    job = st.session_state.get(_slot(key))
    if job is None:
        return None
    if job.state == "running":
        _watch(key)
        return None
    del st.session_state[_slot(key)]
    if job.state == "failed":
        st.error(plain(fault(job.error)))
    elif job.state == "cancelled":
        st.info(t("common.job_cancelled", title=plain(job.title)))
    return job.result


@st.fragment(run_every=0.5)
def _watch(key: str) -> None:
    job = st.session_state.get(_slot(key))
    if job is None or job.state != "running":
        st.rerun()
    bar, button = st.columns([5, 1], vertical_alignment="center")
    count = f" {job.done} / {job.total}" if job.total else " …"
    bar.progress(min(job.done / job.total, 1.0) if job.total else 0.0, text=plain(job.title) + count)
    if button.button(t("common.cancel"), key=f"cancel_{key}"):
        job.cancelled.set()


def _slot(key: str) -> str:
    return f"job:{key}"
