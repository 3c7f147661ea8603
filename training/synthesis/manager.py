"""The Manager of a simulated call: it hears the customer, sees which stage Sales proposed, and says which stage it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from langchain_core.messages import HumanMessage
from langgraph.runtime import Runtime

from graph.context import Context, Understanding
from graph.state import CallState, Exchange
from nodes.advance import advance
from nodes.lines import filled, least_recent, values_for
from nodes.prompting import as_data
from nodes.understand import understand
from scripts_library.schema import STAGES, Stage
from training.corpus.schema import DialogueTurn
from training.synthesis.prompting import render
from training.synthesis.scene import Scene, Workshop
from training.synthesis.teacher import Refused, object_of

TOKENS = 20


@dataclass(frozen=True)
class Ruling:
    """What the Manager decided on a customer's line."""

    stage: Stage
    intent: str = ""
    """What the customer's line means; empty where the Manager does not tell."""
    fixed: str = ""
    """Approved line that is said instead of Sales' own: opt-out, a person wanted, a second refusal."""
    over: bool = False
    """The call ends with the reply."""
    outcome: str = ""


class Manager(Protocol):
    """Adjudicates the stage of each turn."""

    def rule(self, turns: Sequence[DialogueTurn], line: str, proposed: str) -> Ruling:
        """Return the decision on a customer's line.

        Args:
            turns: The call so far, the agent's turns first and last.
            line: What the customer says now.
            proposed: Stage that Sales proposed with its last line; empty after the greeting.
        """


class GraphManager:
    """The served graph's own nodes: `understand` names the intent, `advance` adjudicates. No model is asked."""

    def __init__(self, shop: Workshop, scene: Scene) -> None:
        self._shop, self._scene = shop, scene
        context = Context(settings=shop.settings, understanding=Understanding(by="classifier"))
        self._runtime = Runtime(context=context)
        self._state: CallState = {
            "call": scene.id,
            "campaign": shop.data.campaign.name,
            "language": shop.language,
            "profile": scene.profile,
            "turn": 0,
        }
        self._state |= advance(self._state, self._runtime)

    def rule(self, turns: Sequence[DialogueTurn], line: str, proposed: str) -> Ruling:
        """See `Manager`; Sales' proposal is recorded, and has no say."""
        self._state |= {"customer": line, "turn": len(turns) // 2 + 1, "history": _history(turns)}
        self._state |= understand(self._state, self._runtime)
        self._state |= advance(self._state, self._runtime)
        move = self._state["move"]
        return Ruling(
            stage=cast(Stage, self._state["stage"]),
            intent=move.get("intent", ""),
            fixed=self._line(move["fixed"], turns) if move["route"] == "fixed" else "",
            over=move["after"] != "end",
            outcome=move["outcome"],
        )

    def _line(self, name: str, turns: Sequence[DialogueTurn]) -> str:
        campaign, language = self._shop.data.campaign, self._shop.language
        values = values_for(campaign, language, self._scene.profile, self._state.get("slots", {}))
        said = [turn.text for turn in turns if turn.role == "agent"]
        return least_recent(filled(getattr(campaign.lines, name)[language], values), said)[0]


class ModelManager:
    """A model: it may only name a stage that the campaign's SOP lets follow, or the current one."""

    def __init__(self, shop: Workshop, scene: Scene) -> None:
        self._shop = shop
        self._seed = shop.drawing(f"{scene.id}|manager").randrange(2**20)
        self._stage: Stage = STAGES[0]

    def rule(self, turns: Sequence[DialogueTurn], line: str, proposed: str) -> Ruling:
        """See `Manager`; Sales' proposal is shown to the model.

        Raises:
            Refused: It named no stage, twice.
            ModelUnavailable: Its server does not answer.
        """
        sop, language = self._shop.data.campaign.sop, self._shop.language
        legal = [self._stage, *sop.moves.get(self._stage, [])]
        prompt = render(
            f"manager.{language}",
            stages="\n".join(f"- {stage}: {sop.stages[stage].goal[language]}" for stage in legal),
            stage=self._stage,
            reply=turns[-1].text,
            said=as_data(line),
            proposed=proposed or self._stage,
        )

        def read(answer: dict[str, Any]) -> Stage:
            if answer.get("stage") not in legal:
                raise Refused(f"the Manager named stage {str(answer.get('stage'))[:40]!r}")
            return cast(Stage, answer["stage"])

        schema = object_of({"stage": {"type": "string", "enum": legal}})
        seed = self._seed + len(turns)
        self._stage = self._shop.teacher.ask([HumanMessage(prompt)], schema, read, tokens=TOKENS, seed=seed)
        return Ruling(self._stage)


MANAGERS: dict[str, type[GraphManager] | type[ModelManager]] = {"graph": GraphManager, "model": ModelManager}


def _history(turns: Sequence[DialogueTurn]) -> list[Exchange]:
    """Return a call so far as the graph's nodes read it."""
    customer = ["", *(turn.text for turn in turns[1::2])]
    replies = [turn.text for turn in turns[::2]]
    return [
        Exchange(turn=number, customer=said, reply=reply)
        for number, (said, reply) in enumerate(zip(customer, replies, strict=True))
    ]
