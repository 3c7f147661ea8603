"""Whole calls a second with the rule buyer and a stub agent, on one core."""

import itertools
import time
from collections import Counter

from bench.setting import table
from evaluation.customers.rule import RuleBuyer
from evaluation.scenarios.schema import Scenario
from graph.records import ConversationRecord, TurnRecord
from scripts_library.loading import bundled, load_campaign

CALLS = 1000


def run() -> None:
    """Measure and print."""
    campaign = load_campaign(bundled()["lantern_local"])
    replies = [script.say[0] for script in campaign.scripts if script.language == "en"]
    ended: Counter[str] = Counter()
    turns = 0
    before = time.process_time()
    for number in range(CALLS):
        buyer = RuleBuyer(_scenario(number), campaign, number)
        call = _call()
        agent = itertools.cycle(replies[number % len(replies) :] + replies[: number % len(replies)])
        while (line := buyer.next_line(call)) is not None:
            call["turns"].append(TurnRecord(turn=len(call["turns"]), customer=line, reply=next(agent)))
        turns += len(call["turns"]) - 1
        ended[buyer.notes(call)[-1].get("decided", "")] += 1
    seconds = time.process_time() - before
    table(
        "Rule buyer against a stub that says the library's lines",
        [
            ("whole calls a second, one core", CALLS / seconds),
            ("customer lines a call", turns / CALLS),
            ("how they ended", dict(ended)),
        ],
    )


def _scenario(number: int) -> Scenario:
    return Scenario.model_validate(
        {
            "id": f"bench-{number}", "campaign": "lantern_local", "language": "en", "tier": "medium", "propensity": 0.5,
            "persona": "Runs a small shop.", "reason": "Quiet afternoons.", "known": ["It's a noodle bar"],
            "if_asked": {"need": "More people in the afternoon", "contact_phone": "138 0000 9999"},
            "questions": ["price_question", "ask_setup"], "objections": ["no_trust", "has_platform"],
            "price_limit": 250, "success": {"outcomes": ["won"]}, "checks": ["outcome"],
        }
    )  # fmt: skip


def _call() -> ConversationRecord:
    return {
        "version": 1, "call": "bench", "campaign": "lantern_local", "language": "en", "profile": {}, "strategy": "", "model": "",
        "started_at": "", "ended": False, "turns": [TurnRecord(turn=0, reply="Hello, this is Lily of Lantern Local.")],
        "outcome": {"status": "open", "need": {}, "objections": [], "offers": [], "commitment": {}, "next_step": ""},
    }  # fmt: skip
