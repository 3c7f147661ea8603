"""A scenario, a stub agent and calls between it and a customer."""

from collections.abc import Callable, Sequence
from typing import Any

from evaluation.customers.protocol import Customer
from evaluation.scenarios.schema import Scenario
from graph.records import ConversationRecord, TurnRecord
from scripts_library.loading import CampaignData, bundled, load_campaign

LANTERN = load_campaign(bundled()["lantern_local"])
CHARITY = load_campaign(bundled()["save_the_children"])

GOOD = [
    "Thanks for taking the call. What would help your shop most right now?",
    "The basic storefront is 199 yuan a month, and there is a free trial of 14 days.",
    "It takes a 20-minute phone call, and the shop is live within 3 working days.",
    "I understand why you are careful. An adviser can show you the live figures of a similar shop.",
    "When would be a good time for the adviser to call you?",
    "Which number should the adviser call?",
    "Thank you, the adviser will ring you then. Goodbye!",
]
PUSHY = ["Are you sure you want to miss out? Just give it a try, sign up today!"]
IDLE = ["Lovely weather.", "Music is nice.", "Trains are fast.", "Paris is big.", "Birds can fly.", "Tea is hot."]


def scenario(**changes: Any) -> Scenario:
    """Return a shop owner who asks two things, doubts one, and tells a need and a number when asked."""
    return Scenario.model_validate(
        {
            "id": "shop-1",
            "campaign": "lantern_local",
            "language": "en",
            "tier": "medium",
            "propensity": 0.5,
            "persona": "Runs a bakery with her sister; short and friendly.",
            "reason": "Afternoons are quiet.",
            "known": ["I run a bakery with my sister"],
            "if_asked": {"need": "More people in the afternoon", "contact_phone": "My number is 138 0000 9999"},
            "questions": ["price_question", "ask_setup"],
            "objections": ["no_trust"],
            "price_limit": 250,
            "success": {"outcomes": ["won"]},
            "checks": ["outcome"],
            **changes,
        }
    )


def record(*turns: tuple[str, str], ended: bool = False, language: str = "en") -> ConversationRecord:
    """Return a call of an opening and these pairs of customer line and reply."""
    return {
        "version": 1,
        "call": "one",
        "campaign": "lantern_local",
        "language": language,
        "profile": {},
        "strategy": "",
        "model": "",
        "started_at": "2026-01-01T00:00:00+00:00",
        "ended": ended,
        "turns": [
            {"turn": 0, "customer": "", "reply": "Hello, this is Lily of Lantern Local."},
            *(TurnRecord(turn=n, customer=line, reply=reply) for n, (line, reply) in enumerate(turns, start=1)),
        ],
        "outcome": {"status": "open", "need": {}, "objections": [], "offers": [], "commitment": {}, "next_step": ""},
    }


def talk(
    customer: Customer, agent: Sequence[str] | Callable[[str], str], most: int = 40, language: str = "en"
) -> ConversationRecord:
    """Let a customer talk with a stub agent until it stops; the agent says its lines again after the last."""
    call = record(language=language)
    while len(call["turns"]) <= most and (line := customer.next_line(call)) is not None:
        number = len(call["turns"])
        reply = agent(line) if callable(agent) else agent[(number - 1) % len(agent)]
        call["turns"].append({"turn": number, "customer": line, "reply": reply})
    return call


def lines(call: ConversationRecord) -> list[str]:
    """Return what the customer said."""
    return [turn["customer"] for turn in call["turns"] if turn["customer"]]


def decision(customer: Customer, call: ConversationRecord) -> str:
    """Return what the customer decided."""
    return customer.notes(call)[-1].get("decided", "")


def of(campaign: CampaignData, /, **changes: Any) -> Scenario:
    """Return a customer of the charity: a question, a worry and an amount."""
    return scenario(
        **{
            "id": "giver-1",
            "campaign": campaign.campaign.name,
            "questions": ["ask-org-info"],
            "objections": ["negative-reaction-to-donation"],
            "known": ["I have two kids"],
            "if_asked": {"donation": "I would give 40 cents"},
            "price_limit": 1,
            **changes,
        }
    )
