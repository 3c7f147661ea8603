"""Stage node `close`."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import CallState
from nodes.outline import plan_stage


def close(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Agree on one concrete next step."""
    return plan_stage(state, "close", runtime.context)
