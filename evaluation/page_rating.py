"""The page's part where people rate the calls of a run, blind and shuffled; their ratings measure the judges."""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import streamlit as st

from evaluation.judging.pairs import (
    PAIRS,
    TIE,
    Kind,
    Shown,
    calls_to_rate,
    keep_preference,
    keep_rating,
    pairs_to_rate,
    win_rates,
)
from evaluation.judging.rubric import Criterion, bundled_rubrics
from evaluation.runs.store import CALLS, Run, read_run
from ui.access import require
from ui.text import plain, show
from ui.words import language, t

FIRST = "process.progress"
"""The criterion that is offered first."""


def rating(folder: Path) -> None:
    """Let a supervisor rate the calls of a run.

    Args:
        folder: The run's.
    """
    rater = require("supervisor").name
    run = _run(folder, (folder / CALLS).stat().st_mtime_ns if (folder / CALLS).is_file() else 0)
    st.caption(t("rating.intro"))
    ways = {"one": t("rating.what_one"), "call": t("rating.what_call"), "reply": t("rating.what_reply")}
    what = st.radio(t("rating.what"), list(ways), format_func=ways.__getitem__, horizontal=True, key="rating_what")
    if what == "one":
        _rate_calls(run, rater)
    else:
        _compare(run, rater, "call" if what == "call" else "reply")


@lru_cache(maxsize=4)
def _run(folder: Path, changed: int) -> Run:
    """Read a run once for as long as its calls stay the same."""
    return read_run(folder)


def _rate_calls(run: Run, rater: str) -> None:
    offered = _criteria()
    chosen = st.selectbox(
        t("rating.criterion"), list(offered), format_func=lambda name: offered[name][0], key="rating_criterion"
    )
    left = calls_to_rate(run, rater, chosen)
    if not left:
        st.success(t("rating.done"))
        return
    st.caption(t("rating.left", n=len(left)))
    _show(left[0])
    criterion = offered[chosen][1]
    with st.form(f"rating_{chosen}_{left[0].unit}"):
        st.markdown(plain(criterion.question[language()]))
        said = [plain(f"{_band(one.values)}: {one.text[language()]}") for one in reversed(criterion.choices)]
        st.caption("  \n".join(said))
        value = st.radio(
            t("rating.your_rating"), criterion.values, index=None, format_func=lambda one: f"{one:g}", horizontal=True
        )
        if st.form_submit_button(t("rating.save"), type="primary") and value is not None:
            require("supervisor")
            keep_rating(run, left[0], rater, chosen, value, _now())
            st.rerun()


def _criteria() -> dict[str, tuple[str, Criterion]]:
    """Return what calls can be rated by: name → label and criterion; the process rating first."""
    spoken = language()
    found = {
        f"{rubric.name}.{request.key(one)}": (
            " · ".join(
                [rubric.title[spoken], *([request.part.label[spoken]] if request.part else []), one.label[spoken]]
            ),
            one,
        )
        for rubric in bundled_rubrics().values()
        if rubric.judges == "call"
        for request in rubric.requests()
        for one in request.criteria
    }
    return {FIRST: found[FIRST], **found}


def _compare(run: Run, rater: str, kind: Kind) -> None:
    left = pairs_to_rate(run, rater, kind)
    if not left:
        if (run.folder / PAIRS).is_file():
            st.success(t("rating.done"))
            _preferred(run, kind)
        else:
            st.info(t("rating.nothing"))
        return
    st.caption(t("rating.left", n=len(left)))
    pair = left[0]
    for column, side in zip(st.columns(2), (pair.first, pair.second), strict=True):
        with column:
            _show(side)
    st.subheader(t("rating.which"))
    answers = {"first": pair.first.unit, "second": pair.second.unit, "tie": TIE}
    for column, (name, preferred) in zip(st.columns(3), answers.items(), strict=True):
        if column.button(t(f"rating.{name}"), key=f"prefer_{name}_{pair.id}", width="stretch"):
            require("supervisor")
            keep_preference(run, pair, rater, preferred, _now())
            st.rerun()


def _preferred(run: Run, kind: Kind) -> None:
    """Show who is preferred; only to somebody who has nothing left to compare, so that it sways nobody."""
    st.subheader(t("rating.preferred"))
    st.dataframe(
        [
            {
                t("rating.column_variant"): row["variant"],
                t("rating.column_rate"): f"{row['rate']:.0%}",
                t("rating.column_between"): "–" if row["low"] is None else f"{row['low']:.0%} – {row['high']:.0%}",
                t("rating.column_of"): row["wins"] + row["ties"] + row["losses"],
            }
            for row in win_rates(run.folder)
            if row["kind"] == kind
        ],
        hide_index=True,
        width="stretch",
    )


def _show(call: Shown) -> None:
    """Show the words of a call, and nothing else of it."""
    with st.container(border=True, gap=None, height=480 if sum(map(len, call.said)) > 4 else "content"):
        for number, session in enumerate(call.said, start=1):
            if len(call.said) > 1:
                st.caption(t("rating.session", n=number))
            for one in session:
                for who, text in ((t("rating.customer"), one.customer), (t("rating.agent"), one.agent)):
                    if text:
                        st.caption(who)
                        show(text)


def _band(values: list[float]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g}–{values[-1]:g}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
