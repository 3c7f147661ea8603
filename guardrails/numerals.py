"""Find numbers however they are written: digits, English words, Chinese numerals."""

import re
from dataclasses import dataclass
from typing import Literal

_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {
    **{word: value for value, word in enumerate(_UNITS)},
    **{word: 20 + 10 * i for i, word in enumerate(_TENS)},
    "dozen": 12,
}
_SCALES = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "k": 1e3, "m": 1e6, "mln": 1e6, "bn": 1e9}
_HAN_DIGITS = {
    **{char: value for value, char in enumerate("零一二三四五六七八九")},
    **{char: value for value, char in enumerate("〇壹贰叁肆伍陆柒捌玖")},
    "两": 2,
    "俩": 2,
    "仨": 3,
}
_TO_HAN = str.maketrans("0123456789", "零一二三四五六七八九")
_HAN_SCALES = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000, "万": 10_000, "亿": 100_000_000}
_HAN_ONES = "".join(char for char in _HAN_DIGITS if char not in "零〇")
_HAN_TENS = "".join(_HAN_SCALES)
_WORD = "|".join(sorted([*_WORDS, "hundred", "thousand", "million", "billion"], key=len, reverse=True))

_NUMBER = re.compile(
    r"(?<![A-Za-z_\d])(?P<digits>\d{1,3}(?:,\d{3}){1,5}(?:\.\d{1,6})?|\d{1,15}(?:\.\d{1,6})?|(?<![\d.])\.\d{1,6})"
    rf"(?:\s?(?P<scale>hundred|thousand|million|billion|mln|bn)\b|(?P<short>[kKmM])(?![A-Za-z])|(?P<han_scale>[十百千万亿]{{1,3}})(?P<tail>[\d零〇{_HAN_ONES}{_HAN_TENS}]{{0,12}}))?"
    rf"|\b(?P<words>(?:an?\s+(?=hundred|thousand|million|billion|dozen))?(?:{_WORD})(?:(?:\s+|-|\s+and\s+)(?:{_WORD})){{0,8}})\b"
    rf"|(?P<han>(?:(?:[零〇]?[{_HAN_ONES}]?[{_HAN_TENS}]{{1,2}}){{1,8}}(?:[零〇]?[{_HAN_ONES}])?|[零〇{_HAN_ONES}]{{1,12}})(?:点[零一二三四五六七八九〇]{{1,6}})?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number and where it stands."""

    value: float
    start: int
    end: int
    style: Literal["digits", "words", "han"]


def _english(words: str) -> float:
    total = current = 0.0
    for word in re.split(r"[\s-]+", words.lower()):
        if word in ("a", "an"):
            current = 1
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _SCALES:
            total, current = total + max(current, 1) * _SCALES[word], 0
        elif word == "dozen":
            current = max(current, 1) * 12
        elif word != "and":
            current += _WORDS[word]
    return total + current


def chinese(text: str) -> float:
    """Return the value of a Chinese numeral.

    Args:
        text: Numeral characters only, e.g. "三百九十九", "两千五" (2500), "二零二六", "三点五".

    Returns:
        Its value; digits in a row are read as one number ("二零二六" is 2026).
    """
    whole, _, fraction = text.partition("点")
    if fraction:
        return chinese(whole) + float("0." + "".join(str(_HAN_DIGITS[char]) for char in fraction))
    if len(whole) > 1 and all(char in _HAN_DIGITS for char in whole):
        return float("".join(str(_HAN_DIGITS[char]) for char in whole))
    total = section = digit = 0.0
    last_scale = 1
    zero = False
    for char in whole:
        if char in _HAN_DIGITS:
            digit, zero = _HAN_DIGITS[char], zero or char in "零〇"
            continue
        scale = _HAN_SCALES[char]
        if scale >= 10_000:
            total = (total + section + digit or 1) * scale
            section = 0.0
        else:
            section += (digit or 1) * scale
        digit, last_scale, zero = 0.0, scale, False
    if digit and last_scale >= 100 and not zero:  # "两千五" leaves the last scale unsaid
        digit *= last_scale / 10
    return total + section + digit


def _digits(match: re.Match[str]) -> float:
    value = float(match["digits"].replace(",", ""))
    if match["scale"]:
        return value * _SCALES[match["scale"].lower()]
    if match["short"]:
        return value * _SCALES[match["short"].lower()]
    if match["han_scale"]:
        scale = 1
        for char in match["han_scale"]:
            scale *= _HAN_SCALES[char]
        tail = match["tail"]
        if not tail:
            return value * scale
        rest = float(tail) if tail.isdigit() else chinese(tail.translate(_TO_HAN))
        return value * scale + (rest * scale / 10 if rest < 10 and len(tail) == 1 else rest)
    return value


def find_numbers(text: str) -> list[Number]:
    """Return every number of the text in order; ordinals such as "3rd" and "第三" are left out.

    Args:
        text: Folded text (`guardrails.text.fold`).
    """
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        if match["digits"]:
            value, style = _digits(match), "digits"
            if re.match(r"(?:st|nd|rd|th)\b", text[match.end() : match.end() + 3], re.IGNORECASE):
                continue
        elif match["words"]:
            value, style = _english(match["words"]), "words"
        else:
            value, style = chinese(match["han"]), "han"
        if text[match.start() - 1 : match.start()] == "第":
            continue
        found.append(Number(round(value, 6), match.start(), match.end(), style))  # type: ignore[arg-type]
    return found
