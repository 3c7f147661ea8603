"""Make lines and exchanges of what a teacher wrote, and leave out what went wrong as long as enough is left."""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from evaluation.customers.persona import clean
from scripts_library.schema import Language
from training.corpus.schema import DialogueTurn
from training.synthesis.hearing import Hearing
from training.synthesis.teacher import Refused, object_of, text_of

LEAST, LEAST_PLAYED, MOST = 2, 3, 4
"""Exchanges of a dialogue, its greeting apart; a played one goes on at least so long if the customer does."""
LINE_CHARS: dict[Language, int] = {"en": 220, "zh": 90}
REASON_CHARS = 120
_NAMES = r"seller|sales(?:person|man| rep\w*)?|agent|assistant|customer|client|buyer|user|owner|donor|销售(?:员)?|客服|坐席|助手|客户|顾客|用户|店主|老板"
_LABEL = re.compile(rf"^\W*(?:{_NAMES})\s*(?:[(（][^)）]*[)）])?\W{{0,2}}[:：][\s*]*", re.IGNORECASE)
_NEXT = re.compile(rf"(?:^|\s)\W*(?:{_NAMES})\s*[:：].*$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Exchange:
    """What a customer said, and what the seller answered."""

    customer: str
    agent: str
    reason: str = ""


def spoken(text: object) -> str:
    """Return one spoken line of what a model wrote for one side; empty where nothing is left.

    Role labels, the other side's part, stage directions, thoughts, a sentence that was cut off, and sentences after the
    second go.
    """
    if not isinstance(text, str):
        return ""
    return clean(_NEXT.sub("", _LABEL.sub("", text.strip(), count=1)))


def exchanges_schema(language: Language, least: int, most: int, *, reasons: bool = False) -> dict[str, Any]:
    """Return the schema of a list of exchanges.

    One item holds both sides under their names: a small model that lists turns with a role each gives two of them to one
    side, or swaps them. The reason stands before the reply, so that the model has it when it writes.
    """
    line = text_of(LINE_CHARS[language])
    reason = {"reason": text_of(REASON_CHARS)} if reasons else {}
    item = object_of({"customer": line, **reason, "agent": line})
    return {"type": "array", "minItems": least, "maxItems": most, "items": item}


def read_exchanges(items: object) -> list[Exchange]:
    """Read a list of exchanges; those without both lines are left out.

    Raises:
        Refused: It is no list, or none is left.
    """
    if not isinstance(items, list):
        raise Refused("`turns` is no list")
    rows = [item for item in items if isinstance(item, dict)]
    read = [Exchange(spoken(row.get("customer")), spoken(row.get("agent")), _reason(row.get("reason"))) for row in rows]
    found = [one for one in read if one.customer and one.agent]
    if not found:
        raise Refused("no exchange in it")
    return found


def _reason(text: object) -> str:
    return " ".join(text.split())[:REASON_CHARS] if isinstance(text, str) else ""


def sound(exchanges: Sequence[Exchange], hearing: Hearing) -> list[Exchange]:
    """Leave out exchanges in which somebody is out of place, as long as `LEAST` stay; else leave all to the filters.

    Args:
        exchanges: In order.
        hearing: The call up to here.
    """
    kept: list[Exchange] = []
    for one in exchanges:
        heard = copy(hearing)
        heard.hear(one.customer)
        again = any(one.customer == other.customer for other in kept)
        if not (again or hearing.strange(one.customer) or heard.breaches(one.agent)):
            heard.say(one.agent)
            kept.append(one)
            hearing = heard
    return kept if len(kept) >= LEAST else list(exchanges)


def turns_of(exchanges: Sequence[Exchange]) -> list[DialogueTurn]:
    """Return exchanges as turns, the customer's first."""
    return [
        turn
        for one in exchanges
        for turn in (
            DialogueTurn(role="customer", text=one.customer),
            DialogueTurn(role="agent", text=one.agent, thought=one.reason),
        )
    ]
