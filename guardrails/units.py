"""Units that turn a number into a quantity: currencies, periods, discounts, multiples."""

import re
from typing import Literal

Kind = Literal["money", "percent", "duration", "date", "time", "multiple", "count"]
Raw = tuple[Kind, float, str, int, int]
"""kind, value, unit, start, end: a quantity before it gets its public type."""

_I = re.IGNORECASE

CURRENCY_BEFORE = re.compile(r"(US\$|HK\$|[$€£¥]|\b(?:USD|RMB|CNY|EUR|GBP)|人民币)\s?$", _I)
CURRENCY_AFTER = re.compile(
    r"\s?-?(?:(?P<usd>US dollars?|dollars?|bucks?|USD|美元|美金|刀(?=[,，。！!]|$))|(?P<usd_sign>\$(?!\d))|(?P<usd_cent>cents?|¢|c\b|penn(?:y|ies)|美分)"
    r"|(?P<cny>yuan|RMB|CNY|kuai|元|块(?:钱)?|圆)|(?P<jiao>毛(?:钱)?|角(?:钱)?(?![度落色]))|(?P<fen>分(?:钱|(?=不|没|都不)))"
    r"|(?P<eur>euros?|EUR|欧元)|(?P<gbp>pounds?|quid|GBP|英镑)|(?P<hkd>HKD|港币|港元))(?![A-Za-z])",
    _I,
)
_SYMBOLS = {
    "us$": "USD", "$": "USD", "usd": "USD", "hk$": "HKD", "€": "EUR", "eur": "EUR", "£": "GBP", "gbp": "GBP",
    "¥": "CNY", "rmb": "CNY", "cny": "CNY", "人民币": "CNY",
}  # fmt: skip
_CURRENCIES = {
    "usd": ("USD", 1.0), "usd_sign": ("USD", 1.0), "usd_cent": ("USD", 0.01), "cny": ("CNY", 1.0), "jiao": ("CNY", 0.1), "fen": ("CNY", 0.01),
    "eur": ("EUR", 1.0), "gbp": ("GBP", 1.0), "hkd": ("HKD", 1.0),
}  # fmt: skip
_PERIOD = (
    r"(?:(?P<{0}order>order|sale|单|笔)|(?P<{0}hour>hour|小时)|(?P<{0}day>day|天|日)|(?P<{0}week>week|周|星期)"
    r"|(?P<{0}month>month|月)|(?P<{0}year>year|年|annum))"
)
RATE_AFTER = re.compile(
    r"(?:\s?/\s?|\s(?:a|an|per|each|every|for (?:a|one|each|every)(?: (?:whole|full))?)\s|\s?每个?|\s?一个?|\s?整)"
    + _PERIOD.format("")
    + r"(?!s\b|[A-Za-z])|\s(?:(?P<monthly>monthly)|(?P<yearly>yearly|annually)|(?P<weekly>weekly)|(?P<daily>daily))\b",
    _I,
)
RATE_BEFORE = re.compile(
    r"(?:(?:每|一)个?|\b(?:each|every|per)\s)" + _PERIOD.format("") + r"(?![内后])[^,，。;；!！?？\d]{0,8}$"
    r"|(?:(?P<monthly>\bmonthly|月费|月租)|(?P<yearly>\b(?:yearly|annual)|年费)|(?P<weekly>\bweekly)|(?P<daily>\bdaily|日租))"
    r"[^,，。;；!！?？\d]{0,16}$",
    _I,
)
_ADVERBS = {"monthly": "month", "yearly": "year", "weekly": "week", "daily": "day"}
PRICE_BEFORE = re.compile(
    r"(?:\b(?:price|costs?|fee|charge|pay|for only|for just|as low as|go down to)(?:\s(?:is|of|at|only|just|you))*"
    r"|(?:价格|价钱|售价|费用|只要|只需|仅需|只收|收您|才要|降到|做到)(?:是|为|只要|您)?)\s?$",
    _I,
)

_HOURS = {"second": 1 / 3600, "minute": 1 / 60, "hour": 1.0, "day": 24.0, "week": 168.0, "fortnight": 336.0}
_MONTHS = {"month": 1.0, "quarter": 3.0, "year": 12.0, "decade": 120.0}
DURATION_AFTER = re.compile(
    r"[\s-]?(?:(?:full|whole|calendar|extra|more|additional|free|bonus)\s)?(?:(?P<working>(?:business|working|work)[\s-]days?|个?工作日)|(?P<second>seconds?|secs?|秒钟?)"
    r"|(?P<minute>minutes?|mins?|分钟)|(?P<hour>hours?|hrs?|个?小时|个?钟头)|(?P<day>days?|天|日(?![常期子记本]))"
    r"|(?P<fortnight>fortnights?)|(?P<week>weeks?|个?(?:星期|礼拜)(?![一二三四五六日天])|周(?![末边到围一二三四五六日年]))"
    r"|(?P<month>months?|个(?:多|整)?月)|(?P<quarter>quarters?|个?季度)|(?P<decade>decades?)"
    r"|(?P<year>years?(?!\s?-?olds?)|yrs?|年(?![轻底纪货代级])))(?![A-Za-z])",
    _I,
)
PERCENT_AFTER = re.compile(r"\s?-?(?:%|percent(?:age points?)?\b|per cent\b|pct\b|个百分点)", _I)
OFF_AFTER = re.compile(
    r"\s?-?(?:off\b|(?:price )?(?:discount|cheaper|reduction|rebate|less than)|的?(?:折扣|优惠))", _I
)
OFF_BEFORE = re.compile(
    r"(?:\b(?:discount of|save|saves|saving|knock|take|reduced by|cut by|off)(?:\s(?:you|up to|about|around|another))*"
    r"|(?:优惠|立减|减免|减|降价?|便宜|省|返|打)(?:您|了|到|至少|大概)?)\s?$",
    _I,
)
TENTHS_PRICE = re.compile(r"\s?折(?![腾磨叠返合中旧射])")
TENTHS = re.compile(r"成(?![功为立本交长员熟果人不都年绩效了千套天是会])")
MULTIPLE_AFTER = re.compile(
    r"(?:\s?[x×](?![A-Za-z])|\s?-?times\s(?:more|as|the|higher|what|better|faster|bigger|your)|-?\s?fold\b|倍)", _I
)


def symbol(match: re.Match[str]) -> str:
    """Return the currency of a sign before a number."""
    return _SYMBOLS[match.group(1).lower()]


def money(value: float, match: re.Match[str]) -> tuple[float, str]:
    """Return value and currency of a number followed by a currency word."""
    currency, factor = _CURRENCIES[match.lastgroup or "usd"]
    return round(value * factor, 6), currency


def rate(match: re.Match[str] | None) -> str:
    """Return "/month", "/order" … for a matched period, or nothing."""
    if match is None or match.lastgroup is None:
        return ""
    return "/" + _ADVERBS.get(match.lastgroup, match.lastgroup)


def duration(value: float, match: re.Match[str]) -> tuple[float, str]:
    """Return a duration in its base unit.

    Hours for all up to weeks, months for all above, working days apart: two weeks are 14 days, half a year six months,
    but 30 days are not a month.
    """
    name = match.lastgroup or "day"
    if name == "working":
        return value, "working day"
    if name in _HOURS:
        return round(value * _HOURS[name], 6), "hour"
    return round(value * _MONTHS[name], 6), "month"
