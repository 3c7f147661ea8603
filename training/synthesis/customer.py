"""The customer's side of played calls: evaluation's persona buyer, given one of our personas."""

from collections.abc import Sequence
from typing import cast

import openai

from evaluation.customers.persona import PersonaBuyer
from evaluation.scenarios.schema import PROPENSITY, Scenario, Success
from graph.errors import ModelUnavailable
from graph.records import ConversationRecord
from scripts_library.schema import IntentKind
from training.corpus.schema import DialogueTurn
from training.synthesis.hearing import Hearing
from training.synthesis.scene import Scene, Workshop
from training.synthesis.teacher import TRIES, Refused

ASKED: dict[IntentKind, int] = {"question": 2, "objection": 1}
"""So many things of each kind the customer wants to know, or is held back by."""


class Customer:
    """A prompted customer that sees the persona and its own wishes, and nothing of the seller's profile and strategy.

    Args:
        shop: Campaign, language and models.
        scene: Has a persona; the intents of its transcript, if it has one, are what the customer asks about.
        most: Lines at most.
    """

    def __init__(self, shop: Workshop, scene: Scene, most: int) -> None:
        persona = scene.persona
        if persona is None:
            raise ValueError(f"scene {scene.id} has no persona")
        drawing, language = shop.drawing(f"{scene.id}|customer"), shop.language
        real = {turn.intent for turn in scene.transcript.turns} if scene.transcript else set()
        wishes: dict[IntentKind, list[str]] = {}
        for kind, count in ASKED.items():
            known = [one.name for one in shop.data.intents if one.kind == kind]
            said = [name for name in known if name in real]
            wishes[kind] = drawing.sample(said or known, min(count, len(said or known)))
        scenario = Scenario(
            id="synthesis",
            campaign=shop.data.campaign.name,
            language=language,
            tier=persona.tier,
            propensity=PROPENSITY[persona.tier],
            persona=persona.persona[language],
            reason=persona.reason[language],
            opening=scene.opening,
            questions=wishes["question"],
            objections=wishes["objection"],
            success=Success(outcomes=["won"]),
            checks=["facts"],
            max_turns=most,
        )
        model = shop.customer or shop.settings.judge
        self._buyers = [
            PersonaBuyer(scenario, shop.data, drawing.randrange(2**20), shop.settings, model) for _ in range(TRIES)
        ]

    def next_line(self, turns: Sequence[DialogueTurn], hearing: Hearing) -> str | None:
        """Return what the customer says next; None when the call is over for it.

        A line in another language, or that speaks as the seller, is drawn once more with another seed: small models fall out
        of the customer's part in one line of six (SalesLLM, arXiv 2604.07054), and one such line spoils the call.

        Args:
            turns: The call so far, the agent's turns first and last.
            hearing: The same call, as the rules know it.

        Raises:
            Refused: It said nothing, twice.
            ModelUnavailable: Its server does not answer.
        """
        line = None
        for buyer in self._buyers:
            try:
                line = buyer.next_line(_record(turns))
            except ModelUnavailable as error:
                if isinstance(error.__cause__, (openai.OpenAIError, OSError)):
                    raise
                raise Refused(str(error)) from error
            if line is None or not hearing.strange(line):
                break
        return line


def _record(turns: Sequence[DialogueTurn]) -> ConversationRecord:
    """Return a call so far as the buyer reads it: the agent speaks first, then both in turns."""
    said = [{"turn": 0, "customer": "", "reply": turns[0].text}]
    said += [
        {"turn": number, "customer": customer.text, "reply": agent.text}
        for number, (customer, agent) in enumerate(zip(turns[1::2], turns[2::2], strict=True), start=1)
    ]
    return cast(ConversationRecord, {"turns": said, "ended": False})
