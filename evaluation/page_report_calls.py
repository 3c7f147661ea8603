"""The calls behind a figure of a run, and one of them word for word."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from evaluation.measures.replay import Said
from evaluation.report.table import Row
from ui.text import plain, show
from ui.words import t


def calls_behind(rows: Sequence[Row], metric: str, key: str) -> None:
    """List the calls that a figure was made of, with each one's value and reason, and show the chosen one.

    Args:
        rows: The calls of the figure's cell.
        metric: The figure's; calls without a value are left out.
        key: Of the table whose figure it is.
    """
    valued = [row for row in rows if row.value(metric) is not None]
    st.subheader(t("report.behind", n=len(valued)))
    st.caption(t("report.choose_call"))
    chosen: Any = st.dataframe(
        [
            {
                t("report.column_value"): round(row.value(metric) or 0.0, 3),
                t("report.column_call"): row.result["unit"].replace("|", " · "),
                t("report.column_outcome"): t(f"common.outcome_{row.call.status}"),
                t("report.column_reason"): row.scores[metric]["reason"],
            }
            for row in valued
        ],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"report_calls_{key}_{metric}",
    )
    if chosen.selection.rows and chosen.selection.rows[0] < len(valued):
        _transcript(valued[chosen.selection.rows[0]], key)


def _transcript(row: Row, key: str) -> None:
    with st.container(border=True, key=f"report_transcript_{key}"):
        st.caption(plain(f"{row.scenario.persona} {row.scenario.reason}"))
        session = 0
        for said in row.call.turns:
            if said.session != session:
                session = said.session
                st.caption(t("report.follow_up_session", n=session))
            _turn(said)


def _turn(said: Said) -> None:
    if said.turn["customer"]:
        with st.chat_message("user"):
            show(said.turn["customer"])
            if said.meant and said.meant != said.turn["intent"]:
                st.caption(t("report.meant", meant=plain(said.meant), intent=plain(said.turn["intent"])))
    with st.chat_message("assistant"):
        show(said.turn["reply"])
        if said.hits:
            names = ", ".join(hit["name"].replace("_", " ") for hit in said.hits)
            st.caption(t("report.said_breaks", rules=plain(names)))
