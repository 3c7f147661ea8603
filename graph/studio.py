"""The graph for LangGraph Studio and `langgraph dev`, which bring their own checkpointer; `langgraph.json` names this file.

Studio talks to the graph without `graph.session`: no lease, no record, no opt-out list. It is for looking at turns, not for calls.
"""

import langsmith

from graph.build import SalesGraph, build_graph


def sales_call() -> SalesGraph:
    """Compile the graph without a checkpointer.

    LangSmith's own tracer is off here, whatever the environment says: it sends what is typed unmasked.
    """
    langsmith.configure(enabled=False)
    return build_graph()
