"""The rules and the lines for the judges of a campaign: try, publish, take back, roll back."""

from typing import Any

import streamlit as st

from graph.errors import BadInput, StaleEdit
from graph.page_parts import campaign_title, notice
from graph.page_rule import change, show_matches
from scripts_library.campaign_edits import CampaignRevision
from scripts_library.page_campaign_history import overtaken
from scripts_library.schema import ForbiddenClaim, RubricLine
from ui.access import may, require
from ui.faults import fault
from ui.shared import library
from ui.text import plain, show
from ui.why import named
from ui.words import local_time, t

Entry = ForbiddenClaim | RubricLine
SHOWN_VERSIONS = 10
_SURE, _TRYING, _CHANGE = "_rules_sure", "_rules_trying", "_rules_change"
"""What a session remembers: the version that it is about to roll back to, the rule that it tries, the change just clicked."""


def rules_list() -> None:
    """Show a campaign's rules with what can be done with each, and the campaign's history."""
    names = library().campaigns()
    campaign = st.selectbox(t("calls.filter_campaign"), names, format_func=campaign_title, key="rules_campaign")
    if campaign is None:
        return
    if asked := st.session_state.pop(_CHANGE, None):
        _set_status(*asked)
    held = library().campaign_revision(campaign)
    entries: list[tuple[str, Entry]] = [("claim", entry) for entry in held.forbidden]
    entries += [("rubric", entry) for entry in held.rubric]
    if not entries:
        st.info(t("calls.rules_none"))
    if not may("supervisor"):
        st.caption(t("calls.rules_need"))
    for kind, entry in sorted(entries, key=lambda pair: pair[1].status != "draft"):
        with st.container(border=True):
            _entry(campaign, held, kind, entry)
    _history(campaign, held)


def _entry(campaign: str, held: CampaignRevision, kind: str, entry: Entry) -> None:
    text, buttons = st.columns([3, 2], vertical_alignment="center")
    with text:
        st.caption(
            f"{t(f'calls.rule_kind_short_{kind}')} · {t(f'calls.rule_status_{entry.status}')} · {plain(entry.id.replace('_', ' '))}"
        )
        show(entry.reason if isinstance(entry, ForbiddenClaim) else named(entry.text))
        if entry.source:
            st.caption(t("calls.rule_source", source=plain(entry.source)))
    tried = isinstance(entry, ForbiddenClaim) and st.session_state.get(_TRYING) == entry.id
    if may("supervisor"):
        with buttons.container(horizontal=True, horizontal_alignment="right"):
            if isinstance(entry, ForbiddenClaim):
                st.button(t("calls.rule_try_short"), key=f"try_{entry.id}", on_click=_try, args=(entry.id,))
            action, status = ("unpublish", "draft") if entry.status == "published" else ("publish", "published")
            st.button(
                t(f"calls.rule_{action}"),
                key=f"{action}_{kind}_{entry.id}",
                on_click=_ask_status,
                args=(campaign, held, kind, entry.id, status),
            )
    if tried and isinstance(entry, ForbiddenClaim):
        for patterns in entry.patterns.values():
            st.code("\n".join(patterns), language=None, wrap_lines=True)
        show_matches(campaign, entry)


def _try(name: str) -> None:
    st.session_state[_TRYING] = None if st.session_state.get(_TRYING) == name else name


def _ask_status(*asked: Any) -> None:
    """Remember a click with the version that was on the screen: a rule that changed since must not be published unseen."""
    st.session_state[_CHANGE] = asked


def _set_status(campaign: str, seen: CampaignRevision, kind: str, entry_id: str, status: str) -> None:
    author = require("supervisor").name
    field = "forbidden" if kind == "claim" else "rubric"
    latest = library().campaign_revision(campaign)
    if overtaken(seen, latest, field, entry_id):
        return
    all_of_kind: tuple[Any, ...] = getattr(latest, field)
    changed = [one.model_copy(update={"status": status}) if one.id == entry_id else one for one in all_of_kind]
    if change(campaign, latest, author, **{field: changed}):
        notice("rule_published" if status == "published" else "rule_unpublished")
        st.rerun()


def _history(campaign: str, latest: CampaignRevision) -> None:
    """Show who changed the campaign when, and roll back in two clicks."""
    with st.expander(t("calls.history")):
        for revision in reversed(library().campaign_history(campaign, SHOWN_VERSIONS)):
            said, button = st.columns([4, 2], vertical_alignment="center")
            said.caption(
                t(
                    "calls.history_line",
                    version=revision.version,
                    at=local_time(revision.at),
                    author=plain(revision.author),
                    action=t(f"calls.action_{revision.action}"),
                )
            )
            if revision.version == latest.version or not may("supervisor"):
                continue
            if st.session_state.get(_SURE, ())[:2] != (campaign, revision.version):
                button.button(
                    t("calls.roll_back"),
                    key=f"roll_back_{revision.version}",
                    on_click=_ask,
                    args=(campaign, revision.version, latest),
                )
            elif button.button(
                t("calls.roll_back_sure", version=revision.version), key=f"sure_{revision.version}", type="primary"
            ):
                _roll_back(*st.session_state.pop(_SURE))


def _ask(campaign: str, version: int, seen: CampaignRevision) -> None:
    st.session_state[_SURE] = (campaign, version, seen)


def _roll_back(campaign: str, version: int, seen: CampaignRevision) -> None:
    author = require("supervisor").name
    try:
        library().roll_back_campaign(campaign, version, seen.version, author)
    except StaleEdit:
        latest = library().campaign_revision(campaign)
        _ask(campaign, version, latest)
        overtaken(seen, latest)
    except BadInput as error:
        st.error(plain(fault(error)))
    else:
        notice("rule_rolled_back")
        st.rerun()
