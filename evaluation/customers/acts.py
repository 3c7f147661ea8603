"""What a customer notices in the agent's words: cheap, deterministic detectors over the reply alone.

Numbers are taken at their word. A customer who asks for the price and hears one has been answered, whether or not it is
the true one: customers cannot know, which is the known trap of scoring by what the customer says (SalesLLM,
arXiv 2604.07054, limits). A bought lie is counted as a loss by the measures of faithfulness, never here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guardrails.context import GuardContext
from guardrails.quantities import Quantity, find_quantities
from guardrails.rule import either
from guardrails.rules import RULES
from guardrails.sentences import split_sentences
from guardrails.text import normalise
from scripts_library.loading import CampaignData
from scripts_library.schema import Language, Slot

_RULES = {rule.name: rule.check for rule in RULES if rule.name in ("repetition", "pressure")}
_EMPATHY = either(
    r"\b(?:i|we) (?:(?:completely|fully|do|can|really) )?(?:understand|hear you|see why|see that|appreciate)\b|\bfair (?:point|enough|question)\b|\b(?:makes|make) sense\b|\bgood point\b|\bsorry (?:to hear|about|that)\b|\bno (?:rush|hurry|pressure)\b|\btake your time\b|\bthat's (?:understandable|fair)\b|\bof course\b|\bup to you\b|\byour choice\b",
    r"理解|明白您|确实|有道理|体会|不着急|没关系|别担心|放心|可以慢慢|您说得对|听您的",
)  # fmt: skip
_PROPOSES = either(
    r"\b(?:shall|should|may|can|could) (?:we|i) (?:set|start|book|arrange|sign|call|schedule|put|note|go ahead|begin)\b|\bwould you (?:like|want|be (?:willing|open|ready)) to (?:start|try|give|donate|order|book|go ahead|sign|make|buy)\b|\b(?:start|set up|book|arrange|schedule) (?:the|a|an|your|this) (?:\w+ )?(?:trial|call|visit|appointment|order)\b|\b(?:what|which) (?:time|number|day|amount)\b|\bwhen (?:would|can|should|is|could)\b[^.!]*\b(?:call|good|suit|convenient|start)|\bhow much (?:would|do|can|could) you (?:like|want|give|donate)|\bsign (?:you )?up\b|\bplace (?:the|an|your) order\b|\bnext step\b|\bready to (?:start|order|buy|donate)\b",
    r"安排|预约|约(?:个|一下|在)|帮您(?:开|登记|下单|办|报)|下单|报名|开通吧|开起来|先试(?!用期)|开始试用|(?:什么时[间候]|几点)方便|方便(?:什么时|几点)|哪个号码|捐多少|要不(?:要|咱们?|您)|咱们就",
)  # fmt: skip
_REQUEST = either(
    r"[?？]",
    r"\b(?:please|could you|can you) (?:tell|give|share|leave)\b|\blet me know\b|\bmay i (?:ask|have)\b",
    r"请(?:告诉|问|留|说)|方便(?:留|告诉|说)",
)
_KINDS = {
    "phone": either(r"\b(?:phone|number|reach you)\b", r"电话|号码|手机|微信|联系方式"),
    "datetime": either(r"\bwhen\b|\b(?:what|which) (?:time|day)\b|\b(?:good|best) time\b", r"什么时[间候]|几点|哪天|何时|多会儿"),
    "name": either(r"\b(?:your|the) name\b|\bcall you\?|\bask for\b|\bwho(?:m)? (?:should|do|may|am)\b", r"称呼|贵姓|怎么叫|名字|找哪位"),
    "email": either(r"\be-?mail\b", r"邮箱|邮件"),
    "amount": either(r"\bhow much\b|\b(?:what|which) amount\b|\bbudget\b", r"多少钱?|预算|金额"),
}  # fmt: skip
_STOP = frozenset(
    [
        "that",
        "this",
        "with",
        "have",
        "from",
        "your",
        "you're",
        "they",
        "them",
        "their",
        "there",
        "what",
        "when",
        "where",
        "which",
        "would",
        "could",
        "should",
        "will",
        "been",
        "were",
        "about",
        "into",
        "just",
        "like",
        "also",
        "more",
        "most",
        "some",
        "than",
        "then",
        "very",
        "much",
        "many",
        "make",
        "made",
        "only",
        "over",
        "such",
        "does",
        "doing",
        "here",
        "well",
        "okay",
        "yes",
        "want",
        "need",
        "know",
        "tell",
        "give",
        "good",
        "really",
        "think",
        "please",
        "thank",
        "thanks",
        "hello",
    ]
)
_WORD = re.compile(r"[a-z]{4,}|\d[\d.,]*")
_CLAUSE = re.compile(r"[，；;]|,(?!\d)")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_COMMON_HAN = frozenset(
    [
        "我们",
        "你们",
        "您的",
        "可以",
        "这个",
        "那个",
        "什么",
        "一个",
        "就是",
        "没有",
        "不是",
        "怎么",
        "店里",
        "您店",
        "的店",
        "我的",
        "这样",
        "现在",
        "还是",
        "如果",
        "您好",
        "请问",
    ]
)


@lru_cache(maxsize=8192)
def content(text: str, language: Language) -> frozenset[str]:
    """Return what a text is about: English word stems and numbers, or pairs of Chinese characters."""
    plain = normalise(text).lower()
    words = {word[:5] for word in _WORD.findall(plain) if word not in _STOP}
    if language == "zh":
        words |= {run[i : i + 2] for run in _HAN.findall(plain) for i in range(len(run) - 1)} - _COMMON_HAN
    return frozenset(words)


@lru_cache(maxsize=4096)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Return the quantities that a text states, bare counts left out."""
    return tuple(found.quantity for found in find_quantities(text) if found.quantity.kind != "count")


@dataclass(frozen=True, slots=True)
class Acts:
    """What one reply of the agent did, as the customer heard it."""

    empty: bool = False
    answers: bool = False
    """It spoke to what the customer had asked or objected."""
    empathises: bool = False
    asks: bool = False
    slots: tuple[str, ...] = ()
    """What it asked the customer about, of what the customer would tell."""
    proposes: bool = False
    """It proposed a next step."""
    presses: bool = False
    """Guilt at any time; after a refusal, pushing or proposing again."""
    repeats: bool = False
    beside: bool = False
    """It touched neither the customer's words nor the offer."""
    long: bool = False
    prices: tuple[float, ...] = ()
    """Prices heard, in the campaign's currency; by the day or the order ones left out."""

    def settles(self, *, objection: bool) -> bool:
        """Tell whether what the customer waited for is settled: an answer, or, of an objection, sympathy."""
        return self.answers or (objection and self.empathises)


def _told(sentence: str) -> str:
    """Return what a sentence states: all of it, or of a question the clauses before the one that asks."""
    if not sentence.endswith(("?", "？")):
        return sentence
    clauses = list(_CLAUSE.finditer(sentence))
    return sentence[: clauses[-1].start()] if clauses else ""


class Ear:
    """Hears one campaign in one language.

    Args:
        campaign: Its facts are what answers consist of; its scripts tell which facts belong to which question.
        language: Of the call.
        wanted: Slot → what the customer says of it when asked.
    """

    def __init__(self, campaign: CampaignData, language: Language, wanted: Mapping[str, str]) -> None:
        self._data, self._language = campaign, language
        self._facts = {fact.id: fact.text[language] for fact in campaign.campaign.facts if language in fact.text}
        self._topics: dict[str, tuple[str, ...]] = {}
        slots = {slot.name: slot for slot in campaign.campaign.slots}
        self._wanted = {
            name: (slots.get(name), self._about(name, said, slots.get(name))) for name, said in wanted.items()
        }

    def hear(self, reply: str, line: str, intent: str, earlier: Sequence[str], *, refused: bool) -> Acts:
        """Return what a reply did.

        Args:
            reply: The agent's words.
            line: The customer's line before it.
            intent: What the customer waits for an answer to; empty: nothing.
            earlier: Earlier replies of the call.
            refused: Whether the customer has said no to the offer.
        """
        plain = normalise(reply).strip()
        if not plain:
            return Acts(empty=True)
        sentences = split_sentences(plain) or [plain]
        asked = [sentence for sentence in sentences if _REQUEST.search(sentence)]
        told = " ".join(_told(sentence) for sentence in sentences)
        proposes = bool(_PROPOSES.search(plain))
        answers, empathises = bool(intent) and self._answers(told, line, intent), bool(_EMPATHY.search(plain))
        context = GuardContext(language=self._language, earlier=tuple(earlier), refused=refused)
        return Acts(
            answers=answers,
            empathises=empathises,
            asks=bool(asked),
            slots=tuple(name for name in self._wanted if any(self._asks_about(name, part) for part in asked)),
            proposes=proposes,
            presses=bool(_RULES["pressure"](plain, context)) or (refused and proposes),
            repeats=bool(_RULES["repetition"](plain, context)),
            beside=not (answers or empathises or asked or proposes or self._touches(plain, line)),
            long=len(reply) > self._data.campaign.max_chars.get(self._language, 600),
            prices=self._prices(plain),
        )  # fmt: skip

    def _about(self, name: str, said: str, slot: Slot | None) -> frozenset[str]:
        texts = [name.replace("_", " ").replace("-", " ")]
        if slot is None:
            texts.append(said)
        else:
            texts += [text.get(self._language, "") for text in (slot.ask, slot.label) if text]
        return frozenset().union(*(content(text, self._language) for text in texts))

    def _asks_about(self, name: str, sentence: str) -> bool:
        slot, about = self._wanted[name]
        kind = _KINDS.get(slot.kind) if slot else None
        return bool(kind.search(sentence)) if kind else len(content(sentence, self._language) & about) >= 2

    def _topic(self, intent: str) -> tuple[str, ...]:
        """Return the facts that the campaign's scripts of an intent lean on; all of them where no script tells."""
        if intent not in self._topics:
            named = dict.fromkeys(
                fact for script in self._data.scripts if script.intent == intent for fact in script.facts
            )
            known = any(script.intent == intent for script in self._data.scripts)
            facts = [self._facts[name] for name in named if name in self._facts]
            self._topics[intent] = tuple(facts if known else self._facts.values())
        return self._topics[intent]

    def _answers(self, told: str, line: str, intent: str) -> bool:
        """Tell whether statements answer: with a figure of the wanted kind, a fact's content, or on the customer's own words."""
        if not told:
            return False
        facts = self._topic(intent)
        kinds = {quantity.kind for fact in facts for quantity in quantities(fact)}
        if any(quantity.kind in kinds for quantity in quantities(told)):
            return True
        said = content(told, self._language)
        if any(len(said & content(fact, self._language)) >= 2 for fact in facts):
            return True
        agent = self._data.campaign.agent
        own = {text.get(self._language, "").lower() for text in (agent.organisation, agent.name)}
        asked = content(line, self._language) | content(self._label(intent), self._language)
        names = {name for name in own if name and name in told.lower()}
        return len(said & asked) >= 2 or (bool(names) and self._stage(intent) is None)

    def _label(self, intent: str) -> str:
        return next((own.label.get(self._language, "") for own in self._data.intents if own.name == intent), "")

    def _stage(self, intent: str) -> str | None:
        return next((own.stage for own in self._data.intents if own.name == intent), "")

    def _touches(self, reply: str, line: str) -> bool:
        said = content(reply, self._language)
        return bool(said & content(line, self._language)) or any(
            len(said & content(fact, self._language)) >= 2 for fact in self._facts.values()
        )

    def _prices(self, reply: str) -> tuple[float, ...]:
        currency = self._data.campaign.currency
        units = ("", "/month", currency, f"{currency}/month")
        return tuple(q.value for q in quantities(reply) if q.kind == "money" and q.unit in units and q.value > 0)
