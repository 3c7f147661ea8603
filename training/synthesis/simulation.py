"""Three-agent simulation: User, Sales and Manager.

Source: AI-Salesman (arXiv 2511.12133), the construction of TeleSalesCorpus: Sales says its line and proposes the next stage; the
Manager adjudicates it when the User has answered; the turn records both (`DialogueTurn.proposed`, `.stage`). The agents' prompts
are not published. Departures: (1) the graph's own rules may be the Manager, and are by default; it then also ends calls as the
served graph does, with the campaign's approved lines; (2) a line of Sales that breaks a rule is asked for once more, and so is one of the User that speaks
as Sales.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from scripts_library.schema import STAGES
from training.corpus.schema import DialogueTurn
from training.synthesis.customer import Customer
from training.synthesis.hearing import Hearing
from training.synthesis.manager import MANAGERS
from training.synthesis.repair import LEAST_PLAYED, LINE_CHARS, MOST, spoken
from training.synthesis.scene import Scene, Talk, Workshop
from training.synthesis.seller import TOKENS, conversation, sound_reply
from training.synthesis.teacher import Refused, object_of, text_of

PROMPTS = ("seller", "sales_turn", "manager")
JSON_TOKENS = 30
"""What the form of Sales' answer takes beside its line."""


def scenes(shop: Workshop) -> Iterator[Scene]:
    """Yield scenes without end: every persona once, then each again with another strategy and other wishes."""
    for copy in count(1):
        for persona in shop.personas:
            scene = f"simulation.{shop.data.campaign.name}.{shop.language}.{persona.id}.{copy}"
            strategy = shop.drawing(scene).choice(shop.strategies)
            yield Scene(scene, persona.profile, strategy, (f"persona.{persona.id}",), persona=persona)


@dataclass(frozen=True)
class _Said:
    """Sales' answer."""

    line: str
    proposed: str
    """Empty where Sales did not speak for itself."""


def make(shop: Workshop, scene: Scene) -> Talk:
    """Hold one call.

    Raises:
        Refused: One of the three gave no answer that could be used.
        ModelUnavailable: A server does not answer.
    """
    drawing, language = shop.drawing(f"{scene.id}|length"), shop.language
    sop = shop.data.campaign.sop
    schema = object_of({"line": text_of(LINE_CHARS[language]), "next_stage": {"type": "string", "enum": list(STAGES)}})
    customer = Customer(shop, scene, drawing.randint(LEAST_PLAYED, MOST))
    manager = MANAGERS[shop.manager](shop, scene)
    turns = [shop.greeting(scene)]
    hearing = Hearing(shop.data.campaign, language, scene.profile)
    hearing.say(turns[0].text)
    proposed, outcome = "", ""
    while (line := customer.next_line(turns, hearing)) is not None:
        ruling = manager.rule(turns, line, proposed)
        outcome = ruling.outcome
        hearing.hear(line)
        if ruling.fixed:
            said = _Said(ruling.fixed, "")
        else:
            prompt = conversation(
                shop,
                scene,
                turns,
                f"sales_turn.{language}",
                said=line,
                stage=ruling.stage,
                goal=sop.stages[ruling.stage].goal[language],
                stages=", ".join(STAGES),
            )
            said = sound_reply(
                lambda seed, prompt=prompt: shop.teacher.ask(  # type: ignore[misc]
                    prompt, schema, _read, tokens=TOKENS + JSON_TOKENS, seed=seed
                ),
                lambda one: one.line,
                hearing,
                drawing.randrange(2**20),
            )
        turns += [
            DialogueTurn(role="customer", text=line, intent=ruling.intent),
            DialogueTurn(role="agent", text=said.line, stage=ruling.stage, proposed=proposed),
        ]
        hearing.say(said.line)
        proposed = said.proposed
        if ruling.over:
            break
    return Talk(turns, scene.profile, scene.strategy.id, outcome)


def _read(answer: dict[str, Any]) -> _Said:
    line, stage = spoken(answer.get("line")), answer.get("next_stage")
    if not line or stage not in STAGES:
        raise Refused("Sales gave no line with a stage")
    return _Said(line, str(stage))
