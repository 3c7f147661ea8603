"""The page's part that shows a run: figures with their doubts, and behind each figure its calls."""

from pathlib import Path
from typing import Any

import streamlit as st

from evaluation.page_report_charts import curve, intervals
from evaluation.page_report_more import left_out, more
from evaluation.page_report_table import Line, cells, linked
from evaluation.report.build import HEADLINE, report_of
from evaluation.report.html import page_of
from evaluation.report.numbers import interval, p_value
from evaluation.report.table import Table, read_table
from evaluation.runs.store import ABOUT, read_run
from ui.access import guarded, require
from ui.jobs import Progress, show_job, start_job
from ui.shared import settings
from ui.text import plain
from ui.words import t

RUNS = "runs"
"""Folder of the home in which runs are looked for."""
_HELD = "report_held"
Report = dict[str, Any]


def choose_run() -> Path | None:
    """Let a person choose one of the home's runs, the newest first; None where there is none."""
    folder = settings().home / RUNS
    found = sorted(folder.glob(f"*/{ABOUT}"), key=lambda path: path.stat().st_mtime, reverse=True)
    if not found:
        st.info(t("report.no_runs", folder=plain(folder)))
        return None
    names = [path.parent.name for path in found]
    return folder / st.selectbox(t("report.run"), names, key="report_run")


def run_report(folder: Path) -> None:
    """Show a run's report; its calls are scored when they are asked for.

    Args:
        folder: The run's.
    """
    stamp = (folder, *(path.stat().st_mtime_ns for path in sorted(folder.glob("*.jsonl"))))
    held = st.session_state.get(_HELD)
    if held is None or held[0] != stamp:
        if st.button(t("report.score_anew"), key="report_score", type="primary"):
            require("viewer")
            home = settings().home
            start_job("report", t("report.scoring"), lambda progress: _scored(folder, home, stamp, progress))
        fresh = show_job("report")
        if fresh is None or fresh[0] != stamp:
            return
        st.session_state[_HELD] = fresh
        st.rerun()
    _, table, report = held
    _head(report)
    if not report["metrics"]:
        st.warning(t("report.nothing"))
        return
    _figures(table, report)
    more(table, report)
    st.download_button(
        t("report.download"),
        guarded("viewer", lambda: page_of(report, table, folder.name).encode()),
        f"{folder.name}.html",
        "text/html",
        key="report_download",
        on_click="ignore",
        icon=":material/download:",
    )


def _scored(folder: Path, home: Path, stamp: object, progress: Progress) -> tuple[object, Table, Report]:
    run = read_run(folder)
    table = read_table(run, progress)
    return stamp, table, report_of(table, run, home)


def _head(report: Report) -> None:
    asked = report["run"]["asked"]
    numbers = (
        ("calls", report["calls"]),
        ("finished", report["finished"]),
        ("variants", len(report["variants"])),
        ("scenarios", len(asked["scenarios"])),
    )
    for column, (name, value) in zip(st.columns(len(numbers)), numbers, strict=True):
        column.metric(t(f"report.{name}"), value)
    for boundary, entry in report["failed"].items():
        why = "; ".join(list(entry["messages"])[:2])
        if broken := entry["calls"] - entry["finished"]:
            st.warning(t(f"report.broke_{boundary}", n=broken, why=plain(why)))
        if entry["finished"]:
            st.warning(t("report.unjudged", n=entry["finished"], boundary=t(f"report.{boundary}"), why=plain(why)))
    for rubric, one in report["judges"].items():
        if one["check"] != "passed":
            st.warning(t(f"report.judge_{one['check']}", rubric=plain(rubric), judge=plain(one["judge"])))
    left_out(report)


def _figures(table: Table, report: Report) -> None:
    metrics = report["metrics"]
    offered = [name for name in HEADLINE if name in metrics]
    chosen = st.selectbox(
        t("report.metric"), offered, format_func=lambda name: t(f"report.metric_{name}"), key="report_metric"
    )
    metric = metrics[chosen]
    doubt = [t(f"report.{metric['better']}"), *([t("report.guardrail")] if metric["guardrail"] else [])]
    st.caption(" ".join([*doubt, t("report.interval")]))
    ways = {name: t(f"report.by_{name}") for name in ("all", "tier", "language", "customer")}
    by = st.segmented_control(
        t("report.by"), list(ways), format_func=ways.__getitem__, default="all", required=True, key="report_by"
    )
    levels = {"": metric["variants"]} if by == "all" else report[f"by_{by}"][chosen]
    rows = [
        {"level": level, "variant": variant, **figure}
        for level, by_variant in levels.items()
        for variant, figure in by_variant.items()
    ]
    intervals(rows, metric["unit"])
    linked(
        [Line(_row(row, by != "all"), chosen, cells(report, row["cell"])) for row in rows],
        table,
        f"figures_{chosen}_{by}",
    )
    _differences(table, report, chosen)
    _curves(report, chosen)


def _row(row: dict[str, Any], with_level: bool) -> dict[str, Any]:
    level = {t("report.column_level"): str(row["level"]).replace("_", " ")} if with_level else {}
    return level | {
        t("report.column_variant"): row["variant"],
        t("report.column_mean"): round(row["mean"], 3),
        t("report.column_low"): None if row["low"] is None else round(row["low"], 3),
        t("report.column_high"): None if row["high"] is None else round(row["high"], 3),
        t("report.column_n"): row["n"],
    }


def _differences(table: Table, report: Report, metric: str) -> None:
    rows = [row for row in report["pairs"] if row["metric"] == metric]
    if not rows:
        return
    st.subheader(t("report.differences"))
    st.caption(t("report.differences_note"))
    for row in (row for row in rows if not row["customer"]):
        clear = row["p_holm"] < 0.05
        good = (row["difference"] > 0) == (report["metrics"][metric]["better"] == "higher")
        names = {"a": plain(row["a"]), "b": plain(row["b"])}
        st.markdown(t("report.better" if clear and good else "report.worse" if clear else "report.not_told", **names))
    lines = [
        Line(
            {
                t("report.column_pair"): f"{row['b']} − {row['a']}",
                t("report.by_customer"): row["customer"] or t("report.every_customer"),
                t("report.column_difference"): interval(row, row["unit"], "difference"),
                t("report.column_p"): p_value(row["p"]),
                t("report.column_holm"): p_value(row["p_holm"]),
                t("report.column_detectable"): None if row["detectable"] is None else round(row["detectable"], 3),
                t("report.column_n"): 2 * row["pairs"],
            },
            metric,
            cells(report, row["cell"]),
        )
        for row in rows
    ]
    linked(lines, table, f"differences_{metric}")


def _curves(report: Report, metric: str) -> None:
    left, right = st.columns(2)
    if metric == "success" and any(len(its) > 1 for its in report["pass_k"].values()):
        with left:
            st.markdown(f"**{t('report.pass_k')}**")
            curve({name: its for name, its in report["pass_k"].items()}, "k", t("report.pass_k_axis"), "share")
    against = report["score_against_turns"]
    if metric == against["metric"]:
        with right:
            st.markdown(f"**{t('report.against_turns')}**")
            points = {name: its["points"] for name, its in against["variants"].items()}
            curve(points, "turns", t("report.turns_axis"), report["metrics"][metric]["unit"])
