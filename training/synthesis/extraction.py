"""Multi-task extraction: one noisy transcript gives profile, strategy and clean session in one answer.

Source: TeleBot, section on multi-task extraction (word correction, turns merged, irrelevant and private content left out, a line
of reasoning a turn). Departures: (1) personal data is masked, and the seller's sentences that break a rule of the guardrails are
taken out, before the teacher reads the transcript: people promise what a campaign must not say; (2) the answer lists
exchanges, not turns with a role each (`repair.exchanges_schema`); (3) the reason stands at each reply, as its thought; (4) an
answer that shares fewer than `FAITHFUL` of its words with the transcript is refused: it was invented.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from langchain_core.messages import HumanMessage

from evaluation.customers.overlap import tokens
from guardrails.check import check_sentence
from guardrails.privacy import mask
from guardrails.sentences import split_sentences
from nodes.prompting import PROMPT_MARKS, as_data
from scripts_library.fact_sheet import fact_sheet
from scripts_library.schema import Language
from training.corpus.joining import joined
from training.corpus.schema import DialogueTurn
from training.synthesis.hearing import Hearing
from training.synthesis.pools import pool_of
from training.synthesis.prompting import render
from training.synthesis.repair import (
    LEAST,
    LINE_CHARS,
    MOST,
    Exchange,
    exchanges_schema,
    read_exchanges,
    sound,
    spoken,
    turns_of,
)
from training.synthesis.scene import Scene, Talk, Workshop
from training.synthesis.teacher import Refused, object_of, text_of

PROMPTS = ("extraction",)
TOKENS = 560
SHOWN_TURNS = 11
SHOWN_CHARS = 150
FAITHFUL = 0.5
UNKNOWN = "unknown"
SIDES: dict[Language, dict[str, str]] = {
    "en": {"agent": "Seller", "customer": "Customer"},
    "zh": {"agent": "销售", "customer": "客户"},
}


def scenes(shop: Workshop) -> Iterator[Scene]:
    """Yield a scene for each transcript of extraction's own half."""
    for one in shop.transcripts:
        if pool_of(one.id, shop.seed) == "extraction":
            scene = f"extraction.{shop.data.campaign.name}.{shop.language}.{one.id}"
            yield Scene(scene, {}, shop.strategies[0], (one.id,), one.split, transcript=one)


def make(shop: Workshop, scene: Scene) -> Talk:
    """Extract one transcript.

    Raises:
        Refused: No answer could be used, or there is too little to extract.
        ModelUnavailable: The teacher's server does not answer.
    """
    if scene.transcript is None:
        raise ValueError(f"scene {scene.id} has no transcript")
    shown = readable(shop, scene.transcript.turns)
    if len(shown) < 2 * LEAST:
        raise Refused(f"only {len(shown)} turns of the transcript can be used")
    prompt = render(
        f"extraction.{shop.language}",
        **{name: shop.role[name] for name in ("agent", "organisation", "goal")},
        profile=_fields(shop),
        strategies="\n".join(f"- {one.id}: {one.text[shop.language]}" for one in shop.strategies),
        transcript="\n".join(f"{SIDES[shop.language][turn.role]}: {turn.text}" for turn in shown),
    )
    words = Counter(word for turn in shown for word in tokens(turn.text, shop.language))

    def read(answer: dict[str, Any]) -> Talk:
        return _read(shop, answer, words)

    seed = shop.drawing(scene.id).randrange(2**20)
    talk = shop.teacher.ask([HumanMessage(prompt)], _schema(shop), read, tokens=TOKENS, seed=seed)
    whole = len(shown) == len(scene.transcript.turns)
    return Talk(talk.turns, talk.profile, talk.strategy, scene.transcript.outcome if whole else "")


def readable(shop: Workshop, turns: list[DialogueTurn]) -> list[DialogueTurn]:
    """Return the start of a transcript as the teacher may read it: private data masked, forbidden sentences out, long turns cut."""
    rules = fact_sheet(shop.data.campaign, shop.language, PROMPT_MARKS)
    left = []
    for turn in turns:
        said = mask(as_data(turn.text))
        if turn.role == "agent":
            said = " ".join(one for one in split_sentences(said) if not check_sentence(one, rules))
        left.append(turn.model_copy(update={"text": said[:SHOWN_CHARS]}))
    return joined(left)[:SHOWN_TURNS]


def _fields(shop: Workshop) -> str:
    """List what a profile can say; personal fields are not asked for."""
    asked = [one for one in shop.data.campaign.profile if one.values and not one.personal]
    return "\n".join(f"- {one.name} ({one.label[shop.language]}): {', '.join(one.values)}" for one in asked)


def _schema(shop: Workshop) -> dict[str, Any]:
    """Return the schema of an answer; the session stands last, so that a cut answer still has the rest."""
    profile = {
        one.name: {"type": "string", "enum": [*one.values, UNKNOWN]}
        for one in shop.data.campaign.profile
        if one.values and not one.personal
    }
    return object_of(
        {
            "profile": object_of(profile),
            "strategy": {"type": "string", "enum": [one.id for one in shop.strategies]},
            "opening": text_of(LINE_CHARS[shop.language]),
            "turns": exchanges_schema(shop.language, LEAST, MOST, reasons=True),
        }
    )


def _read(shop: Workshop, answer: dict[str, Any], words: Counter[str]) -> Talk:
    told = answer.get("profile")
    allowed = {one.name: one.values for one in shop.data.campaign.profile if one.values and not one.personal}
    profile = (
        {name: value for name, value in told.items() if value in allowed.get(name, ())}
        if isinstance(told, dict)
        else {}
    )
    strategy = answer.get("strategy")
    if strategy not in [one.id for one in shop.strategies]:
        raise Refused(f"strategy {str(strategy)[:40]!r} is no candidate")
    opening = spoken(answer.get("opening"))
    if not opening:
        raise Refused("no opening")
    exchanges = read_exchanges(answer.get("turns"))
    share = _shared(opening, exchanges, words, shop.language)
    if share < FAITHFUL:
        raise Refused(f"only {share:.0%} of its words stand in the transcript")
    hearing = Hearing(shop.data.campaign, shop.language, profile)
    hearing.say(opening)
    turns = [DialogueTurn(role="agent", text=opening), *turns_of(sound(exchanges, hearing))]
    return Talk(turns, profile, str(strategy))


def _shared(opening: str, exchanges: list[Exchange], words: Counter[str], language: Language) -> float:
    """Return the share (0..1) of the answer's words that the transcript has, each as often as it has it."""
    said = Counter(tokens(" ".join([opening, *(f"{one.customer} {one.agent}" for one in exchanges)]), language))
    return (said & words).total() / max(1, said.total())
