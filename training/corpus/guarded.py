"""The guard's verdict on a reply in its place: what a row keeps of the graph's state, and the rules read from it."""

import json
from typing import cast

from graph.records import RuleHit
from graph.state import CallState
from guardrails.check import check_reply
from nodes.guarding import guard_context
from nodes.resources import Resources


def state_json(state: CallState) -> str:
    """Return what the guard's rules read of a state before the answer (`nodes.guarding.guard_context`), as JSON."""
    kept = {
        "campaign": state["campaign"],
        "language": state["language"],
        "profile": state.get("profile", {}),
        "slots": state.get("slots", {}),
        "history": state.get("history", []),
        "customer": state.get("customer", ""),
        "refusals": state.get("refusals", 0),
        "understood": {"signals": state.get("understood", {}).get("signals", [])},
        "move": {"outcome": state.get("move", {}).get("outcome", "")},
    }
    return json.dumps(kept, ensure_ascii=False)


def rule_hits(state: str, text: str, resources: Resources) -> list[RuleHit]:
    """Return the rules that a reply breaks, as the guard finds them.

    Args:
        state: The row's `state`.
        text: The reply, without a thought.
        resources: Hold the campaign.

    Returns:
        A hit a broken rule; empty when the guard would let the whole reply pass.
    """
    return check_reply(text, guard_context(cast(CallState, json.loads(state)), resources))
