"""Checks on what a run's figures rest on: its customers, the mix of its scenarios, and its judge."""

from pathlib import Path
from typing import Any

from evaluation.customers.likeness import CHANCE, likeness_of_kind
from evaluation.judging.checked import check_of
from evaluation.judging.telebot import agreement_with_judge
from evaluation.report import statistics
from evaluation.report.table import Row, Table, as_json
from evaluation.runs.store import Run

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


def likeness_of(table: Table, run: Run, home: Path) -> dict[str, Any]:
    """Return how like real customers each kind of the run's speaks, the row of chance last; None where it is not measured.

    Args:
        table: The run's.
        run: Names the model of prompted customers.
        home: Where figures of customers are kept.
    """
    model = run.about.get("asked", {}).get("customer_model", "")
    found = {kind: likeness_of_kind(home, kind, model) for kind in table.levels("customer") if kind != REAL}
    chance = likeness_of_kind(home, CHANCE, model)
    return found | ({CHANCE: chance} if any(found.values()) and chance else {})


def judges_of_run(table: Table, home: Path) -> dict[str, dict[str, Any]]:
    """Return who judged by which rubric, and whether that judge tells the rubric's gold conversation from its bad one.

    Args:
        table: The run's.
        home: Where checks of judges are kept.
    """
    languages = table.levels("language")
    return {
        rubric: {"judge": judge, "version": version, "check": check_of(home, judge, rubric, version, languages)}
        for rubric, (judge, version) in table.judges.items()
    }
