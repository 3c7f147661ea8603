"""Waits for a person; what the person says goes out as the agent's, and the call can be given back."""

from typing import TypedDict

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from graph.context import Context
from graph.state import CallState
from nodes.prompting import trim
from nodes.understand import NO_USE


class HumanReply(TypedDict):
    """What resumes a waiting call."""

    text: str
    """The person's line; empty to give the call back without a word."""
    turn: int
    """Number of the person's turn."""
    give_back: bool
    """True: the agent goes on with the next line of the customer."""


def handoff(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Stop until a person answers; nothing stands before the interrupt, because a resumed node runs again from its start."""
    human: HumanReply = interrupt({"call": state.get("call", ""), "reason": state["move"]["reason"]})
    update: CallState = {"move": {**state["move"], "outcome": "open" if human["give_back"] else "handoff"}}
    if human["text"]:
        turn = human["turn"]
        update["turn"] = turn
        update["customer"] = ""
        update["said"] = {"reply": human["text"], "source": "human", "rules": [], "use": NO_USE}
        spoken = {"turn": turn, "customer": "", "reply": human["text"]}
        update["history"] = trim([*state.get("history", []), spoken])  # type: ignore[list-item]
    return update
