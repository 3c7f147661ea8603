"""The sales call as a state graph: this file is the drawing."""

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.context import Context
from graph.routing import after_advance, after_guard, after_handoff
from graph.state import CallState
from nodes.advance import advance
from nodes.analysis import analysis
from nodes.close import close
from nodes.ended import ended
from nodes.guard import guard
from nodes.handoff import handoff
from nodes.objection import objection
from nodes.opening import opening
from nodes.respond import respond
from nodes.understand import understand

SalesGraph = CompiledStateGraph[CallState, Context, CallState, CallState]


def build_graph(checkpointer: BaseCheckpointSaver[str] | None = None) -> SalesGraph:
    """Compile the graph; without a checkpointer for LangGraph Studio, which brings its own."""
    graph = StateGraph(CallState, context_schema=Context)

    graph.add_node("understand", understand)
    graph.add_node("advance", advance)
    graph.add_node("opening", opening)
    graph.add_node("analysis", analysis)
    graph.add_node("objection", objection)
    graph.add_node("close", close)
    graph.add_node("respond", respond)
    graph.add_node("guard", guard)
    graph.add_node("handoff", handoff)
    graph.add_node("ended", ended)

    graph.add_edge(START, "understand")
    graph.add_edge("understand", "advance")
    graph.add_conditional_edges("advance", after_advance, ["opening", "analysis", "objection", "close", "guard"])
    for stage in ("opening", "analysis", "objection", "close"):
        graph.add_edge(stage, "respond")
    graph.add_edge("respond", "guard")
    graph.add_conditional_edges("guard", after_guard, {"end": END, "handoff": "handoff", "ended": "ended"})
    graph.add_conditional_edges("handoff", after_handoff, {"end": END, "handoff": "handoff"})
    graph.add_edge("ended", END)
    return graph.compile(checkpointer=checkpointer, name="sales_call")
