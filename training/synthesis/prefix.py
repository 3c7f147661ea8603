"""Session prefix completion: an expert's question and answer stand last, word for word; the teacher writes what comes before.

Source: TeleBot, section on session prefix completion (long-tail knowledge, calls that the agent ends itself, safety answers).
Departures: (1) the call begins with the campaign's approved greeting, as every served call does; (2) an exchange of the teacher that
takes the question or the answer away is left out.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

from langchain_core.messages import HumanMessage

from evaluation.judging.telebot import overlap
from scripts_library.schema import Language
from training.corpus.schema import DialogueTurn
from training.synthesis.hearing import Hearing
from training.synthesis.prompting import render
from training.synthesis.repair import LEAST, MOST, Exchange, exchanges_schema, read_exchanges, sound, turns_of
from training.synthesis.scene import Scene, Talk, Workshop, expert_answers
from training.synthesis.teacher import Refused, object_of

PROMPTS = ("prefix",)
TOKENS = 420
TAKEN = 0.5
"""An exchange that shares this part of its word pairs with the expert's question or answer says it before its time."""
TURNING: dict[str, dict[Language, str]] = {
    "fact": {"en": "The customer has become curious.", "zh": "客户开始感兴趣，想问清楚。"},
    "worry": {"en": "The customer has grown doubtful.", "zh": "客户聊着聊着有了顾虑。"},
    "ending": {"en": "The customer has no more use for the call.", "zh": "客户已经没有再聊下去的意思。"},
    "safety": {
        "en": "The customer has turned suspicious or strays from the matter.",
        "zh": "客户起了疑心，或者把话题扯开了。",
    },
}


def scenes(shop: Workshop) -> Iterator[Scene]:
    """Yield scenes without end: every expert answer once, then each again with another profile and strategy."""
    name, language = shop.data.campaign.name, shop.language
    held = expert_answers(name, language)
    shop.drawing("experts").shuffle(held)
    for copy in count(1) if held else ():
        for expert in held:
            scene = f"prefix.{name}.{language}.{expert.id}.{copy}"
            drawing = shop.drawing(scene)
            persona = drawing.choice(shop.personas)
            strategy = drawing.choice(shop.strategies)
            yield Scene(scene, persona.profile, strategy, (f"expert.{name}.{language}.{expert.id}",), expert=expert)


def make(shop: Workshop, scene: Scene) -> Talk:
    """Write the beginning of one call.

    Raises:
        Refused: No answer could be used.
        ModelUnavailable: The teacher's server does not answer.
    """
    expert = scene.expert
    if expert is None:
        raise ValueError(f"scene {scene.id} has no expert answer")
    greeting, language = shop.greeting(scene), shop.language
    prompt = render(
        f"prefix.{language}",
        **shop.role,
        profile=shop.told_profile(scene.profile),
        strategy=scene.strategy.text[language],
        greeting=greeting.text,
        turning=TURNING[expert.kind][language],
        question=expert.question,
        answer=expert.answer,
    )

    def read(answer: dict[str, Any]) -> list[Exchange]:
        written = [
            one for one in read_exchanges(answer.get("turns")) if not _takes_away(one, expert.question, expert.answer)
        ]
        if len(written) < LEAST:
            raise Refused(f"{len(written)} exchanges do not say the end before its time; {LEAST} are needed")
        hearing = Hearing(shop.data.campaign, language, scene.profile)
        hearing.say(greeting.text)
        return sound(written, hearing)

    schema = object_of({"turns": exchanges_schema(language, LEAST, MOST)})
    seed = shop.drawing(scene.id).randrange(2**20)
    written = shop.teacher.ask([HumanMessage(prompt)], schema, read, tokens=TOKENS, seed=seed)
    last = [DialogueTurn(role="customer", text=expert.question), DialogueTurn(role="agent", text=expert.answer)]
    return Talk([greeting, *turns_of(written), *last], scene.profile, scene.strategy.id)


def _takes_away(one: Exchange, question: str, answer: str) -> bool:
    return overlap(one.customer, question) >= TAKEN or overlap(one.agent, answer) >= TAKEN
