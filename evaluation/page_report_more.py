"""What a run's report holds beside its main figures, each part folded away until it is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from evaluation.report.numbers import interval
from ui.words import t

Report = Mapping[str, Any]


def more(report: Report) -> None:
    """Show the rest of a report.

    Args:
        report: What `build_report` returns, of a run with finished calls.
    """
    with st.expander(t("report.gates")):
        st.caption(t("report.gates_note"))
        _table(_gates(report))
    with st.expander(t("report.rules")):
        _table(_rules(report), t("report.no_rules"))
    with st.expander(t("report.all_metrics")):
        _table(_metrics(report))


def _table(rows: Sequence[Mapping[str, Any]], otherwise: str = "") -> None:
    if rows:
        st.dataframe(rows, hide_index=True, width="stretch")
    else:
        st.caption(otherwise)


def _gates(report: Report) -> list[dict[str, Any]]:
    return [
        {
            t("report.column_metric"): report["metrics"][name]["label"],
            t("report.by_customer"): kind,
            t("report.column_variant"): variant,
            t("report.column_mean"): interval(figure, report["metrics"][name]["unit"]),
            t("report.column_n"): figure["n"],
        }
        for name, levels in report["by_customer"].items()
        if report["metrics"][name]["group"] == "customer"
        for kind, by_variant in levels.items()
        for variant, figure in by_variant.items()
    ]


def _rules(report: Report) -> list[dict[str, Any]]:
    return [
        {
            t("report.column_rule"): rule.replace("_", " "),
            t("report.column_variant"): variant,
            t("report.column_said"): hit["said"],
            t("report.column_blocked"): hit["blocked"],
            t("report.column_n"): len(hit["units"]),
        }
        for rule, by_variant in sorted(report["rules"].items())
        for variant, hit in by_variant.items()
    ]


def _metrics(report: Report) -> list[dict[str, Any]]:
    return [
        {
            t("report.column_metric"): metric["label"],
            t("report.column_variant"): variant,
            t("report.column_mean"): interval(figure, metric["unit"]),
            t("report.column_n"): figure["n"],
        }
        for metric in report["metrics"].values()
        for variant, figure in metric["variants"].items()
    ]
