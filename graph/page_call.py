"""The calls page with a call: what came of it, the transcript with the reasons, marks."""

import json
from typing import Any

import streamlit as st

from graph.call_list import newest_turn
from graph.errors import BadInput
from graph.feedback import trace_url
from graph.page_marks import marks_of_turn
from graph.page_parts import campaign_data, campaign_title, go, show_facts, show_notice, summary
from graph.page_takeover import answer_box, what_to_know
from graph.records import ConversationRecord, Mark, TurnRecord
from ui.access import require
from ui.shared import calls
from ui.text import plain, show
from ui.why import explain, slot_name
from ui.words import local_time, t

SHOWN = 20
"""Turns of a long call that are shown at first: the newest, or those around the one asked for."""
HEIGHT = 420
"""Of a waiting call's transcript, in pixels, so that what is answered stands beside what was said last."""
_ALL, _JUMPED = "_calls_all_turns", "_calls_jumped"


def asked_turn() -> int | None:
    """Return the turn that the address asks for."""
    asked = st.query_params.get("turn", "")
    return int(asked) if asked.isascii() and asked.isdigit() else None


def call_page(call: str) -> None:
    """Show a call; what is said meanwhile appears by itself."""
    st.button(t("calls.back"), key="back", on_click=go, icon=":material/arrow_back:", type="tertiary")
    try:
        record = calls().record(call)
    except BadInput:
        st.warning(t("calls.unknown_call", call=plain(call)))
        return
    st.title(plain(campaign_title(record["campaign"])))
    show_notice()
    newest = record["turns"][-1]["turn"] if record["turns"] else -1
    if not record["ended"]:
        _follow(call, newest, record["outcome"]["status"])
    if record["outcome"]["status"] != "handoff":
        _facts(record, summary(record, campaign_data(record["campaign"])))
        _transcript(record)
        return
    said, beside = st.columns([5, 4], gap="medium")
    with said.container(height=HEIGHT, autoscroll=asked_turn() is None, key="transcript"):
        _transcript(record)
    with said:
        answer_box(record)
    with beside:
        what_to_know(record)
        _facts(record, [])


@st.fragment(run_every=1)
def _follow(call: str, newest: int, status: str) -> None:
    """Show the call anew when something was said, or when it waits no more."""
    require("viewer")
    if newest_turn(calls().engine, call) not in ((newest, status), None):
        st.rerun()


def _facts(record: ConversationRecord, known: list[tuple[str, str]]) -> None:
    data, outcome = campaign_data(record["campaign"]), record["outcome"]
    labels = {field.name: field.label for field in data.campaign.profile} if data else {}
    profile = [f"{_label(labels.get(name), name)}: {value}" for name, value in record["profile"].items()]
    agreed = [value for value in outcome["commitment"].values() if value]
    facts: list[tuple[str, Any]] = [
        ("fact_outcome", t(f"common.outcome_{outcome['status']}")),
        ("fact_next", t(f"calls.next_{outcome['status']}")),
        *known,
        ("fact_agreed", "; ".join(agreed)),
        ("fact_profile", "; ".join(profile)),
        ("fact_started", local_time(record["started_at"])),
        ("fact_model", record["model"]),
    ]
    with st.container(border=True):
        show_facts(facts)
        st.download_button(
            t("calls.download"),
            json.dumps(record, ensure_ascii=False, indent=2),
            f"call-{record['call']}.json",
            "application/json",
            key="download",
            on_click="ignore",
            icon=":material/download:",
        )


def _label(label: Any, name: str) -> str:
    from ui.why import named

    return named(label) if label else slot_name(name, None)


def _transcript(record: ConversationRecord) -> None:
    asked, entries = asked_turn(), record["turns"]
    if asked is not None and all(entry["turn"] != asked for entry in entries):
        st.warning(t("calls.not_found_turn", turn=asked))
        asked = None
    if len(entries) > SHOWN and st.session_state.get(_ALL) != record["call"]:
        if st.button(t("calls.show_all", n=len(entries)), key="show_all", type="tertiary"):
            st.session_state[_ALL] = record["call"]
            st.rerun()
        first = len(entries) - SHOWN if asked is None else max(0, min(asked - SHOWN // 2, len(entries) - SHOWN))
        entries = entries[first : first + SHOWN]
    traced = any(trace_url(entry) for entry in entries[-1:])  # asked once: LangSmith may be slow to tell its address
    marks = record.get("marks", [])
    for entry in entries:
        with st.container(key=f"turn_{entry['turn']}"):
            _turn(
                record, entry, [mark for mark in marks if mark["turn"] == entry["turn"]], entry["turn"] == asked, traced
            )
    if asked is not None:
        _jump(record["call"], asked)


def _turn(record: ConversationRecord, entry: TurnRecord, marks: list[Mark], asked: bool, traced: bool) -> None:
    number = entry["turn"]
    if entry["customer"]:
        with st.chat_message("user"):
            st.caption(f"{t('calls.who_customer')} · {t('calls.turn', n=number)}")
            show(entry["customer"])
    person = entry["source"] == "human"
    with st.chat_message("assistant", avatar=":material/support_agent:" if person else "assistant"):
        st.caption(f"{t('calls.who_person' if person else 'calls.who_agent')} · {t('calls.turn', n=number)}")
        show(entry["reply"])
        if not person:
            with st.expander(t("calls.why"), expanded=asked, key=f"why_{number}"):
                explain(entry, record["campaign"])
                if traced and (url := trace_url(entry)):
                    st.link_button(t("calls.trace"), url, icon=":material/open_in_new:")
        marks_of_turn(entry, marks)


def _jump(call: str, turn: int) -> None:
    """Bring the asked turn into view, once."""
    if st.session_state.get(_JUMPED) == (call, turn):
        return
    st.session_state[_JUMPED] = (call, turn)
    script = f"document.querySelector('.st-key-turn_{int(turn)}')?.scrollIntoView({{block: 'start'}})"
    st.html(f"<script>setTimeout(() => {script}, 300)</script>", unsafe_allow_javascript=True)
