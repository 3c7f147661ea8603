"""The chat page in a call: the transcript with the reasons, the call's facts, the customer's line."""

import json
import uuid
from typing import Any

import streamlit as st

from evaluation.customers.protocol import Customer
from evaluation.customers.talkers import talkers
from graph.call_list import newest_turn
from graph.records import ConversationRecord, TurnRecord
from graph.session import Calls
from nodes.release import join
from scripts_library.loading import CampaignData
from ui import turns
from ui.access import may, require
from ui.chat_start import TALKING, TURN, leave_call, notice, show_notice
from ui.compare import compare
from ui.picture import path_of, picture
from ui.shared import calls
from ui.text import plain, show
from ui.why import explain, learnt, named, stage_name
from ui.words import language, t

HEIGHT = 470
"""Of the transcript, in pixels: it scrolls by itself, so that the picture beside it stays in view."""
SHOWN = 20
"""Turns of a long call that are shown at first."""
CALLS_PAGE = "graph/page.py"
ALL_TURNS, GIVEN_UP = "_all_turns", "_given_up"
"""What a session remembers: the call that it shows whole, the call whose unfinished turn could not be finished."""


def call_page(call: str, header: dict[str, Any]) -> None:
    """Show a call, and take the customer's next line."""
    door = calls(header["model"])
    _recover(door, call)
    under_way = turn_to_watch(call)
    record = calls().record(call)
    data = calls().resources.campaign(record["campaign"])
    title, button = st.columns([4, 1], vertical_alignment="center")
    title.subheader(plain(named(data.campaign.title)))
    button.button(t("chat.new_call"), key="new_call", on_click=leave_call, icon=":material/add_call:", width="stretch")
    chat, beside = st.columns([5, 4], gap="medium")
    with beside:
        _facts(record, data)
        customer = _customer(record, data)
        _buttons(call, record, customer)
    below = st.container()
    with chat:
        transcript = st.container(height=HEIGHT, autoscroll=True, key="transcript")
        _line(door, call, record, waits=under_way is not None)
    with transcript:
        _transcript(record)
        _state_of_call(call, record)
        show_notice(keep=under_way is not None)
    with below, st.expander(t("chat.compare"), key="compare", icon=":material/compare:"):
        compare(record)
    if under_way:
        with transcript:
            watch(under_way, _spoken(record, data))
    if customer and st.session_state.get(TALKING) == call:
        _talk(door, customer, record)


def watch(turn: turns.Turn, spoken: str) -> None:
    """Show a turn as it is said; the page then runs again, with the turn in the record."""
    if turn.line:
        with _bubble("who_customer"):
            show(turn.line)
    with _bubble("who_agent"):
        place = st.empty()
        for said in turn.follow():
            place.text(join(said, spoken) or "…")
    st.session_state.pop(TURN, None)
    if turn.trouble:
        st.session_state.pop(TALKING, None)
        st.session_state[GIVEN_UP] = turn.call
        refused = not turn.line and turn.trouble == "ended"
        notice("notice_refused_contact" if refused else f"notice_{turn.trouble}", line=plain(turn.line))
    st.rerun()


def turn_to_watch(call: str) -> turns.Turn | None:
    """Return the turn under way in a call: the session's own, so that what became of it is told, or another window's."""
    own: turns.Turn | None = st.session_state.get(TURN)
    if own is None or own.call != call or (own.over and not own.trouble):
        return turns.running(call)
    return own


def _recover(door: Calls, call: str) -> None:
    """Finish what a server that was stopped in mid-turn left."""
    idle = turns.running(call) is None and st.session_state.get(GIVEN_UP) != call
    left = calls().store.unfinished(call) if idle else None
    if left:
        turns.begin(call, left["customer"], lambda heard: door.recover(call))


def _bubble(who: str) -> Any:
    avatar = {"who_customer": "user", "who_agent": "assistant", "who_person": ":material/support_agent:"}[who]
    bubble = st.chat_message("user" if who == "who_customer" else "assistant", avatar=avatar)
    bubble.caption(t(f"chat.{who}"))
    return bubble


def _transcript(record: ConversationRecord) -> None:
    """Show the newest turns, and on demand all."""
    entries = record["turns"]
    hidden = len(entries) - SHOWN
    if hidden > 0 and st.session_state.get(ALL_TURNS) != record["call"]:
        if st.button(t("chat.show_earlier", n=hidden), key="show_earlier", type="tertiary"):
            st.session_state[ALL_TURNS] = record["call"]
            st.rerun()
        entries = entries[hidden:]
    for entry in entries:
        _entry(entry, record["campaign"])


def _entry(turn: TurnRecord, campaign: str) -> None:
    if turn["customer"]:
        with _bubble("who_customer"):
            show(turn["customer"])
    with _bubble("who_person" if turn["source"] == "human" else "who_agent"):
        show(turn["reply"])
        if turn.get("recovered"):
            st.caption(t("chat.recovered_turn"))
        if turn["source"] != "human":
            with st.expander(t("chat.why"), key=f"why_{turn['turn']}"):
                explain(turn, campaign)


def _facts(record: ConversationRecord, data: CampaignData) -> None:
    """Show where the call stands, and how the newest answer came about."""
    if not record["turns"]:
        return
    last = record["turns"][-1]
    path: list[str] = []
    for turn in record["turns"]:
        if turn["stage"] and path[-1:] != [turn["stage"]]:
            path.append(turn["stage"])
    facts = [
        ("fact_stage", stage_name(last["stage"])),
        ("fact_path", " → ".join(stage_name(stage) for stage in path)),
        ("fact_outcome", t(f"common.outcome_{record['outcome']['status']}")),
        ("fact_learnt", learnt(last["why"].get("slots", {}), data)),
        ("fact_model", record["model"]),
    ]
    st.markdown("\n".join(f"- **{t(f'chat.{name}')}:** {plain(value)}" for name, value in facts if value))
    with st.expander(t("chat.picture"), expanded=True, key="picture"):
        st.image(picture(last["stage"], path_of(last)), width="stretch")


def _spoken(record: ConversationRecord, data: CampaignData) -> str:
    """Return the language that the call is held in: fixed, else that of the last turn, else one to begin with."""
    last = record["turns"][-1]["why"].get("language", "") if record["turns"] else ""
    own = language() if language() in data.campaign.languages else data.campaign.languages[0]
    return record["language"] or last or own


def _customer(record: ConversationRecord, data: CampaignData) -> Customer | None:
    """Let one of the customers be chosen who can talk in this call."""
    able = talkers(data, _spoken(record, data))
    if len(able) > 1:
        chosen = st.selectbox(
            t("chat.customer_who"), list(able), format_func=lambda name: t(f"chat.customer_{name}"), key="customer_who"
        )
        return able[chosen]
    return next(iter(able.values()), None)


def _buttons(call: str, record: ConversationRecord, customer: Customer | None) -> None:
    talking = st.session_state.get(TALKING) == call
    with st.container(horizontal=True):
        st.button(
            t("chat.talk_stop" if talking else "chat.talk"),
            key="talk",
            on_click=_let_talk,
            args=(call, not talking),
            disabled=customer is None or record["ended"],
            help=None if customer else t("chat.talk_none"),
            icon=":material/stop_circle:" if talking else ":material/record_voice_over:",
        )
        st.download_button(
            t("chat.download"),
            json.dumps(record, ensure_ascii=False, indent=2),
            file_name=f"call-{call}.json",
            mime="application/json",
            key="download",
            on_click="ignore",
            icon=":material/download:",
        )


def _let_talk(call: str, talks: bool) -> None:
    st.session_state[TALKING] = call if talks else ""


def _talk(door: Calls, customer: Customer, record: ConversationRecord) -> None:
    """Send the customer's next line; its key is its place in the call, so two windows send it once."""
    call, place = record["call"], len(record["turns"])
    waits = record["outcome"]["status"] == "handoff"
    line = None if waits else customer.next_line(record)
    if line is None:
        st.session_state.pop(TALKING, None)
        if not waits and not record["ended"]:
            notice("talk_done")
    else:
        said = line
        turns.begin(call, said, lambda heard: door.turn(call, said, key=f"{customer.name}-{place}", on_sentence=heard))
    st.rerun()


def _state_of_call(call: str, record: ConversationRecord) -> None:
    """Say when the call is over, or waits for a person, whose answer then appears by itself."""
    status = record["outcome"]["status"]
    if record["ended"]:
        st.info(t("chat.over_ended", outcome=t(f"common.outcome_{status}")))
    elif status == "handoff":
        st.info(t("chat.waits_for_person"))
        st.page_link(CALLS_PAGE, label=t("chat.to_calls"), query_params={"call": call}, icon=":material/call:")
        _await_person(call, record["turns"][-1]["turn"])


@st.fragment(run_every=2.0)
def _await_person(call: str, known: int) -> None:
    """Run the page again when the call has moved on."""
    require("viewer")
    if newest_turn(calls().engine, call) != (known, "handoff"):
        st.rerun()


def _line(door: Calls, call: str, record: ConversationRecord, *, waits: bool) -> None:
    """Take the customer's line."""
    if not record["ended"]:
        st.chat_input(
            t("chat.line_waits" if waits else "chat.line"),
            key="line",
            max_chars=2000,
            disabled=waits,
            on_submit=_send,
            args=(door, call),
        )


def _send(door: Calls, call: str) -> None:
    """Send a line; runs once for each line that is submitted, so no run of the page can send it again."""
    line = str(st.session_state["line"] or "").strip()
    if not line or not may("viewer"):
        return
    key = uuid.uuid4().hex
    turn = turns.begin(call, line, lambda heard: door.turn(call, line, key=key, on_sentence=heard))
    if turn is None:
        notice("notice_busy", line=plain(line))
    st.session_state[TURN] = turn
