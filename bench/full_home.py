"""A home with 5,000 scripts and 2,000 calls of ten turns: what the application is measured on. `python -m bench.full_home HOME`."""

import random
import sys
from pathlib import Path
from typing import Any, cast

from bench.setting import settings_for
from graph.calls import CallStore
from graph.records import Outcome, TurnRecord
from graph.session import Calls
from graph.settings import Settings
from scripts_library.library import Library
from scripts_library.schema import Script

SCRIPTS = 5000
CALLS = 2000
TURNS = 10
CAMPAIGN = "lantern_local"
STATUSES = ("won", "declined", "follow_up", "open", "handoff", "opted_out")


def fill(settings: Settings) -> None:
    """Fill a home: scripts through the library, calls through the call store; the words are those of real ones."""
    calls = Calls(settings)
    calls.warm_up(CAMPAIGN)
    _scripts(calls.resources.library)
    _calls(calls)
    calls.close()


def _scripts(library: Library) -> None:
    draw = random.Random(1)
    known = [script for script in library.list(CAMPAIGN) if script.language == "en"]
    fresh: list[Script] = []
    for number in range(SCRIPTS - len(library.list())):
        base = draw.choice(known)
        changed: dict[str, Any] = {
            "id": f"copy-{number:04}",
            "title": f"{base.title} ({number})",
            "situation": [f"{line} {number}" for line in base.situation],
            "status": draw.choice(("published", "published", "published", "draft")),
        }
        fresh.append(base.model_copy(update=changed))
    library.add_many(fresh, "bench")


def _calls(calls: Calls) -> None:
    """Hold one call, and write it down 2,000 times with other words and ends."""
    draw = random.Random(2)
    call = calls.start(CAMPAIGN, language="en")["call"]
    for line in ("We are a bakery", "What does it cost?", "That is too expensive", "Do you have proof?", "Maybe later"):
        calls.turn(call, line)
    turns = calls.record(call)["turns"]
    outcome = calls.record(call)["outcome"]
    scripts = [script.id for script in calls.resources.library.list(CAMPAIGN, status="published", language="en")]
    header = calls.store.header(call)
    store = CallStore(calls.engine)
    kept = ("campaign", "language", "profile", "strategy", "model", "contact")
    for number in range(CALLS):
        name, status = f"call-{number:04}", draw.choice(STATUSES)
        store.open(name, {field: header[field] for field in kept})
        for turn in range(TURNS):
            base = turns[turn % len(turns)] if turn else turns[0]
            last = turn == TURNS - 1
            record = {
                **base,
                "call": name,
                "turn": turn,
                "customer": f"{base['customer']} {draw.randrange(10_000)}" if turn else "",
                "scripts": [{"id": draw.choice(scripts), "version": 1} for _ in base["scripts"]],
                "outcome": status if last else "open",
                "ended": last and status not in ("open", "handoff"),
            }
            store.begin(name, f"key-{turn}", record["customer"])
            store.finish(
                name, cast(TurnRecord, record), cast(Outcome, {**outcome, "status": status if last else "open"})
            )
            store.delivered(name, turn)


if __name__ == "__main__":
    fill(settings_for(Path(sys.argv[1]), llm="fake/echo"))
