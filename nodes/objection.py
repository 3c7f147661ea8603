"""Stage node `objection`."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import CallState
from nodes.outline import plan_stage


def objection(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Answer what stands in the way."""
    return plan_stage(state, "objection", runtime.context)
