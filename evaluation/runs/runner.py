"""Run units: many calls at once, each kept when it is finished; a killed run goes on where it was."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from evaluation.customers.kinds import make_customer, speaks_with_a_model
from evaluation.customers.protocol import Customer
from evaluation.judging.model import model_and_adapter
from evaluation.runs.hold import hold
from evaluation.runs.results import CallResult
from evaluation.runs.snapshot import fill_home, keep_campaigns, settings_of
from evaluation.runs.store import (
    ABOUT,
    CALLS,
    SCENARIOS,
    Run,
    append_line,
    locked,
    read_lines,
    read_run,
    results_of,
    write_about,
)
from evaluation.runs.units import Unit, plan
from evaluation.runs.variants import Variant
from evaluation.scenarios.scenario_set import Finding, ScenarioSet
from evaluation.scenarios.schema import Scenario
from graph.errors import BadInput, ModelUnavailable
from graph.records import ConversationRecord
from graph.served import sha256_of
from graph.session import Calls
from graph.settings import Settings
from scripts_library.loading import CampaignData
from serving.chat import model_label

SERVER_FAILURES = 3
"""So many calls in a row that failed at the model server end the run: it can go on when the server is back."""

SHOWN = 3
"""Reasons that are told in full; SalesLLM's file makes a campaign of each row."""


@dataclass(frozen=True)
class Order:
    """What a run is asked for."""

    variants: Sequence[Variant]
    scenarios: ScenarioSet
    customers: Sequence[str]
    """Kinds, each once."""
    split: str = ""
    """`train`, `dev`, `test`, or empty for scenarios of a file."""
    trials: int = 1
    limit: int | None = None
    """The first so many scenarios; the order of a split begins with a fair sample of it."""
    seed: int = 0
    at_once: int = 4
    """Calls held at once; more than the embedded server has slots push each other's prefix out."""
    deadline: float = 60.0
    """Seconds a turn may take; longer than served, since a busy server is not what is measured."""
    gate: str = ""
    """Hash of the gate's configuration, which must not change after the run has begun."""


@dataclass
class Progress:
    """How far a run is; `tell` is called after each call."""

    units: int
    before: int
    """Units done when this process began."""
    done: int = 0
    turns: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def add(self, result: CallResult) -> None:
        """Count a result."""
        self.done += 1
        self.turns += sum(len(record["turns"]) - 1 for record in result["sessions"])
        if error := result["error"]:
            self.failed[error["boundary"]] = self.failed.get(error["boundary"], 0) + 1

    @property
    def seconds_left(self) -> float:
        """Estimate from the calls of this process."""
        left = self.units - self.before - self.done
        return left * (time.monotonic() - self.started) / max(self.done, 1)


Tell = Callable[[Progress], None]


def run(order: Order, folder: Path, settings: Settings, tell: Tell = lambda _progress: None) -> Run:
    """Hold all calls of an order that are not held yet.

    Args:
        order: What is asked for.
        folder: Where the run is kept; the folder of a run that was stopped goes on with it.
        settings: Name the models and the user's library.
        tell: Told of the progress after each call, from this thread.

    Returns:
        The run. Calls that failed are in it, each with its boundary; they are tried again when the run is.

    Raises:
        BadInput: Nothing to run, or the folder holds another run or is in use.
        ModelUnavailable: The model server failed `SERVER_FAILURES` calls in a row. What was held is kept.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder} cannot be made a run's folder ({error.strerror}); give another --out.") from error
    with locked(folder):
        scenarios, left_out = _playable(order, settings)
        chosen = scenarios[: order.limit]
        if not chosen:
            raise BadInput("No scenario is left to run: " + ("; ".join(left_out) or "the set is empty") + ".")
        about = _about(order, chosen, left_out, settings)
        _take_up(folder, about, chosen, order.scenarios.campaigns, settings)
        own = settings_of(folder, settings).model_copy(update={"turn_deadline": order.deadline})
        fill_home(folder, own, settings.home)
        units = plan(order.variants, chosen, order.customers, order.trials, order.seed)
        try:
            _hold_all(units, order.at_once, folder, own, settings, tell)
        finally:
            finished = {"finished_at": _now()} if _whole(units, folder) else {}
            write_about(folder, {**read_run(folder).about, **finished})
    return read_run(folder)


def _whole(units: Sequence[Unit], folder: Path) -> bool:
    held = results_of(folder)
    return all(unit.name in held and not held[unit.name]["error"] for unit in units)


def _hold_all(units: Sequence[Unit], at_once: int, folder: Path, own: Settings, settings: Settings, tell: Tell) -> None:
    """Hold what is not held: first the customers that many calls can have at once, then those with a model on this machine."""
    held = results_of(folder)
    tries = Counter(row["unit"] for row in read_lines(folder / CALLS))
    open_units = [unit for unit in units if unit.name not in held or held[unit.name]["error"]]
    progress = Progress(len(units), len(units) - len(open_units))
    doors = {variant.name: variant.calls(own) for variant in dict.fromkeys(unit.variant for unit in open_units)}
    campaigns = read_run(folder).campaigns
    alone = not own.llm_base_url and not own.judge_base_url
    groups = (
        (at_once, [unit for unit in open_units if not (alone and speaks_with_a_model(unit.customer))]),
        (1, [unit for unit in open_units if alone and speaks_with_a_model(unit.customer)]),
    )
    try:
        for number, group in groups:
            jobs = [_job(unit, doors, campaigns, settings, tries[unit.name]) for unit in group]
            _work_off(jobs, number, folder / CALLS, progress, tell)
    finally:
        for door in doors.values():
            door.close()


Job = Callable[[], CallResult]


def _job(
    unit: Unit, doors: Mapping[str, Calls], campaigns: Mapping[str, CampaignData], settings: Settings, attempt: int
) -> Job:
    data = campaigns[unit.scenario.campaign]

    def customer(earlier: Sequence[ConversationRecord]) -> Customer:
        return make_customer(unit.customer, unit.scenario, data, unit.seed, settings, earlier)

    return lambda: hold(doors[unit.variant.name], unit, customer, attempt)


def _work_off(jobs: Sequence[Job], at_once: int, path: Path, progress: Progress, tell: Tell) -> None:
    """Do jobs, `at_once` at a time, and keep each result as it comes."""
    waiting, in_row = iter(jobs), 0
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="call") as pool:
        running: set[Future[CallResult]] = {pool.submit(job) for job in islice(waiting, at_once)}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                results = [one.result() for one in done]
                for result in results:
                    append_line(path, result)
                    progress.add(result)
                tell(progress)
                for error in (result["error"] for result in results):
                    in_row = in_row + 1 if error and error["boundary"] == "server" else 0
                    if error and in_row >= SERVER_FAILURES:
                        raise ModelUnavailable(
                            f"The model server failed {in_row} calls in a row ({error['message']}); what was held is kept: "
                            "start the server and give the same command again."
                        )
                running |= {pool.submit(job) for job in islice(waiting, at_once - len(running))}
        finally:
            stopped = [one for one in running if not one.cancel()]
            for one in wait(stopped).done if stopped else ():
                if not one.exception():
                    append_line(path, one.result())


def _playable(order: Order, settings: Settings) -> tuple[list[Scenario], list[str]]:
    """Return the scenarios that every customer can play, and why the others are left out."""
    library: dict[str, CampaignData] = {}
    reasons: dict[tuple[str, str], str] = {}
    for scenario in order.scenarios.scenarios:
        place = (scenario.campaign, scenario.language)
        if place not in reasons:
            data = order.scenarios.campaigns.get(scenario.campaign) or _campaign(scenario.campaign, library, settings)
            reasons[place] = _refused(order.customers, scenario, data, settings)
    playable = [one for one in order.scenarios.scenarios if not reasons[one.campaign, one.language]]
    return playable, _told(reasons)


def _told(reasons: Mapping[tuple[str, str], str]) -> list[str]:
    """Return each reason once, after the campaigns that it leaves out; of many the first, and how many more there are."""
    places: dict[str, list[str]] = {}
    for (campaign, language), reason in reasons.items():
        if reason:
            places.setdefault(reason.rstrip("."), []).append(f"{campaign} ({language})")
    told = [f"{', '.join(left_out)}: {reason}" for reason, left_out in places.items()]
    return told if len(told) <= SHOWN else [*told[:SHOWN], f"and {len(told) - SHOWN} more campaigns"]


def _campaign(name: str, held: dict[str, CampaignData], settings: Settings) -> CampaignData:
    if name not in held:
        from nodes.resources import get_resources

        held[name] = get_resources(settings).library.campaign(name)
    return held[name]


def _refused(customers: Sequence[str], scenario: Scenario, data: CampaignData, settings: Settings) -> str:
    for kind in customers:
        try:
            make_customer(kind, scenario, data, 0, settings)
        except BadInput as error:
            return str(error)
    return ""


def _about(order: Order, chosen: Sequence[Scenario], left_out: Sequence[str], settings: Settings) -> dict[str, Any]:
    return {
        "asked": {
            "variants": [one.model_dump() | {"think": one.settings(settings).think} for one in order.variants],
            "split": order.split,
            "scenarios": [scenario.id for scenario in chosen],
            "scenarios_hash": _hash(chosen),
            "customers": list(order.customers),
            "trials": order.trials,
            "seed": order.seed,
            "gate": order.gate,
            "models": {variant.name: model_label(variant.settings(settings)) for variant in order.variants},
            **_adapters(order, settings),
            "customer_model": settings.judge,
            "think": settings.think,
            "deadline": order.deadline,
        },
        "left_out": list(left_out),
        "broken": [_row(finding) for finding in order.scenarios.broken],
        "warnings": [_row(finding) for finding in order.scenarios.warnings],
        "program": version("ai-salesman"),
        "at_once": order.at_once,
        "started_at": _now(),
    }


def _adapters(order: Order, settings: Settings) -> dict[str, dict[str, str]]:
    """Return hashes of the variants' and customers' adapters: a run whose adapter was trained anew is another run."""
    own = [] if settings.llm_base_url else order.variants
    files = {variant.name: Path(variant.settings(settings).llm_adapter) for variant in own}
    modelled = [kind for kind in order.customers if speaks_with_a_model(kind)]
    speakers = {kind: kind.partition(":")[2] or settings.judge for kind in modelled}
    files |= {kind: Path(model_and_adapter(model, settings)[1]) for kind, model in speakers.items()}
    found = {name: sha256_of(file) for name, file in files.items() if file.is_file()}
    return {"adapters": found} if found else {}


def _hash(scenarios: Sequence[Scenario]) -> str:
    """Return a hash of scenarios: a run whose scenarios were edited meanwhile is another run."""
    digest = hashlib.sha256()
    for scenario in scenarios:
        digest.update(scenario.model_dump_json().encode())
    return digest.hexdigest()


def _row(finding: Finding) -> dict[str, Any]:
    return finding._asdict()


def _take_up(
    folder: Path,
    about: dict[str, Any],
    chosen: Sequence[Scenario],
    made: Mapping[str, CampaignData],
    settings: Settings,
) -> None:
    """Begin a run in a folder, or make sure that the one begun there was asked for alike.

    `run.json` is written last: a folder without it has not begun.
    """
    if (folder / ABOUT).is_file():
        before = read_run(folder).about["asked"]
        differing = [name for name, value in about["asked"].items() if before.get(name) != value]
        if differing:
            raise BadInput(
                f"{folder} holds a run that was asked for differently ({', '.join(differing)}); give another folder, or the "
                f"arguments it was begun with."
            )
        return
    keep_campaigns(folder, sorted({scenario.campaign for scenario in chosen}), made, settings)
    (folder / SCENARIOS).unlink(missing_ok=True)
    for scenario in chosen:
        append_line(folder / SCENARIOS, scenario.model_dump(mode="json"))
    write_about(folder, about)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
