"""Conversationality: spoken lines of a length that people say, and two sides that talk.

Source: TeleBot names the filter; what it looks at is ours.
"""

from statistics import fmean

from evaluation.customers.overlap import tokens
from guardrails.rule import either, first
from guardrails.text import normalise
from scripts_library.schema import Campaign, Language
from training.corpus.schema import Dialogue
from training.synthesis.filters.rules import broken
from training.synthesis.filters.stage import quoted

MOST_UNITS: dict[Language, int] = {"en": 60, "zh": 110}
"""Words (Chinese: characters) of a line."""
LEAST_UNITS: dict[Language, float] = {"en": 3.0, "zh": 4.0}
"""Mean of a customer's lines: one who only says "ok" holds no talk."""
_WRITTEN = either(
    r"\b(?:dear (?:sir|madam|customer|valued)|best regards|yours (?:sincerely|faithfully)|(?:kind|warm) regards|please find (?:attached|below)|furthermore|moreover|in conclusion)\b",
    r"^\s*(?:\d+[.)]|[-*•])\s|\n\s*(?:\d+[.)]|[-*•])\s",
    r"尊敬的|此致|敬上|综上所述|首先[，,].{0,80}其次|(?:^|\n)\s*(?:\d+[.、)）]|[一二三]、)",
)
"""Letters, essays and lists."""


def drop(dialogue: Dialogue, campaign: Campaign) -> str:
    """Return what makes a dialogue no spoken one; empty when it sounds like one."""
    lengths = []
    for place, turn in enumerate(dialogue.turns):
        units = len(tokens(turn.text, dialogue.language))
        if units > MOST_UNITS[dialogue.language]:
            return quoted(place, turn.text, f"{units} words, at most {MOST_UNITS[dialogue.language]}")
        if written := first(_WRITTEN, normalise(turn.text)):
            return quoted(place, turn.text, f"written language ({written.strip()[:20]})")
        if turn.role == "customer":
            lengths.append(units)
    if fmean(lengths) < LEAST_UNITS[dialogue.language]:
        return f"the customer says {fmean(lengths):.1f} words a line; {LEAST_UNITS[dialogue.language]:g} are the least"
    return broken(dialogue, campaign, "conversationality")
