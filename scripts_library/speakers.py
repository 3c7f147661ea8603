"""Recorded calls whose two speakers were swapped: found by what agents and customers of the same calls usually say.

Every call is judged by a naive Bayes model of "who says this word", made of the other calls and of texts known to be an
agent's or a customer's. A call that reads far better the other way round is turned round; in doubt it is kept.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from scripts_library.persuasion import RecordedCall, Role, merge

MARGIN = 8.0
"""Nats by which the reversed reading must win."""
WORD = re.compile(r"[\u3400-\u9fff]|[a-z']+|\d+|\?")
OTHER: dict[Role, Role] = {"agent": "customer", "customer": "agent"}


def _words(text: str) -> Counter[str]:
    words = WORD.findall(text.lower())
    return Counter(words) + Counter(f"{first} {second}" for first, second in pairwise(words))


def _said(call: RecordedCall) -> dict[Role, Counter[str]]:
    roles: tuple[Role, Role] = ("agent", "customer")
    return {role: _words(" ".join(turn.text for turn in call.turns if turn.role == role)) for role in roles}


def _reversed(call: RecordedCall) -> RecordedCall:
    turns = (replace(turn, role=OTHER[turn.role], acts=(), stage="") for turn in call.turns)
    return replace(call, turns=merge(turns))


def restore_speakers(
    calls: Sequence[RecordedCall], agent_texts: Iterable[str] = (), customer_texts: Iterable[str] = ()
) -> list[RecordedCall]:
    """Turn round the calls whose speakers were evidently swapped; keep the others and their order.

    Args:
        calls: Recorded calls, most of them with the right speakers.
        agent_texts: Texts known to be an agent's, e.g. a campaign's scripts.
        customer_texts: Texts known to be a customer's, e.g. the examples of its intents.
    """
    said = [_said(call) for call in calls]
    totals: dict[Role, Counter[str]] = {
        "agent": _words(" \n".join(agent_texts)), "customer": _words(" \n".join(customer_texts)),
    }  # fmt: skip
    for counts in said:
        for role, words in counts.items():
            totals[role].update(words)
    sizes = {role: words.total() + 1.0 for role, words in totals.items()}

    def gain(own: dict[Role, Counter[str]]) -> float:
        """Return how many nats better the call reads with its speakers swapped."""
        score = 0.0
        own_sizes = {role: words.total() for role, words in own.items()}
        for role, words in own.items():
            sign = -1.0 if role == "agent" else 1.0
            for word, count in words.items():
                agent = (totals["agent"][word] - own["agent"][word] + 0.5) / (sizes["agent"] - own_sizes["agent"])
                customer = (totals["customer"][word] - own["customer"][word] + 0.5) / (
                    sizes["customer"] - own_sizes["customer"]
                )
                score += sign * min(count, 2) * math.log(agent / customer)
        return score

    return [_reversed(call) if gain(own) > MARGIN else call for call, own in zip(calls, said, strict=True)]
