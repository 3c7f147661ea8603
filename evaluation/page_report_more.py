"""What a run's report holds beside its main figures, each part folded away until it is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from evaluation.report.numbers import interval, number
from evaluation.report.statistics import FEW
from ui.text import plain
from ui.words import t

Report = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]
LIKENESS = {"bleu": "BLEU", "rouge_1": "ROUGE-1", "rouge_2": "ROUGE-2", "rouge_l": "ROUGE-L"}
TOTALS = ("turns", "model_calls", "prompt_tokens", "cached_tokens", "completion_tokens", "call_seconds")
TIMES = ("turn_seconds", "first_sentence")


def left_out(report: Report) -> None:
    """Show what a run lacks: scenarios enough, what could not be paired, and scenarios that are broken.

    Args:
        report: What `report_of` returns.
    """
    if report["few_scenarios"]:
        st.warning(t("report.few_scenarios", n=report["few_scenarios"], few=FEW))
    if report["left_out"]:
        st.warning(t("report.left_out", what=plain("; ".join(report["left_out"]))))
    if report["broken_scenarios"]:
        with st.expander(t("report.broken_scenarios", n=len(report["broken_scenarios"]))):
            _table(
                [
                    {t("report.scenario"): row["id"], t("report.column_reason"): "; ".join(row["reasons"])}
                    for row in report["broken_scenarios"]
                ]
            )


def more(report: Report) -> None:
    """Show the rest of a report.

    Args:
        report: What `report_of` returns, of a run with finished calls.
    """
    with st.expander(t("report.gates")):
        st.caption(t("report.gates_note"))
        _table(_gates(report))
        _likeness(report)
    parts: list[tuple[str, Rows]] = [
        ("ranks", _ranks(report)),
        ("propensity", _propensity(report)),
        ("telebot", _telebot(report)),
        ("sweep", _sweep(report)),
        ("cost", _cost(report)),
    ]
    for name, rows in parts:
        if rows:
            with st.expander(t(f"report.{name}")):
                st.caption(t(f"report.{name}_note"))
                _table(rows)
    with st.expander(t("report.rules")):
        if rows := _rules(report):
            _table(rows)
        else:
            st.caption(t("report.no_rules"))
    with st.expander(t("report.all_metrics")):
        _table(_metrics(report))


def _table(rows: Rows) -> None:
    st.dataframe(rows, hide_index=True, width="stretch")


def _label(report: Report, metric: str) -> str:
    return str(report["metrics"][metric]["label"])


def _gates(report: Report) -> Rows:
    return [
        {
            t("report.column_metric"): _label(report, name),
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


def _likeness(report: Report) -> None:
    if rows := [
        {
            t("report.by_customer"): kind,
            **{label: _figure(figures.get(name)) for name, label in LIKENESS.items()},
            t("report.cosine"): _figure(figures.get("cosine")),
            t("report.real_calls"): figures["calls"],
            t("report.measured_at"): figures["at"][:10],
        }
        for kind, figures in report["likeness"].items()
        if figures
    ]:
        st.caption(t("report.likeness_note"))
        _table(rows)
    for kind, figures in report["likeness"].items():
        if not figures:
            st.caption(t("report.likeness_missing", kind=plain(kind)))


def _ranks(report: Report) -> Rows:
    return [
        {
            t("report.by_customer"): " / ".join(row["customers"]),
            t("report.column_metric"): _label(report, row["metric"]),
            t("report.column_ranked"): t(f"report.{row['of']}"),
            t("report.column_variant"): row.get("variant", ""),
            t("report.spearman"): _figure(row),
            t("report.column_ranked_n"): row["n"],
        }
        for row in report["rank_correlation"]
    ]


def _propensity(report: Report) -> Rows:
    return [
        {
            t("report.by_customer"): row["customer"],
            t("report.column_closed_means"): _label(report, row["metric"]),
            t("report.column_closed"): interval(row["closed"]) if row["closed"] else "–",
            t("report.column_open"): interval(row["open"]) if row["open"] else "–",
            t("report.column_difference"): _figure(row["gap"]),
        }
        for row in report["propensity"]
    ]


def _telebot(report: Report) -> Rows:
    return [
        {
            t("report.column_metric"): _label(report, f"telebot.{name}"),
            t("report.column_alike"): number(both["share"]),
            t("report.column_kappa"): number(both["kappa"]),
            t("report.column_n"): both["n"],
        }
        for name, both in report["telebot_agreement"].items()
    ]


def _sweep(report: Report) -> Rows:
    people = {row["alpha"]: row for row in report["human"]}
    return [
        {
            "α": row["alpha"],
            **{name: interval(figure, "points") for name, figure in row["variants"].items()},
            **({t("report.column_people"): _figure(people.get(row["alpha"]))} if people else {}),
        }
        for row in report["alpha_sweep"]
    ]


def _cost(report: Report) -> Rows:
    totals = [
        {t("report.column_cost"): t(f"report.cost_{name}")}
        | {variant: number(took[name], "tokens") for variant, took in report["cost"].items()}
        for name in TOTALS
    ]
    times = [
        {t("report.column_cost"): t(f"report.cost_{name}")}
        | {
            variant: f"{number(took[name]['median'], 'seconds')} ({number(took[name]['p95'], 'seconds')})"
            for variant, took in report["cost"].items()
            if name in took
        }
        for name in TIMES
    ]
    return [*totals, *times]


def _rules(report: Report) -> Rows:
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


def _metrics(report: Report) -> Rows:
    return [
        {
            t("report.column_metric"): metric["label"],
            t("report.column_variant"): variant,
            t("report.column_mean"): interval(figure, metric["unit"]),
            t("report.column_sd"): number(figure["sd"], metric["unit"]),
            t("report.column_n"): figure["n"],
        }
        for metric in report["metrics"].values()
        for variant, figure in metric["variants"].items()
    ]


def _figure(found: Mapping[str, Any] | None) -> str:
    """Return a figure that is called `value`, with its interval; a dash for none."""
    return interval(found, "share", "value") if found else "–"
