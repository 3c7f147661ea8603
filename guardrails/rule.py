"""What a rule is, and the two small tools that most rules share."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from guardrails.context import GuardContext, Severity

Scope = Literal["sentence", "reply"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A named, pure check.

    reason: what the breach is, in words that a model can act on when it repairs its reply.
    scope: `sentence` rules judge one sentence before it is released, `reply` rules the reply so far.
    check: returns what was found, or None. It reads normalised text (`guardrails.text.normalise`).
    """

    name: str
    severity: Severity
    reason: str
    scope: Scope
    check: Callable[[str, GuardContext], str | None]


def either(*patterns: str) -> re.Pattern[str]:
    """Compile alternatives into one case-insensitive pattern."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a campaign's own pattern once."""
    return re.compile(pattern, re.IGNORECASE)


def first(pattern: re.Pattern[str], text: str) -> str | None:
    """Return the first match's text, or None."""
    match = pattern.search(text)
    return match.group() if match else None


_NEGATED_BEFORE = re.compile(
    r"(?:\b(?:can'?t|cannot|can not|not|never|no|nobody|none|nothing|without|unable to|isn't|aren't|neither|nor|won't|don't|doesn't|wouldn't|couldn't|didn't)"
    r"(?!\s+only)\s+(?:(?:to|an?|the|any|ever|really|be|been|is|it|such|make|give|you|honestly|one can|exactly)\s+){0,3}"
    r"|(?:不能|不敢|无法|没法|没办法|不会|不可以|不做|不作|没有|并不|不是|难以|不好|未必|别|不)(?:向?您)?(?:做|作|给出?|说|拍胸脯|什么|一定(?:能|会)?|任何|百分百|百分之百|100%)?)$",
    re.IGNORECASE,
)


def claims(pattern: re.Pattern[str], text: str, approved: Iterable[str] = ()) -> Iterator[re.Match[str]]:
    """Yield the matches that are neither denied ("we cannot guarantee", 不能保证) nor part of an approved phrase."""
    spans = [match.span() for phrase in approved if phrase for match in compiled(re.escape(phrase)).finditer(text)]
    for match in pattern.finditer(text):
        start, end = match.span()
        inside = any(a < end and start < b for a, b in spans)
        if not inside and not _NEGATED_BEFORE.search(text[max(0, start - 40) : start]):
            yield match


def first_claim(pattern: re.Pattern[str], text: str, approved: Iterable[str] = ()) -> str | None:
    """Return the first match of `claims`, or None."""
    match = next(claims(pattern, text, approved), None)
    return match.group() if match else None
