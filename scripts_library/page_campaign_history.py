"""Who changed a campaign's facts and rules, when, and what; two clicks go back."""

import streamlit as st

from graph.errors import SalesmanError, StaleEdit
from scripts_library.campaign_edits import CampaignRevision, EntryChange, changed_entries
from scripts_library.page_campaign_form import fields_of, said
from scripts_library.page_state import notice
from ui.access import require
from ui.chat_start import local_time
from ui.shared import library
from ui.text import plain, show
from ui.words import t

SHOWN = 30
"""Versions that are shown, the newest first."""


def campaign_history(campaign: str) -> None:
    """Show the versions, each with what it changed and the way back to it."""
    versions = library().campaign_history(campaign)
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
    if len(versions) > SHOWN:
        st.caption(t("campaign.older", n=len(versions) - SHOWN))


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


def _back_to(campaign: str, version: CampaignRevision, latest: CampaignRevision) -> None:
    asked = f"_campaign_back_{campaign}_{version.version}"
    if not st.session_state.get(asked):
        if st.button(t("campaign.go_back", version=version.version), key=f"campaign_back_{version.version}"):
            st.session_state[asked] = True
            st.rerun()
        return
    st.caption(t("campaign.go_back_means", version=version.version))
    if st.button(t("campaign.go_back_now"), key=f"campaign_back_now_{version.version}", type="primary"):
        author = require("editor").name
        del st.session_state[asked]
        try:
            library().roll_back_campaign(campaign, version.version, latest.version, author)
        except StaleEdit:
            st.warning(t("campaign.changed_meanwhile"))
        except SalesmanError as error:
            st.error(plain(error))
        else:
            notice(t("campaign.went_back", version=version.version))
            st.rerun()
