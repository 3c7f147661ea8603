"""Calls, made by hand: as many turns as a test needs, everything else as a quiet call has it."""

import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from evaluation.customers.protocol import Note
from evaluation.report.build import report_of
from evaluation.report.table import read_table
from evaluation.runs.results import CallResult, Failure
from evaluation.runs.store import CALLS, CAMPAIGNS, SCENARIOS, Run, append_line, write_about
from evaluation.scenarios.schema import Scenario
from graph.records import ConversationRecord, TurnRecord
from scripts_library.loading import CampaignData, bundled, load_campaign

CAMPAIGN = "lantern_local"
GREETING = "Hello, this is Lan from Lantern Local. May I ask how your shop finds customers today?"


@lru_cache
def campaign(name: str = CAMPAIGN) -> CampaignData:
    return load_campaign(bundled()[name])


def turn(customer: str = "", reply: str = "I see.", **more: Any) -> TurnRecord:
    """Return a turn; `why` and `tokens` are merged, everything else is replaced."""
    why = {
        "language": "en",
        "strategy": "win-a-trial",
        "signals": [],
        "slots": {},
        "intent_way": "classifier",
        "no_hit": "",
        "turn_prompt": "…" if customer else "",
        "model_calls": 1 if customer else 0,
        "error": "",
    } | more.pop("why", {})
    made: dict[str, Any] = {
        "call": "made",
        "turn": 0,
        "customer": customer,
        "stage": "opening",
        "stage_proposed": "opening",
        "stage_reason": "made",
        "intent": "smalltalk" if customer else "",
        "confidence": 0.9 if customer else 0.0,
        "scripts": [{"id": "s-1", "version": 1}] if customer else [],
        "reply": reply,
        "rules": [],
        "source": "model" if customer else "script",
        "latency_ms": {"understand": 5.0, "retrieve": 5.0, "first_sentence": 500.0, "model": 900.0, "total": 1000.0},
        "tokens": {"prompt": 100, "cached": 60, "completion": 20} if customer else _none(),
        "ended": False,
        "outcome": "open",
        "at": "2026-01-01T00:00:00+00:00",
        "why": why,
    }
    return cast(TurnRecord, made | more)


def _none() -> dict[str, int]:
    return {"prompt": 0, "cached": 0, "completion": 0}


def record(turns: Sequence[TurnRecord], status: str = "", name: str = CAMPAIGN) -> ConversationRecord:
    """Return a call of these turns, numbered from 0; its outcome is the last turn's."""
    numbered = [cast(TurnRecord, {**one, "turn": number}) for number, one in enumerate(turns)]
    last = numbered[-1] if numbered else turn()
    return {
        "version": 1,
        "call": "made",
        "campaign": name,
        "language": "en",
        "profile": {},
        "strategy": "win-a-trial",
        "model": "fake/echo",
        "started_at": "2026-01-01T00:00:00+00:00",
        "ended": last["ended"],
        "turns": numbered,
        "outcome": {
            "status": status or last["outcome"],
            "need": {},
            "objections": [],
            "offers": [],
            "commitment": {},
            "next_step": "",
        },
    }


def result(
    turns: Sequence[TurnRecord] = (),
    *,
    variant: str = "a",
    scenario: str = "lantern-1",
    customer: str = "rule",
    trial: int = 0,
    status: str = "",
    notes: Sequence[Note] = (),
    error: Failure | None = None,
    **more: Any,
) -> CallResult:
    """Return a call's result; the greeting comes before `turns`."""
    made: dict[str, Any] = {
        "unit": f"{variant}|{scenario}|{customer}|{trial}",
        "variant": variant,
        "scenario": scenario,
        "customer": customer,
        "trial": trial,
        "seed": trial,
        "sessions": [] if error else [record([turn(reply=GREETING), *turns], status)],
        "notes": [list(notes)],
        "stopped": "error" if error else "customer",
        "error": error,
        "seconds": 4.0,
    }
    return cast(CallResult, made | more)


def scenario(name: str = "lantern-1", **more: Any) -> Scenario:
    """Return a scenario: a call is a success when it is won or a callback is agreed, lawfully."""
    given: dict[str, Any] = {
        "id": name,
        "campaign": CAMPAIGN,
        "language": "en",
        "tier": "easy",
        "propensity": 0.8,
        "persona": "A busy baker.",
        "reason": "Wants more customers.",
        "success": {"outcomes": ["won", "follow_up"]},
        "checks": ["outcome"],
    }
    return Scenario.model_validate(given | more)


def run_folder(folder: Path, results: Sequence[CallResult], scenarios: Sequence[Scenario], **asked: Any) -> Path:
    """Write the folder of a run that held these calls."""
    shutil.copytree(bundled()[CAMPAIGN], folder / CAMPAIGNS / CAMPAIGN)
    for one in scenarios:
        append_line(folder / SCENARIOS, one.model_dump(mode="json"))
    for held in results:
        append_line(folder / CALLS, held)
    given = {
        "variants": [{"name": name} for name in dict.fromkeys(held["variant"] for held in results)],
        "split": "test",
        "scenarios": [one.id for one in scenarios],
        "customers": list(dict.fromkeys(held["customer"] for held in results)),
        "trials": 1 + max((held["trial"] for held in results), default=0),
        "seed": 0,
        "gate": "",
        "models": {},
    }
    about = {"asked": given | asked, "broken": [], "left_out": [], "started_at": "2026-01-01T00:00:00+00:00"}
    write_about(folder, about | {"finished_at": "2026-01-01T01:00:00+00:00"})
    return folder


def reported(run: Run) -> dict[str, Any]:
    """Return a run's report."""
    return report_of(read_table(run), run, run.folder)
