"""Answers that supervisors marked bad, asked again: what the agent would say today, with today's scripts, rules and model."""

from typing import cast

import streamlit as st

from graph.marks import MarkedTurn, marked_turns
from graph.records import TurnRecord
from scripts_library.schema import Stage
from ui.access import require
from ui.jobs import Progress, show_job, start_job
from ui.shared import calls
from ui.text import plain, show
from ui.words import local_time, t

_RESULT = "bad_answers_result"
MOST = 50
"""Bad answers asked again at once: each costs a model call."""


def bad_answers() -> None:
    """List them, and ask them again."""
    marked = [one for one in marked_turns(calls().engine) if one.mark["verdict"] == "bad" and one.customer]
    if not marked:
        st.info(t("quality.no_bad_answers"))
        return
    st.write(t("quality.bad_count", n=len(marked)))
    newest = marked[-MOST:]
    if st.button(t("quality.ask_again", n=len(newest)), key="bad_answers_again"):
        require("viewer")
        start_job("bad_answers", t("quality.asking_again"), lambda progress: _ask_again(newest, progress))
    fresh = show_job("bad_answers")
    if fresh is not None:
        st.session_state[_RESULT] = fresh
    answers: dict[tuple[str, int], TurnRecord] = st.session_state.get(_RESULT, {})
    if answers:
        same = sum(answers[_key(one)]["reply"] == one.reply for one in newest if _key(one) in answers)
        st.caption(t("quality.same_again", same=same, n=len(answers)))
    for one in reversed(newest):
        _show(one, answers.get(_key(one)))


def _key(one: MarkedTurn) -> tuple[str, int]:
    return one.call, one.mark["turn"]


def _ask_again(marked: list[MarkedTurn], progress: Progress) -> dict[tuple[str, int], TurnRecord]:
    """Ask each line again at the stage that its call was in; nothing is written to the calls."""
    door, answers = calls(), {}
    for number, one in enumerate(marked):
        progress(number, len(marked))
        turn = next(turn for turn in door.record(one.call)["turns"] if turn["turn"] == one.mark["turn"])
        answers[_key(one)] = door.preview(
            one.campaign, one.customer, language=turn["why"]["language"], stage=cast(Stage, turn["stage"])
        )
    return answers


def _show(one: MarkedTurn, again: TurnRecord | None) -> None:
    with st.container(border=True):
        st.caption(t("quality.bad_by", author=plain(one.mark["author"]), at=local_time(one.mark["at"])))
        for label, text in (
            (t("quality.column_line"), one.customer),
            (t("quality.said"), one.reply),
            (t("quality.why_bad"), one.mark["reason"]),
            (t("quality.better"), one.mark["better"]),
            (t("quality.today"), again["reply"] if again else ""),
        ):
            if text:
                st.caption(label)
                show(text)
        st.page_link(
            "graph/page.py",
            label=t("quality.open_call"),
            query_params={"call": one.call, "turn": str(one.mark["turn"])},
        )
