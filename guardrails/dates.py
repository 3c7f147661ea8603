"""Find dates and times of day in English and Chinese."""

import re
from collections.abc import Iterator

from guardrails.numerals import chinese
from guardrails.units import Raw

_I = re.IGNORECASE
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_HAN = "[零〇一二两三四五六七八九十]"

_DATES = re.compile(
    r"(?P<iso_y>(?:19|20)\d\d)[-/.](?P<iso_m>\d{1,2})[-/.](?P<iso_d>\d{1,2})(?!\d)"
    r"|(?P<us_m>\d{1,2})/(?P<us_d>\d{1,2})/(?P<us_y>(?:19|20)\d\d)(?!\d)"
    rf"|(?:(?P<zh_y>(?:19|20)\d\d|[一二][零〇一二三四五六七八九]{{3}})年)?(?P<zh_m>\d{{1,2}}|{_HAN}{{1,3}})月(?P<zh_d>\d{{1,2}}|{_HAN}{{1,3}})[日号]"
    r"|(?P<year_zh>(?:19|20)\d\d|[一二][零〇一二三四五六七八九]{3})年(?!代)"
    rf"|\b{_MONTH.format('en_m')}\s(?P<en_d>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s(?P<en_y>(?:19|20)\d\d))?(?![\d:])\b"
    rf"|\b(?P<eu_d>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH.format('eu_m')}(?:\s(?P<eu_y>(?:19|20)\d\d))?\b"
    r"|\b(?:in|since|by|of|from|during|until|till|year|before|after|early|late|FY|back in|fiscal(?: year)?|end of)\s(?P<year_en>(?:19|20)\d\d)(?![\d,.]\d|\d|\s?(?:yuan|dollars|people|shops|customers|orders))\b",
    _I,
)
_WEEKDAYS = {
    name: i + 1 for i, name in enumerate(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
}
_ZH_WEEKDAYS = {char: i + 1 for i, char in enumerate("一二三四五六日")} | {"天": 7}
_DAYS = re.compile(
    r"\b(?P<en>mon|tues|wednes|thurs|fri|satur|sun)day\b|(?:周|星期|礼拜)(?P<zh>[一二三四五六日天])"
    r"|(?P<rel2>\bday after tomorrow\b|后天)|(?P<rel1>\btomorrow\b|明天|明早|明晚)",
    _I,
)
_TIMES = re.compile(
    r"(?P<always>\b24\s?/\s?7\b|twenty[- ]four[- ]seven|7\s?[x×*]\s?24\s?(?:个?小时)?|around the clock|全天候)"
    r"|(?<![\d:])(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)\s?(?P<half>[ap]\.?m\b\.?)?"
    r"|(?<![\d:.$])\b(?P<h2>1[0-2]|[1-9])\s?(?:(?P<half2>[ap]\.?m\b\.?)|o'clock)"
    rf"|(?P<part>凌晨|早上|上午|中午|下午|傍晚|晚上|今晚|明早)(?P<h3>\d{{1,2}}|{_HAN}{{1,3}})[点时](?:(?P<half_past>半)|(?P<m3>\d{{1,2}}|{_HAN}{{1,3}})分?)?"
    rf"|(?P<h4>\d{{1,2}}|{_HAN}{{1,3}})点(?:钟|整|(?P<half_past4>半))",
    _I,
)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else int(chinese(text))


def _month(name: str) -> int:
    return next(i + 1 for i, month in enumerate(_MONTHS) if month.startswith(name.lower()[:3]))


def _dates(text: str) -> Iterator[Raw]:
    for match in _DATES.finditer(text):
        group = match.groupdict()
        start, end = match.span()
        year = next(
            (group[key] for key in ("iso_y", "us_y", "zh_y", "en_y", "eu_y", "year_zh", "year_en") if group[key]), ""
        )
        if year:
            yield "date", float(_number(year)), "year", start, end
        for prefix in ("iso", "us", "zh"):
            if group[f"{prefix}_m"]:
                day = _number(group[f"{prefix}_m"]) * 100 + _number(group[f"{prefix}_d"])
                yield "date", float(day), "day", start, end
        for prefix in ("en", "eu"):
            if group[f"{prefix}_m"]:
                day = _month(group[f"{prefix}_m"]) * 100 + int(group[f"{prefix}_d"])
                yield "date", float(day), "day", start, end


def _days(text: str) -> Iterator[Raw]:
    for match in _DAYS.finditer(text):
        start, end = match.span()
        if match["en"]:
            yield "date", float(_WEEKDAYS[match["en"].lower() + "day"]), "weekday", start, end
        elif match["zh"]:
            yield "date", float(_ZH_WEEKDAYS[match["zh"]]), "weekday", start, end
        else:
            yield "date", 2.0 if match["rel2"] else 1.0, "days ahead", start, end


def _times(text: str) -> Iterator[Raw]:
    for match in _TIMES.finditer(text):
        start, end = match.span()
        if match["always"]:
            yield "time", 24.0, "always", start, end
            continue
        if match["h"]:
            hour, minute, half = int(match["h"]), int(match["m"]), match["half"] or ""
        elif match["h2"]:
            hour, minute, half = int(match["h2"]), 0, match["half2"] or ""
        else:
            hour = _number(match["h3"] or match["h4"])
            minute = 30 if match["half_past"] or match["half_past4"] else _number(match["m3"]) if match["m3"] else 0
            half = "pm" if match["part"] in ("下午", "傍晚", "晚上", "今晚") else ""
        if half.lower().startswith("p") and hour < 12:
            hour += 12
        yield "time", hour + round(minute / 60, 4), "clock", start, end


def find_dates(text: str) -> list[Raw]:
    """Return dates (unit `day` as month * 100 + day, `year`, `weekday` 1–7, `days ahead`) and times (`clock`, `always`).

    A full date yields two quantities, its year and its day, so that "on 30 November" is supported by "30 November 2026".

    Args:
        text: Folded text.
    """
    return [*_dates(text), *_times(text), *_days(text)]
