"""A run's report as data: every figure with its interval, its number of calls, and the cell of the calls behind it."""

from pathlib import Path
from typing import Any

from evaluation.judging.agreement import RATINGS, read_ratings
from evaluation.report import statistics
from evaluation.report.checks import judged_beside_computed, judges_of_run, likeness_of, propensity
from evaluation.report.pairs import compare, detectable_of
from evaluation.report.sections import by_dimension, cost, failures, human, pass_k, ranks, rule_hits, sweep, turns
from evaluation.report.table import PROCESS_POINTS, Table
from evaluation.runs.store import Run

VERSION = 1
HEADLINE = (
    "success",
    "bought",
    "won",
    "score",
    "outcome.points",
    "process.progress",
    "faithful.call",
    "respect.opt_out",
    "bought_lie",
)
"""What is broken down by tier, language and customer."""
GATES = "customer"
"""The group of metrics that tell of the customers themselves; broken down by customer too."""


def report_of(table: Table, run: Run, home: Path) -> dict[str, Any]:
    """Return what `report.json` holds.

    Args:
        table: The run's scored calls (`read_table`).
        run: The run, finished or not; people's ratings of its calls are read where there are some (`ratings.csv`).
        home: `SALESMAN_HOME`, where figures of the instruments are kept: likeness of customers, checks of judges.

    Returns:
        `calls` counts every unit that was tried, `failed` those among them that could not be finished, by boundary; every
        figure names its `cell`, and `cells` names the calls (units) behind each. `few_scenarios` counts the scenarios where they
        are too few for their intervals, and is 0 elsewhere.
    """
    about = run.about
    valued = {name for row in table.rows for name, score in row.scores.items() if score["value"] is not None}
    headline = [name for name in HEADLINE if name in valued]
    shown = {name: table.metrics[name] for name in [*headline, *table.metrics] if name in valued}
    gates = [name for name, metric in shown.items() if metric.group == GATES]
    pairs = compare(table, shown)
    report: dict[str, Any] = {
        "version": VERSION,
        "calls": len(table.rows) + len(table.failed),
        "finished": len(table.rows),
        "failed": failures(table),
        "few_scenarios": _few_scenarios(table),
        "run": about,
        "judges": judges_of_run(table, home),
        "broken_scenarios": about.get("broken", []),
        "left_out": about.get("left_out", []),
        "method": {
            "interval": "95 %, percentile bootstrap over scenarios; Wilson's where all calls of a share agree",
            "rounds": statistics.ROUNDS,
            "seed": statistics.SEED,
            "p": "sign-flip permutation of scenarios, two-sided",
            "correction": "Holm, over all comparisons of a group of metrics in which some pair differs; each kind of customer is a family apart",
        },
        "variants": {
            name: {"calls": sum(result["variant"] == name for result in _results(table))} for name in table.variants
        },
        "metrics": {
            name: {
                "label": metric.label,
                "group": metric.group,
                "better": metric.better,
                "unit": metric.unit,
                "guardrail": metric.guardrail,
                "variants": {
                    variant: figure
                    for variant in table.variants
                    if (figure := table.estimate(name, table.where(variant=variant), variant=variant))
                },
            }
            for name, metric in shown.items()
        },
        "pairs": pairs,
        "detectable": detectable_of(pairs, headline),
        "pass_k": pass_k(table),
        "by_tier": by_dimension(table, "tier", headline),
        "by_language": by_dimension(table, "language", headline),
        "by_customer": by_dimension(table, "customer", [*headline, *gates]),
        "score_against_turns": turns(table, _final_metric(table)),
        "rank_correlation": ranks(table, headline),
        "rules": rule_hits(table),
        "cost": cost(table),
        "alpha_sweep": sweep(table),
        "human": human(table, _ratings(run)),
        "likeness": likeness_of(table, run, home),
        "propensity": propensity(table),
        "telebot_agreement": judged_beside_computed(table),
        "scores": {
            row.result["unit"]: {
                name: score["value"] for name, score in row.scores.items() if score["value"] is not None
            }
            for row in table.rows
        },
    }
    return report | {"cells": table.cells}


def _few_scenarios(table: Table) -> int:
    scenarios = len({row.result["scenario"] for row in table.rows})
    return scenarios if scenarios < statistics.FEW else 0


def _results(table: Table) -> list[Any]:
    return [row.result for row in table.rows] + table.failed


def _final_metric(table: Table) -> str:
    """Return the metric that says how a call went: the score where at least half of the calls have one."""
    scored = sum(row.value("score") is not None for row in table.rows)
    return "score" if table.rows and scored >= len(table.rows) / 2 else "success"


def _ratings(run: Run) -> dict[str, float]:
    """Return people's mean rating of each call, of those who rated the process or the call as such."""
    if not (run.folder / RATINGS).is_file():
        return {}
    held: dict[str, list[float]] = {}
    for one in read_ratings(run.folder / RATINGS):
        if one.criterion in ("", PROCESS_POINTS):
            held.setdefault(one.item, []).append(one.rating)
    return {unit: sum(ratings) / len(ratings) for unit, ratings in held.items()}
