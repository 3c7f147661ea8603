"""From a bad answer to a rule: the pieces that need no page."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from sqlalchemy import Engine, select

from graph.call_tables import turn_fact
from graph.errors import BadInput
from guardrails.claims import claims_in_reply
from guardrails.context import Forbidden
from guardrails.patterns import endless, pattern_fault
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


def stopped(patterns: Sequence[str], replies: Iterable[Reply]) -> list[Reply]:
    """Return the replies that patterns would stop, found as the guard finds them.

    Raises:
        BadInput: A pattern is none, or could hold a call up.
    """
    faults = [f"{pattern!r}: {fault}" for pattern in patterns if (fault := pattern_fault(pattern))]
    faults = faults or [f"{pattern!r}: may take for ever on some lines" for pattern in endless(tuple(patterns))]
    if faults:
        raise BadInput("; ".join(faults))
    rules = [Forbidden("", "", pattern) for pattern in patterns]
    return [reply for reply in replies if claims_in_reply(reply[2], rules)]
