"""Make a trained adapter the served one, if the gate lets it pass; and take a step back.

The adapter is copied under its own hash before the record's line is written, and that line alone decides what is served
(`graph/served.py`): killed at any moment, either the old one is served or the new one, whole.
"""

import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from evaluation.report.gate import Condition
from evaluation.runs.commands import GATE
from evaluation.runs.store import append_line
from graph.errors import BadInput
from graph.served import PROMOTIONS, Served, promoted, served, sha256_of
from graph.settings import Settings
from training.gating import exported, held_with, judged

FOLDER = "served"
"""Folder in the home where promoted adapters lie."""


def promote(
    run: Path, base: str, candidate: str, settings: Settings, *, by: str, why: str, rules: Path = GATE
) -> list[Condition]:
    """Serve a run's adapter from the next start on, if it passes every condition; otherwise change nothing.

    Args:
        run: Folder of the training run, with its exported `adapter.gguf`.
        base: Calls of the agent as it is served: a run of `salesman evaluate run`, or `FOLDER:variant`.
        candidate: Calls of the agent with this adapter: the same.
        settings: Name the served model and the home.
        by: Who promotes.
        why: The reason, for the record.
        rules: The gate's rules, unchanged since both runs began.

    Returns:
        What was checked; see `training.gating.judged`.

    Raises:
        BadInput: No exported adapter, or no such runs.
    """
    adapter = exported(run)
    sha256 = sha256_of(adapter)
    found = judged(
        sha256, base, candidate, settings.llm, served(settings.home, settings.llm), known_campaigns(settings), rules
    )
    if all(condition.passed for condition in found):
        kept = Path(FOLDER) / f"{sha256[:16]}.gguf"
        _keep(adapter, settings.home / kept)
        told = {
            "adapter": str(kept),
            "sha256": sha256,
            "think": held_with(candidate).think,
            "run": str(run),
            "base": base,
            "candidate": candidate,
            "conditions": [asdict(condition) for condition in found],
        }
        with _locked(settings.home):
            _record(settings, "promote", by, why, told)
    return found


def known_campaigns(settings: Settings) -> list[str]:
    """Return the campaigns of a home's library."""
    from nodes.resources import get_resources

    return get_resources(settings).library.campaigns()


def roll_back(settings: Settings, *, by: str, why: str) -> Served:
    """Serve again what was served before the last promotion, and return it.

    Raises:
        BadInput: Nothing was promoted.
    """
    with _locked(settings.home):
        if not promoted(settings.home, settings.llm):
            raise BadInput(f"Nothing is promoted for {settings.llm}, so there is nothing to go back from.")
        _record(settings, "rollback", by, why, {})
    return served(settings.home, settings.llm)


def _keep(adapter: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(adapter, part)
    part.replace(target)


def _locked(home: Path) -> FileLock:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return FileLock(home / f".{PROMOTIONS}.lock")


def _record(settings: Settings, action: str, by: str, why: str, told: dict[str, Any]) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"action": action, "at": at, "by": by, "why": why, "model": settings.llm, **told}
    append_line(settings.home / PROMOTIONS, record)
