"""Facts and rules of a campaign in the desk: what the agent may say, must never say, and is judged by."""

from typing import Any

import streamlit as st

from graph.errors import SalesmanError, StaleEdit
from graph.page_rule import show_matches
from scripts_library.campaign_edits import CampaignRevision, Entry, EntryChange, changed_entries, proposed
from scripts_library.page_campaign_form import begun, draw, entry_of, fault, said
from scripts_library.page_campaign_history import campaign_history, overtaken, show_change
from scripts_library.page_state import go, notice
from scripts_library.schema import Fact, ForbiddenClaim, Language
from ui import faults
from ui.access import require
from ui.shared import library
from ui.text import plain, show
from ui.words import t

VIEWS = ("facts", "forbidden", "rubric", "history")
SHOWN_SCRIPTS = 20
_OPEN = "_campaign_open"
"""The form that a session has open: campaign, part, id ("" for a new entry), the version it began with, what was typed."""


def campaign_tab(campaign: str) -> None:
    """Show a campaign's facts, forbidden claims, rubric lines or history, and let them be edited."""
    key = f"campaign_view_{campaign}"
    st.session_state.setdefault(key, _opened(campaign).get("part", VIEWS[0]))
    view = st.segmented_control(
        t("campaign.view"),
        VIEWS,
        format_func=lambda name: t(f"campaign.view_{name}"),
        key=key,
        label_visibility="collapsed",
        required=True,
    )
    st.caption(t(f"campaign.about_{view}"))
    if view == "history":
        campaign_history(campaign)
        return
    part = str(view)
    latest, data = library().campaign_revision(campaign), library().campaign(campaign)
    languages = list(data.campaign.languages)
    uses = library().fact_uses(campaign) if part == "facts" else {}
    entries = latest.entries(part)
    held = _opened(campaign) if _opened(campaign).get("part") == part else {}
    if held.get("id") == "" or (held and held["id"] not in entries):
        with st.container(border=True):
            _form(campaign, latest, languages, uses)
    elif not held and st.button(t(f"campaign.add_{part}"), key="entry_add", icon=":material/add:"):
        _begin(campaign, part, latest, None, languages)
    if not entries:
        st.info(t(f"campaign.none_{part}"))
    for entry in entries.values():
        with st.container(border=True):
            if held.get("id") == entry.id:
                _form(campaign, latest, languages, uses)
            else:
                _row(campaign, part, latest, entry, languages, uses.get(entry.id, []))


def _opened(campaign: str) -> dict[str, Any]:
    held: dict[str, Any] = st.session_state.get(_OPEN, {})
    return held if held.get("campaign") == campaign else {}


def _row(
    campaign: str, part: str, latest: CampaignRevision, entry: Entry, languages: list[Language], used: list[str]
) -> None:
    text, buttons = st.columns([5, 2], vertical_alignment="center")
    with text:
        if isinstance(entry, ForbiddenClaim):
            show(entry.reason)
            st.caption(f"{said(entry, 'severity')} · {said(entry, 'status')}")
        else:
            for language in languages:
                if spoken := entry.text.get(language):
                    show(spoken)
            st.caption(_fact_note(entry, used) if isinstance(entry, Fact) else said(entry, "status"))
        if not isinstance(entry, Fact) and entry.source:
            st.caption(t("campaign.source", source=plain(entry.source)))
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        if st.button(t("campaign.edit"), key=f"edit_{part}_{entry.id}"):
            _begin(campaign, part, latest, entry, languages)
        _remove(campaign, part, latest, entry, used)


def _fact_note(fact: Fact, used: list[str]) -> str:
    note = [f"{{fact.{fact.id}}}", t("campaign.used", n=len(used)) if used else t("campaign.unused")]
    if fact.valid_until:
        note.append(t("campaign.until", day=fact.valid_until))
    return " · ".join(plain(item) for item in note)


def _remove(campaign: str, part: str, latest: CampaignRevision, entry: Entry, used: list[str]) -> None:
    """Remove an entry in two clicks; a fact that scripts lean on says so instead."""
    asked = f"_remove_{campaign}_{part}_{entry.id}"
    if not st.session_state.get(asked):
        why_not = t("campaign.in_use") if used else None
        st.button(
            t("campaign.remove"),
            key=f"remove_{part}_{entry.id}",
            disabled=bool(used),
            help=why_not,
            on_click=_ask,
            args=(asked, latest),
        )
        return
    if st.button(t("campaign.remove_now"), key=f"remove_now_{part}_{entry.id}", type="primary"):
        author = require("editor").name
        if overtaken(st.session_state.pop(asked), latest, part, entry.id):
            st.session_state[asked] = latest
            return
        left = [other for key, other in latest.entries(part).items() if key != entry.id]
        _save(campaign, part, latest, left, author, t("campaign.removed"))


def _ask(asked: str, seen: CampaignRevision) -> None:
    """Remember the version that was on the screen when somebody clicked; a later one must not be removed unseen."""
    st.session_state[asked] = seen


def _begin(campaign: str, part: str, base: CampaignRevision, entry: Entry | None, languages: list[Language]) -> None:
    """Open the form for an entry; None begins a new one."""
    _close()
    typed = begun(part, entry, languages)
    taken = library().campaign_ids(campaign, part)
    st.session_state[_OPEN] = {
        "campaign": campaign, "part": part, "id": entry.id if entry else "", "base": base, "typed": typed, "taken": taken
    }  # fmt: skip
    st.rerun()


def _close() -> None:
    """Drop the open form and what was typed into it."""
    st.session_state.pop(_OPEN, None)
    for key in [key for key in st.session_state if str(key).startswith("entry_")]:
        del st.session_state[key]


def _form(campaign: str, latest: CampaignRevision, languages: list[Language], uses: dict[str, list[str]]) -> None:
    """Show the open form; what was typed is kept until it is saved or dropped."""
    held = st.session_state[_OPEN]
    part, entry_id = str(held["part"]), str(held["id"])
    entry = held["base"].entries(part).get(entry_id)
    st.subheader(t(f"campaign.edit_{part}") if entry else t(f"campaign.add_{part}"))
    typed = held["typed"] = draw(part, held["typed"], languages, new=entry is None)
    if part == "facts" and uses.get(entry_id):
        _used_by(uses[entry_id])
    others = [key for key in {*latest.entries(part), *held["taken"]} if key != entry_id]
    made = entry_of(part, typed, entry, others)
    conflict = _stale(held, latest, entry_id, made)
    with st.container(horizontal=True):
        label, key = ("put_mine_on_top", f"entry_on_top_{latest.version}") if conflict else ("save", "entry_save")
        if st.button(t(f"campaign.{label}"), key=key, type="primary"):
            author = require("editor").name
            held["base"] = latest
            _save_entry(campaign, part, latest, entry_id, made, uses, author)
        if st.button(t("campaign.take_theirs") if conflict else t("campaign.drop"), key="entry_drop"):
            _close()
            st.rerun()
        tried = part == "forbidden" and st.button(t("campaign.try"), key="entry_try", help=t("campaign.help_try"))
    if tried:
        _try(campaign, made)


def _stale(held: dict[str, Any], latest: CampaignRevision, entry_id: str, made: dict[str, Any]) -> bool:
    """Show somebody else's newer version of the entry beside what was typed; return whether there is one.

    A change of other entries stands in nobody's way: the form goes on from the newer version, and says so.
    """
    base, part = held["base"], str(held["part"])
    if base.version == latest.version:
        return False
    theirs = next((c for c in changed_entries(base, latest) if (c.part, c.id) == (part, made["id"])), None)
    author = plain(latest.author or "–")
    if theirs is None or not entry_id:
        st.info(t("campaign.others_changed", author=author, version=latest.version))
        return False
    st.warning(t("campaign.stale", author=author, version=latest.version))
    campaign, problems = proposed(library().campaign(str(held["campaign"])), {part: [made]}, {})
    mine = next((entry for entry in getattr(campaign, part)), None) if campaign else None
    if mine is None:
        for problem in problems:
            st.error(fault(problem))
    show_change(
        EntryChange(part, entry_id, mine, theirs.after), t("campaign.yours"), t("campaign.theirs", author=author)
    )
    return True


def _save_entry(
    campaign: str,
    part: str,
    latest: CampaignRevision,
    entry_id: str,
    made: dict[str, Any],
    uses: dict[str, list[str]],
    author: str,
) -> None:
    """Save what the form says on the newest version, or say what is wrong with it."""
    entries: list[Any] = [made if key == entry_id else entry for key, entry in latest.entries(part).items()]
    if entry_id not in latest.entries(part):
        entries.append(made)
    _, problems = proposed(library().campaign(campaign), {part: entries}, uses)
    for line in dict.fromkeys(fault(problem) for problem in problems):
        st.error(line, icon=":material/error:")
    if not problems:
        _save(campaign, part, latest, entries, author, t("campaign.saved"))


def _save(campaign: str, part: str, base: CampaignRevision, entries: list[Any], author: str, done: str) -> None:
    try:
        parts: dict[str, Any] = {part: entries}
        library().revise_campaign(campaign, base.version, author, **parts)
    except StaleEdit:
        overtaken(base, library().campaign_revision(campaign))
    except SalesmanError as error:
        st.error(plain(faults.fault(error)))
    else:
        _close()
        notice(done)
        st.rerun()


def _used_by(scripts: list[str]) -> None:
    with st.expander(t("campaign.used", n=len(scripts))):
        for script in scripts[:SHOWN_SCRIPTS]:
            if st.button(plain(library().get(script).title), key=f"open_{script}", type="tertiary"):
                go(script=script)
        if len(scripts) > SHOWN_SCRIPTS:
            st.caption(t("campaign.more", n=len(scripts) - SHOWN_SCRIPTS))


def _try(campaign: str, made: dict[str, Any]) -> None:
    """Show which recorded answers the claim in the form would have stopped."""
    data, problems = proposed(library().campaign(campaign), {"forbidden": [made | {"status": "draft"}]}, {})
    for problem in problems:
        st.error(fault(problem))
    if data is None or problems:
        return
    show_matches(campaign, data.forbidden[0])
