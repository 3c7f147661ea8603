"""Who changed a campaign's facts and rules, when, and what; two clicks go back."""

import streamlit as st

from graph.errors import SalesmanError, StaleEdit
from scripts_library.campaign_edits import CampaignRevision, EntryChange, changed_entries
from scripts_library.page_campaign_form import fields_of, said
from scripts_library.page_state import notice
from ui.access import require
from ui.faults import fault
from ui.shared import library
from ui.text import plain, show
from ui.words import local_time, t

SHOWN = 30
"""Versions that are shown, the newest first."""


def campaign_history(campaign: str) -> None:
    """Show the versions, each with what it changed and the way back to it."""
    versions = library().campaign_history(campaign, SHOWN + 1)
    latest = versions[-1]
    before = dict(zip([version.version for version in versions[1:]], versions, strict=False))
    for version in reversed(versions[-SHOWN:]):
        label = t(
            "campaign.revision",
            version=version.version,
            action=t(f"campaign.did_{version.action}"),
            author=plain(version.author or "–"),
            at=local_time(version.at),
        )
        with st.expander(label, expanded=version is latest):
            if version.version in before:
                difference(before[version.version], version)
            else:
                st.caption(t("campaign.first_version"))
            if version is not latest:
                _back_to(campaign, version, latest)
    if latest.version > SHOWN:
        st.caption(t("campaign.older", n=latest.version - SHOWN))


def overtaken(seen: CampaignRevision, latest: CampaignRevision, part: str = "", entry_id: str = "") -> bool:
    """Show what others saved since a person looked, both states side by side; return whether there is anything.

    Args:
        seen: The version that the person looked at when they clicked.
        latest: The newest one.
        part: Look at one entry alone: `facts`, `forbidden` or `rubric`; with `entry_id`.
        entry_id: Its id.
    """
    changes = [c for c in changed_entries(seen, latest) if not part or (c.part, c.id) == (part, entry_id)]
    if changes:
        author = plain(latest.author or "–")
        st.warning(t("campaign.overtaken", author=author, version=latest.version))
        for change in changes:
            show_change(change, t("campaign.seen"), t("campaign.theirs", author=author))
    return bool(changes)


def difference(old: CampaignRevision, new: CampaignRevision) -> None:
    """Show what two versions say otherwise, entry by entry, field by field."""
    changes = changed_entries(old, new)
    if not changes:
        st.caption(t("campaign.no_difference"))
    for change in changes:
        show_change(change, t("campaign.before"), t("campaign.after"))


def show_change(change: EntryChange, before: str, after: str) -> None:
    """Show one entry's two states side by side, under two headings."""
    what = "added" if change.before is None else "removed" if change.after is None else "changed"
    st.markdown(f"**{t(f'campaign.one_{change.part}')} {plain(change.id)}** · {t(f'campaign.{what}')}")
    for field in fields_of(change.part):
        texts = said(change.before, field), said(change.after, field)
        if texts[0] == texts[1]:
            continue
        st.caption(t(f"campaign.field_{field}"))
        for column, heading, text in zip(st.columns(2), (before, after), texts, strict=True):
            with column:
                st.caption(heading)
                show(text)


def _ask(asked: str, seen: CampaignRevision) -> None:
    """Remember the version that was on the screen when somebody clicked; a later one must not be undone unseen."""
    st.session_state[asked] = seen


def _back_to(campaign: str, version: CampaignRevision, latest: CampaignRevision) -> None:
    asked = f"_campaign_back_{campaign}_{version.version}"
    if not st.session_state.get(asked):
        label = t("campaign.go_back", version=version.version)
        st.button(label, key=f"campaign_back_{version.version}", on_click=_ask, args=(asked, latest))
        return
    st.caption(t("campaign.go_back_means", version=version.version))
    if st.button(t("campaign.go_back_now"), key=f"campaign_back_now_{version.version}", type="primary"):
        author = require("editor").name
        seen: CampaignRevision = st.session_state.pop(asked)
        try:
            library().roll_back_campaign(campaign, version.version, seen.version, author)
        except StaleEdit:
            st.session_state[asked] = library().campaign_revision(campaign)
            overtaken(seen, st.session_state[asked])
        except SalesmanError as error:
            st.error(plain(fault(error)))
        else:
            notice(t("campaign.went_back", version=version.version))
            st.rerun()
