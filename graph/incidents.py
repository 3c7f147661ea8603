"""From a bad answer to a rule: the pieces that need no page."""

import re
from itertools import pairwise

from sqlalchemy import ColumnElement, Engine, func, select

from graph.call_tables import turn_fact
from guardrails.text import normalise

_EDGE_BEFORE, _EDGE_AFTER = "(?<![A-Za-z0-9])", "(?![A-Za-z0-9])"
NEWEST = 5_000
"""Recorded replies of a language that a rule is tried on: as many as a person waits for."""
Reply = tuple[str, int, str]
"""Call, turn, what the agent said."""


def pattern_of(words: str) -> str:
    r"""Return a regular expression that finds words as whole words, however they are spaced.

    Example:
        >>> pattern_of("no  risk!")
        '(?<![A-Za-z0-9])no\\s+risk!'
    """
    parts = normalise(words).split()
    pattern = re.escape(parts[0])
    for before, part in pairwise(parts):
        pattern += (r"\s+" if _word(before[-1]) and _word(part[0]) else r"\s*") + re.escape(part)
    return f"{_EDGE_BEFORE if _word(parts[0][0]) else ''}{pattern}{_EDGE_AFTER if _word(parts[-1][-1]) else ''}"


def _word(sign: str) -> bool:
    return sign.isascii() and sign.isalnum()


def name_of(call: str, turn: int) -> str:
    """Return a name for what comes of a turn, as campaigns spell names."""
    return re.sub(r"[^a-z0-9_-]", "-", f"incident-{call.lower()}-{turn}")[:63]


def recorded_replies(engine: Engine, campaign: str, language: str, newest: int = NEWEST) -> list[Reply]:
    """Return what the agent said last in a campaign's calls in a language, people's lines left out, newest first."""
    query = select(turn_fact.c.call, turn_fact.c.turn, turn_fact.c.reply).where(*_said(campaign, language))
    newest_first = query.order_by(turn_fact.c.at.desc()).limit(newest)
    with engine.connect() as connection:
        return [(row.call, row.turn, row.reply) for row in connection.execute(newest_first)]


def recorded_count(engine: Engine, campaign: str, language: str) -> int:
    """Return how many replies of the agent there are in a campaign's calls in a language."""
    with engine.connect() as connection:
        query = select(func.count()).select_from(turn_fact).where(*_said(campaign, language))
        return connection.scalar(query) or 0


def _said(campaign: str, language: str) -> tuple[ColumnElement[bool], ...]:
    return turn_fact.c.campaign == campaign, turn_fact.c.language == language, turn_fact.c.source != "human"
