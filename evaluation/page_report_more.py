"""What a run's report holds beside its main figures, each part folded away until it is asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from evaluation.page_report_table import Line, cells, linked
from evaluation.report.numbers import interval, number
from evaluation.report.statistics import FEW
from evaluation.report.table import Table
from ui.text import plain
from ui.words import t

Report = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]
Lines = Sequence[Line]
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


def more(table: Table, report: Report) -> None:
    """Show the rest of a report.

    Args:
        table: The run's calls.
        report: What `report_of` returns, of a run with finished calls.
    """
    with st.expander(t("report.gates")):
        st.caption(t("report.gates_note"))
        linked(_gates(report), table, "gates")
        _likeness(report)
    parts: list[tuple[str, Lines]] = [
        ("ranks", _ranks(report)),
        ("propensity", _propensity(report)),
        ("telebot", _telebot(report)),
        ("sweep", _sweep(report)),
        ("cost", _cost(report)),
    ]
    for name, lines in parts:
        if lines:
            with st.expander(t(f"report.{name}")):
                st.caption(t(f"report.{name}_note"))
                linked(lines, table, name)
    with st.expander(t("report.rules")):
        if found := _rules(report):
            linked(found, table, "rules")
        else:
            st.caption(t("report.no_rules"))
    with st.expander(t("report.all_metrics")):
        linked(_metrics(report), table, "metrics")


def _table(rows: Rows) -> None:
    st.dataframe(rows, hide_index=True, width="stretch")


def _label(report: Report, metric: str) -> str:
    return str(report["metrics"][metric]["label"])


def _gates(report: Report) -> Lines:
    return [
        Line(
            {
                t("report.column_metric"): _label(report, name),
                t("report.by_customer"): kind,
                t("report.column_variant"): variant,
                t("report.column_mean"): interval(figure, report["metrics"][name]["unit"]),
                t("report.column_n"): figure["n"],
            },
            name,
            cells(report, figure["cell"]),
        )
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


def _ranks(report: Report) -> Lines:
    return [
        Line(
            {
                t("report.by_customer"): " / ".join(row["customers"]),
                t("report.column_metric"): _label(report, row["metric"]),
                t("report.column_ranked"): t(f"report.{row['of']}"),
                t("report.column_variant"): row.get("variant", ""),
                t("report.spearman"): _figure(row),
                t("report.column_ranked_n"): row["n"],
            },
            row["metric"],
            cells(report, row["cell"]),
        )
        for row in report["rank_correlation"]
    ]


def _propensity(report: Report) -> Lines:
    return [
        Line(
            {
                t("report.by_customer"): row["customer"],
                t("report.column_closed_means"): _label(report, row["metric"]),
                t("report.column_closed"): interval(row["closed"]) if row["closed"] else "–",
                t("report.column_open"): interval(row["open"]) if row["open"] else "–",
                t("report.column_difference"): _figure(row["gap"]),
            },
            row["metric"],
            cells(report, *(row[side]["cell"] for side in ("closed", "open") if row[side])),
        )
        for row in report["propensity"]
    ]


def _telebot(report: Report) -> Lines:
    return [
        Line(
            {
                t("report.column_metric"): _label(report, f"telebot.{name}"),
                t("report.column_alike"): number(both["share"]),
                t("report.column_kappa"): number(both["kappa"]),
                t("report.column_n"): both["n"],
            },
            f"telebot.{name}",
            cells(report, both["cell"]),
        )
        for name, both in report["telebot_agreement"].items()
    ]


def _sweep(report: Report) -> Lines:
    people = {row["alpha"]: row for row in report["human"]}
    return [
        Line(
            {
                "α": row["alpha"],
                **{name: interval(figure, "points") for name, figure in row["variants"].items()},
                **({t("report.column_people"): _figure(people.get(row["alpha"]))} if people else {}),
            },
            "score",
            cells(report, *(figure["cell"] for figure in row["variants"].values())),
        )
        for row in report["alpha_sweep"]
    ]


def _cost(report: Report) -> Lines:
    behind = cells(report, *(took["cell"] for took in report["cost"].values()))
    totals = {
        name: {variant: number(took[name], "tokens") for variant, took in report["cost"].items()} for name in TOTALS
    }
    times = {
        name: {
            variant: f"{number(took[name]['median'], 'seconds')} ({number(took[name]['p95'], 'seconds')})"
            for variant, took in report["cost"].items()
            if name in took
        }
        for name in TIMES
    }
    return [
        Line({t("report.column_cost"): t(f"report.cost_{name}"), **told}, f"cost.{name}", behind)
        for name, told in (totals | times).items()
    ]


def _rules(report: Report) -> Lines:
    return [
        Line(
            {
                t("report.column_rule"): rule.replace("_", " "),
                t("report.column_variant"): variant,
                t("report.column_said"): hit["said"],
                t("report.column_blocked"): hit["blocked"],
                t("report.column_n"): len(hit["units"]),
            },
            f"rule.{rule}" if hit["said"] else "rules.blocked",
            frozenset(hit["units"]),
        )
        for rule, by_variant in sorted(report["rules"].items())
        for variant, hit in by_variant.items()
    ]


def _metrics(report: Report) -> Lines:
    return [
        Line(
            {
                t("report.column_metric"): metric["label"],
                t("report.column_variant"): variant,
                t("report.column_mean"): interval(figure, metric["unit"]),
                t("report.column_sd"): number(figure["sd"], metric["unit"]),
                t("report.column_n"): figure["n"],
            },
            name,
            cells(report, figure["cell"]),
        )
        for name, metric in report["metrics"].items()
        for variant, figure in metric["variants"].items()
    ]


def _figure(found: Mapping[str, Any] | None) -> str:
    """Return a figure that is called `value`, with its interval; a dash for none."""
    return interval(found, "share", "value") if found else "–"
