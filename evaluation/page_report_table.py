"""A table of a run's report in which every row opens the calls behind it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from evaluation.page_report_calls import calls_behind
from evaluation.report.table import Table
from ui.words import t


@dataclass(frozen=True)
class Line:
    """A row, the metric that it tells, and the calls (units) behind it."""

    shown: Mapping[str, Any]
    metric: str
    units: frozenset[str]


def cells(report: Mapping[str, Any], *names: str) -> frozenset[str]:
    """Return the calls of cells of a report."""
    return frozenset(unit for name in names for unit in report["cells"][name])


def linked(lines: Sequence[Line], table: Table, key: str) -> None:
    """Show rows; where one is chosen, the calls behind it.

    Args:
        lines: The rows.
        table: The run's calls.
        key: Of the table among those of the page.
    """
    st.caption(t("report.choose_row"))
    picked: Any = st.dataframe(
        [line.shown for line in lines],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key=f"report_{key}",
    )
    chosen: Iterable[int] = picked.selection.rows
    for place in chosen:
        if place < len(lines):
            line = lines[place]
            calls_behind([row for row in table.rows if row.result["unit"] in line.units], line.metric, key)
