"""Make text comparable before rules read it: one form for digits, quotes, hidden characters and emphasis."""

import re

_SAME_LENGTH = {
    **{ord("０") + digit: str(digit) for digit in range(10)},
    **{ord("Ａ") + i: chr(ord("A") + i) for i in range(26)},
    **{ord("ａ") + i: chr(ord("a") + i) for i in range(26)},
    ord("％"): "%",
    ord("＄"): "$",
    ord("￥"): "¥",
    ord("．"): ".",
    ord("’"): "'",
    ord("‘"): "'",
    ord("\u00a0"): " ",
    ord("\u3000"): " ",
    ord("–"): "-",
    ord("—"): "-",
    ord("－"): "-",
    ord("～"): "~",
}
_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_EMPHASIS = re.compile(r"\*{1,3}|(?<![A-Za-z0-9_])_{1,2}(?=[A-Za-z])|(?<=[A-Za-z])_{1,2}(?![A-Za-z0-9_])|~~")
_SPACED = re.compile(r"\b(?:[A-Za-z] ){3,}[A-Za-z]\b")
_HAN = re.compile(r"[\u3400-\u9fff]")


def fold(text: str) -> str:
    """Return the text with full-width digits, letters and curly quotes made plain; every index stays valid."""
    return text.translate(_SAME_LENGTH)


def normalise(text: str) -> str:
    """Return the text as rules read it: folded, without hidden characters, emphasis marks or l e t t e r s p a c i n g."""
    plain = _EMPHASIS.sub("", _HIDDEN.sub("", fold(text)))
    return _SPACED.sub(lambda match: match.group().replace(" ", ""), plain)


def han_count(text: str) -> int:
    """Count Chinese characters."""
    return len(_HAN.findall(text))
