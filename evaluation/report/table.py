"""A run as a table: a row for each finished call, with all its scores; and the index of the calls behind each figure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay
from evaluation.measures.scored import absent, measured
from evaluation.measures.scoring import all_metrics, computed_scores
from evaluation.report.statistics import Estimate, mean
from evaluation.runs.results import CallResult
from evaluation.runs.store import Run, read_lines
from evaluation.scenarios.schema import PROPENSITY, Scenario

JUDGED = "judged.jsonl"
OUTCOME_POINTS = "outcome.points"
PROCESS_POINTS = "process.progress"
ALPHA = 0.5
SCORE = Metric("score", "outcome", "Score: half outcome, half process", "higher", "points")
"""SalesLLM's final score, S = α·S_buy + (1 − α)·S_sell, both 0–10 (arXiv 2604.07054); α = ½ here, and swept in the report."""


@dataclass(frozen=True)
class Row:
    """A finished call with its scores."""

    call: Replay
    scores: dict[str, Score]

    @property
    def result(self) -> CallResult:
        """The call as the run keeps it."""
        return self.call.result

    @property
    def scenario(self) -> Scenario:
        """What it was about."""
        return self.call.scenario

    def value(self, metric: str) -> float | None:
        """Return the call's value of a metric; None where it has none."""
        score = self.scores.get(metric)
        return score["value"] if score else None

    @property
    def pair(self) -> tuple[str, str, int]:
        """What another variant's call is compared by."""
        return self.result["scenario"], self.result["customer"], self.result["trial"]

    def level(self, dimension: str) -> str:
        """Return where the call stands: `variant`, `customer`, `tier` or `language`."""
        if dimension in ("variant", "customer"):
            return str(self.result[dimension])  # type: ignore[literal-required]
        return str(getattr(self.scenario, dimension))


@dataclass
class Table:
    """A run's finished calls, what failed, and the cells that figures point to."""

    rows: list[Row]
    failed: list[CallResult]
    judge_errors: list[dict[str, Any]]
    metrics: dict[str, Metric]
    variants: list[str]
    cells: dict[str, list[str]] = field(default_factory=dict)

    def cell(self, rows: Sequence[Row], **conditions: object) -> str:
        """Remember the calls behind a figure; return the name of the cell, e.g. `variant=on;tier=easy`."""
        name = ";".join(f"{key}={value}" for key, value in conditions.items()) or "all"
        self.cells.setdefault(name, [row.result["unit"] for row in rows])
        return name

    def where(self, **conditions: str) -> list[Row]:
        """Return the rows that stand where the conditions say."""
        return [row for row in self.rows if all(row.level(key) == value for key, value in conditions.items())]

    def levels(self, dimension: str) -> list[str]:
        """Return the values of a dimension in the order of the run; tiers from easy to hard."""
        found = list(dict.fromkeys(row.level(dimension) for row in self.rows))
        return [tier for tier in PROPENSITY if tier in found] if dimension == "tier" else found

    def estimate(self, metric: str, rows: Sequence[Row], **conditions: object) -> dict[str, Any] | None:
        """Return a metric's mean over rows with its interval and its cell; None where no row has a value."""
        valued = [(value, row.result["scenario"]) for row in rows if (value := row.value(metric)) is not None]
        found = mean([value for value, _ in valued], [scenario for _, scenario in valued])
        return as_json(found) | {"cell": self.cell(rows, **conditions)} if found else None


def as_json(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate as it stands in the report."""
    return {
        "mean": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "n": estimate.n,
        "scenarios": estimate.clusters,
    }


def score_of(outcome: float | None, process: float | None, alpha: float = ALPHA) -> float | None:
    """Return α of the outcome's points and the rest of the process's, 0–10; None where one of them is missing."""
    return None if outcome is None or process is None else alpha * outcome + (1 - alpha) * process


def read_table(run: Run, tell: Callable[[int, int], None] = lambda _done, _total: None) -> Table:
    """Score every finished call of a run, once.

    Args:
        run: The run, finished or not.
        tell: Told (done, total) before each call.
    """
    judged, errors = _judgements(run)
    rows, failed = [], []
    for number, result in enumerate(run.results):
        tell(number, len(run.results))
        if result["error"] is not None:
            failed.append(result)
            continue
        scenario = run.scenarios[result["scenario"]]
        call = Replay(result, scenario, run.campaigns[scenario.campaign])
        by_name = {score["metric"]: score for score in [*computed_scores(call), *judged.get(result["unit"], [])]}
        rows.append(Row(call, by_name | {SCORE.name: _final(by_name)}))
    metrics = all_metrics() | {SCORE.name: SCORE}
    asked = [variant["name"] for variant in run.about["asked"]["variants"]]
    return Table(rows, failed, errors, metrics, _present(asked, (result["variant"] for result in run.results)))


def _present(asked: Iterable[str], held: Iterable[str]) -> list[str]:
    """Return the variants that hold calls, in the order in which they were asked for."""
    there = set(held)
    return [name for name in asked if name in there]


def _final(scores: dict[str, Score]) -> Score:
    outcome, process = (scores.get(name) for name in (OUTCOME_POINTS, PROCESS_POINTS))
    value = score_of(outcome and outcome["value"], process and process["value"])
    if value is None or outcome is None or process is None:
        return absent(SCORE.name, "needs the outcome's points and a judged process")
    return measured(SCORE.name, value, f"½ · outcome {outcome['value']:g} + ½ · process {process['value']:g}")


def _judgements(run: Run) -> tuple[dict[str, list[Score]], list[dict[str, Any]]]:
    """Return the judges' scores by unit, and the judgements that failed: those are the judge's errors, nobody's score."""
    scores: dict[str, list[Score]] = {}
    errors: list[dict[str, Any]] = []
    for row in read_lines(run.folder / JUDGED):
        if row.get("error"):
            errors.append(row)
        score: Score = {
            "metric": f"{row['rubric']}.{row['criterion']}",
            "value": row["value"],
            "reason": row["reason"],
            "turns": list(row["turns"]),
        }
        scores.setdefault(row["unit"], []).append(score)
    return scores, errors
