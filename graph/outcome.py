"""What came of a call, as data, from what the graph holds."""

from typing import cast

from graph.records import Outcome
from graph.state import CallState
from scripts_library.schema import Campaign, Language

NEXT_STEPS = {
    "open": "go on with the call",
    "won": "do what was agreed",
    "declined": "none: the customer said no",
    "follow_up": "call back as agreed",
    "opted_out": "none: do not contact",
    "handoff": "a person answers",
}


def outcome_of(state: CallState, campaign: Campaign) -> Outcome:
    """Build the outcome of a call so far.

    Args:
        state: The graph's state after a turn.
        campaign: Says what each slot is.
    """
    language = cast(Language, state["language"])
    status = state.get("move", {}).get("outcome", "open")
    slots = state.get("slots", {})
    kinds = {slot.name: slot.kind for slot in campaign.slots}

    def first(*wanted: str) -> str:
        return next((value for name, value in slots.items() if kinds.get(name) in wanted), "")

    commitment: dict[str, str] = {}
    if status in ("won", "follow_up"):
        commitment = {
            "what": campaign.title[language] if status == "won" else "call back",
            "when": first("datetime"),
            "contact": first("phone", "email"),
            "amount": first("amount", "quantity"),
        }
    return {
        "status": status,
        "need": {name: value for name, value in slots.items() if kinds.get(name) in ("choice", "intent")},
        "objections": state.get("objections", []),
        "offers": state.get("offers", []),
        "commitment": commitment,
        "next_step": NEXT_STEPS[status],
    }
