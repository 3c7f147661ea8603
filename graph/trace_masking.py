"""Personal data is masked here before a trace leaves the process: every string of it, whatever object it sits in."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from guardrails.privacy import find_names, mask
from scripts_library.schema import Campaign

PERSONAL_SLOTS = frozenset({"name", "phone", "email"})
LONGEST_PLAIN_NUMBER = 99_999
"""A longer whole number may be a phone number and is masked as text is."""
_TITLES = ("先生", "女士", "小姐", "总", "老板", "经理", "老师")


def known_values(profile: Mapping[str, str], slots: Mapping[str, str], campaign: Campaign | None) -> list[str]:
    """Return what profile and slots tell about who the customer is, as texts to mask.

    Args:
        profile: The customer's profile.
        slots: What the call learnt.
        campaign: Says which fields and slots are personal; other free text of the profile (a shop's name) is masked where it
            stands whole. Without a campaign everything is personal.
    """
    fields = {field.name: field for field in campaign.profile} if campaign else {}
    kinds = {slot.name: slot.kind for slot in campaign.slots} if campaign else {}
    found: list[str] = []
    for name, value in profile.items():
        field = fields.get(name)
        if field is None or field.personal:
            found += forms(value)
        elif not field.values and not value.isdigit():
            found += _escaped(value)
    for name, value in slots.items():
        if kinds.get(name, "name") in PERSONAL_SLOTS:
            found += forms(value)
    return found


def customer_lines(value: object) -> Iterator[str]:
    """Yield what the customer says anywhere in a value: the text under each key `customer`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "customer" and isinstance(inner, str):
                yield inner
            else:
                yield from customer_lines(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from customer_lines(inner)


def introduced(value: object) -> set[str]:
    """Return the names by which the customer introduces himself anywhere in a value."""
    return {name for line in set(customer_lines(value)) for name in find_names(line)}


def _escaped(text: str) -> list[str]:
    """Return a text as it is and as JSON escapes it: prompts and records hold both."""
    return list(dict.fromkeys([text.strip(), json.dumps(text.strip())[1:-1]]))


def forms(name: str) -> list[str]:
    """Return the forms in which a name turns up: whole, in parts, with a title.

    Example:
        >>> forms("Mary Ann Bell")
        ['Mary Ann Bell', 'Mary', 'Ann', 'Bell']
    """
    name = name.strip()
    found = [name, *(part for part in name.split() if part != name and part.isalpha())]
    if name.isalpha() and not name.isascii() and len(name) <= 4:
        found += [name[1:]] if len(name) == 3 else []
        found += [name[0] + title for title in _TITLES]
    return [written for form in found for written in _escaped(form)]


class Masker:
    """Turns any value into plain JSON data with every string masked; what repeats in a trace is masked once.

    Args:
        names: Texts to mask beside what `guardrails.privacy` finds by itself; single characters are passed over.

    Raises what `mask` raises: whoever sends must then send nothing.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = sorted({name for name in names if len(name) > 1}, key=len, reverse=True)
        self._masked: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Return the text without personal data."""
        if text not in self._masked:
            self._masked[text] = mask(text, self._names)
        return self._masked[text]

    def plain(self, value: object) -> Any:
        """Return the value as JSON data without personal data.

        Args:
            value: Anything that a graph is given or returns; messages become LangChain's constructor form, unknown objects
                their masked `repr`.
        """
        match value:
            case str():
                return self.text(value)
            case None | bool():
                return value
            case int():
                return value if abs(value) <= LONGEST_PLAIN_NUMBER else self._number(value)
            case float():
                return value if math.isfinite(value) else str(value)
            case Mapping():
                return {str(key): self.plain(inner) for key, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.plain(inner) for inner in value]
            case datetime() | date():
                return value.isoformat()
            case BaseModel():
                from langchain_core.load import dumpd
                from langchain_core.load.serializable import Serializable

                return self.plain(dumpd(value) if isinstance(value, Serializable) else value.model_dump(mode="json"))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: self.plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return self.text(repr(value))

    def _number(self, value: int) -> int | str:
        written = str(value)
        masked = self.text(written)
        return value if masked == written else masked
