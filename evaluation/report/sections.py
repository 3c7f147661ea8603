"""The sections of a report, each from the table of scored calls."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from evaluation.measures.faithfulness import blocked
from evaluation.report import statistics
from evaluation.report.table import OUTCOME_POINTS, PROCESS_POINTS, Row, Table, as_json, score_of

ALPHAS = [round(step / 10, 1) for step in range(1, 10)]
MOST_K = 8


def failures(table: Table) -> dict[str, dict[str, Any]]:
    """Return what could not be finished, by boundary: agent, customer, server, judge.

    `finished` counts those among the `calls` that are finished and lack a judgement only: a judge, or its server, failed.
    """
    broken = [(result["unit"], result["error"], 0) for result in table.failed if result["error"]]
    broken += [(unit, error, 1) for unit, error in table.unjudged]
    found: dict[str, dict[str, Any]] = {}
    for unit, error, finished in broken:
        entry = found.setdefault(error["boundary"], {"calls": 0, "finished": 0, "units": [], "messages": Counter()})
        if unit not in entry["units"]:
            entry["calls"] += 1
            entry["finished"] += finished
            entry["units"].append(unit)
        entry["messages"][error["message"]] += 1
    return {
        boundary: {**entry, "messages": dict(entry["messages"].most_common(20))} for boundary, entry in found.items()
    }


def by_dimension(table: Table, dimension: str, metrics: Sequence[str]) -> dict[str, Any]:
    """Return metric → level → variant → estimate."""
    return {
        metric: {
            level: {
                variant: figure
                for variant in table.variants
                if (
                    figure := table.estimate(
                        metric,
                        table.where(variant=variant, **{dimension: level}),
                        variant=variant,
                        **{dimension: level},
                    )
                )
            }
            for level in table.levels(dimension)
        }
        for metric in metrics
    }


def pass_k(table: Table) -> dict[str, list[dict[str, Any]]]:
    """Return, by variant, the chance that k trials of one task all succeed; a task is a scenario with one customer.

    Only tasks with at least k trials can tell of k; the curve ends at the fewest trials that any task has.
    """
    curves: dict[str, list[dict[str, Any]]] = {}
    for variant in table.variants:
        rows = table.where(variant=variant)
        tasks: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            tasks.setdefault((row.result["scenario"], row.result["customer"]), []).append(row.value("success") or 0.0)
        curve = []
        for k in range(1, min(MOST_K, *map(len, tasks.values())) + 1 if tasks else 1):
            chances = [statistics.pass_k(round(sum(won)), len(won), k) for won in tasks.values()]
            estimate = statistics.mean(chances, [scenario for scenario, _ in tasks], share=True)
            if estimate:
                curve.append({"k": k, **as_json(estimate), "cell": table.cell(rows, variant=variant)})
        curves[variant] = curve
    return curves


def turns(table: Table, metric: str) -> dict[str, Any]:
    """Return a metric by the number of the customer's lines, and their rank correlation, by variant."""
    found: dict[str, Any] = {"metric": metric, "variants": {}}
    for variant in table.variants:
        rows = [row for row in table.where(variant=variant) if row.value(metric) is not None]
        lengths = [int(row.value("cost.turns") or 0) for row in rows]
        points = [
            {"turns": length, **figure}
            for length in sorted(set(lengths))
            if (
                figure := table.estimate(
                    metric,
                    [row for row, its in zip(rows, lengths, strict=True) if its == length],
                    variant=variant,
                    turns=length,
                )
            )
        ]
        correlation = statistics.rank_correlation(
            lengths, [row.value(metric) or 0.0 for row in rows], of_scenarios=False
        )
        found["variants"][variant] = {
            "points": points,
            "spearman": _correlation(correlation),
            "cell": table.cell(table.where(variant=variant), variant=variant),
        }
    return found


def ranks(table: Table, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return how alike two kinds of customers rank: the scenarios within each variant, and the variants themselves."""
    found = []
    for first, second in combinations(table.levels("customer"), 2):
        for metric in metrics:
            for variant in table.variants:
                sides = [_scenario_means(table.where(variant=variant, customer=one), metric) for one in (first, second)]
                common = [scenario for scenario in sides[0] if scenario in sides[1]]
                correlation = statistics.rank_correlation(*([side[one] for one in common] for side in sides))
                if correlation:
                    found.append(
                        {
                            "customers": [first, second],
                            "metric": metric,
                            "of": "scenarios",
                            "variant": variant,
                            "n": len(common),
                            "cell": table.cell(table.where(variant=variant), variant=variant),
                            **_correlation(correlation),
                        }
                    )
            means = [_variant_means(table, metric, customer) for customer in (first, second)]
            common = [variant for variant in means[0] if variant in means[1]]
            correlation = statistics.rank_correlation(*([side[one] for one in common] for side in means))
            if correlation:
                found.append(
                    {
                        "customers": [first, second],
                        "metric": metric,
                        "of": "variants",
                        "n": len(common),
                        "cell": table.cell(table.rows),
                        **_correlation(correlation),
                    }
                )
    return found


def _scenario_means(rows: Sequence[Row], metric: str) -> dict[str, float]:
    held: dict[str, list[float]] = {}
    for row in rows:
        if (value := row.value(metric)) is not None:
            held.setdefault(row.result["scenario"], []).append(value)
    return {scenario: sum(values) / len(values) for scenario, values in held.items()}


def _variant_means(table: Table, metric: str, customer: str) -> dict[str, float]:
    means = {
        variant: _scenario_means(table.where(variant=variant, customer=customer), metric) for variant in table.variants
    }
    return {variant: sum(held.values()) / len(held) for variant, held in means.items() if held}


def _correlation(found: tuple[float, float | None, float | None] | None) -> dict[str, float | None]:
    return dict(zip(("value", "low", "high"), found or (None, None, None), strict=True))


def rule_hits(table: Table) -> dict[str, dict[str, dict[str, Any]]]:
    """Return rule → variant → how often it was said and blocked, with the calls."""
    found: dict[str, dict[str, dict[str, Any]]] = {}

    def add(rule: str, row: Row, kind: str, count: int) -> None:
        variant = found.setdefault(rule, {}).setdefault(row.result["variant"], {"said": 0, "blocked": 0, "units": []})
        variant[kind] += count
        if row.result["unit"] not in variant["units"]:
            variant["units"].append(row.result["unit"])

    for row in table.rows:
        for name, score in row.scores.items():
            if name.startswith("rule.") and score["value"]:
                add(name.removeprefix("rule."), row, "said", int(score["value"]))
        for rule, count in blocked(row.result).items():
            add(rule, row, "blocked", count)
    return found


def cost(table: Table) -> dict[str, dict[str, Any]]:
    """Return, by variant, what its calls took in all, and the turns' times in the middle and at the slow end."""
    found = {}
    for variant in table.variants:
        rows = table.where(variant=variant)
        answered = [
            turn
            for row in rows
            for record in row.result["sessions"]
            for turn in record["turns"]
            if turn["customer"] and turn["source"] != "human"
        ]
        total = {
            name: sum(row.value(f"cost.{name}") or 0.0 for row in rows)
            for name in ("turns", "model_calls", "prompt_tokens", "cached_tokens", "completion_tokens", "call_seconds")
        }
        times = {
            "turn_seconds": [turn["latency_ms"]["total"] / 1000 for turn in answered],
            "first_sentence": [turn["latency_ms"]["first_sentence"] / 1000 for turn in answered],
        }
        found[variant] = {
            **total,
            "cell": table.cell(rows, variant=variant),
            **{
                name: {"median": float(np.median(took)), "p95": float(np.quantile(took, 0.95)), "n": len(took)}
                for name, took in times.items()
                if took
            },
        }
    return found


def sweep(table: Table) -> list[dict[str, Any]]:
    """Return the final score's means for every weight α of the outcome; empty where calls lack outcome or process."""
    found = []
    for alpha in ALPHAS:
        means = {}
        for variant in table.variants:
            rows = table.where(variant=variant)
            valued = [
                (value, row.result["scenario"])
                for row in rows
                if (value := score_of(row.value(OUTCOME_POINTS), row.value(PROCESS_POINTS), alpha)) is not None
            ]
            estimate = statistics.mean([value for value, _ in valued], [scenario for _, scenario in valued])
            if estimate:
                means[variant] = as_json(estimate) | {"cell": table.cell(rows, variant=variant)}
        if means:
            found.append({"alpha": alpha, "variants": means})
    return found


def human(table: Table, ratings: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return, for every weight α, how the final score ranks with people's ratings of the same calls."""
    rated = [row for row in table.rows if row.result["unit"] in ratings]
    found = []
    for alpha in ALPHAS:
        both = [
            (value, ratings[row.result["unit"]])
            for row in rated
            if (value := score_of(row.value(OUTCOME_POINTS), row.value(PROCESS_POINTS), alpha)) is not None
        ]
        correlation = statistics.rank_correlation(
            [ours for ours, _ in both], [theirs for _, theirs in both], of_scenarios=False
        )
        if correlation:
            cell = table.cell(rated, rated="yes")
            found.append({"alpha": alpha, "n": len(both), "cell": cell, **_correlation(correlation)})
    return found
