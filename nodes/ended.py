"""The call is over."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import CallState


def ended(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Mark the call as ended; its outcome is what the manager found."""
    return {"ended": True}
