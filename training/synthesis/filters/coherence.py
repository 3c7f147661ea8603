"""Coherence: nothing is said twice, nothing breaks off, and nobody talks on after the goodbye."""

import re

from evaluation.customers.ending import says_goodbye
from guardrails.text import normalise
from scripts_library.schema import Campaign
from training.corpus.schema import Dialogue
from training.synthesis.filters.rules import broken
from training.synthesis.filters.stage import quoted

_NOISE = re.compile(r"[\W_]+")
_BROKEN_OFF = re.compile(
    r"(?:[,，、:：;；\-–—(（]|\b(?:and|or|but|the|an|of|with|for|your|our|is|are|because|if|which)|(?:因为|如果|但是|而且|以及|比如))\s*$",
    re.IGNORECASE,
)
SHORT = 6
"""Letters or digits; shorter lines ("ok", 好的) may come again."""


def drop(dialogue: Dialogue, campaign: Campaign) -> str:
    """Return where a dialogue does not hang together; empty when it does."""
    last = len(dialogue.turns) - 1
    seen: set[str] = set()
    for place, turn in enumerate(dialogue.turns):
        plain = _NOISE.sub("", normalise(turn.text).lower())
        if plain in seen and len(plain) >= SHORT:
            return quoted(place, turn.text, "said before")
        seen.add(plain)
        if _BROKEN_OFF.search(turn.text):
            return quoted(place, turn.text, "breaks off")
        if says_goodbye(turn.text) and place < last - 1:
            return quoted(place, turn.text, f"{last - place} lines follow a goodbye")
    return broken(dialogue, campaign, "coherence")
