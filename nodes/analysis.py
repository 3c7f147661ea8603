"""Stage node `analysis`."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import CallState
from nodes.outline import plan_stage


def analysis(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Learn what the customer needs."""
    return plan_stage(state, "analysis", runtime.context)
