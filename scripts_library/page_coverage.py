"""Where scripts are missing: a grid of stages and intents, its holes, and what customers said that no script was found for."""

from typing import Any

import streamlit as st

from graph.works import fell_through, never_used
from scripts_library.coverage import Coverage, coverage
from scripts_library.loading import CampaignData
from scripts_library.page_state import campaign_data, go, intent_label, intents_of, place_of, stages
from scripts_library.schema import STAGES, Script
from ui.shared import calls, library
from ui.text import plain, show
from ui.why import stage_name
from ui.words import language as spoken
from ui.words import t

SHOWN = 20
"""Entries of a list shown at once."""


def coverage_tab(campaign: str) -> None:
    """Show holes first: they are what a manager acts on."""
    data = campaign_data(campaign)
    heads = library().heads(campaign)
    live = {head.script.id: head.script for head in library().heads(campaign, live=True)}
    found = coverage(data, live.values(), (head.script for head in heads))
    languages = list(data.campaign.languages)
    language = st.segmented_control(
        t("desk.field_language"),
        languages,
        default=spoken() if spoken() in languages else languages[0],
        format_func=lambda name: t(f"common.language_{name}"),
        key="coverage_language",
        required=True,
    )
    _holes(found, data, str(language))
    _fallen(campaign, data, str(language), found)
    _grid(found, data, str(language))
    _unused(campaign, data, str(language), live)


def _holes(found: Coverage, data: CampaignData, language: str) -> None:
    holes = [hole for hole in found.holes if hole.language == language]
    st.subheader(t("desk.holes", n=len(holes)))
    if not holes:
        st.success(t("desk.no_holes"), icon=":material/check:")
    for hole in holes[:SHOWN]:
        with st.container(border=True):
            left, right = st.columns([4, 1], vertical_alignment="center")
            text = t("desk.hole", intent=intent_label(hole.intent, data), stage=stage_name(hole.stage))
            left.write(text + (f" {t('desk.hole_drafts', n=hole.drafts)}" if hole.drafts else ""))
            if right.button(t("desk.write_for"), key=f"hole_{hole.stage}_{hole.intent}", width="stretch"):
                go(new="1", stage=hole.stage, intent=hole.intent, language=language)
    for of, intent in found.without_examples:
        if of == language:
            st.warning(t("desk.no_examples", intent=intent_label(intent, data)))


def _fallen(campaign: str, data: CampaignData, language: str, found: Coverage) -> None:
    lines = [
        line
        for line in fell_through(calls().engine, campaign, limit=500)
        if line.language == language and not found.published[language, line.stage, line.intent]
    ]
    st.subheader(t("desk.fallen", n=len(lines)))
    st.caption(t("desk.fallen_help") if lines else t("desk.none_fallen"))
    for number, line in enumerate(lines[:SHOWN]):
        with st.container(border=True):
            left, right = st.columns([4, 1], vertical_alignment="center")
            with left:
                show(line.line)
                where = t(
                    "desk.fallen_where",
                    intent=intent_label(line.intent, data),
                    stage=stage_name(line.stage),
                    n=line.times,
                )
                st.caption(where)
            if right.button(t("desk.write_for"), key=f"fallen_{number}", width="stretch"):
                go(new="1", stage=line.stage, intent=line.intent, language=language, line=line.line)


def _grid(found: Coverage, data: CampaignData, language: str) -> None:
    st.subheader(t("desk.grid"))
    st.caption(t("desk.grid_help"))
    holes = {(hole.stage, hole.intent) for hole in found.holes if hole.language == language}
    rows: list[dict[str, Any]] = []
    for intent in intents_of(data):
        row: dict[str, Any] = {t("desk.field_intent"): intent_label(intent, data).replace("\\", "")}
        for stage in STAGES:
            count, drafts = found.published[language, stage, intent], found.drafts[language, stage, intent]
            shown = str(count) if count else t("desk.hole_mark") if (stage, intent) in holes else "·"
            row[stages()[stage]] = shown + (f" (+{drafts})" if drafts else "")
        rows.append(row)
    narrow = {name: st.column_config.Column(width=70) for name in stages().values()}
    narrow[t("desk.field_intent")] = st.column_config.Column(width=210)
    st.dataframe(rows, hide_index=True, height=min(38 * len(rows) + 40, 700), column_config=narrow)


def _unused(campaign: str, data: CampaignData, language: str, live: dict[str, Script]) -> None:
    unused = [live[name] for name in never_used(calls().engine, live, campaign) if live[name].language == language]
    st.subheader(t("desk.never_used", n=len(unused)))
    st.caption(t("desk.never_used_help"))
    if not st.toggle(t("desk.show_them"), key="show_unused"):
        return
    for script in unused[: SHOWN * 5]:
        if st.button(plain(f"{script.title}"), key=f"unused_{script.id}", type="tertiary", help=place_of(script, data)):
            go(script=script.id)
