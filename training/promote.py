"""Make a trained adapter the served one, if the gate lets it pass; and take a step back.

The adapter is copied under its own hash before the record's line is written, and that line alone decides what is served
(`graph/served.py`): killed at any moment, either the old one is served or the new one, whole.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from evaluation.report.gate import Condition, decide, variant_of
from evaluation.runs.commands import GATE
from evaluation.runs.store import append_line
from graph.errors import BadInput
from graph.served import ABOUT, ADAPTER, PROMOTIONS, Served, promoted, served, sha256_of
from graph.settings import Settings

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
        What was checked: that the calls are of these two, then the gate's conditions.

    Raises:
        BadInput: No exported adapter, or no such runs.
    """
    adapter = _exported(run)
    sha256 = sha256_of(adapter)
    found = list(_of_these(base, candidate, sha256, settings))
    if all(condition.passed for condition in found):
        found += decide(base, candidate, rules)
    if all(condition.passed for condition in found):
        kept = Path(FOLDER) / f"{sha256[:16]}.gguf"
        _keep(adapter, settings.home / kept)
        told = {
            "adapter": str(kept),
            "sha256": sha256,
            "think": _held_with(candidate).think,
            "run": str(run),
            "base": base,
            "candidate": candidate,
            "conditions": [asdict(condition) for condition in found],
        }
        with _locked(settings.home):
            _record(settings, "promote", by, why, told)
    return found


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


def hold_both(
    run: Path, folder: Path, settings: Settings, *, campaign: str = "", customers: str = "rule", trials: int = 1
) -> tuple[str, str]:
    """Hold the calls that the gate wants, of the agent as it is served and with a run's adapter; a stopped one goes on.

    Args:
        run: Folder of the training run, with its `run.json` and exported `adapter.gguf`.
        folder: Of the calls.
        settings: Name the served model.
        campaign: Only scenarios of this campaign.
        customers: Kinds of customers, as of `salesman evaluate run`.
        trials: Calls of each scenario.

    Returns:
        Base and candidate as `promote` takes them.

    Raises:
        BadInput: No exported adapter, no training run, or a server of one's own serves.
    """
    import yaml

    from evaluation.runs.commands import run as hold

    adapter = _exported(run).resolve()
    if not (run / ABOUT).is_file():
        raise BadInput(f"{run} is no training run: it holds no {ABOUT}.")
    if settings.llm_base_url:
        raise BadInput("Promotion is for the embedded server: unset SALESMAN_LLM_BASE_URL, or hold the calls yourself.")
    folder.mkdir(parents=True, exist_ok=True)
    variants = folder / "variants.yaml"
    recipe = json.loads((run / ABOUT).read_text(encoding="utf-8"))["recipe"]
    trained = {"name": "candidate", "adapter": str(adapter), "think": bool(recipe.get("think"))}
    variants.write_text(yaml.safe_dump([{"name": "served"}, trained], sort_keys=False), encoding="utf-8")
    hold(out=folder, variants=variants, campaign=campaign, customers=customers, trials=trials)
    return f"{folder}:served", f"{folder}:candidate"


def _exported(run: Path) -> Path:
    adapter = run / ADAPTER
    if not adapter.is_file():
        raise BadInput(f"{adapter} does not exist; make it with `salesman train export {run} --to gguf`.")
    return adapter


@dataclass(frozen=True)
class _With:
    """What calls were held with, or are: the model, its adapter's SHA-256 (empty: none), and whether it thinks."""

    model: str
    sha256: str
    think: bool

    def __str__(self) -> str:
        adapter = f" with the adapter {self.sha256[:16]}" if self.sha256 else ""
        return f"{self.model}{adapter}, {'thinking' if self.think else 'not thinking'}"


def _of_these(base: str, candidate: str, sha256: str, settings: Settings) -> Iterator[Condition]:
    """Yield whether the calls were held with what is served, and with the adapter that would be."""
    now = served(settings.home, settings.llm)
    standing = _With(settings.llm, sha256_of(Path(now.adapter)) if now.adapter else "", now.think)
    held = _held_with(base)
    yield Condition("base is served", held == standing, f"calls with {held}; served is {standing}", {})

    held = _held_with(candidate)
    wanted = _With(settings.llm, sha256, held.think)
    yield Condition("candidate is this adapter", held == wanted, f"calls with {held}; this is {wanted}", {})


def _held_with(named: str) -> _With:
    run = variant_of(named)
    asked, name = run.about["asked"], run.results[0]["variant"]
    variant = next(variant for variant in asked["variants"] if variant["name"] == name)
    think = variant["think"] or (asked["think"] and not variant["adapter"])
    return _With(asked["models"][name].partition(" + ")[0], asked.get("adapters", {}).get(name, ""), think)


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
