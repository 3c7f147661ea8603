"""What the served model would have been sent on each turn of a dialogue: the graph's own nodes, walked over it.

`understand`, `advance`, the stage's node and `guard` run as in a call; only `respond` does not, the expert's words standing for the
model's. So prompts equal those of a call with the same history, and no model is called: where a call would ask the model what the
customer means (below the classifier's threshold), the classifier's guess stands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from langgraph.runtime import Runtime

from graph.context import Context, Understanding
from graph.preview import fresh_header, fresh_state
from graph.records import RuleHit
from graph.routing import after_advance
from graph.settings import Settings
from graph.starting import given_for
from graph.state import CallState
from guardrails.privacy import find_personal
from nodes.advance import advance
from nodes.analysis import analysis
from nodes.close import close
from nodes.guard import guard
from nodes.objection import objection
from nodes.opening import opening
from nodes.resources import get_resources
from nodes.respond import build_prompt
from nodes.understand import NO_USE, understand
from training.corpus.guarded import rule_hits, state_json
from training.corpus.rows import Message
from training.corpus.schema import Dialogue

STAGE_NODES = {"opening": opening, "analysis": analysis, "objection": objection, "close": close}
ROLES = {"system": "system", "human": "user", "ai": "assistant"}


@dataclass(frozen=True)
class Served:
    """A turn on which the served model would have been asked."""

    dialogue: Dialogue
    at: int
    """Place of the expert's line among the dialogue's turns."""
    state: CallState
    """Of the graph, before the answer."""
    hits: list[RuleHit]
    """What the guard would block in the expert's words."""
    settings: Settings

    @property
    def reply(self) -> str:
        """What the expert said."""
        return self.dialogue.turns[self.at].text

    @property
    def thought(self) -> str:
        """Why; empty where the dialogue does not tell."""
        return self.dialogue.turns[self.at].thought

    @property
    def learnable(self) -> bool:
        """Whether the expert's words may be learnt: the guard lets them pass, and they hold nobody's contact or number."""
        return not self.hits and not find_personal(self.reply)

    def prompt(self, *, think: bool = False) -> list[Message]:
        """Return the messages as they would be sent, by default as to a model that answers at once."""
        resources = get_resources(self.settings.model_copy(update={"think": think}))
        return [{"role": ROLES[one.type], "content": str(one.content)} for one in build_prompt(self.state, resources)]


@dataclass(frozen=True)
class _Exchange:
    at: int
    customer: str
    reply: str


def walk(dialogue: Dialogue, settings: Settings) -> Iterator[Served]:
    """Yield the turns of a dialogue on which the served model would have been asked.

    Turns that the graph answers with a fixed line yield nothing, and the walk goes on with what the expert said: a hand-over is
    answered by the expert, who gives the call back. After an opt-out there are no turns.

    Args:
        dialogue: Of a campaign of the library.
        settings: Those that are served.

    Raises:
        BadInput: The campaign does not know the dialogue's language, a profile field or the strategy.
    """
    context = Context(settings, understanding=Understanding(by="classifier"))
    runtime = Runtime(context=context)
    resources = get_resources(settings)
    campaign = resources.campaign(dialogue.campaign).campaign
    header = fresh_header(campaign, dialogue.language, dialogue.profile, dialogue.strategy)
    greeting = fresh_state(campaign, dialogue.language, "opening", dialogue.profile)["history"][0]["reply"]
    state: CallState = {}
    for turn, exchange in enumerate(_exchanges(dialogue, greeting)):
        state = _with(state, given_for(header, dialogue.id, turn, exchange.customer))
        state = _with(state, understand(state, runtime))
        state = _with(state, advance(state, runtime))
        fork = after_advance(state)
        if fork != "guard":
            state = _with(state, STAGE_NODES[fork](state, runtime))
            hits = rule_hits(state_json(state), exchange.reply, resources)
            yield Served(dialogue, exchange.at, state, hits, settings)
        if state["move"]["outcome"] == "opted_out":
            return
        state = _said(state, exchange.reply, runtime)


def _exchanges(dialogue: Dialogue, greeting: str) -> Iterator[_Exchange]:
    """Yield the opening and then each answered line of the customer.

    A dialogue that the customer opens is given the campaign's greeting, with which every served call begins.
    """
    turns = dialogue.turns
    if turns[0].role == "agent":
        yield _Exchange(0, "", turns[0].text)
    else:
        yield _Exchange(0, "", greeting)
    for at in range(1, len(turns)):
        if turns[at].role == "agent":
            yield _Exchange(at, turns[at - 1].text, turns[at].text)


def _said(state: CallState, reply: str, runtime: Runtime[Context]) -> CallState:
    """Let `guard` close the turn with the expert's words as released ones; a hand-over is given back."""
    route: Literal["stage"] = "stage"
    spoken = _with(state, {"move": {**state["move"], "route": route}, "draft": {"released": [reply], "use": NO_USE}})
    after = _with(state, guard(spoken, runtime))
    if after["move"]["outcome"] == "handoff":
        after["move"] = {**after["move"], "outcome": "open"}
    return after


def _with(state: CallState, update: CallState) -> CallState:
    return cast(CallState, {**state, **update})
