"""Charts of a run in the application: estimates with their intervals, by variant."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import streamlit as st

from ui.words import t

HEIGHT = 26
"""Pixels of one estimate."""


def intervals(rows: Sequence[Mapping[str, Any]], unit: str) -> None:
    """Draw estimates as dots with their intervals, one line each, grouped by level.

    Args:
        rows: With `level`, `variant`, `mean`, `low`, `high`.
        unit: A metric's unit; shares have an axis from 0 to 1.
    """
    levels = list(dict.fromkeys(row["level"] for row in rows))
    shown = [{**row, "level": row["level"].replace("_", " ")} for row in rows]
    scale = alt.Scale(domain=[0, 1]) if unit == "share" else alt.Scale(zero=True)
    names = list(dict.fromkeys(row["variant"] for row in rows))
    base = alt.Chart(alt.InlineData(values=shown)).encode(
        y=alt.Y("variant:N", sort=names, title=None, axis=alt.Axis(labelOverlap=False)),
        color=alt.Color("variant:N", sort=names, legend=None),
    )
    drawn = alt.layer(
        base.mark_rule(strokeWidth=3, opacity=0.5).encode(x=alt.X("low:Q", scale=scale, title=None), x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(
            x=alt.X("mean:Q", scale=scale, title=None),
            tooltip=[
                alt.Tooltip("variant:N", title=t("report.column_variant")),
                alt.Tooltip("mean:Q", title=t("report.column_mean"), format=".3f"),
                alt.Tooltip("low:Q", title=t("report.column_low"), format=".3f"),
                alt.Tooltip("high:Q", title=t("report.column_high"), format=".3f"),
                alt.Tooltip("n:Q", title=t("report.column_n")),
            ],
        ),
    ).properties(height=alt.Step(HEIGHT))
    if levels == [""]:
        st.altair_chart(drawn, width="stretch")
        return
    for level in levels:
        st.caption(level.replace("_", " "))
        st.altair_chart(drawn.transform_filter(alt.datum.level == level.replace("_", " ")), width="stretch")


def curve(lines: Mapping[str, Sequence[Mapping[str, Any]]], x: str, title: str, unit: str) -> None:
    """Draw estimates over whole numbers as a line for each variant.

    Args:
        lines: Variant → estimates.
        x: Which entry of an estimate stands on the horizontal axis.
        title: Of that axis.
        unit: A metric's unit; shares have an axis from 0 to 1.
    """
    rows = [{**point, "variant": variant} for variant, its in lines.items() for point in its]
    scale = alt.Scale(domain=[0, 1]) if unit == "share" else alt.Scale(zero=True)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(f"{x}:Q", title=title, axis=alt.Axis(tickMinStep=1, format="d")),
        color=alt.Color("variant:N", sort=list(lines), legend=alt.Legend(orient="bottom", title=None)),
    )
    drawn = alt.layer(
        base.mark_line(point=True).encode(y=alt.Y("mean:Q", scale=scale, title=None)),
        base.mark_rule(opacity=0.4).encode(y=alt.Y("low:Q", scale=scale, title=None), y2="high:Q"),
    )
    st.altair_chart(drawn.properties(height=300), width="stretch")
