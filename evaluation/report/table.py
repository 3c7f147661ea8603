"""A run as a table: a row for each finished call, with all its scores; and the index of the calls behind each figure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from evaluation.judging.batch import FILE, Line, judge_failures, judge_metrics, judged_scores, judges_of
from evaluation.judging.rubric import Rubric, bundled_rubrics, campaign_rubric
from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay
from evaluation.measures.scored import absent, measured
from evaluation.measures.scoring import all_metrics, computed_scores
from evaluation.report.statistics import Estimate, mean
from evaluation.runs.results import CallResult, Failure
from evaluation.runs.store import Run, read_lines
from evaluation.scenarios.schema import PROPENSITY, Scenario

OUTCOME_POINTS = "outcome.points"
PROCESS_POINTS = "process.progress"
INVERTED = "role_inversion.detected"
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
    unjudged: list[tuple[str, Failure]]
    """Finished calls in which a question has no answer, and why: the judge's or its server's error, nobody's score."""
    judges: dict[str, tuple[str, int]]
    """Who judged by each rubric, and the rubric's version."""
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
        values, scenarios = [value for value, _ in valued], [scenario for _, scenario in valued]
        found = mean(values, scenarios, share=self.metrics[metric].unit == "share")
        return as_json(found) | {"cell": self.cell(rows, **conditions)} if found else None


def as_json(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate as it stands in the report."""
    return {
        "mean": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "sd": estimate.sd,
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
    lines = list(_numbered_through(cast(Iterable[Line], read_lines(run.folder / FILE)), run.results))
    judged = judged_scores(lines, _rubrics(run))
    rows, failed = [], []
    for number, result in enumerate(run.results):
        tell(number, len(run.results))
        if result["error"] is not None:
            failed.append(result)
            continue
        scenario = run.scenarios[result["scenario"]]
        call = Replay(result, scenario, run.campaigns[scenario.campaign])
        said = {score["metric"]: score for score in judged.get(result["unit"], [])}
        inverted = said[INVERTED]["turns"] if INVERTED in said and said[INVERTED]["value"] else []
        scores = {score["metric"]: score for score in computed_scores(call, inverted)} | said
        rows.append(Row(call, scores | {SCORE.name: _final(scores)}))
    finished = {row.result["unit"] for row in rows}
    unjudged = [(unit, error) for unit, error in judge_failures(lines) if unit in finished]
    asked = [variant["name"] for variant in run.about["asked"]["variants"]]
    variants = _present(asked, (result["variant"] for result in run.results))
    return Table(rows, failed, unjudged, judges_of(lines), _metrics(run, rows), variants)


def _numbered_through(lines: Iterable[Line], results: Iterable[CallResult]) -> Iterator[Line]:
    """Yield a judge's answers with turns numbered through all sessions of a call, as everything else numbers them."""
    lengths = {result["unit"]: [len(record["turns"]) for record in result["sessions"]] for result in results}
    for line in lines:
        before = sum(lengths.get(line["unit"], [])[: line["session"]])
        turn = None if line["turn"] is None else line["turn"] + before
        yield {**line, "turn": turn, "turns": [one + before for one in line["turns"]]}


def _metrics(run: Run, rows: Sequence[Row]) -> dict[str, Metric]:
    """Return what each metric of the rows means; a question of somebody's own rubric file goes by its name."""
    known = all_metrics() | {metric.name: metric for metric in judge_metrics(_rubrics(run))} | {SCORE.name: SCORE}
    found = {name for row in rows for name in row.scores}
    return known | {name: Metric(name, "process", name, "higher", "points") for name in sorted(found - set(known))}


def _rubrics(run: Run) -> list[Rubric]:
    """Return the bundled rubrics and those of the run's campaigns."""
    own = [rubric for data in run.campaigns.values() if (rubric := campaign_rubric(data.campaign))]
    return [*bundled_rubrics().values(), *own]


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
