"""An agent answers in a context that somebody else wrote; nothing of it is kept."""

from functools import cache
from typing import TYPE_CHECKING, cast

from evaluation.judging.bad_cases import Answer, BadCase
from graph.build import SalesGraph, build_graph
from graph.compose import Turn, compose
from graph.context import Context
from graph.preview import fresh_header, fresh_state
from graph.records import TurnRecord
from graph.session import RECURSION_LIMIT
from graph.starting import given_for
from graph.state import CallState, Exchange
from serving.slots import aside

if TYPE_CHECKING:
    from graph.session import Calls


@cache
def _graph() -> SalesGraph:
    return build_graph()


def answering(calls: "Calls") -> Answer:
    """Return what lets an agent answer bad cases.

    Args:
        calls: The agent; its library must hold the cases' campaigns.
    """

    def answer(case: BadCase) -> TurnRecord:
        campaign = calls.resources.campaign(case.campaign).campaign
        calls.warm_up(case.campaign)
        header = fresh_header(campaign, case.language, case.profile, None)
        held = fresh_state(campaign, case.language, case.stage, dict(case.profile))
        if case.context:
            held["history"] = [
                Exchange(turn=number, customer=turn.customer, reply=turn.agent)
                for number, turn in enumerate(case.context)
            ]
        held["refusals"] = int(case.refused)
        turn = Turn("", len(held["history"]), case.customer, header, answering=calls.answering)
        context = Context(calls.settings, answering=calls.answering, understanding=calls.understanding)
        given = cast(CallState, {**held, **given_for(header, "", turn.turn, case.customer)})
        with aside():
            state = _graph().invoke(given, {"configurable": {}, "recursion_limit": RECURSION_LIMIT}, context=context)
        return compose(cast(CallState, state), turn, context.started, 0.0)

    return answer
