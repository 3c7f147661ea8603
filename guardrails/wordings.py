"""Find quantities that no numeral shows: "free", "half price", "double", "thousands of", "a dollar"."""

import re
from collections.abc import Iterator, Sequence

from guardrails.units import DURATION_AFTER, RATE_AFTER, Raw, duration, rate

_I = re.IGNORECASE
_FREE = re.compile(
    r"(?<!feel )(?<!feel\s)(?<!are you )(?<!when you're )(?<!you are )(?<!risk-)(?<!risk )(?<!hassle-)(?<!hassle )(?<!toll-)(?<!if you're )"
    r"\bfree\b(?!\s(?:to\b(?! (?:use|join|try))|time|moment|hand|up\b|from|will|minute|now|later|today|tomorrow|this|next|on)|-?(?:lance|dom))"
    r"|\b(?:at )?no (?:extra |additional )?(?:cost|charge)s?\b|\bon the house\b|\bon us\b|\bcomplimentary\b|\bgratis\b"
    r"|\b(?:costs?|cost you|pay|charge you) (?:absolutely )?nothing\b|\b(?:not|n't) cost (?:you )?(?:anything|a thing|a (?:penny|cent|dime))"
    r"|\bzero[ -](?:cost|fees?|commission|charges?)\b|\bno (?:set-?up |monthly |hidden |extra |sign-?up |cancellation |joining )*(?:fees?|commission|deposit)\b"
    r"|\b(?:buy one,? get one|two for (?:the price of )?one|2 for 1)\b|(?:n't|\bnot|\bnever) charge (?:you )?(?:anything|a thing|for)\b|\bwaive\b|\bthrow(?:ing)? in\b"
    r"|(?<!避)免费|免单|免押金|免佣|(?:佣金|费用|押金|手续费)全?免(?!责)|白送|白给|不要钱|不花(?:一分)?钱|不(?:另外|额外|再)?收(?:任何|您)?(?:[月年日租服务广告上门]{0,4}费|钱|佣)|一分(?:钱)?(?:都)?不(?:收|要|花)"
    r"|不收(?:您)?一分钱|零(?:元|成本|费用|佣金|首付|门槛费|抽成)|买一送一|赠送|免收|全免",
    _I,
)
_GIFT = re.compile(r"(?:送|赠)(?:给?您|你)?(?=[\d一二两三四五六七八九十半])")
_OBJECTS = (
    ("trial", re.compile(r"trial|\btry\b|\btest|试用|体验|试试", _I)),
    ("commission", re.compile(r"commission|佣|抽成", _I)),
    ("setup", re.compile(r"set-?up|installation|sign-?up|joining|开通|入驻|上门|开店|建店", _I)),
    ("delivery", re.compile(r"deliver|shipping|运费|配送|包邮", _I)),
    ("deposit", re.compile(r"deposit|押金", _I)),
    ("cancel", re.compile(r"cancel|取消|退订", _I)),
)
_CLAUSE_END = re.compile(r"[,，.。;；!！?？、]")

_HALF_PRICE = re.compile(
    r"\bhalf(?:[- ](?:the )?price|[- ]off|(?: of)? the (?:price|cost))\b|半价|对折|\b(?:up|down|rise|climb|grow|drop|fall)\w* by half\b|(?:涨|增|升|多)(?:加|了)?一半|\b(?:cut|slash|reduce)\w*\b[^.?!]{0,25}\b(?:in|by) half\b|(?:砍|减|降|省|便宜)掉?一半|一半的?(?:价|钱)",
    _I,
)
_HALF_TIME = re.compile(r"\bhalf an? (hour|day|year)\b|半个?(小时|天|月|年)", _I)
_HALF_TIMES = {
    "hour": (0.5, "hour"), "小时": (0.5, "hour"), "day": (12.0, "hour"), "天": (12.0, "hour"), "月": (0.5, "month"),
    "year": (6.0, "month"), "年": (6.0, "month"),
}  # fmt: skip
_FRACTION = re.compile(
    r"\b(?P<one>an?|one|two|three)[- ](?P<part>third|quarter|fifth|tenth)s?\b(?= (?:of|off|less|more|cheaper|the))"
    r"|(?P<half>\bhalf (?:of )?(?:our|all|the (?:shops|customers|owners|people|stores))\b|一半的)",
    _I,
)
_PARTS = {"third": 3, "quarter": 4, "fifth": 5, "tenth": 10}
_ONES = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3}
_MULTIPLE = re.compile(
    r"\b(?P<two>doubl(?:e|es|ed|ing)(?![- ]?(?:check|edged|click))|twice (?:as|the|what|your))|\b(?P<three>tripl(?:e|es|ed|ing))\b"
    r"|\b(?P<four>quadrupl\w+)|(?P<han2>翻一?倍|翻一?番|加倍|成倍)|(?P<han4>翻两番)",
    _I,
)
_VAGUE = re.compile(
    r"\b(?P<en>tens of thousands|hundreds of thousands|dozens|hundreds|thousands|millions|billions)\b"
    r"|(?:上|近|过|成|数|好?几|数以)(?P<zh>十|百|千|万|十万|百万|千万|亿)(?=计?的?[家个位名人户店商单客老万多])|(?P<idiom>成千上万|千千万万|千家万户)",
    _I,
)
_VAGUE_VALUES = {
    "dozens": 24, "hundreds": 100, "thousands": 1000, "tens of thousands": 10_000, "hundreds of thousands": 100_000,
    "millions": 1e6, "billions": 1e9, "十": 20, "百": 100, "千": 1000, "万": 10_000, "十万": 100_000, "百万": 1e6,
    "千万": 1e7, "亿": 1e8,
}  # fmt: skip
_ARTICLE_MONEY = re.compile(
    r"\b(?:an?|a single|one single) (?P<unit>dollar|buck|cent|penny|dime|quarter(?= dollar)|euro|yuan)\b", _I
)
_ARTICLE_VALUES = {"dollar": (1.0, "USD"), "buck": (1.0, "USD"), "cent": (0.01, "USD"), "penny": (0.01, "USD"), "dime": (0.1, "USD"),
                   "quarter": (0.25, "USD"), "euro": (1.0, "EUR"), "yuan": (1.0, "CNY")}  # fmt: skip
_ARTICLE_TIME = re.compile(
    r"\b(?:for|in|within|after|than|takes?|with|lasts?|runs?|is|only|just|pay|one|first)\s(?:an?|the|about a)(?: (?:whole|full|single|entire))?"
    r"(?P<unit>\s(?:hour|day|week|fortnight|month|quarter|year)s?)\b(?! or two)"
    r"|\ban?(?P<unit2>\s(?:hour|day|week|fortnight|month|quarter|year))(?='s? |(?:[- ]long)? (?:free|notice|trial|contract|of free))",
    _I,
)


def _free_object(text: str, start: int, end: int) -> str:
    left = _CLAUSE_END.split(text[max(0, start - 24) : start])[-1]
    right = _CLAUSE_END.split(text[end : end + 24])[0]
    clause = f"{left} {text[start:end]} {right}"
    return next((f"free {name}" for name, pattern in _OBJECTS if pattern.search(clause)), "free")


def _is_near(text: str, free: tuple[int, int], raw: Raw) -> bool:
    low, high = min(free[1], raw[4]), max(free[0], raw[3])
    between = text[low:high]
    return len(between) <= 28 and not _CLAUSE_END.search(between)


def add_free(text: str, found: Sequence[Raw]) -> list[Raw]:
    """Add what the text calls free; a duration beside it becomes a free duration.

    "30 days free" is a duration with unit `hour free`; "no commission" is money 0 with unit `free commission`; anything
    else that is free is money 0 with unit `free`. So a free trial of 30 days supports neither three free months nor free ads.

    Args:
        text: Folded text.
        found: Quantities found so far.
    """
    spans = [match.span() for match in _FREE.finditer(text)]
    gifts = [match.span() for match in _GIFT.finditer(text)]
    if not spans and not gifts:
        return list(found)
    result: list[Raw] = []
    bound: set[tuple[int, int]] = set()
    for raw in found:
        near = [span for span in [*spans, *gifts] if raw[0] == "duration" and _is_near(text, span, raw)]
        bound.update(near)
        inside = raw[0] != "duration" and any(start < raw[4] and raw[3] < end for start, end in spans)
        if not inside:
            result.append((raw[0], raw[1], f"{raw[2]} free", raw[3], raw[4]) if near else raw)
    for start, end in spans:
        unit = _free_object(text, start, end)
        if (start, end) not in bound or unit != "free":
            result.append(("money", 0.0, unit, start, end))
    return result


def _halves(text: str) -> Iterator[Raw]:
    for match in _HALF_PRICE.finditer(text):
        yield "percent", 50.0, "off", *match.span()
    for match in _HALF_TIME.finditer(text):
        yield "duration", *_HALF_TIMES[(match[1] or match[2]).lower()], *match.span()
    for match in _FRACTION.finditer(text):
        if match["half"]:
            yield "percent", 50.0, "", *match.span()
        else:
            share = 100 * _ONES[match["one"].lower()] / _PARTS[match["part"].lower()]
            yield "percent", round(share, 2), "", *match.span()


def _articles(text: str) -> Iterator[Raw]:
    for match in _ARTICLE_MONEY.finditer(text):
        value, currency = _ARTICLE_VALUES[match["unit"].lower()]
        period = RATE_AFTER.match(text, match.end())
        yield "money", value, currency + rate(period), match.start(), period.end() if period else match.end()
    for match in _ARTICLE_TIME.finditer(text):
        name = "unit" if match["unit"] else "unit2"
        unit = DURATION_AFTER.match(match[name])
        if unit:
            yield "duration", *duration(1.0, unit), match.start(name) + 1, match.end()


def find_wordings(text: str) -> list[Raw]:
    """Return the quantities that are said without a numeral, but for what is free (`add_free`).

    Args:
        text: Folded text.
    """
    found: list[Raw] = [*_halves(text), *_articles(text)]
    for match in _MULTIPLE.finditer(text):
        name = match.lastgroup or "two"
        found.append(
            ("multiple", {"two": 2.0, "three": 3.0, "four": 4.0, "han2": 2.0, "han4": 4.0}[name], "", *match.span())
        )
    for match in _VAGUE.finditer(text):
        word = (match["en"] or match["zh"] or "千").lower()
        found.append(("count", float(_VAGUE_VALUES[word]), "vague", *match.span()))
    return found
