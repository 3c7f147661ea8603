"""Quality gates for customers: is it still a customer who speaks here, and this one?

Every gate is a rule over the words of a finished call, so each run reports them at no cost. Role inversion also takes what
a judge flagged (SalesLLM judges it with a model alone, and counts flagged lines of all customer lines).

Source: SalesLLM, arXiv 2604.07054 (role inversion per reply); persona drift, premature stop, leak and repetition are ours.
"""

import re
from collections.abc import Collection, Iterable
from itertools import chain, count, pairwise

from evaluation.customers.overlap import tokens
from evaluation.measures.metric import Metric, Score
from evaluation.runs.results import CallResult
from evaluation.scenarios.schema import Scenario
from graph.records import TurnRecord
from guardrails.context import GuardContext
from guardrails.rule import either, first
from guardrails.rules import RULES
from guardrails.signals import find_signals
from guardrails.text import han_count, normalise
from scripts_library.schema import Language

METRICS = (
    Metric("customer_role_inversion", "customer", "Customer lines that speak as the seller", "lower", "share"),
    Metric("customer_inverted_call", "customer", "Calls with a customer line that speaks as the seller", "lower", "share"),
    Metric("customer_drift", "customer", "Customer lines that contradict who the customer is", "lower", "share"),
    Metric("customer_premature_stop", "customer", "Calls that the customer ended before asking or objecting", "lower", "share"),
    Metric("customer_leak", "customer", "Calls in which the customer speaks of its instructions", "lower", "share"),
    Metric("customer_repetition", "customer", "Customer lines that were said before in the call", "lower", "share"),
)  # fmt: skip

_wrong_language = next(rule.check for rule in RULES if rule.name == "wrong_language")
_SELLS = either(
    r"\bhow (?:can|may|could) (?:i|we) (?:help|assist|support) you\b|\banything else (?:that )?(?:i|we) can (?:help|assist|do for)\b|\bwhat can i do for you today\b",
    r"\b(?:thanks?|thank you)(?: so much| very much)? for (?:calling us|contacting us|reaching out to us|choosing|your (?:interest in|inquiry|enquiry|purchase|order)|considering (?:us|our))\b",
    r"\b(?:i|we)(?:'d| would| can| could|'ll| will|'m| am|'re| are)?(?: also| certainly| definitely)? (?:be )?(?:happy |glad |pleased |here )?(?:to )?(?:help you|assist you|offer you|recommend you|guide you|walk you through|explain it to you|set (?:it|that|this) up for you|send you (?:some |more |our )?(?:information|details|a quote|an offer))\b",
    r"\blet me (?:explain how|tell you (?:about|more about) (?:our|the)|introduce (?:our|the)|walk you|assist you|help you|show you (?:our|how))\b",
    r"\b(?:feel free|don't hesitate|do not hesitate) to (?:ask|contact|reach|call|let (?:me|us) know)\b|\bwelcome to our\b|\bas (?:a|an|your) (?:sales\w*|representative|assistant|agent|adviser|ai)\b",
    r"\bour (?:products?|platform|services?|trial|plans?|packages?|prices?|advisers?|consultants?|experts?|solution|offer|discount|donors|organi[sz]ation) (?:is|are|starts?|costs?|offers?|includes?|provides?|comes?|can help|will help|will call|has|have)\b",
    r"\bwould you (?:like|want|be (?:interested|willing|open|able)) (?:to|in) (?:sign|start|try|place|purchas|order|schedul|book|know more|learn more|hear more|mak(?:e|ing) a (?:small )?donation|donat)\w*",
    r"\bwhat (?:are|is) your (?:specific |main |current )?(?:needs?|requirements?|budget|pain points?)\b|\bwhat (?:brings you|are you looking for) (?:here |today|in)\b",
    r"\bdo you have any (?:\w+ ){0,2}(?:questions?|concerns?)\b|\bhow much would you like to (?:give|donate|spend|contribute)\b|\b(?:always |i'm )here to help\b|\b(?:do my best to )?help you (?:find|choose|decide|with (?:that|your))\b|\bthank you for your (?:support|interest|time today)\b",
    r"有(?:啥|什么|任何)?(?:问题|疑问|需要)(?:都)?(?:可以)?随时(?:找|联系|问|告诉)我|谢谢(?:您|你)的(?:支持|关注|信任)|(?:您|你)(?:还)?有(?:什么|啥|任何)(?:问题|疑问|顾虑)吗",
    r"有什么(?:可以|能|我能|需要我?)(?:帮|为|协助)(?:到|助)?[您你]|请问(?:您|你)(?:需要|有什么需[要求]|想了解|想要|对.{0,8}感兴趣)",
    r"欢迎(?:光临|来电|咨询|选购)|感谢(?:您|你)的?(?:来电|咨询|关注|支持|信任|选择)|(?:很高兴|竭诚|乐意)为(?:您|你)(?:服务|解答)",
    r"(?:我们?|小[^，。]{1,2})(?:这边|这里)?(?:可以|会|能|来|马上|先)?(?:为|给|帮)(?:您|你)(?:推荐|介绍|安排|办理|提供|讲解|解答|登记|开通|预约|申请)",
    r"我们(?:的)?(?:产品|平台|公司|服务|套餐|试用|顾问|活动)(?:可以|能|会|提供|支持|是|有|包括|只要|每月|都)|(?:随时|有需要)(?:都)?(?:可以)?(?:联系|咨询)(?:我|我们)|(?:您|你)(?:要不要|想不想|愿不愿意)(?:先)?(?:试|了解|办|开通|下单|购买)",
)  # fmt: skip
_BOT = either(
    r"\b(?:as|i(?:'m| am)) an? (?:ai|artificial|language|chat)[ -]?(?:language )?(?:model|assistant|bot|intelligence)?\b",
    r"(?:作为|我是)(?:一个|一名)?(?:AI|人工智能|语言模型|智能助手|机器人)|我是[^，。？]{0,12}(?:AI助手|助手|客服|销售|顾问)(?!吗)",
)
_LEAK = either(
    r"\b(?:difficulty|buy[- ]inclination|purchase[- ]intent) (?:level|tier|score)\b|\bbuy[- ]inclination\b|\bpropensity\b|\badversarial\b|\bcustomer[_ ](?:profile|information)\b|\b(?:my|the|this) (?:persona|character|role[- ]?play|system prompt|instructions (?:say|tell)|notes say)\b|\b(?:i(?:'m| am)|you asked me) (?:playing|to play|role-?playing)\b|\bscenario\b|\bas an? (?:potential |possible )?(?:customer|buyer|user|donor),? i\b",
    r"难度(?:级别|等级)?|购买倾向|倾向(?:分数|评分)|(?:角色|人物)(?:设定|扮演|特征)|扮演|提示词|系统提示|客户画像|CUSTOMER_INFORMATION|我的设定|作为(?:一个|一名|一位)?(?:客户|顾客|买家)",
)  # fmt: skip
_PHONE = re.compile(r"(?<!\d)\+?\d(?:[\s-]?\d){6,14}(?!\d)")
_NOISE = re.compile(r"[\W_]+")
ECHO = 0.55
SHORTEST_ECHO = 7
"""A line echoes a reply when at least this share of its pairs of words is the reply's, and there are this many pairs."""
_SHORT = 4
"""Letters or digits; shorter lines ("ok", 好的) may come again."""


def speaks_as_seller(text: str, replies: Iterable[str] = ()) -> str | None:
    """Return the words by which a customer's line is a seller's, or None.

    Args:
        text: The customer's line.
        replies: The agent's replies before it; a line that repeats one of them speaks for the agent.
    """
    plain = normalise(text)
    return first(_SELLS, plain) or first(_BOT, plain) or next((text for text in replies if _echoes(plain, text)), None)


def _echoes(line: str, reply: str) -> bool:
    """Tell whether most of a line's pairs of words (characters in Chinese) are the reply's own."""
    language: Language = "zh" if han_count(line) > len(line) / 3 else "en"
    mine, theirs = (list(pairwise(tokens(text, language))) for text in (line, reply))
    return len(mine) >= SHORTEST_ECHO and sum(pair in theirs for pair in mine) >= ECHO * len(mine)


def customer_scores(result: CallResult, scenario: Scenario, inverted: Collection[int] = ()) -> list[Score]:
    """Return the gates of one call.

    Args:
        result: A finished call; its sessions are read as one.
        scenario: Who the customer should have been.
        inverted: Turns in which a judge heard the customer speak as the seller; added to what the rules find.

    Returns:
        One score for each of `METRICS`; value None where the customer said nothing. Turns are numbered through all sessions,
        as in `evaluation.measures.replay`.
    """
    sessions = _numbered_through(result)
    spoken = [turn for turn in chain.from_iterable(sessions) if turn.get("customer")]
    if not spoken:
        return [
            Score(metric=metric.name, value=None, reason="the customer said nothing", turns=[]) for metric in METRICS
        ]
    swapped = {turn: reason for turns in sessions for turn, reason in _inverted(turns)}
    swapped |= {turn: "a judge" for turn in inverted if turn not in swapped}
    drifted = dict(_drift(spoken, scenario))
    leaks = {turn["turn"]: found for turn in spoken if (found := first(_LEAK, normalise(turn["customer"])))}
    again = {turn: line for turns in sessions for turn, line in _repeated(turns)}
    return [
        _share("customer_role_inversion", swapped, len(spoken)),
        _once("customer_inverted_call", swapped),
        _share("customer_drift", drifted, len(spoken)),
        _premature(result, scenario, spoken),
        _once("customer_leak", leaks),
        _share("customer_repetition", again, len(spoken)),
    ]


def _numbered_through(result: CallResult) -> list[list[TurnRecord]]:
    numbers = count()
    return [[{**turn, "turn": next(numbers)} for turn in session["turns"]] for session in result["sessions"]]


def _inverted(turns: list[TurnRecord]) -> Iterable[tuple[int, str]]:
    for place, turn in enumerate(turns):
        earlier = [before.get("reply", "") for before in turns[:place]]
        found = speaks_as_seller(turn["customer"], earlier) if turn.get("customer") else None
        if found:
            yield turn["turn"], found


def _drift(spoken: list[TurnRecord], scenario: Scenario) -> Iterable[tuple[int, str]]:
    """Yield lines in another language, and phone numbers other than the scenario's."""
    context = GuardContext(language=scenario.language)
    told = " ".join((scenario.opening, *scenario.known, *scenario.if_asked.values()))
    own = {re.sub(r"\D", "", number) for number in _PHONE.findall(told)}
    for turn in spoken:
        plain = normalise(turn["customer"])
        numbers = {re.sub(r"\D", "", number) for number in _PHONE.findall(plain)}
        if found := _wrong_language(plain, context):
            yield turn["turn"], f"another language: {found}"
        elif own and numbers - own:
            yield turn["turn"], f"another number: {min(numbers - own)}"


def _repeated(turns: list[TurnRecord]) -> Iterable[tuple[int, str]]:
    seen: set[str] = set()
    for turn in turns:
        plain = _NOISE.sub("", normalise(turn.get("customer", "")).lower())
        if plain in seen and len(plain) >= _SHORT:
            yield turn["turn"], turn["customer"]
        seen.add(plain)


def _premature(result: CallResult, scenario: Scenario, spoken: list[TurnRecord]) -> Score:
    """Tell whether the customer left before any question or objection of its scenario; without notes, before any question."""
    name, wanted = "customer_premature_stop", {*scenario.questions, *scenario.objections}
    if result["stopped"] != "customer" or not wanted:
        return Score(metric=name, value=None, reason="the customer did not end it, or had nothing to ask", turns=[])
    meant = {note["intent"] for note in chain.from_iterable(result["notes"]) if "intent" in note}
    if meant:
        came = bool(meant & wanted)
    else:
        came = any("question" in find_signals(turn["customer"], scenario.language) for turn in spoken)
    reason = "asked or objected first" if came else f"left before {', '.join(sorted(wanted))}"
    return Score(metric=name, value=float(not came), reason=reason, turns=[] if came else [spoken[-1]["turn"]])


def _share(metric: str, found: dict[int, str], lines: int) -> Score:
    return Score(metric=metric, value=len(found) / lines, reason=_reason(found), turns=sorted(found))


def _once(metric: str, found: dict[int, str]) -> Score:
    return Score(metric=metric, value=float(bool(found)), reason=_reason(found), turns=sorted(found))


def _reason(found: dict[int, str]) -> str:
    return "; ".join(f"turn {turn}: {words[:60]}" for turn, words in sorted(found.items())[:5]) or "nothing found"
