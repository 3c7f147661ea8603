"""The calls page without a call: who waits for a person, all calls by pages, and files of them."""

from collections.abc import Callable
from typing import Any, cast

import streamlit as st

from graph import page_rules
from graph.call_list import CallRow, Filters, calls_table, waiting
from graph.export import Use, json_lines, mark_rows, outcomes_csv
from graph.page_parts import campaign_title, go, show_notice, since, span
from scripts_library.schema import STAGES
from ui.access import guarded, may, require
from ui.shared import calls, library
from ui.text import plain, show
from ui.why import stage_name
from ui.words import local_time, t

PAGE = 50
"""Calls a page."""
FEW, SHOWN_WAITING, WAITING_HEIGHT = 2, 20, 260
"""Waiting calls that are shown whole; more scroll by themselves, in so many pixels, so that the table stays in view."""
OUTCOMES = ("open", "won", "declined", "follow_up", "opted_out", "handoff")
_FILTERS, _PAGE, _TABLE = "_calls_filters", "_calls_page", "_calls_table"
"""What a session remembers while it looks at a call: the filters, the page, and how often the table was left by a click."""


def list_page() -> None:
    """Show the calls that wait, then all calls or the rules."""
    st.title(t("common.page_calls"))
    st.caption(t("calls.intro"))
    show_notice()
    _waiting()
    views = ["calls", "rules"]
    asked = st.query_params.get("view", "calls")
    view = st.segmented_control(
        t("calls.view"),
        views,
        default=asked if asked in views else "calls",
        format_func=lambda name: t(f"calls.view_{name}"),
        key="calls_view",
        required=True,
        label_visibility="collapsed",
    )
    if view == "rules":
        page_rules.rules_list()
    else:
        _calls()


@st.fragment(run_every=1)
def _waiting() -> None:
    """Show who waits for a person; asked anew each second."""
    require("viewer")
    held = waiting(calls().engine)
    with st.container(border=True, key="waiting", height=WAITING_HEIGHT if len(held) > FEW else "content"):
        st.markdown(f"**{t('calls.waiting_title')}** ({len(held)})" if held else f"**{t('calls.waiting_title')}**")
        if not held:
            st.caption(t("calls.waiting_none"))
        for row in held[:SHOWN_WAITING]:
            said, button = st.columns([5, 1], vertical_alignment="center")
            key = "calls.waiting_answered" if row.answered else "calls.waiting_for"
            with said:
                st.caption(t(key, campaign=plain(campaign_title(row.campaign)), time=since(row.since)))
                show(row.line)
            mine = may("supervisor") and not row.answered
            label, kind = t("calls.take_over" if mine else "calls.open"), "primary" if mine else "secondary"
            if button.button(label, key=f"waiting_{row.id}", type=cast(Any, kind), width="stretch"):
                go(call=row.id)
                st.rerun()
        if len(held) > SHOWN_WAITING:
            st.caption(t("calls.waiting_more", n=len(held) - SHOWN_WAITING))


def _calls() -> None:
    filters = _filters()
    start = st.session_state.get(_PAGE, 0) * PAGE
    rows, total = calls_table(calls().engine, filters, PAGE, start)
    if not total:
        st.info(t("calls.none_yet" if filters == Filters() else "calls.none_found"))
        return
    _table(rows)
    _pages(start, len(rows), total)
    _files(filters.campaign)


def _filters() -> Filters:
    """Let the calls be narrowed; what was chosen is still there when a call was looked at."""
    held: Filters = st.session_state.get(_FILTERS, Filters())
    with st.container(border=True):
        columns = st.columns([3, 2, 2, 2])
        text = columns[0].text_input(
            t("calls.filter_text"),
            held.text,
            key="calls_text",
            help=t("calls.filter_text_help"),
            icon=":material/search:",
        )
        campaign = _choice(columns[1], "campaign", ["", *library().campaigns()], held.campaign, campaign_title)
        status = _choice(columns[2], "outcome", ["", *OUTCOMES], held.status, lambda name: t(f"common.outcome_{name}"))
        stage = _choice(columns[3], "stage", ["", *STAGES], held.stage, stage_name)
        with st.container(horizontal=True):
            rules = st.checkbox(t("calls.filter_rules"), held.rules, key="calls_rules")
            marked = st.checkbox(t("calls.filter_marked"), held.marked, key="calls_marked")
    chosen = Filters(campaign, status, stage, rules, marked, text)
    if chosen != held:
        st.session_state[_FILTERS], st.session_state[_PAGE] = chosen, 0
    return chosen


def _choice(place: Any, name: str, options: list[str], held: str, label: Any) -> str:
    chosen = place.selectbox(
        t(f"calls.filter_{name}"),
        options,
        index=options.index(held) if held in options else 0,
        format_func=lambda one: label(one) if one else t("calls.all"),
        key=f"calls_{name}",
    )
    return str(chosen)


def cells(row: CallRow) -> dict[str, object]:
    """Return a call as a row of the table, under its headings."""
    marks = t("calls.marks_count", good=row.good, bad=row.bad) if row.good or row.bad else ""
    values: dict[str, object] = {
        "started": local_time(row.started_at),
        "outcome": t(f"common.outcome_{row.status}"),
        "stage": stage_name(row.stage) if row.stage else "",
        "turns": row.turns,
        "rules": row.rules,
        "waiting": since(row.waiting_since) if row.waiting_since else "",
        "duration": span(row.seconds),
        "marks": marks,
        "campaign": campaign_title(row.campaign),
        "call": row.id,
    }
    return {t(f"calls.column_{name}"): value for name, value in values.items()}


def _table(rows: list[CallRow]) -> None:
    st.caption(t("calls.select_hint"))
    again = st.session_state.get(_TABLE, 0)
    chosen: Any = st.dataframe(
        [cells(row) for row in rows],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"calls_table_{again}",
    )
    if chosen.selection.rows:
        st.session_state[_TABLE] = again + 1
        go(call=rows[chosen.selection.rows[0]].id)
        st.rerun()


def _pages(start: int, shown: int, total: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if total <= PAGE:
            st.caption(t("calls.count", n=total))
            return
        st.caption(t("calls.count_page", first=start + 1, last=start + shown, n=total))
        for key, step, possible in (("previous", -1, start > 0), ("next", 1, start + shown < total)):
            st.button(t(f"calls.{key}"), key=f"calls_{key}", on_click=_turn_page, args=(step,), disabled=not possible)


def _turn_page(step: int) -> None:
    st.session_state[_PAGE] = max(0, st.session_state.get(_PAGE, 0) + step)


def _files(campaign: str) -> None:
    """Offer files to those who may take calls over: they hold what customers said, and their contacts."""
    if not may("supervisor"):
        return

    def outcomes() -> bytes:
        return outcomes_csv(calls().engine, campaign).encode("utf-8-sig")

    def marks(use: Use) -> Callable[[], bytes]:
        def rows() -> bytes:
            return json_lines(mark_rows(calls().store, use, campaign)).encode()

        return rows

    with st.container(horizontal=True):
        icon = ":material/download:"
        st.download_button(
            t("calls.outcomes_download"),
            guarded("supervisor", outcomes),
            "outcomes.csv",
            "text/csv",
            key="get_outcomes",
            on_click="ignore",
            icon=icon,
        )
        uses: tuple[tuple[Use, str], ...] = (("training", "marks"), ("evaluation", "cases"))
        for use, key in uses:
            st.download_button(
                t(f"calls.{key}_download"),
                guarded("supervisor", marks(use)),
                f"marks-{use}.jsonl",
                "application/jsonl",
                key=f"get_{key}",
                on_click="ignore",
                icon=icon,
            )
