"""Stage node `opening`."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import CallState
from nodes.outline import plan_stage


def opening(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Open the call: say who calls and why, and win a moment."""
    return plan_stage(state, "opening", runtime.context)
