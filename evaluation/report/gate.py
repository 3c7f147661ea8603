"""The gate: whether a candidate may replace the base, by rules that were fixed before either was run."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from evaluation.customers.kinds import speaks_with_a_model
from evaluation.measures.metric import Metric
from evaluation.report import statistics
from evaluation.report.numbers import interval, number, p_value
from evaluation.report.pairs import differences
from evaluation.report.table import Row, Table, read_table
from evaluation.runs.commands import GATE
from evaluation.runs.store import Run, read_run
from evaluation.scenarios.loading import load_split
from evaluation.scenarios.schema import Split
from graph.errors import BadInput
from scripts_library.loading import field_name, join_errors, schema_problems
from scripts_library.schema import Data
from scripts_library.yaml_lines import read_yaml

SPLIT: Split = "test"
SHOWN = 5


class Rules(Data):
    """What `gate.yaml` says."""

    primary: str = Field(description="The metric that must be better.")
    must_be_zero: list[str] = Field(default_factory=list, description="Counts that must be 0 for the candidate.")


@dataclass(frozen=True)
class Condition:
    """One thing that the candidate must meet, whether it does, and the figures."""

    name: str
    passed: bool
    finding: str
    figures: dict[str, Any]
    """Difference with its interval, pairs, scenarios and units; empty where it is no figure."""


def decide(base: str, candidate: str, rules_file: Path = GATE) -> list[Condition]:
    """Hold a candidate against the base; it passes when every condition does.

    Args:
        base: A run's folder, or `FOLDER:variant` where it holds several variants.
        candidate: The same.
        rules_file: The gate's rules, unchanged since both runs began.

    Returns:
        Conditions in the order in which they are checked; runs that cannot be compared have no figures.

    Raises:
        BadInput: No run, no such variant, or unusable rules.
    """
    rules = read_rules(rules_file)
    runs = variant_of(base), variant_of(candidate)
    found = list(_comparable(*runs, hashlib.sha256(rules_file.read_bytes()).hexdigest()))
    if not all(condition.passed for condition in found):
        return found
    tables = read_table(runs[0]), read_table(runs[1])
    if tables[0].judges != tables[1].judges:
        return [*found, _plain("same judges", False, f"{_told(tables[0])}; {_told(tables[1])}")]
    metrics = tables[0].metrics | tables[1].metrics
    unknown = [name for name in (rules.primary, *rules.must_be_zero) if name not in metrics]
    if unknown:
        raise BadInput(f"{rules_file}: unknown metric {', '.join(unknown)}; `salesman evaluate report` names them all.")
    return [*found, *_figures(rules, metrics, *tables)]


def _told(table: Table) -> str:
    return ", ".join(f"{rubric}: {judge} v{version}" for rubric, (judge, version) in table.judges.items()) or "no judge"


def read_rules(path: Path) -> Rules:
    """Read the gate's rules.

    Raises:
        BadInput: Unreadable, or every field that is wrong.
    """
    document = read_yaml(path)
    try:
        return Rules.model_validate(document.data)
    except ValidationError as error:
        lines = [
            f"{path}:{document.line(problem.loc)}: {field_name(document.data, problem.loc)}: {problem.text()}"
            for problem in schema_problems(error)
        ]
        raise BadInput(join_errors(f"Gate {path}", lines)) from None


def variant_of(named: str) -> Run:
    """Return a run with the calls of one variant.

    Args:
        named: A run's folder, or `FOLDER:variant` where it holds several variants.

    Raises:
        BadInput: No run, or no such variant.
    """
    folder, _, variant = (named, "", "") if Path(named).is_dir() else named.rpartition(":")
    run = read_run(Path(folder or named))
    there = list(dict.fromkeys(result["variant"] for result in run.results))
    if not variant and len(there) != 1:
        raise BadInput(f"{named} holds {len(there)} variants ({', '.join(there)}); name one as {named}:VARIANT.")
    if variant and variant not in there:
        raise BadInput(f"{named}: no variant '{variant}'; there are {', '.join(there) or 'none'}.")
    return replace(run, results=[result for result in run.results if result["variant"] == (variant or there[0])])


def _comparable(base: Run, candidate: Run, rules_hash: str) -> Iterator[Condition]:
    """Yield the conditions under which the two runs may be compared at all."""
    sides = (("base", base), ("candidate", candidate))
    other = [name for name, run in sides if run.about["asked"].get("gate") != rules_hash]
    told = (
        f"the {' and the '.join(other)} began under other rules than these" if other else "unchanged since both began"
    )
    yield _plain("gate's rules", not other, told)

    shipped = {scenario.id: scenario for scenario in load_split(SPLIT).scenarios}
    strange = [
        f"{name}: split '{run.about['asked'].get('split')}'"
        for name, run in sides
        if run.about["asked"].get("split") != SPLIT
    ]
    used = {result["scenario"] for _, run in sides for result in run.results}
    strange += [f"scenario {name} is not held out" for name in sorted(used - shipped.keys())[:SHOWN]]
    changed = {
        name
        for _, run in sides
        for name in used & shipped.keys()
        if run.scenarios.get(name, shipped[name]) != shipped[name]
    }
    strange += [f"scenario {name} is not as it ships" for name in sorted(changed)[:SHOWN]]
    told = f"{len(used)} of the {len(shipped)} scenarios of the {SPLIT} split"
    yield _plain("held-out split", not strange, "; ".join(strange) or told)

    missing = [f"{name}: {fault}" for name, run in sides for fault in _incomplete(run)]
    yield _plain("complete", not missing, "; ".join(missing) or f"{len(candidate.results)} calls a side, none failed")

    unlike = list(_unlike(base, candidate))
    yield _plain("same calls", not unlike, "; ".join(unlike) or "same scenarios, facts, customers, trials and seeds")


def _incomplete(run: Run) -> Iterator[str]:
    asked = run.about["asked"]
    planned = len(asked["scenarios"]) * len(asked["customers"]) * asked["trials"]
    failed = [result["unit"] for result in run.results if result["error"]]
    if len(run.results) < planned:
        yield f"{planned - len(run.results)} of {planned} calls are not held yet"
    if failed:
        yield f"{len(failed)} calls failed ({', '.join(failed[:SHOWN])})"


def _unlike(base: Run, candidate: Run) -> Iterator[str]:
    seeds = [
        {(one["scenario"], one["customer"], one["trial"]): one["seed"] for one in run.results}
        for run in (base, candidate)
    ]
    alone = seeds[0].keys() ^ seeds[1].keys()
    if alone:
        shown = ", ".join("|".join(map(str, pair)) for pair in sorted(alone)[:SHOWN])
        yield f"{len(alone)} calls have no counterpart ({shown})"
    others = [pair for pair in seeds[0].keys() & seeds[1].keys() if seeds[0][pair] != seeds[1][pair]]
    if others:
        yield f"{len(others)} calls had customers of another seed"
    both = base.campaigns.keys() & candidate.campaigns.keys()
    edited = sorted(name for name in both if _given(base, name) != _given(candidate, name))
    if edited:
        yield f"campaigns differ in more than scripts: {', '.join(edited)}"
    modelled = any(speaks_with_a_model(one["customer"]) for one in base.results)
    for name in ("deadline", *(["customer_model"] if modelled else [])):
        sides = [run.about["asked"].get(name) for run in (base, candidate)]
        if sides[0] != sides[1]:
            yield f"{name.replace('_', ' ')} {sides[0]} and {sides[1]}"


def _given(run: Run, campaign: str) -> tuple[object, ...]:
    """Return what a campaign gives to all its variants; scripts may be what is compared."""
    data = run.campaigns[campaign]
    return data.campaign, data.intents


def _figures(rules: Rules, metrics: dict[str, Metric], base: Table, candidate: Table) -> Iterator[Condition]:
    theirs = {row.pair: row for row in candidate.rows}
    pairs = [(row, theirs[row.pair]) for row in base.rows]
    yield _better(metrics[rules.primary], pairs)
    for name in rules.must_be_zero:
        units = [row.result["unit"] for row in candidate.rows if row.value(name) != 0]
        total = sum(row.value(name) or 0.0 for row in candidate.rows)
        told = f"{number(total, metrics[name].unit)} in {len(units)} of {len(candidate.rows)} calls"
        shown = f": {', '.join(units[:SHOWN])}" if units else ""
        yield Condition(name, not units, told + shown, {"total": total, "units": units})
    for name, metric in metrics.items():
        if metric.guardrail and name not in rules.must_be_zero and name != rules.primary:
            yield _no_worse(metric, pairs)


def _compared(values: list[float], scenarios: list[str]) -> dict[str, Any]:
    """Return the mean paired difference, candidate less base; of at least one pair."""
    estimate = statistics.mean(values, scenarios)
    return {
        "difference": estimate.value if estimate else None,
        "low": estimate.low if estimate else None,
        "high": estimate.high if estimate else None,
        "pairs": len(values),
        "scenarios": len(set(scenarios)),
        "p": statistics.sign_flip_p(values, scenarios),
        "detectable": statistics.detectable(values, scenarios),
    }


def _better(metric: Metric, pairs: list[tuple[Row, Row]]) -> Condition:
    """Return the primary metric's condition: interval beyond zero, and p as well, since few scenarios that agree have no spread."""
    values, scenarios = differences(pairs, metric.name)
    if lacking := len(pairs) - len(values):
        return Condition(metric.name, False, f"{lacking} of {len(pairs)} pairs have no value of the primary metric", {})
    found = _compared(values, scenarios)
    if found["low"] is None:
        return Condition(metric.name, False, "one scenario has no interval; run more", found)
    beyond = found["low"] > 0 if metric.better == "higher" else found["high"] < 0
    passed = beyond and found["p"] < statistics.ALPHA
    told = (
        f"{interval(found, metric.unit, 'difference')} over {found['pairs']} pairs, p {p_value(found['p'])}; "
        f"{metric.better} is better"
    )
    return Condition(metric.name, passed, told, found)


def _no_worse(metric: Metric, pairs: list[tuple[Row, Row]]) -> Condition:
    """Return a guardrail's condition. A call that gave no occasion for a breach (nobody opted out) has none."""
    clean = 1.0 if metric.better == "higher" else 0.0
    values = [_or(after.value(metric.name), clean) - _or(before.value(metric.name), clean) for before, after in pairs]
    found = _compared(values, [before.result["scenario"] for before, _ in pairs])
    low, high = _or(found["low"], 0.0), _or(found["high"], 0.0)
    worse = low > 0 if metric.better == "lower" else high < 0
    return Condition(
        metric.name, not worse, f"{interval(found, metric.unit, 'difference')}; {metric.better} is better", found
    )


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _plain(name: str, passed: bool, finding: str) -> Condition:
    return Condition(name, passed, finding, {})
