"""Marks in LangSmith: each becomes feedback on the turn's trace, masked, by the same delivery as the traces."""

import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from functools import lru_cache

from graph.errors import SalesmanError
from graph.marks import add_mark
from graph.personal import call_masker
from graph.records import TurnRecord, Verdict
from graph.settings import Settings
from graph.trace_delivery import Parcel, Target, delivery_for, project_url, target
from scripts_library.database import engine_for

SCORES: dict[Verdict, int | None] = {"good": 1, "bad": 0, "withdrawn": None}
PATIENCE = 0.5
"""Seconds that a page waits for the project's address."""


def mark_turn(settings: Settings, record: TurnRecord, verdict: Verdict, reason: str, better: str, author: str) -> None:
    """Keep a verdict on a turn, and send it to LangSmith in the background if the turn was traced.

    Args:
        settings: Name the home.
        record: The turn.
        verdict: `withdrawn` takes the author's earlier verdict back.
        reason: Why; needed for `bad`.
        better: What the agent should have said; may be empty.
        author: Who judges; never sent.

    Raises:
        BadInput: As `graph.marks.add_mark`.
    """
    call = record["call"]
    number = add_mark(engine_for(settings), call, record["turn"], verdict, reason, better, author)
    trace, to = record["why"].get("trace", ""), target()
    if not trace or to is None:
        return

    def parcel() -> Parcel:
        masker = call_masker(settings, call)
        feedback = {
            "feedback_id": str(uuid.uuid5(uuid.UUID(trace), f"mark {number}")),
            "run_id": trace,
            "trace_id": trace,
            "key": "mark",
            "score": SCORES[verdict],
            "value": verdict,
            "comment": masker.text(reason),
            "correction": {"reply": masker.text(better)} if better else None,
        }
        return {"feedback": [feedback]}

    delivery_for(settings, to).put(parcel)


def trace_url(record: TurnRecord) -> str:
    """Return the address of a turn's trace in LangSmith; empty when it has none, or LangSmith has not told where it keeps it yet."""
    trace, to = record["why"].get("trace", ""), target()
    if not trace or to is None:
        return ""
    asked = _project(to)
    try:
        return f"{asked.result(PATIENCE)}/r/{trace}?poll=true"
    except (SalesmanError, TooSlow):
        if asked.done():
            _project.cache_clear()  # ask again with the next page
        return ""


@lru_cache(maxsize=4)
def _project(to: Target) -> Future[str]:
    asking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trace-url")
    answer = asking.submit(project_url, to)
    asking.shutdown(wait=False)
    return answer
