"""Checks on what a run's figures rest on: its customers, the mix of its scenarios, and its judge."""

from collections.abc import Mapping
from typing import Any

from evaluation.customers.likeness import CHANCE
from evaluation.judging.telebot import agreement_with_judge
from evaluation.report import statistics
from evaluation.report.table import Row, Table, as_json

CLOSED = ("bought", "won")
REAL = "recorded"
"""The kind of customer whose lines are real people's: nothing to compare."""


def propensity(table: Table) -> list[dict[str, Any]]:
    """Return how inclined to buy the customers of closed calls were beforehand, against those of the other calls.

    `gap` is the difference of the two means, closed less not closed, with an interval over scenarios: how far the scenario's
    tier, and not the agent, decides. Source: SalesLLM's check for a leak, arXiv 2604.07054 (0.33 closed, 0.31 not closed).
    """
    found = []
    for customer in table.levels("customer"):
        for metric in CLOSED:
            rows = [row for row in table.where(customer=customer) if row.value(metric) is not None]
            if not rows:
                continue
            sides = [row for row in rows if row.value(metric)], [row for row in rows if not row.value(metric)]
            gap = statistics.gap(*_inclinations(sides[0]), *_inclinations(sides[1]))
            found.append(
                {
                    "customer": customer,
                    "metric": metric,
                    **{
                        name: _inclination(table, side, **{"customer": customer, metric: name})
                        for name, side in zip(("closed", "open"), sides, strict=True)
                    },
                    "gap": dict(zip(("value", "low", "high"), gap, strict=True))
                    | {"cell": table.cell(rows, customer=customer, known=metric)}
                    if gap
                    else None,
                }
            )
    return found


def _inclination(table: Table, rows: list[Row], **conditions: str) -> dict[str, Any] | None:
    estimate = statistics.mean(*_inclinations(rows))
    return as_json(estimate) | {"cell": table.cell(rows, **conditions)} if estimate else None


def _inclinations(rows: list[Row]) -> tuple[list[float], list[str]]:
    return [row.scenario.propensity for row in rows], [row.result["scenario"] for row in rows]


def judged_beside_computed(table: Table) -> dict[str, dict[str, Any]]:
    """Return how often a judge and the computed metric of TeleBot agree, by metric; what no call has both of is left out."""
    found = agreement_with_judge({row.result["unit"]: row.scores.values() for row in table.rows})
    return {
        name: {**both, "cell": table.cell(_with_both(table, name), judged=f"telebot.{name}")}
        for name, both in found.items()
        if both["n"]
    }


def _with_both(table: Table, name: str) -> list[Row]:
    metrics = f"telebot_computed.{name}", f"telebot.{name}"
    return [row for row in table.rows if all(row.value(metric) is not None for metric in metrics)]


def likeness_of(table: Table, measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return how like real customers each kind of the run's speaks, the row of chance last; None where it is not measured.

    Args:
        table: The run's.
        measured: What `read_likeness` returns.
    """
    found = {kind: measured.get(kind) for kind in table.levels("customer") if kind != REAL}
    return found | ({CHANCE: measured[CHANCE]} if any(found.values()) and CHANCE in measured else {})
