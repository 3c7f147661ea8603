"""Where a turn goes next: pure routers, one per fork of the graph."""

from typing import Literal

from graph.state import CallState

Fork = Literal["opening", "analysis", "objection", "close", "guard"]


def after_advance(state: CallState) -> Fork:
    """Choose the node of the adjudicated stage, or `guard` when an approved line answers."""
    if state["move"]["route"] == "fixed":
        return "guard"
    stages: dict[str, Fork] = {
        "opening": "opening",
        "analysis": "analysis",
        "objection": "objection",
        "close": "close",
    }
    return stages[state["stage"]]


def after_guard(state: CallState) -> Literal["end", "handoff", "ended"]:
    """End the turn, wait for a person, or end the call."""
    return state["move"].get("after", "end")


def after_handoff(state: CallState) -> Literal["end", "handoff"]:
    """Wait for the person's next line until the call is given back."""
    return "handoff" if state["move"].get("outcome") == "handoff" else "end"
