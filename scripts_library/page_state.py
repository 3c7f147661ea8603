"""Where a session is in the desk: kept in the page's address, so that a link or a reload leads back."""

from collections.abc import Iterable

import streamlit as st

from scripts_library.loading import CampaignData
from scripts_library.schema import ANY_INTENT, STAGES, Script
from ui.shared import calls
from ui.text import plain
from ui.why import intent_name, stage_name
from ui.words import t

TABS = ("scripts", "coverage", "try", "works", "campaign", "files")
STATUSES = ("draft", "published", "archived")
_NOTICE = "desk_notice"


def go(**place: str) -> None:
    """Go to a place of the desk and draw it.

    Args:
        place: `tab`, `script`, or `new` with what it begins with (`stage`, `intent`, `language`, `line`, `copy`).
    """
    kept = {name: st.query_params[name] for name in ("campaign", "tab") if name in st.query_params}
    st.query_params.clear()
    st.query_params.update(kept | place)
    st.rerun()


def notice(text: str, *, fine: bool = True) -> None:
    """Say something once, on the page that is drawn next; `fine`: it went as wished."""
    st.session_state[_NOTICE] = (text, fine)


def show_notice() -> None:
    """Show what `notice` left; its place stays when it goes, so that nothing below moves or folds up."""
    with st.container():
        if _NOTICE in st.session_state:
            text, fine = st.session_state.pop(_NOTICE)
            if fine:
                st.toast(text, icon=":material/check:", duration="long")  # seen wherever the page is scrolled to
            else:
                st.warning(text)


def campaign_data(campaign: str) -> CampaignData:
    """Return a campaign as calls use it."""
    return calls().resources.campaign(campaign)


def intents_of(data: CampaignData) -> dict[str, str]:
    """Return the campaign's intents as people call them, general scripts first."""
    names = {intent.name: plain(intent_name(intent.name, data)) for intent in data.intents}
    return {ANY_INTENT: t("desk.intent_any"), **names}


def intent_label(intent: str, data: CampaignData) -> str:
    """Return an intent as people call it."""
    return t("desk.intent_any") if intent == ANY_INTENT else plain(intent_name(intent, data))


def stages() -> dict[str, str]:
    """Return the stages as people call them."""
    return {stage: stage_name(stage) for stage in STAGES}


def place_of(script: Script, data: CampaignData) -> str:
    """Return where a script belongs, in words."""
    where = (stage_name(script.stage), intent_label(script.intent, data), t(f"common.language_{script.language}"))
    return " · ".join(where)


def status_of(script: Script, live: int | None) -> str:
    """Return a script's status in words: what customers hear may be older than what is being written."""
    if script.status == "published" or live is None:
        return t(f"desk.status_{script.status}", version=script.version)
    return t("desk.status_draft_over", version=script.version, live=live)


def free_id(campaign: str, language: str, stage: str, intent: str, taken: Iterable[str]) -> str:
    """Return the first free id of a new script: people never have to think of one."""
    known = set(taken)
    stem = f"{campaign}-{language}-{stage}-{intent}"
    return next(name for n in range(1, len(known) + 2) if (name := f"{stem}-{n:02}"[-100:].lstrip("-._")) not in known)
