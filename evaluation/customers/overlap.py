"""How alike two lines are in their words: BLEU-4 and ROUGE, as SalesLLM's released code measures customers.

English goes by words with contractions written out, Chinese by characters. Own code: `sacrebleu` and `rouge-score` count
corpora and English words, and neither takes the tokens as they are given here.
"""

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, log

from guardrails.text import normalise
from scripts_library.schema import Language

_CONTRACTIONS = (
    ("won't", "will not"), ("can't", "can not"), ("shan't", "shall not"), ("let's", "let us"), ("n't", " not"), ("'re", " are"),
    ("'m", " am"), ("'ll", " will"), ("'ve", " have"), ("'d", " would"), ("'s", " is"),
)  # fmt: skip
_WORD = re.compile(r"[a-z0-9]+")
_CHARACTER = re.compile(r"[a-z0-9]+|[\u3400-\u9fff]")
ORDER = 4


def tokens(text: str, language: Language) -> list[str]:
    """Return the units that are compared: English words, contractions written out, or Chinese characters."""
    plain = normalise(text).lower()
    if language == "zh":
        return _CHARACTER.findall(plain)
    for short, long in _CONTRACTIONS:
        plain = plain.replace(short, long)
    return _WORD.findall(plain)


def _grams(units: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(units[start : start + order]) for start in range(len(units) - order + 1))


def bleu(said: Sequence[str], real: Sequence[str]) -> float:
    """Return the BLEU-4 of one line, each order's precision smoothed by one, with the brevity penalty.

    Args:
        said: Units of the simulated line.
        real: Units of the real one.

    Returns:
        0..1; 0 where no unit is shared or one of them is empty.

    Source: Papineni et al., ACL 2002; smoothing of Lin and Och, COLING 2004: one is added to the matches and to the count of
    the orders 2 to 4, so that a line without any shared word stays at 0.
    """
    precisions = []
    for order in range(1, ORDER + 1):
        mine, theirs = _grams(said, order), _grams(real, order)
        extra = 0 if order == 1 else 1
        matched, count = sum((mine & theirs).values()) + extra, sum(mine.values()) + extra
        if not matched:
            return 0.0
        precisions.append(matched / count)
    penalty = min(1.0, exp(1 - len(real) / len(said)))
    return penalty * exp(sum(log(precision) for precision in precisions) / ORDER)


def rouge(said: Sequence[str], real: Sequence[str], order: int) -> float:
    """Return ROUGE-N as F1 of shared n-grams, 0..1.

    Source: Lin, ACL workshop 2004.
    """
    mine, theirs = _grams(said, order), _grams(real, order)
    return _f1(sum((mine & theirs).values()), sum(mine.values()), sum(theirs.values()))


def rouge_l(said: Sequence[str], real: Sequence[str]) -> float:
    """Return ROUGE-L as F1 of the longest common subsequence, 0..1.

    Source: Lin, ACL workshop 2004.
    """
    row = [0] * (len(real) + 1)
    for unit in said:
        before = row
        row = [0]
        for place, other in enumerate(real, start=1):
            row.append(before[place - 1] + 1 if unit == other else max(before[place], row[-1]))
    return _f1(row[-1], len(said), len(real))


def _f1(shared: int, said: int, real: int) -> float:
    return 2 * shared / (said + real) if shared else 0.0
