"""How often a customer's line is understood: measured on lines that the classifier never saw, with the ones that it missed."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import streamlit as st

from evaluation.intent import Measured, measure, read_held_out
from graph.intervals import Share
from scripts_library.loading import CampaignData
from ui.access import require
from ui.jobs import Progress, show_job, start_job
from ui.shared import library, settings
from ui.words import language, t

DATA = Path(__file__).with_name("data")
_RESULT = "understanding_result"


def understanding() -> None:
    """Choose lines, measure, show."""
    campaign = st.selectbox(t("quality.campaign"), library().campaigns(), key="understanding_campaign")
    data = library().campaign(campaign)
    shipped = DATA / f"{campaign}_intents.csv"
    st.caption(t("quality.shipped") if shipped.is_file() else t("quality.none_shipped"))
    upload = st.file_uploader(
        t("quality.own_lines"), type=["csv"], key="understanding_file", help=t("quality.own_lines_help")
    )
    own = upload.getvalue() if upload else None
    if st.button(t("quality.measure"), key="understanding_measure", disabled=not (own or shipped.is_file())):
        require("viewer")
        start_job("understanding", t("quality.measuring"), lambda progress: _measure(data, own, shipped, progress))
    fresh = show_job("understanding")
    if fresh is not None:
        st.session_state[_RESULT] = (campaign, fresh)
    held = st.session_state.get(_RESULT)
    if held and held[0] == campaign:
        _show(data, held[1])


def _measure(data: CampaignData, own: bytes | None, shipped: Path, progress: Progress) -> list[Measured]:
    path = shipped
    with tempfile.TemporaryDirectory() as folder:
        if own is not None:
            path = Path(folder) / "lines.csv"
            path.write_bytes(own)
        held_out = read_held_out(path, data)
    return measure(data, held_out, "classifier", settings(), progress=progress)[0]


def _show(data: CampaignData, measured: list[Measured]) -> None:
    for column, spoken in zip(st.columns(max(2, len(data.campaign.languages))), data.campaign.languages, strict=False):
        lines = [one for one in measured if one.language == spoken]
        if lines:
            right = Share(sum(one.predicted == one.line.intent for one in lines), len(lines))
            low, high = right.interval
            column.metric(t(f"common.language_{spoken}"), f"{right.value:.0%}")
            column.caption(t("quality.interval", low=f"{low:.0%}", high=f"{high:.0%}", n=len(lines)))
    missed = [one for one in measured if one.predicted != one.line.intent]
    if not missed:
        st.success(t("quality.none_missed"))
        return
    labels = {intent.name: intent.label[language()] for intent in data.intents if language() in intent.label}
    st.subheader(t("quality.missed", n=len(missed)))
    st.dataframe([_row(one, labels) for one in missed], hide_index=True, width="stretch")
    pairs = Counter((one.line.intent, one.predicted) for one in missed).most_common(1)[0]
    (meant, taken), count = pairs
    st.caption(t("quality.most_often", meant=labels.get(meant, meant), taken=labels.get(taken, taken), n=count))


def _row(one: Measured, labels: dict[str, str]) -> dict[str, Any]:
    return {
        t("quality.column_line"): one.line.text,
        t("quality.column_meant"): labels.get(one.line.intent, one.line.intent),
        t("quality.column_taken"): labels.get(one.predicted, one.predicted),
        t("quality.column_sure"): f"{one.confidence:.0%}",
    }
