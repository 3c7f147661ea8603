"""The chat page before a call: choose what the call is about, or a call to go on with."""

import uuid
from typing import Any

import streamlit as st

from graph.errors import SalesmanError
from scripts_library.schema import Campaign, ProfileField
from serving.chat import model_label
from ui import turns
from ui.access import may
from ui.shared import calls, library, models, settings
from ui.text import plain
from ui.why import named
from ui.words import language, local_time, t

CALL, TURN, NOTICE, TALKING = "_call", "_turn", "_notice", "_talking"
"""What a session remembers: its call, the turn that it sent, a line to show once, the call in which a customer talks."""
LISTED = 8
"""Earlier calls shown."""


def start_page() -> None:
    """Show the choices for a new call, and the newest calls."""
    st.title(t("common.page_chat"))
    st.caption(t("chat.intro"))
    show_notice()
    names = library().campaigns()
    if not names:
        st.info(t("chat.no_campaign"))
        return
    campaigns = {name: calls().resources.campaign(name).campaign for name in names}
    with st.container(border=True):
        _new_call(campaigns)
    st.subheader(t("chat.earlier"))
    held = calls().store.calls(limit=LISTED)
    if not held:
        st.caption(t("chat.earlier_none"))
    for row in held:
        title = named(campaigns[row["campaign"]].title) if row["campaign"] in campaigns else row["campaign"]
        label = t(
            "chat.earlier_call",
            campaign=plain(title),
            when=local_time(row["started_at"]),
            turns=row["turns"],
            outcome=t(f"common.outcome_{row['status']}"),
        )
        st.button(label, key=f"open_{row['id']}", on_click=open_call, args=(row["id"],), type="tertiary")


def _new_call(campaigns: dict[str, Campaign]) -> None:
    left, right = st.columns(2)
    name = left.selectbox(
        t("chat.campaign"), list(campaigns), format_func=lambda one: named(campaigns[one].title), key="campaign"
    )
    campaign = campaigns[name]
    languages = ["", *campaign.languages]
    right.selectbox(
        t("chat.customer_language"),
        languages,
        index=languages.index(language()) if language() in languages else 0,
        format_func=lambda one: t(f"common.language_{one}") if one else t("chat.any_language"),
        key=f"language_{name}",
    )
    texts = {strategy.id: named(strategy.text) for strategy in campaign.strategies}
    left.selectbox(t("chat.strategy"), list(texts), format_func=texts.__getitem__, key=f"strategy_{name}")
    right.selectbox(t("chat.model"), models(), key="model", help=t("chat.model_help"), format_func=model_name)
    with st.expander(t("chat.profile"), key="profile"):
        st.caption(t("chat.profile_help"))
        columns = st.columns(2)
        for number, field in enumerate(campaign.profile):
            _profile_field(field, name, columns[number % 2])
        st.text_input(t("chat.contact"), key="contact", help=t("chat.contact_help"), max_chars=100)
    st.button(t("chat.start"), key="start", type="primary", on_click=_start, args=(campaign,), icon=":material/call:")


def _profile_field(field: ProfileField, campaign: str, place: Any) -> None:
    """Ask for one field of the customer's profile; empty when it is not known."""
    key, label = f"profile_{campaign}_{field.name}", named(field.label).capitalize()
    if not field.values:
        place.text_input(label, key=key, max_chars=80)
        return
    place.selectbox(
        label,
        ["", *field.values],
        format_func=lambda one: one.replace("_", " ") if one else t("chat.unknown"),
        key=key,
    )


def _start(campaign: Campaign) -> None:
    """Start a call; runs once for each press of the button.

    It reads what was chosen from the session: a field that was left by pressing the button is not in the page's last run yet.
    """
    if not may("viewer"):
        return
    name, chosen = campaign.name, st.session_state
    if chosen["campaign"] != name:
        return  # the campaign was changed in the same moment: the page shows the new one's choices
    call = uuid.uuid4().hex[:12]
    door = calls(chosen["model"] or "")
    asked = {
        "language": chosen[f"language_{name}"] or None,
        "profile": {
            field.name: value
            for field in campaign.profile
            if (value := (chosen[f"profile_{name}_{field.name}"] or "").strip())
        },
        "strategy": chosen[f"strategy_{name}"],
        "contact": chosen["contact"],
    }
    st.session_state[TURN] = turns.begin(
        call, "", lambda heard: door.start(name, call=call, on_sentence=heard, **asked)
    )
    open_call(call)


def open_call(call: str) -> None:
    """Make a call the session's; the address names it, so that it survives a reload."""
    st.session_state[CALL] = call
    st.query_params["call"] = call


def leave_call() -> None:
    """Go back to the choices."""
    st.session_state.pop(CALL, None)
    st.session_state.pop(TALKING, None)
    st.query_params.pop("call", None)


def chosen_call() -> str:
    """Return the session's call: the one that the address names, else the one that was open when the page was left."""
    call = st.query_params.get("call") or st.session_state.get(CALL, "")
    if call:
        open_call(call)
    return str(call)


def header_of(call: str) -> dict[str, Any] | None:
    """Return a call's header; None when there is no such call."""
    try:
        return calls().store.header(call)
    except SalesmanError:
        return None


def notice(key: str, **values: object) -> None:
    """Remember a line to show once."""
    st.session_state[NOTICE] = t(f"chat.{key}", **values)


def show_notice(*, keep: bool = False) -> None:
    """Show the remembered line; `keep` where the page is about to run again by itself."""
    said = st.session_state.get(NOTICE, "")
    if said:
        st.warning(said)
    if not keep:
        st.session_state.pop(NOTICE, None)


def model_name(model: str) -> str:
    """Return what a model of `models()` is called; one that a server chooses by itself has no name of its own."""
    return model or model_label(settings())
