"""A run as LangSmith's experiments: its scenarios as a data set, an experiment a variant, a run with its scores a call.

Ids are made of what they stand for, so that sending twice changes nothing. Texts are masked as traces are.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from evaluation.report.table import Row, Table
from evaluation.runs.store import Run
from graph.errors import SalesmanError
from graph.trace_delivery import Target
from graph.trace_masking import Masker, introduced, known_values
from guardrails.privacy import find_names

if TYPE_CHECKING:
    from langsmith import Client

BATCH = 20
"""Calls a request."""


def send_experiments(run: Run, table: Table, scores: Sequence[str], to: Target) -> list[str]:
    """Send a run to LangSmith.

    Args:
        run: The run.
        table: Its scored calls.
        scores: Metrics that are sent as feedback; all others stand in the outputs.
        to: Where traces go.

    Returns:
        The names of the experiments, one a variant.

    Raises:
        SalesmanError: LangSmith did not take them; the report itself is not touched by that.
    """
    from langsmith import Client
    from langsmith.utils import LangSmithError

    client = Client(api_url=to.endpoint, api_key=to.key, auto_batch_tracing=False, info={})
    try:
        data_set = _data_set(client, run)
        return [_experiment(client, data_set, run, table, variant, scores) for variant in table.variants]
    except LangSmithError as error:
        raise SalesmanError(
            f"LangSmith at {to.endpoint} did not take the run ({type(error).__name__}); try again later."
        ) from error


def _data_set(client: "Client", run: Run) -> UUID:
    """Return the id of the data set of a run's scenarios; what of it is not there is made."""
    rows = [scenario.model_dump(mode="json", exclude_defaults=True) for scenario in run.scenarios.values()]
    digest = hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:12]
    name = f"salesman scenarios {digest}"
    if client.has_dataset(dataset_name=name):
        made = UUID(str(client.read_dataset(dataset_name=name).id))
    else:
        made = UUID(str(client.create_dataset(name, description=f"{len(rows)} scenarios of AI Salesman").id))
    there = {str(example.id) for example in client.list_examples(dataset_id=made)}
    masker = Masker([name for row in rows for name in _names(row)])
    examples = [
        {
            "id": str(_example(made, row["id"])),
            "inputs": masker.plain({key: value for key, value in row.items() if key != "success"}),
            "reference_outputs": masker.plain(row["success"]),
            "metadata": {"tier": row["tier"], "campaign": row["campaign"], "language": row["language"]},
        }
        for row in rows
        if str(_example(made, row["id"])) not in there
    ]
    if examples:
        client.create_examples(dataset_id=made, examples=examples)
    return made


def _names(row: Mapping[str, Any]) -> list[str]:
    """Return what a scenario tells of who the customer is: its profile, what the customer says when asked, names in its texts."""
    told = [
        row["persona"],
        row["reason"],
        row.get("opening", ""),
        row.get("customer_prompt", ""),
        *row.get("known", []),
    ]
    named = [name for text in told for name in find_names(text)]
    return [*known_values(row.get("profile", {}), {}, None), *row.get("if_asked", {}).values(), *named]


def _example(data_set: UUID, scenario: str) -> UUID:
    return uuid5(data_set, scenario)


def _experiment(client: "Client", data_set: UUID, run: Run, table: Table, variant: str, scores: Sequence[str]) -> str:
    name = f"{run.folder.resolve().name} {variant} {run.about['started_at']}"
    asked = next(entry for entry in run.about["asked"]["variants"] if entry["name"] == variant)
    metadata = {**asked, "adapter": Path(asked.get("adapter", "")).name}
    project = client.create_project(name, reference_dataset_id=data_set, metadata=metadata, upsert=True).id
    rows = table.where(variant=variant)
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        client.multipart_ingest(create=[_call(row, name, data_set) for row in batch])
        for row in batch:
            _feedback(client, row, name, project, scores)
    return name


def _call(row: Row, experiment: str, data_set: UUID) -> dict[str, Any]:
    """Return a call as a run of an experiment."""
    run = _run_id(experiment, row.result["unit"])
    sessions = row.result["sessions"]
    started = datetime.fromisoformat(sessions[0]["started_at"])
    said = [
        [{"customer": turn["customer"], "agent": turn["reply"], "stage": turn["stage"]} for turn in record["turns"]]
        for record in sessions
    ]
    names = [*known_values(sessions[0]["profile"], row.call.slots, row.call.data.campaign), *introduced(said)]
    masker = Masker(names)
    outputs = {"sessions": said, "outcome": row.call.status, "scores": _values(row)}
    return {
        "id": run,
        "trace_id": run,
        "dotted_order": f"{started.astimezone(UTC).strftime('%Y%m%dT%H%M%S%fZ')}{run}",
        "name": f"{row.scenario.campaign} {row.result['customer']}",
        "run_type": "chain",
        "inputs": masker.plain(
            {"scenario": row.scenario.id, "customer": row.result["customer"], "trial": row.result["trial"]}
        ),
        "outputs": masker.plain(outputs),
        "start_time": started.isoformat(),
        "end_time": (started + timedelta(seconds=row.result["seconds"])).isoformat(),
        "session_name": experiment,
        "reference_example_id": _example(data_set, row.scenario.id),
    }


def _run_id(experiment: str, unit: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"{experiment}|{unit}")


def _values(row: Row) -> Mapping[str, float]:
    return {name: score["value"] for name, score in row.scores.items() if score["value"] is not None}


def _feedback(client: "Client", row: Row, experiment: str, project: UUID, scores: Sequence[str]) -> None:
    run = _run_id(experiment, row.result["unit"])
    for name, value in _values(row).items():
        if name in scores:
            feedback = uuid5(run, name)
            client.create_feedback(
                run, name, score=value, feedback_id=feedback, session_id=project, stop_after_attempt=3
            )
