"""From a bad answer to a rule: the pieces that need no page."""

import re

from sqlalchemy import Engine, select

from graph.call_tables import turn_fact

Reply = tuple[str, int, str]
"""Call, turn, what the agent said."""


def pattern_of(words: str) -> str:
    r"""Return a regular expression that finds words wherever they stand, however they are spaced.

    Example:
        >>> pattern_of("100% safe")
        '100%\\s*safe'
    """
    return r"\s*".join(re.escape(part) for part in words.split())


def name_of(call: str, turn: int) -> str:
    """Return a name for what comes of a turn, as campaigns spell names."""
    return re.sub(r"[^a-z0-9_-]", "-", f"incident-{call.lower()}-{turn}")[:63]


def recorded_replies(engine: Engine, campaign: str, language: str) -> list[Reply]:
    """Return what the agent said in a campaign's calls in a language, people's lines left out, newest first."""
    wanted = (turn_fact.c.campaign == campaign, turn_fact.c.language == language, turn_fact.c.source != "human")
    query = select(turn_fact.c.call, turn_fact.c.turn, turn_fact.c.reply).where(*wanted)
    with engine.connect() as connection:
        return [(row.call, row.turn, row.reply) for row in connection.execute(query.order_by(turn_fact.c.at.desc()))]
