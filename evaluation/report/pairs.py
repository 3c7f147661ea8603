"""Variants against each other on the same scenario, customer and trial: paired differences, tested and corrected."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from evaluation.measures.metric import Metric
from evaluation.report import statistics
from evaluation.report.table import Row, Table

SAME = 1e-12


def matched(table: Table, first: str, second: str, **where: str) -> list[tuple[Row, Row]]:
    """Return the calls of two variants that share scenario, customer and trial, in that order."""
    theirs = {row.pair: row for row in table.where(variant=second, **where)}
    return [(row, theirs[row.pair]) for row in table.where(variant=first, **where) if row.pair in theirs]


def differences(pairs: Sequence[tuple[Row, Row]], metric: str) -> tuple[list[float], list[str]]:
    """Return the second call's value less the first's, and the scenario, of each pair in which both have a value."""
    found = [
        (after - before, a.result["scenario"])
        for a, b in pairs
        if (before := a.value(metric)) is not None and (after := b.value(metric)) is not None
    ]
    return [difference for difference, _ in found], [scenario for _, scenario in found]


def compare(table: Table, metrics: Mapping[str, Metric]) -> list[dict[str, Any]]:
    """Return every pair of variants on every metric: `b` less `a`, with interval, p, Holm's p, and what could be found at all.

    First over all customers (`customer` is empty), then, where there are several kinds, over each kind's calls alone. Holm's
    family is a group of metrics over all pairs of variants, for all customers and for each kind apart. A comparison in which no pair differs cannot become
    significant, whatever the level, and so does not count (Tarone, A modified Bonferroni method for discrete data, 1990).
    """
    kinds = table.levels("customer")
    found = [
        row
        for customer in ["", *(kinds if len(kinds) > 1 else [])]
        for first, second in combinations(table.variants, 2)
        for row in _compared(table, first, second, customer, metrics)
    ]
    for customer, group in dict.fromkeys((row["customer"], row["group"]) for row in found):
        family = [row for row in found if (row["customer"], row["group"]) == (customer, group) and row["differ"]]
        for row, p in zip(family, statistics.holm([row["p"] for row in family]), strict=True):
            row["p_holm"] = p
    return found


def _compared(
    table: Table, first: str, second: str, customer: str, metrics: Mapping[str, Metric]
) -> Iterator[dict[str, Any]]:
    where = {"customer": customer} if customer else {}
    pairs = matched(table, first, second, **where)
    cell = table.cell([row for pair in pairs for row in pair], pair=f"{first} → {second}", **where)
    for name, metric in metrics.items():
        values, scenarios = differences(pairs, name)
        estimate = statistics.mean(values, scenarios)
        if estimate is None:
            continue
        yield {
            "metric": name,
            "group": metric.group,
            "unit": metric.unit,
            "customer": customer,
            "a": first,
            "b": second,
            "difference": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "pairs": estimate.n,
            "scenarios": estimate.clusters,
            "differ": sum(abs(value) > SAME for value in values),
            "p": statistics.sign_flip_p(values, scenarios),
            "p_holm": 1.0,
            "detectable": statistics.detectable(values, scenarios),
            "cell": cell,
        }


def detectable_of(pairs: Sequence[Mapping[str, Any]], headline: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Return, for each headline metric and pair of variants, the smallest true difference that the run finds."""
    return {
        name: {
            f"{row['a']} → {row['b']}": row["detectable"]
            for row in pairs
            if row["metric"] == name and not row["customer"]
        }
        for name in headline
    }
