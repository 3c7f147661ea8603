"""Good and bad marks on one answer, on the calls page."""

from typing import cast

import streamlit as st

from graph.errors import BadInput
from graph.feedback import mark_turn
from graph.page_parts import go, notice
from graph.records import Mark, TurnRecord, Verdict
from ui.access import may, require, user
from ui.shared import settings
from ui.text import plain, show
from ui.words import t

_MARKING = "_marking"
"""The turn that the session is about to mark."""


def marks_of_turn(turn: TurnRecord, marks: list[Mark]) -> None:
    """Show an answer's marks, and let a supervisor add one."""
    for mark in marks:
        icon = ":material/thumb_up:" if mark["verdict"] == "good" else ":material/thumb_down:"
        given = t(f"calls.marked_{mark['verdict']}", author=plain(mark["author"]))
        st.markdown(f"{icon} {given}")
        for field in ("reason", "better"):
            if text := mark["reason" if field == "reason" else "better"]:
                show(t(f"calls.marked_{field}", **{field: text}))
    if not may("supervisor"):
        return
    this = (turn["call"], turn["turn"])
    number = turn["turn"]
    if st.session_state.get(_MARKING) == this:
        _form(turn, marks)
        return
    with st.container(horizontal=True):
        st.button(
            t("calls.mark"),
            key=f"mark_{number}",
            on_click=_begin,
            args=this,
            type="tertiary",
            icon=":material/rate_review:",
        )
        if any(mark["verdict"] == "bad" for mark in marks):
            st.button(
                t("calls.make_rule"),
                key=f"rule_{number}",
                on_click=go,
                kwargs={"call": turn["call"], "turn": str(number), "rule": "1"},
                type="tertiary",
                icon=":material/gavel:",
            )


def _begin(call: str, turn: int) -> None:
    st.session_state[_MARKING] = (call, turn)


def _end() -> None:
    st.session_state.pop(_MARKING, None)


def _form(turn: TurnRecord, marks: list[Mark]) -> None:
    known = user()
    this = f"{turn['call']}_{turn['turn']}"  # in the keys, so that nothing typed for one turn shows up at another
    mine = next((mark for mark in marks if known and mark["author"] == known.name), None)
    with st.container(border=True):
        verdict = st.segmented_control(
            t("calls.mark_verdict"),
            ["good", "bad"],
            default=mine["verdict"] if mine else None,
            format_func=lambda name: t(f"calls.mark_{name}"),
            key=f"mark_verdict_{this}",
        )
        reason = st.text_input(
            t("calls.mark_reason"),
            mine["reason"] if mine else "",
            key=f"mark_reason_{this}",
            help=t("calls.mark_reason_help"),
        )
        better = st.text_area(
            t("calls.mark_better"),
            mine["better"] if mine else "",
            key=f"mark_better_{this}",
            help=t("calls.mark_better_help"),
        )
        with st.container(horizontal=True):
            if st.button(t("calls.mark_save"), key="mark_save", type="primary"):
                _save(turn, cast(Verdict | None, verdict), reason, better, "mark_saved")
            if mine and st.button(t("calls.mark_withdraw"), key="mark_withdraw"):
                _save(turn, "withdrawn", "", "", "mark_withdrawn")
            st.button(t("calls.mark_close"), key="mark_close", on_click=_end)


def _save(turn: TurnRecord, verdict: Verdict | None, reason: str, better: str, said: str) -> None:
    author = require("supervisor").name
    if verdict is None:
        st.error(t("calls.mark_needs_verdict"))
        return
    if verdict == "bad" and not reason.strip():
        st.error(t("calls.mark_needs_reason"))
        return
    try:
        mark_turn(settings(), turn, verdict, reason, better, author)
    except BadInput as error:
        st.error(plain(error))
        return
    _end()
    notice(said)
    st.rerun()
