"""Ship one: an adapter becomes part of the project, with its record, the gate's decision on held-out calls, and a model card.

What passed is served by default (`graph/served.py`); what did not may lie there as a result. Written whole or not at all.
"""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evaluation.report.gate import Condition, variant_of
from evaluation.report.numbers import interval
from evaluation.report.statistics import mean
from evaluation.report.table import Table, read_table
from evaluation.runs.commands import GATE
from evaluation.runs.store import read_lines
from graph.errors import BadInput
from graph.served import ABOUT, ADAPTER, SHIPPED, sha256_of, shipping
from scripts_library.loading import bundled
from training.gating import exported, held_with, judged
from training.model_card import measured_table, model_card

CARD, LOG = "MODEL_CARD.md", "log.jsonl"
LARGEST = 20_000_000
"""Bytes of an adapter, since it lies in the repository."""
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def ship(
    run: Path,
    name: str,
    base: str,
    candidate: str,
    *,
    data_licence: str,
    measured: Path | None = None,
    rules: Path = GATE,
    shipped: Path = SHIPPED,
) -> tuple[Path, list[Condition]]:
    """Write a run's adapter, its record and its card where adapters ship; an earlier one of this name is replaced.

    Args:
        run: Folder of a finished training run, with its exported `adapter.gguf`.
        name: The adapter's, and its folder's.
        base: Calls of the agent as it ships, without this adapter: a run of `salesman evaluate run`, or `FOLDER:variant`.
        candidate: Calls of the agent with this adapter: the same.
        data_licence: Of the rows, and where they come from.
        measured: What `salesman train measure --json` printed.
        rules: The gate's rules, unchanged since both runs began.
        shipped: Folder of the adapters that ship.

    Returns:
        Its folder, and what was checked; see `training.gating.judged`.

    Raises:
        BadInput: No finished run, no exported adapter or one that is too large, a bad name, or no such calls.
    """
    if not NAME.fullmatch(name):
        raise BadInput(f"--name {name!r}: expected at most 40 of a-z, 0-9, - and _.")
    adapter, about, folder = exported(run), _record_of(run), shipped / name
    size = adapter.stat().st_size
    if size > LARGEST:
        raise BadInput(
            f"{adapter} has {size / 1e6:.1f} MB, at most {LARGEST / 1e6:.0f} ship; train with a smaller lora_r."
        )
    if folder.exists() and not (folder / ABOUT).is_file():
        raise BadInput(f"{folder} holds something else than an adapter that ships; give another --name.")
    table = measured_table(measured) if measured else ""
    model = about["base"]["name"]
    standing = shipping(model, shipped, without=name)
    found = judged(sha256_of(adapter), base, candidate, model, standing, bundled(), rules)
    about = {**about, "gate": _gate(base, candidate, sha256_of(adapter), found)}
    log = list(read_lines(run / LOG))
    _write(folder, adapter, about, model_card(name, run, about, size, log, data_licence, table))
    return folder, found


def _record_of(run: Path) -> dict[str, Any]:
    path = run / ABOUT
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not about.get("finished"):
        raise BadInput(f"{run} is no finished training run: {ABOUT} is missing, or does not say when it ended.")
    return about


def _gate(base: str, candidate: str, sha256: str, found: list[Condition]) -> dict[str, Any]:
    run = variant_of(candidate)
    return {
        "passed": all(condition.passed for condition in found),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": sha256,
        "think": held_with(candidate).think,
        "base": base,
        "candidate": candidate,
        "calls": len(run.results),
        "campaigns": sorted({run.scenarios[result["scenario"]].campaign for result in run.results}),
        "customers": run.about["asked"]["customers"],
        "trials": run.about["asked"]["trials"],
        "scenarios": len(run.about["asked"]["scenarios"]),
        "conditions": [asdict(condition) for condition in found],
        "levels": _levels(
            base, candidate, [condition.name for condition in found if "difference" in condition.figures]
        ),
    }


def _levels(base: str, candidate: str, metrics: Sequence[str]) -> dict[str, list[str]]:
    """Return each metric without and with the adapter: means with 95 % intervals over scenarios."""
    tables = [read_table(variant_of(named)) for named in (base, candidate)] if metrics else []
    return {name: [_level(table, name) for table in tables] for name in metrics}


def _level(table: Table, name: str) -> str:
    known = [(value, row.result["scenario"]) for row in table.rows if (value := row.value(name)) is not None]
    unit = table.metrics[name].unit
    found = mean([value for value, _ in known], [scenario for _, scenario in known], share=unit == "share")
    return interval(asdict(found), unit, "value") if found else "–"


def _write(folder: Path, adapter: Path, about: dict[str, Any], card: str) -> None:
    part = folder.parent.with_name(f".{folder.name}.part")  # outside, as what lies inside is served
    shutil.rmtree(part, ignore_errors=True)
    for place in (part, folder.parent):
        place.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(adapter, part / ADAPTER)
    (part / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (part / CARD).write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
