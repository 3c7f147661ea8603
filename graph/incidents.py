"""From a bad answer to a rule: the pieces that need no page."""

import re
from itertools import pairwise

from sqlalchemy import Engine, select

from graph.call_tables import turn_fact
from guardrails.text import normalise

_EDGE_BEFORE, _EDGE_AFTER = "(?<![A-Za-z0-9])", "(?![A-Za-z0-9])"
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


def recorded_replies(engine: Engine, campaign: str, language: str) -> list[Reply]:
    """Return what the agent said in a campaign's calls in a language, people's lines left out, newest first."""
    wanted = (turn_fact.c.campaign == campaign, turn_fact.c.language == language, turn_fact.c.source != "human")
    query = select(turn_fact.c.call, turn_fact.c.turn, turn_fact.c.reply).where(*wanted)
    with engine.connect() as connection:
        return [(row.call, row.turn, row.reply) for row in connection.execute(query.order_by(turn_fact.c.at.desc()))]
