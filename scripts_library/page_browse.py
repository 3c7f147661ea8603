"""The desk's list of scripts: filter, look, open."""

import streamlit as st

from scripts_library.page_state import (
    STATUSES,
    campaign_data,
    go,
    intents_of,
    place_of,
    stages,
    status_of,
)
from scripts_library.schema import Script
from scripts_library.store import Head
from ui.shared import library
from ui.text import plain
from ui.words import t

PAGE = 20
"""Scripts shown at once."""
_FIELDS = ("text", "stage", "intent", "language", "status", "author")


def browse_tab(campaign: str) -> None:
    """Filter a campaign's scripts and list them."""
    data = campaign_data(campaign)
    heads = library().heads(campaign)
    authors = sorted({head.script.author for head in heads if head.script.author})
    wanted = _filters(intents_of(data), list(data.campaign.languages), authors)
    found = [head for head in heads if _fits(head, wanted)]
    if not heads:
        st.info(t("desk.empty"))
        return
    pages = max(1, -(-len(found) // PAGE))
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.caption(t("desk.found", n=len(found), of=len(heads)))
    page = right.number_input(t("desk.page_of", n=pages), 1, pages, key=f"browse_page_{pages}") if pages > 1 else 1
    if not found:
        st.info(t("desk.nothing_found"))
    for head in found[(page - 1) * PAGE : page * PAGE]:
        script = head.script
        with st.container(border=True, gap=None):
            if st.button(plain(script.title), key=f"open_{script.id}", type="tertiary", icon=":material/edit:"):
                go(script=script.id)
            facts = [place_of(script, data), status_of(script, head.published_version)]
            st.caption(" · ".join([*facts, plain(script.author or "–")]))


def _filters(intents: dict[str, str], languages: list[str], authors: list[str]) -> dict[str, str | None]:
    """Show the filters, and return what they say; they stay as they are while the session is elsewhere."""
    options: dict[str, dict[str, str]] = {
        "stage": stages(),
        "intent": intents,
        "language": {name: t(f"common.language_{name}") for name in languages},
        "status": {name: t(f"desk.filter_{name}") for name in STATUSES},
        "author": {name: plain(name) for name in authors},
    }
    kept = st.session_state.setdefault("_browse", {})
    wanted: dict[str, str | None] = {
        "text": st.text_input(
            t("desk.search"), value=kept.get("text", ""), key="browse_text", placeholder=t("desk.search_hint")
        )
    }
    row = st.container(horizontal=True)
    for field, names in options.items():
        known = list(names)
        wanted[field] = row.selectbox(
            t(f"desk.field_{field}"),
            known,
            index=known.index(kept[field]) if kept.get(field) in known else None,
            format_func=lambda name, names=names: names[name],
            key=f"browse_{field}",
            placeholder=t("desk.all"),
            width=148,
        )
    st.session_state["_browse"] = wanted
    return wanted


def _fits(head: Head, wanted: dict[str, str | None]) -> bool:
    script = head.script
    for field in ("stage", "intent", "language", "author"):
        if wanted[field] and getattr(script, field) != wanted[field]:
            return False
    if wanted["status"] == "published" and head.published_version is None:
        return False
    if wanted["status"] in ("draft", "archived") and script.status != wanted["status"]:
        return False
    text = (wanted["text"] or "").strip().lower()
    return not text or text in _searched(script)


def _searched(script: Script) -> str:
    return "\n".join([script.id, script.title, *script.situation, *script.outline, *script.say]).lower()
