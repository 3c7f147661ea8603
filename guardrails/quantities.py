"""Find what a text says in numbers, prices, percentages, periods, dates and multiples, and tell what supports it.

Decisions that callers rely on:

* Money keeps its period in the unit: "399 yuan a month" is 399 of `CNY/month`; a bare price is `CNY`; a price without a
  currency ("only 99") has the unit "" or "/month".
* A discount is a percentage with unit `off`, however it is said: "90% off", 一折, "half price". A share is a plain
  percentage: "9 out of 10", 三分之一, 四成.
* "$0" and "0元" are money 0. "Free" is money 0 with unit `free`, `free trial`, `free commission` …; beside a duration it
  makes a free duration (unit `hour free`, `month free`).
* Hours, days and weeks are durations in `hour`, months to decades in `month`, working days in `working day`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from guardrails import units
from guardrails.dates import find_dates
from guardrails.numerals import Number, chinese, find_numbers
from guardrails.text import fold
from guardrails.units import Kind, Raw
from guardrails.wordings import add_free, find_wordings

_NUM = r"(?:\d[\d,.]{0,12}\d|\d|[零一二两三四五六七八九十百千万]{1,10}(?:点[零一二三四五六七八九]{1,6})?)"
_SHARES = re.compile(
    rf"百分之(?P<percent>{_NUM})|(?P<hundred>百分之?百)|(?P<below>{_NUM})分之(?P<above>{_NUM})"
    rf"|(?P<all>{_NUM})[家个位名人单][^，。,]{{0,4}}[里中]就?有(?P<part>{_NUM})"
)
_RATIO = re.compile(r"\s(?:out of|in|of)\s(?:every\s|the\s)?$", re.IGNORECASE)
_DECIMAL = re.compile(r"\d*\.\d\d")
"""Two decimals and no unit: an amount of money ("even .05 helps")."""
_JOIN_NEXT = re.compile(r"[-~到至或][\d一二两三四五六七八九十]")
_JOINS = re.compile(r"\s?(?:-|~|to|and|or|到|至)\s?$", re.IGNORECASE)
_BARE_AFTER = re.compile(r"\s*(?:[.,;!?，。；！？)）吧了呢啊呀行]|$)")
_MEASURE = re.compile(
    r"[多余来几]?(?:[家个位名人间户单份件条次碗台款张店城省国种座颗桌杯笔只万亿]|分店|门店|老板|商[家户]|顾客|客[人户])"
)
"""What must follow a Chinese numeral that counts something; without it 一定, 十分, 千万别 would be numbers."""
_LABEL_BEFORE = re.compile(r"[A-Za-z]-?$")
_SMALL_MONEY = re.compile(r"[\d一二两三四五六七八九](?![\d十百千万毛角折%个年月周天单次份位])")
_TIME_SPAN_ZH = re.compile(r"[内里之以后免试的合起到上见回就送]|左右")
_TIME_SPAN_BEFORE = re.compile(r"\b(?:in|within|for|only|with|after|just|takes)\s$", re.IGNORECASE)
_TIME_SPAN_ZH_BEFORE = re.compile(r"(?:免费|[送签满付用期前]|合同|提前|试用|至少|终身)$")
_NOUN_TOGETHER = re.compile(r"[去来儿聊看做吃走努内牌地]")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity without its wording; two wordings of one quantity are equal.

    unit: see the module's text; "" where the kind alone says it. A count that stands alone has the unit `bare`, a vague
    magnitude ("thousands of") `vague`.
    """

    kind: Kind
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class FoundQuantity:
    """A quantity and where the text says it; `start` and `end` are indices into the text as given."""

    quantity: Quantity
    text: str
    start: int
    end: int


def _money(text: str, number: Number, start: int, value: float, end: int, currency: str) -> Raw:
    """Add the odd tenths ("九块九") and the period of a price."""
    tenth = _SMALL_MONEY.match(text, end) if text[end - 1 : end] == "块" else None
    if tenth and number.style != "words":
        value, end = value + chinese_digit(tenth.group()) / 10, tenth.end()
    after = units.RATE_AFTER.match(text, end)
    if after:
        return "money", round(value, 6), currency + units.rate(after), start, after.end()
    before = units.RATE_BEFORE.search(text[max(0, start - 24) : start])
    return "money", round(value, 6), currency + units.rate(before), start, end


def chinese_digit(char: str) -> float:
    """Return the value of one digit, Arabic or Chinese."""
    return float(char) if char.isdigit() else chinese(char)


def _duration(text: str, number: Number, match: re.Match[str]) -> Raw | None:
    """Return a duration, but not "one day you will see" nor 一天卖四十碗 (a rate)."""
    left = text[max(0, number.start - 12) : number.start]
    if number.value == 1 and number.style == "han":
        spans = _TIME_SPAN_ZH.match(text, match.end()) or _TIME_SPAN_ZH_BEFORE.search(left)
    elif number.value == 1 and number.style == "words" and match.lastgroup == "day":
        spans = _TIME_SPAN_BEFORE.search(left)
    else:
        spans = match
    if not spans:
        return None
    value, unit = units.duration(number.value, match)
    return "duration", value, unit, number.start, match.end()


def _percent(text: str, number: Number, left: str) -> Raw | None:
    match = units.PERCENT_AFTER.match(text, number.end)
    if match:
        off = units.OFF_AFTER.match(text, match.end())
        unit = "off" if off or units.OFF_BEFORE.search(left) else ""
        return "percent", number.value, unit, number.start, off.end() if off else match.end()
    match = units.TENTHS_PRICE.match(text, number.end)
    if match and 0 < number.value < 100:
        off_value = (10 - number.value) * 10 if number.value <= 10 else 100 - number.value
        return "percent", round(off_value, 2), "off", number.start, match.end()
    match = units.TENTHS.match(text, number.end)
    if match and number.value <= 10:
        unit = "off" if units.OFF_BEFORE.search(left) else ""
        return "percent", number.value * 10, unit, number.start, match.end()
    return None


def _classify(text: str, number: Number) -> Raw | None:
    """Return the quantity a number stands for; counts included."""
    start, end, value = number.start, number.end, number.value
    left = text[max(0, start - 24) : start]
    sign = units.CURRENCY_BEFORE.search(left)
    if sign:
        return _money(text, number, start - len(sign.group()), value, end, units.symbol(sign))
    percent = _percent(text, number, left)
    if percent:
        return percent
    word = units.CURRENCY_AFTER.match(text, end)
    together = number.style == "han" and value == 1 and word and word.group().strip() == "块"
    if word and not (together and (left[-1:] in "这那哪" or _NOUN_TOGETHER.match(text, word.end()))):
        amount, currency = units.money(value, word)
        return _money(text, number, start, amount, word.end(), currency)
    period = units.DURATION_AFTER.match(text, end)
    if period:
        return _duration(text, number, period)
    multiple = units.MULTIPLE_AFTER.match(text, end)
    if multiple:
        return "multiple", value, "", start, multiple.end()
    rate = units.RATE_AFTER.match(text, end)
    if rate or units.PRICE_BEFORE.search(left):
        return _money(text, number, start, value, end, "")
    if number.style == "digits" and _DECIMAL.fullmatch(text[start:end]):
        return "money", value, "", start, end
    if number.style == "digits" and _LABEL_BEFORE.search(left):
        return None
    bare = bool(_BARE_AFTER.match(text, end))
    if number.style == "han" and not (
        _MEASURE.match(text, end) or _JOIN_NEXT.match(text, end) or (bare and value > 10)
    ):
        return None
    return "count", value, "bare" if bare else "", start, end


def _shares(text: str) -> list[Raw]:
    found: list[Raw] = []
    for match in _SHARES.finditer(text):
        if match["percent"]:
            value = _value(match["percent"])
        elif match["hundred"]:
            value = 100.0
        else:
            whole, part = _value(match["below"] or match["all"]), _value(match["above"] or match["part"])
            if not whole or part > whole:
                continue
            value = round(100 * part / whole, 2)
        off = units.OFF_BEFORE.search(text[max(0, match.start() - 8) : match.start()])
        found.append(("percent", value, "off" if off else "", match.start(), match.end()))
    return found


def _value(numeral: str) -> float:
    plain = numeral.replace(",", "").strip(".")
    return (
        float(plain)
        if re.fullmatch(r"\d+(?:\.\d+)?", plain)
        else chinese(numeral)
        if numeral[0] not in "0123456789"
        else 0.0
    )


def _ratios(text: str, numbers: list[Number]) -> tuple[list[Raw], set[int]]:
    """Return "9 out of 10" and "one in five" as percentages, and the numbers that they used."""
    found: list[Raw] = []
    used: set[int] = set()
    for first, second in pairwise(numbers):
        between = _RATIO.search(text[first.end : second.start])
        if between and between.start() == 0 and 0 < first.value < second.value <= 1000:
            found.append(("percent", round(100 * first.value / second.value, 2), "", first.start, second.end))
            used |= {first.start, second.start}
    return found, used


def _scaled(value: float, partner: Raw, wording: str) -> float:
    """Return a number in its partner's unit: the 5 of "5 or 10 cents" is 0.05 dollars."""
    if partner[2] == "off" and "折" in wording:
        return round((10 - value) * 10, 2)
    own = next((number.value for number in find_numbers(wording)), 0.0)
    return round(value * partner[1] / own, 6) if own else value


def _spread(text: str, raws: list[Raw]) -> list[Raw]:
    """Give the first number of a range ("$5 to 10", 三到五天) the kind and unit of its partner."""
    result = sorted(raws, key=lambda raw: raw[3])
    for i in range(len(result) - 1):
        one, two = result[i], result[i + 1]
        if one[0] == two[0] or "count" not in (one[0], two[0]) or not _JOINS.fullmatch(text[one[4] : two[3]]):
            continue
        if one[0] == "count":
            result[i] = (two[0], _scaled(one[1], two, text[two[3] : two[4]]), two[2], one[3], one[4])
        else:
            result[i + 1] = (one[0], two[1], one[2], two[3], two[4])
    return result


def find_quantities(text: str) -> list[FoundQuantity]:
    """Return the quantities that a text says, in order.

    Args:
        text: One or more sentences in English or Chinese.

    Example:
        >>> [found.quantity for found in find_quantities("九折，每月399元")]
        [Quantity(kind='percent', value=10.0, unit='off'), Quantity(kind='money', value=399.0, unit='CNY/month')]
    """
    folded = fold(text)
    fixed = [*_shares(folded), *find_dates(folded)]
    taken = [(raw[3], raw[4]) for raw in fixed]
    numbers = [n for n in find_numbers(folded) if not any(n.start < end and n.end > start for start, end in taken)]
    ratios, used = _ratios(folded, numbers)
    raws = [*fixed, *ratios]
    for number in numbers:
        if number.start not in used:
            raw = _classify(folded, number)
            if raw:
                raws.append(raw)
    firm = [raw for raw in raws if raw[0] != "count"]
    worded = [raw for raw in find_wordings(folded) if not _overlaps(raw, firm)]
    raws = [*firm, *worded, *(raw for raw in raws if raw[0] == "count" and not _overlaps(raw, worded))]
    raws = add_free(folded, _without_rates(folded, _spread(folded, raws)))
    raws.sort(key=lambda raw: (raw[3], raw[4]))
    return [FoundQuantity(Quantity(kind, value, unit), text[a:b], a, b) for kind, value, unit, a, b in raws]


def _overlaps(raw: Raw, others: list[Raw]) -> bool:
    return any(raw[3] < other[4] and raw[4] > other[3] for other in others)


def _without_rates(text: str, raws: list[Raw]) -> list[Raw]:
    """Drop the "一个" that is the period of a price further right ("一个月399元"), and numbers inside a price."""
    priced = [(raw[3], raw[4]) for raw in raws if raw[0] == "money"]
    kept: list[Raw] = []
    for raw in raws:
        inside = raw[0] != "money" and any(start <= raw[3] and raw[4] <= end for start, end in priced)
        if not inside:
            kept.append(raw)
    return kept


def allowed_quantities(texts: Iterable[str]) -> frozenset[Quantity]:
    """Return every quantity that the texts state: facts, allowed number phrases, values of slots."""
    return frozenset(found.quantity for text in texts for found in find_quantities(text))


def _money_fits(said: str, fact: str) -> bool:
    if said.startswith("free") or fact.startswith("free"):
        return said == fact
    currency, _, period = said.partition("/")
    fact_currency, _, fact_period = fact.partition("/")
    return (not currency or not fact_currency or currency == fact_currency) and (
        not period or not fact_period or period == fact_period
    )


def is_supported(said: Quantity, allowed: Iterable[Quantity]) -> bool:
    """Tell whether a said quantity is one of the allowed ones.

    A period or currency left out fits any; a wrong one fits none. A plain percentage fits a discount, not the other way
    round; a duration fits a free duration, not the other way round. A vague magnitude fits any allowed count at least as
    large; a number that stands alone fits any allowed quantity of its value.
    """
    for fact in allowed:
        if said == fact:
            return True
        if said.kind == "count" and said.unit == "vague" and fact.kind == "count" and fact.value >= said.value:
            return True
        if said.value != fact.value:
            continue
        if said.kind == "count" and (said.unit == "bare" or fact.kind == "count"):
            return True
        if said.kind != fact.kind:
            continue
        if said.kind == "money" and _money_fits(said.unit, fact.unit):
            return True
        if said.kind == "percent" and not said.unit:
            return True
        if said.kind == "duration" and fact.unit == f"{said.unit} free":
            return True
    return False
