"""The report as one page: no network, no other file; works by a double click.

What customers and agents said is data all the way: Jinja escapes it, the calls lie in the page as JSON, and the page's script
sets it as text alone. The policy in the page's head lets nothing run but that script, by its hash.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evaluation.judging.checked import TOLD
from evaluation.report import charts, numbers
from evaluation.report.statistics import FEW
from evaluation.report.table import Row, Table

FOLDER = Path(__file__).parent
GROUPS = {
    "outcome": "Outcome",
    "process": "Process",
    "telebot": "TeleBot's six",
    "grid": "AI-Salesman's grid",
    "repo": "REPO's replies",
    "faithfulness": "Faithfulness and rules",
    "respect": "Respect",
    "heard": "What replies are worth to the customer",
    "graph": "The graph's work",
    "cost": "Cost",
    "customer": "The customers' own quality",
}


def page_of(report: dict[str, Any], table: Table, name: str) -> str:
    """Return the report as HTML.

    Args:
        report: What `report_of` returns.
        table: The scored calls behind it.
        name: What the run is called.
    """
    script = (FOLDER / "report.js").read_text(encoding="utf-8")
    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    cells = {name: place for place, name in enumerate(report["cells"])}
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": numbers.number, "interval": numbers.interval, "p_value": numbers.p_value}
    environment.filters |= {"groupby_pair": _by_pair, "of_group": _of_group, "only": _only}
    environment.globals |= {"scale_of": charts.scale_of, "bar": charts.bar, "lines": charts.lines}
    return environment.get_template("report.html").render(
        report=report,
        few=FEW,
        judged=TOLD,
        metrics=report["metrics"],
        variants=list(report["variants"]),
        cells=cells,
        groups=[
            (key, label) for key, label in GROUPS.items() if any(m["group"] == key for m in report["metrics"].values())
        ],
        name=name,
        script=Markup(script),
        style=Markup(style),
        policy=f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'",
        data=_embedded(_data(report, table, cells)),
    )


def _by_pair(rows: list[dict[str, Any]]) -> list[tuple[tuple[str, str], list[dict[str, Any]]]]:
    """Return the comparisons of each pair of variants."""
    pairs = dict.fromkeys((row["a"], row["b"]) for row in rows)
    return [(pair, [row for row in rows if (row["a"], row["b"]) == pair]) for pair in pairs]


def _of_group(metrics: dict[str, dict[str, Any]], group: str) -> list[str]:
    return [name for name, metric in metrics.items() if metric["group"] == group]


def _only(by_metric: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return a breakdown of some metrics alone."""
    return {name: levels for name, levels in by_metric.items() if name in names}


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(data: Any) -> Markup:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _data(report: dict[str, Any], table: Table, cells: dict[str, int]) -> dict[str, Any]:
    units = {row.result["unit"]: place for place, row in enumerate(table.rows)}
    names = list(report["metrics"])
    places = {name: place for place, name in enumerate(names)}
    return {
        "metrics": [[name, report["metrics"][name]["label"]] for name in names],
        "cells": [[name, [units[unit] for unit in report["cells"][name]]] for name in cells],
        "calls": [_call(row, places) for row in table.rows],
        "broken": {boundary: entry["units"] for boundary, entry in report["failed"].items()},
        "failed": [
            [result["unit"], result["error"]["boundary"], result["error"]["message"]]
            for result in table.failed
            if result["error"]
        ],
    }


def _call(row: Row, places: dict[str, int]) -> dict[str, Any]:
    """Return a call as the page's script shows it; scores are `[metric, value, reason, turns]`."""
    return {
        "unit": row.result["unit"],
        "tier": row.scenario.tier,
        "status": row.call.status,
        "persona": row.scenario.persona,
        "reason": row.scenario.reason,
        "scores": [
            [places[name], round(score["value"], 4), score["reason"], score["turns"]]
            for name, score in row.scores.items()
            if score["value"] is not None and name in places and (score["value"] or not name.startswith("rule."))
        ],
        "turns": [
            [
                said.session,
                said.turn["customer"],
                said.turn["reply"],
                said.turn["stage"],
                said.turn["intent"],
                said.meant,
                said.turn["source"],
                [hit["name"] for hit in said.hits],
                [hit["name"] for hit in said.turn["rules"] if hit["action"] == "blocked"],
            ]
            for said in row.call.turns
        ],
    }
