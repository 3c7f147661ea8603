"""Rules on manner: language, length, repetition, questions, pressure, contact after opt-out, empty text."""

import re
from functools import lru_cache

from guardrails.context import GuardContext
from guardrails.rule import Rule, claims, either, first, first_claim
from guardrails.sentences import split_sentences
from guardrails.text import han_count, normalise

_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
_OTHER_SCRIPT = re.compile(r"[\u0400-\u04ff\u0590-\u06ff\u0e00-\u0e7f\u3040-\u30ff\uac00-\ud7af\u0900-\u097f]")
_GLUE = (
    "the is are you your we our for and to of it this that with have can will do not please would how what a in on my"
)
_ENGLISH_GLUE = frozenset(_GLUE.split())


def _language(text: str, context: GuardContext) -> str | None:
    """Return what is in another language; brand names and abbreviations are none."""
    if len(_OTHER_SCRIPT.findall(text)) >= 2:
        return text[:80]
    han = han_count(text)
    if context.language == "en":
        known = "".join((*context.personal, *context.slots.values()))
        own = sum(1 for char in text if "\u3400" <= char <= "\u9fff" and char not in known)
        return text[:80] if own >= 2 else None
    words = _WORD.findall(text)
    glue = sum(1 for word in words if word.lower() in _ENGLISH_GLUE)
    foreign = (han == 0 and len(words) >= 2 and sum(map(len, words)) >= 6) or (len(words) > max(6, han)) or glue >= 4
    return text[:80] if foreign else None


def _over_length(text: str, context: GuardContext) -> str | None:
    if context.max_chars and len(text) > context.max_chars:
        return f"{len(text)} characters, at most {context.max_chars}"
    return None


_NOISE = re.compile(r"[\W_]+")


@lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    return _NOISE.sub("", normalise(text).lower())


@lru_cache(maxsize=8192)
def _shingles(plain: str) -> frozenset[str]:
    size = 2 if han_count(plain) > len(plain) / 3 else 4
    return frozenset(plain[i : i + size] for i in range(max(1, len(plain) - size + 1)))


@lru_cache(maxsize=4096)
def _sentences(reply: str) -> tuple[str, ...]:
    return tuple(_plain(sentence) for sentence in split_sentences(reply))


def _is_long(plain: str) -> bool:
    return len(plain) >= (10 if han_count(plain) > len(plain) / 3 else 24)


def _repetition(text: str, context: GuardContext) -> str | None:
    """Return the reply when an earlier one said the same; short courtesies may come again."""
    plain = _plain(text)
    if not context.earlier or not _is_long(plain):
        return None
    mine = _shingles(plain)
    for reply in context.earlier:
        other = _plain(reply)
        if not 0.7 <= len(plain) / max(1, len(other)) <= 1.4:
            continue
        theirs = _shingles(other)
        if plain == other or len(mine & theirs) / len(mine | theirs) >= 0.8:
            return text[:80]
    substance = [sentence for sentence in _sentences(text) if _is_long(sentence)]
    said = {sentence for reply in context.earlier for sentence in _sentences(reply)}
    return text[:80] if substance and all(sentence in said for sentence in substance) else None


def _echo(text: str, context: GuardContext) -> str | None:
    """Return a sentence that the customer has just said, word for word; mirrored courtesies are shorter."""
    plain = _plain(text)
    long = len(plain) >= (8 if han_count(plain) > len(plain) / 3 else 16)
    heard = (_plain(context.heard), *_sentences(context.heard))
    return text[:80] if long and plain in heard else None


_QUESTION = re.compile(r"[?？]+")
_TAG = either(
    r"\b(?:right|okay|ok|isn't it|don't you|aren't you)\?+$",
    r"[，,](?:对吗|是吗|好吗|对吧|是吧|行吗|可以吗|好不好)[?？]+$",
)
_HOW_ARE_YOU = either(r"^(?:\w+,? ){0,3}how are you(?: doing)?(?: today)?\?", r"^(?:您|你)好(?:吗)?[?？]")


def _two_questions(text: str, context: GuardContext) -> str | None:
    asked = [part for part in split_sentences(text) if part.rstrip("\"'”’」） ").endswith(("?", "？"))]
    inner = max((len(_QUESTION.findall(part)) for part in asked), default=0)
    if len(asked) < 2 and inner < 2:
        return None
    if len(asked) == 2 and (_HOW_ARE_YOU.search(asked[0].strip()) or _TAG.search(asked[0].strip())):
        return None
    return " ".join(asked)[:120]


_GUILT = either(
    r"\bhave you no (?:empathy|heart|shame)\b", r"\b(?:don't|do not) you (?:even )?(?:care|have a heart|feel (?:bad|guilty)|want to (?:be part|help|save))\b", r"\bhow can you (?:say no|refuse|live|sleep|be so)\b", r"\b(?:you should|you ought to) (?:be ashamed|feel (?:bad|guilty|ashamed))\b", r"\b(?:selfish|heartless|stingy|stubborn|foolish|stupid)\b(?<!so selfish)", r"\bshame on you\b",
    r"\byou(?:'ll| will) regret\b", r"\bwho don't even have\b", r"\bhow much (?:money )?do you spend on [^?]*\b(?:could|can) be helping\b",
    r"您?(?:就)?(?:忍心|好意思|没有同情心|太自私|真小气|没良心)", r"(?:一定|早晚|将来|可别|到时候)?(?:会)?后悔(?!药|的机会)", r"就(?:您|你)(?:不|没)",
)  # fmt: skip
_PUSH = either(
    r"\bare you (?:really |absolutely |quite |totally )?sure (?:you|that|about|this)", r"\b(?:reconsider|think (?:it over|again|about it (?:again|once more))|change your mind)\b", r"\b(?:just|at least) (?:give (?:it|us|me) a (?:try|chance|shot)|try it|a (?:dollar|little|cent|penny|small)|think)\b", r"\bcome on[,!]", r"\bevery(?:body|one) else\b",
    r"\bthink (?:about|of) (?:your (?:family|kids|child\w*|future|customers|shop)|the (?:child\w*|kids|future|money)|those)\b", r"\b(?:before you (?:say no|go|decide|turn)|turn this down|miss(?:ing)? out|your competitors?|you(?:'re| are) making a mistake|what do you have to lose|why not\?|why (?:are you refus|don't you|won't you|would you (?:refuse|say no))\w*|(?:it's|it would be|that's|such) a (?:shame|pity|waste) to|leave you behind|leaving (?:money|customers|sales) on the table|why wouldn't you|won't you|can't you)\b", r"\b(?:please|pretty please),? (?:please|i beg|just)\b|\bi(?:'m| am)? beg", r"\b(?:what if|how about) i (?:give|offer|lower|throw)", r"\b(?:last|final) (?:chance|offer)\b", r"\b(?:decide|sign|donate|start|join|give|do it|pay)\b[^.?!]{0,20}\bright now\b", r"\b(?:do me|as) a favou?r\b", r"\bmy (?:quota|target|boss)\b",
    r"(?:您)?(?:还|都)(?:要)?拒绝|至少(?:先)?(?:试|看|听|给)|又没(?:什么)?损失|(?:把)?(?:客人|生意|顾客|位置)(?:都)?(?:被)?(?:别人)?抢走|(?:把)?(?:钱|客人|生意)往外(?:推|赶)|您?为什么不(?:想|愿)|被(?:别人|同行|隔壁)[^，。]{0,6}抢", r"再(?:考虑|想|斟酌)(?:一下|考虑|想|看)?", r"(?:您|你)(?:真的)?(?:确定|真的)(?:不|要拒绝)", r"(?:真的)?不(?:试试|要试|考虑|再看看|来一个|感兴趣)吗", r"别人都|大家都|人家都|同行都|隔壁(?:都|家)", r"(?:太)?可惜", r"错过", r"(?:就当)?帮(?:帮)?我(?:个忙|一下|完成)?|完成任务|我的业绩", r"(?:求|拜托)(?:求)?您", r"最后(?:的)?机会", r"(?:就|先)(?:试一?试|试一?下|给(?:我)?(?:个|一次)机会)", r"不(?:要|用)(?:急着|这么快)拒绝|别(?:急着|这么快|着急)(?:拒绝|挂)", r"为什么不|有什么(?:好|可)(?:犹豫|损失)",
)  # fmt: skip


def _pressure(text: str, context: GuardContext) -> str | None:
    """Return guilt at any time, and pushing after the customer has said no."""
    found = first_claim(_GUILT, text)
    if found or not context.refused:
        return found
    return first_claim(_PUSH, text)


_OFFER = either(
    r"\b(?:offer|discount|price|free|trial|plan|package|ads?|deal|storefront|consider|try|sign up|donat\w+|reconsider|before you go|benefits?|sav(?:e|ing)s?|join|start|opportunity|only|interested|details)\b", r"\b(?:i|we)(?:'ll| will| can| may| might|'d like to| would like to)? (?:call|contact|reach|ring|text|write|e?mail|follow up|check in|get back|talk)\b",
    r"优惠|折|价格|免费|试用|套餐|活动|考虑|介绍|店铺|推广|广告|开通|加入|捐|方案|机会|试试|了解", r"(?:会|再|还|改天|以后|下次|下个?[周月])(?:再|给您|跟您|和您)*(?:打|联系|聊|拜访|回电|跟进)",
)  # fmt: skip
_STOPS = either(
    r"\b(?:won't|will not|not|never|no longer|stop(?:ped)?|removed?|taken|no(?: more| further)?)\b",
    r"不(?:会|再|用|打扰)|停止|删除|移除|取消|登记",
)


def _contact_after_opt_out(text: str, context: GuardContext) -> str | None:
    """Return a question, an offer or an announced contact to somebody who opted out."""
    if not context.opted_out:
        return None
    if "?" in text or "？" in text:
        return text[:120]
    match = next(claims(_OFFER, text), None)
    return match.group() if match and not _STOPS.search(text) else None


_PLACEHOLDER = re.compile(
    r"\{+\s*[A-Za-z_.\u4e00-\u9fff][\w. \u4e00-\u9fff]*\}+|\[\s*(?:[A-Z][A-Za-z' ]+|name|your [a-z ]+|customer[a-z ]*|company|phone|email|date|amount|insert [^\]]*)\]|[【\[（<《]\s*(?:您的|你的|客户|顾客|商家)?(?:姓名|名字|店名|公司|电话|日期|金额|产品|城市|称呼|地址|老板姓)(?:名称|号码)?\s*[】\]）>》]|<(?:name|company|customer|product|date|phone)[^>]*>|\b(?:X{3,}|TODO|TBD|lorem ipsum)\b|某某|XX(?:元|公司|店|先生|女士)",
)
_LOOP = re.compile(r"\b(\w+)(?:[\s,]+\1\b){3,}|([\u4e00-\u9fff]{2,6})\2{3,}|([^\s\d.…])\3{9,}", re.IGNORECASE)
_SAYS = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f300-\U0001faff]|[:;=][-'^]?[)(DPp]")
"""A letter, a digit, an emoji or an emoticon."""


def _garbage(text: str, context: GuardContext) -> str | None:
    if not _SAYS.search(text):
        return text[:80] or "(empty)"
    return first(_PLACEHOLDER, text) or first(_LOOP, text)


MANNER_RULES: tuple[Rule, ...] = (
    Rule("garbage", "high", "empty text, a placeholder left in, or words in a loop", "sentence", _garbage),
    Rule("wrong_language", "medium", "not in the language of this call", "sentence", _language),
    Rule(
        "contact_after_opt_out",
        "high",
        "sells, asks or announces contact after the customer opted out",
        "sentence",
        _contact_after_opt_out,
    ),
    Rule("pressure", "high", "pressure or guilt, above all after the customer said no", "sentence", _pressure),
    Rule("echo", "medium", "only repeats what the customer said", "sentence", _echo),
    Rule("over_length", "low", "the reply is too long", "reply", _over_length),
    Rule("repetition", "medium", "repeats an earlier reply", "reply", _repetition),
    Rule("two_questions", "low", "asks more than one question", "reply", _two_questions),
)
