"""A person answers a waiting call as the agent, and gives it back."""

import streamlit as st

from graph.errors import BadInput, CallBusy
from graph.page_parts import campaign_data, notice, show_facts, summary
from graph.records import ConversationRecord
from nodes.advance import AWAITED
from ui.access import may, require
from ui.shared import calls
from ui.why import reason_text
from ui.words import t


def what_to_know(record: ConversationRecord) -> None:
    """Show what a person must know of the call."""
    data = campaign_data(record["campaign"])
    said = [turn["stage_reason"] for turn in record["turns"] if turn["source"] != "human"]
    reason = next((reason for reason in reversed(said) if reason != AWAITED), "")
    with st.container(border=True, key="takeover"):
        st.subheader(t("calls.take_title"))
        show_facts([("fact_reason", reason_text(reason, data)), *summary(record, data)], empty=True)


def answer_box(record: ConversationRecord) -> None:
    """Take the person's answer, or give the call back."""
    if not may("supervisor"):
        st.caption(t("calls.take_viewer"))
        return
    seen = (record["call"], record["turns"][-1]["turn"])
    st.text_area(t("calls.take_line"), key=f"take_line_{record['call']}", help=t("calls.take_help"))
    with st.container(horizontal=True):
        st.button(t("calls.take_send"), key="take_send", on_click=_send, args=(*seen, False), type="primary")
        st.button(t("calls.take_send_back"), key="take_send_back", on_click=_send, args=(*seen, True))
        st.button(t("calls.take_back"), key="take_back", on_click=_give_back, args=seen, help=t("calls.take_back_help"))


def _send(call: str, seen: int, give_back: bool) -> None:
    """Send the typed line once: of all who answer the same last turn, the first wins, and the others are told.

    Args:
        call: Id of the call.
        seen: The newest turn that the person saw.
        give_back: Whether the agent goes on.
    """
    require("supervisor")
    text = str(st.session_state.get(f"take_line_{call}", "")).strip()
    if not text:
        notice("take_empty", fine=False)
        return
    try:
        record = calls().human(call, text, give_back=give_back, key=f"person-after-{seen}")
    except (BadInput, CallBusy) as error:
        notice("take_busy" if isinstance(error, CallBusy) else "take_gone", fine=False)
        return
    if record is None or record["reply"] != text:
        notice("take_other", fine=False)
        return
    st.session_state[f"take_line_{call}"] = ""
    notice("take_given_back" if give_back else "take_sent")


def _give_back(call: str, seen: int) -> None:
    require("supervisor")
    try:
        calls().human(call, "", give_back=True, key=f"back-after-{seen}")
    except (BadInput, CallBusy) as error:
        notice("take_busy" if isinstance(error, CallBusy) else "take_gone", fine=False)
        return
    notice("take_given_back")
