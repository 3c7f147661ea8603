"""Judge the calls of a run afterwards, many at once: `judged.jsonl` grows by a line an answer, and a second start goes on."""

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import TypedDict

from evaluation.judging.judge import Judgement, judge_request
from evaluation.judging.rubric import Request, Rubric, bundled_rubrics, metrics_of
from evaluation.judging.transcript import Judged, transcript
from evaluation.measures.metric import Metric, Score
from evaluation.runs.results import CallResult, Failure
from evaluation.runs.store import append_line, read_lines
from graph.records import ConversationRecord
from scripts_library.schema import Campaign, Language

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

FILE = "judged.jsonl"
EXCELLENT = Metric("reply.excellent", "repo", "Calls with an excellent reply", "higher", "share")
"""REPO's: 1 when at least one reply of the call was rated best."""
INVERTED = Metric("role_inversion.detected", "customer", "Calls whose customer falls out of its role", "lower", "share")
"""SalesLLM's: 1 when the customer did so anywhere in the call."""
DERIVED: dict[tuple[str, str], tuple[Metric, float, bool]] = {
    ("reply", "rating"): (EXCELLENT, 5.0, True),
    ("role_inversion", "severity"): (INVERTED, 0.0, False),
}
"""Question → what is read off its answers: the metric, a value, and whether an answer counts that is it, or that is not."""
Progress = Callable[[int, int, float | None], None]
"""Told requests done, requests in all, and the seconds that the rest will take (None: not known yet)."""


class Line(TypedDict):
    """One answer, as it stands in the file."""

    unit: str
    session: int
    turn: int | None
    """The reply that was judged; None: the whole session."""
    rubric: str
    rubric_version: int
    criterion: str
    value: float | None
    reason: str
    turns: list[int]
    judge: str
    error: Failure | None
    seconds: float
    """Of the request that it was one answer of."""


class Summary(TypedDict):
    """What a batch did."""

    asked: int
    """Requests sent."""
    stood: int
    """Requests whose answers stood in the file already."""
    answers: int
    failed: dict[str, int]
    """Answers without a value, by the boundary at fault."""
    seconds: float


@dataclass(frozen=True)
class Job:
    """One request of a rubric about one session, or one reply, of a call."""

    unit: str
    session: int
    rubric: Rubric
    request: Request
    judged: Judged

    def keys(self) -> list[tuple[Any, ...]]:
        """Return what names each of its answers in the file."""
        return [
            (self.unit, self.session, self.judged.reply, self.rubric.name, self.rubric.version, self.request.key(one))
            for one in self.request.criteria
        ]

    def lines(self, judgements: Sequence[Judgement], judge: str) -> list[Line]:
        """Return its answers as lines."""
        return [
            {
                "unit": self.unit,
                "session": self.session,
                "turn": self.judged.reply,
                "rubric": self.rubric.name,
                "rubric_version": self.rubric.version,
                "criterion": one.criterion,
                "value": one.value,
                "reason": one.reason,
                "turns": list(one.turns),
                "judge": judge,
                "error": one.error,
                "seconds": one.seconds,
            }
            for one in judgements
        ]


def jobs(results: Iterable[CallResult], rubrics: Sequence[Rubric], campaigns: Mapping[str, Campaign]) -> Iterator[Job]:
    """Yield everything to ask about the calls of a run, all of a session together, so that a prefix cache helps.

    Args:
        results: The calls; those that failed, and sessions without a line of the customer, are left out.
        rubrics: What is asked. A rubric of turns is asked about each reply to a line of the customer.
        campaigns: By name; give the background.
    """
    for result in results:
        if result["error"] is not None:
            continue
        for session, record in enumerate(result["sessions"]):
            said = transcript(record["turns"])
            answered = [one.turn for one in said if one.customer]
            if not answered:
                continue
            language: Language = language_of(record)
            background = background_of(record, campaigns[record["campaign"]], language)
            for rubric in rubrics:
                for reply in answered if rubric.judges == "turn" else [None]:
                    for request in rubric.requests():
                        yield Job(result["unit"], session, rubric, request, Judged(language, said, background, reply))


def language_of(record: ConversationRecord) -> Language:
    """Return the language of a call: its own, else its last turn's."""
    spoken = record["language"] or next((turn["why"].get("language") for turn in reversed(record["turns"])), "")
    return "zh" if spoken == "zh" else "en"


def background_of(record: ConversationRecord, campaign: Campaign, language: Language) -> dict[str, str]:
    """Return what a judge may see of a call's campaign, strategy and profile."""
    strategy = next((one for one in campaign.strategies if one.id == record["strategy"]), campaign.strategies[0])
    return {
        "goal": campaign.goal.get(language, ""),
        "facts": " ".join(fact.text.get(language, "") for fact in campaign.facts),
        "strategy": strategy.text.get(language, ""),
        "profile": "; ".join(f"{name}: {value}" for name, value in record["profile"].items()),
    }


def judge_calls(
    wanted: Iterable[Job],
    path: Path,
    model: "BaseChatModel",
    judge: str,
    *,
    at_once: int = 4,
    limit: int | None = None,
    progress: Progress = lambda _done, _total, _left: None,
) -> Summary:
    """Ask what is not answered yet, and append each answer as it comes.

    Args:
        wanted: See `jobs`.
        path: The file of answers. What this judge answered soundly there is not asked again; what failed is.
        model: The judge.
        judge: Its name, kept with each answer.
        at_once: Requests under way at a time.
        limit: Send at most so many requests.
        progress: Told after each.

    Raises:
        ModelUnavailable: The judge's server is gone; what it had answered is kept, and a second start goes on.
    """
    written = cast(Iterable[Line], read_lines(path))
    known = {_key(line) for line in written if line["judge"] == judge and line["error"] is None}
    everything = list(wanted)
    todo = [job for job in everything if not known.issuperset(job.keys())]
    stood = len(everything) - len(todo)
    todo = todo[:limit]
    started, lines = time.monotonic(), []
    writing = threading.Lock()
    with ThreadPoolExecutor(at_once) as pool:

        def work(job: Job) -> list[Line]:
            answered = job.lines(judge_request(model, job.rubric, job.request, job.judged), judge)
            with writing:
                for line in answered:
                    append_line(path, line)
            return answered

        for done, future in enumerate(_as_they_end(pool, work, todo, at_once), start=1):
            lines += future.result()
            progress(done, len(todo), (time.monotonic() - started) / done * (len(todo) - done))
    failed = [line["error"]["boundary"] for line in lines if line["error"]]
    return {
        "asked": len(todo),
        "stood": stood,
        "answers": len(lines),
        "failed": {boundary: failed.count(boundary) for boundary in sorted(set(failed))},
        "seconds": round(time.monotonic() - started, 1),
    }


def _as_they_end(
    pool: ThreadPoolExecutor, work: Callable[[Job], list[Line]], todo: Sequence[Job], at_once: int
) -> Iterator[Future[list[Line]]]:
    """Yield futures as they end, handing out only `at_once` at a time, so that an error stops the rest."""
    left = iter(todo)
    running = {pool.submit(work, job) for job in islice(left, at_once)}
    while running:
        ended, running = wait(running, return_when=FIRST_COMPLETED)
        for future in ended:
            yield future
            running |= {pool.submit(work, job) for job in islice(left, 1)}


def _key(line: Line) -> tuple[Any, ...]:
    return (line["unit"], line["session"], line["turn"], line["rubric"], line["rubric_version"], line["criterion"])


def judged_scores(lines: Iterable[Line], rubrics: Iterable[Rubric] | None = None) -> dict[str, list[Score]]:
    """Return the scores of each call, metric `rubric.criterion`, with those of `DERIVED` and each rubric's `score`.

    Args:
        lines: Answers in the order of the file: of several to one question the last sound one counts.
        rubrics: Those that get a score over all their questions; the bundled ones by default.

    Returns:
        By unit. A call with several sessions, or a rubric of replies, gets the mean. A question that the judge failed on
        every time has the value None, and the error as its reason.
    """
    scores: dict[str, list[Score]] = {}
    asked: dict[tuple[str, str], dict[str, list[Line]]] = {}
    for (unit, rubric, criterion), answers in _answers(lines).items():
        scores.setdefault(unit, []).append(_score(f"{rubric}.{criterion}", answers))
        if (rubric, criterion) in DERIVED:
            scores[unit].append(_derived(*DERIVED[rubric, criterion], answers))
        asked.setdefault((unit, rubric), {})[criterion] = answers
    known = {rubric.name: rubric for rubric in _or_bundled(rubrics)}
    for (unit, name), by_question in asked.items():
        if name in known:
            scores[unit] += [_whole(known[name], metric, keys, by_question) for metric, keys in _wholes(known[name])]
    return scores


def judge_failures(lines: Iterable[Line]) -> list[tuple[str, Failure]]:
    """Return the unit and the error of each question that has no sound answer; see `judged_scores`."""
    return [
        (unit, error)
        for (unit, _, _), answers in _answers(lines).items()
        if all(line["value"] is None for line in answers)
        and (error := next((line["error"] for line in answers if line["error"]), None))
    ]


def judges_of(lines: Iterable[Line]) -> dict[str, tuple[str, int]]:
    """Return, by rubric, the judge who answered last and the rubric's version then; only those answers are scores.

    Two judges are two instruments: where a second one has answered some questions, the first one's answers to the others are
    not mixed with its own.
    """
    return {line["rubric"]: (line["judge"], line["rubric_version"]) for line in lines}


def _answers(lines: Iterable[Line]) -> dict[tuple[str, str, str], list[Line]]:
    """Return the answers that count, by unit, rubric and question: of each rubric those of one judge and one version."""
    held = list(lines)
    judges = judges_of(held)
    newest: dict[tuple[Any, ...], Line] = {}
    for line in held:
        if judges[line["rubric"]] != (line["judge"], line["rubric_version"]):
            continue
        place = (line["unit"], line["rubric"], line["criterion"], line["session"], line["turn"])
        if line["error"] is None or place not in newest or newest[place]["error"] is not None:
            newest[place] = line
    grouped: dict[tuple[str, str, str], list[Line]] = {}
    for (unit, rubric, criterion, *_), line in newest.items():
        grouped.setdefault((unit, rubric, criterion), []).append(line)
    return grouped


def _score(metric: str, answers: Sequence[Line]) -> Score:
    sound = [line for line in answers if line["value"] is not None]
    if not sound:
        error = next((line["error"]["message"] for line in answers if line["error"]), "no answer")
        return {"metric": metric, "value": None, "reason": f"judge failed: {error}", "turns": []}
    values = [line["value"] for line in sound if line["value"] is not None]
    reason = sound[0]["reason"] if len(answers) == 1 else f"mean of {len(sound)} of {len(answers)} answers"
    turns = sorted({turn for line in sound for turn in line["turns"]})
    return {"metric": metric, "value": statistics.fmean(values), "reason": reason, "turns": turns}


def _derived(metric: Metric, value: float, equal: bool, answers: Sequence[Line]) -> Score:
    known = [line for line in answers if line["value"] is not None]
    counting = [line for line in known if (line["value"] == value) is equal]
    turns = {turn for line in counting for turn in ([line["turn"]] if line["turn"] is not None else line["turns"])}
    return {
        "metric": metric.name,
        "value": float(bool(counting)) if known else None,
        "reason": f"{len(counting)} of {len(known)} answers of the judge",
        "turns": sorted(turns),
    }


def _wholes(rubric: Rubric) -> list[tuple[Metric, list[str]]]:
    """Return the scores over several questions, each with its questions: of the whole, and of each part.

    They stand on the rubric's own scale, else say how far from the worst (0) to the best (1). A rubric of one question has none.
    """
    worst, best = _ends(rubric)
    named = [(f"{rubric.name}.score", "overall", [key for key, _, _ in rubric.asked()])]
    named += [
        (f"{rubric.name}.{one.part.id}.score", one.part.label["en"], [one.key(criterion) for criterion in one.criteria])
        for one in rubric.requests()
        if one.part
    ]
    return [
        (
            Metric(
                name=name,
                group=rubric.group,
                label=f"{rubric.title['en']}, score: {label}",
                better="higher" if best > worst else "lower",
                unit="points" if rubric.scale else "share",
            ),
            keys,
        )
        for name, label, keys in named
        if len(keys) > 1
    ]


def _ends(rubric: Rubric) -> tuple[float, float]:
    """Return the worst and the best of a rubric's scale."""
    return (rubric.scale[0].values[0], rubric.scale[-1].values[-1]) if rubric.scale else (0.0, 1.0)


def _whole(rubric: Rubric, metric: Metric, keys: Sequence[str], answers: Mapping[str, Sequence[Line]]) -> Score:
    """Return a rubric's weighted score of a call: the mean over the sessions, or replies, with an answer to every question."""
    places: dict[tuple[int, int | None], dict[str, float | None]] = {}
    for key, lines in answers.items():
        for line in lines:
            values = places.setdefault((line["session"], line["turn"]), {})
            if key in keys and line["rubric_version"] == rubric.version:
                values[key] = line["value"]
    lacking = [[key for key in keys if values.get(key) is None] for values in places.values()]
    worst, best = _ends(rubric)
    shares = [
        share
        for values, missing in zip(places.values(), lacking, strict=True)
        if not missing and (share := rubric.score(values)) is not None
    ]
    if not shares:
        missing = min(lacking, key=len)
        reason = f"no answer to {len(missing)} of {len(keys)} questions: {', '.join(missing)}"
        return {"metric": metric.name, "value": None, "reason": reason, "turns": []}
    reason = f"weighted mean over {len(keys)} questions"
    if len(places) > 1:
        reason += f", in {len(shares)} of {len(places)} judged parts of the call"
    value = worst + (best - worst) * statistics.fmean(shares)
    return {"metric": metric.name, "value": value, "reason": reason, "turns": []}


def judge_metrics(rubrics: Iterable[Rubric] | None = None) -> list[Metric]:
    """Return the metrics of rubrics, the bundled ones by default."""
    found = [
        metric
        for rubric in _or_bundled(rubrics)
        for metric in [*(whole for whole, _ in _wholes(rubric)), *metrics_of(rubric)]
    ]
    return [*found, *(metric for metric, _, _ in DERIVED.values())]


def _or_bundled(rubrics: Iterable[Rubric] | None) -> Iterable[Rubric]:
    return bundled_rubrics().values() if rubrics is None else rubrics
