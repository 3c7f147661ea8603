"""Try a line before customers do: what the agent would fetch, and what it would say; no live call is touched."""

from collections.abc import Sequence

import streamlit as st

from graph.errors import SalesmanError
from graph.works import recent_lines
from scripts_library.page_state import campaign_data, stages
from scripts_library.schema import STAGES, Script
from ui.faults import fault
from ui.shared import calls, library
from ui.text import plain, show
from ui.why import explain
from ui.words import t


def try_tab(campaign: str) -> None:
    """Try a line with any drafts."""
    st.caption(t("desk.try_intro"))
    drafts = {
        head.script.id: plain(head.script.title) for head in library().heads(campaign) if head.script.status == "draft"
    }
    languages = list(campaign_data(campaign).campaign.languages)
    left, right = st.columns(2)
    language = left.segmented_control(
        t("desk.field_language"),
        languages,
        default=languages[0],
        format_func=lambda name: t(f"common.language_{name}"),
        key="try_language",
        required=True,
    )
    stage = right.selectbox(t("desk.try_stage"), STAGES, index=1, format_func=stages().__getitem__, key="try_stage")
    chosen: list[str] = st.multiselect(
        t("desk.try_drafts"),
        list(drafts),
        format_func=drafts.__getitem__,
        key="try_drafts",
        placeholder=t("desk.try_no_drafts"),
    )
    _ask("try", campaign, str(language), stage, chosen)


def try_draft(script: Script, *, unsaved: bool) -> None:
    """Try a line with one script as it was saved last, published or not."""
    st.subheader(t("desk.try_title"))
    if script.status == "archived":
        st.caption(t("desk.try_archived"))
        return
    st.caption(t("desk.try_unsaved") if unsaved else t("desk.try_draft_intro"))
    _ask(f"try_{script.id}", script.campaign, script.language, script.stage, [script.id], script.version)


def _ask(slot: str, campaign: str, language: str, stage: str, drafts: Sequence[str], version: int = 0) -> None:
    """Ask for the customer's line, and show the answer until another one is asked for or a draft has a new version."""
    heard = [line.line for line in recent_lines(calls().engine, campaign, language=language, limit=200)]
    if heard:
        st.selectbox(
            t("desk.try_pick"), heard, index=None, key=f"{slot}_heard", placeholder=t("desk.pick_line_hint"),
            on_change=lambda: st.session_state.update({f"{slot}_line": st.session_state[f"{slot}_heard"] or ""}),
        )  # fmt: skip
    line = st.text_input(t("desk.try_line"), key=f"{slot}_line", placeholder=t("desk.try_line_hint"), max_chars=1000)
    if st.button(t("desk.try_button"), key=f"{slot}_ask") and line.strip():
        try:
            with st.spinner(t("desk.trying")):
                answer = calls().preview(
                    campaign,
                    line,
                    language=language,
                    stage=stage,
                    drafts=tuple(drafts),
                )
            st.session_state[f"_{slot}_answer"] = (version, answer)
        except SalesmanError as error:
            st.error(plain(fault(error)))
    answered, answer = st.session_state.get(f"_{slot}_answer", (version, None))
    if answer is None or answered != version:
        return
    with st.container(border=True):
        st.caption(t("desk.try_customer"))
        show(answer["customer"])
        st.caption(t("desk.try_reply"))
        show(answer["reply"])
        used = [script["id"] for script in answer["scripts"]]
        if len(drafts) == 1:
            st.caption(
                t("desk.try_used", place=used.index(drafts[0]) + 1) if drafts[0] in used else t("desk.try_not_used")
            )
        explain(answer, campaign)
