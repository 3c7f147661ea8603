"""A run's folder: what was asked for, the calls that were held, and what judges said of them.

| file | what it holds |
|---|---|
| `run.json` | what was asked for, when, with which versions |
| `scenarios.jsonl` | the scenarios, as they were |
| `campaigns/<name>/*.yaml` | the campaigns with their published scripts, as they were |
| `calls.jsonl` | a `CallResult` a line; of a unit the last line counts |
| `judged.jsonl` | a judgement a line |
| `home/` | the home in which the calls were held |
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout

from evaluation.runs.results import CallResult
from evaluation.scenarios.schema import Scenario
from graph.errors import BadInput
from scripts_library.loading import CampaignData, load_campaign

ABOUT, SCENARIOS, CALLS, CAMPAIGNS = "run.json", "scenarios.jsonl", "calls.jsonl", "campaigns"


@dataclass(frozen=True)
class Run:
    """A run, as its folder tells."""

    folder: Path
    about: dict[str, Any]
    results: list[CallResult]
    """One for each unit that was tried, in the order of the first try."""

    @property
    def planned(self) -> int:
        """Calls that were asked for."""
        asked = self.about["asked"]
        return len(asked["variants"]) * len(asked["scenarios"]) * len(asked["customers"]) * int(asked["trials"])

    @cached_property
    def scenarios(self) -> dict[str, Scenario]:
        """Its scenarios by id."""
        rows = (Scenario.model_validate(row) for row in read_lines(self.folder / SCENARIOS))
        return {scenario.id: scenario for scenario in rows}

    @cached_property
    def campaigns(self) -> dict[str, CampaignData]:
        """Its campaigns by name, with their scripts."""
        folders = sorted(path for path in (self.folder / CAMPAIGNS).glob("*") if path.is_dir())
        return {folder.name: load_campaign(folder) for folder in folders}


def read_run(folder: Path) -> Run:
    """Read a run's folder, finished or not.

    Raises:
        BadInput: It is no run.
    """
    if not (folder / ABOUT).is_file():
        raise BadInput(f"{folder} is no run: it holds no {ABOUT}; `salesman evaluate run --out {folder}` makes one.")
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        about["asked"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{folder / ABOUT} is not what a run writes ({type(error).__name__}); give a run's folder."
        ) from error
    return Run(folder, about, list(results_of(folder).values()))


def results_of(folder: Path) -> dict[str, CallResult]:
    """Return the results by unit; of a unit that was tried again, the last one."""
    return {row["unit"]: cast(CallResult, row) for row in read_lines(folder / CALLS)}


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines; none when there is no file.

    A last line without an end is what a killed process left, and is passed over.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Add a line to a file, whole and on disk before it returns."""
    with path.open("a+b") as file:
        if file.tell() and _last_byte(path) != b"\n":
            file.truncate(_end_of_lines(path))
        file.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
        file.flush()
        os.fsync(file.fileno())


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _end_of_lines(path: Path) -> int:
    return path.read_bytes().rfind(b"\n") + 1


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write `run.json`, whole or not at all."""
    temporary = folder / f"{ABOUT}.tmp"
    temporary.write_text(json.dumps(about, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / ABOUT)


def locked(folder: Path, work: str = "run") -> FileLock:
    """Return the lock of a folder for one kind of work, held.

    Args:
        folder: A run's.
        work: `run` or `judge`; a run may be judged while it goes on.

    Raises:
        BadInput: Another process does the same work in it.
    """
    lock = FileLock(folder / f".{work}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BadInput(f"{folder} is in use by another process; wait for it, or give another folder.") from error
    return lock
