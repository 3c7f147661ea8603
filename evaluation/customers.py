"""Customers that talk by themselves: recorded ones."""

from functools import lru_cache
from pathlib import Path
from typing import Protocol

import yaml

from graph.errors import BadInput
from graph.records import ConversationRecord
from scripts_library.loading import bundled

RECORDED = "demo_customer.yaml"


class Customer(Protocol):
    """The customer's side of a call; all that it knows of the call is the record, so it goes on wherever a call stands."""

    @property
    def name(self) -> str:
        """What people call this customer."""

    def next_line(self, record: ConversationRecord) -> str | None:
        """Return what the customer says next, or None when the customer has nothing more to say."""


class RecordedCustomer:
    """Says the lines of one recorded or written call, one a turn, whatever the agent answers.

    Args:
        campaign: A campaign that ships with the project.
        language: `en` or `zh`.

    Raises:
        BadInput: The campaign has no recorded customer who speaks that language.
    """

    name = "recorded"

    def __init__(self, campaign: str, language: str) -> None:
        self._lines = _recorded(campaign).get(language, [])
        if not self._lines:
            spoken = ", ".join(name for name in _recorded(campaign) if name in ("en", "zh")) or "no language"
            raise BadInput(f"Campaign {campaign} has no recorded customer for '{language}'; there is one for {spoken}.")

    def next_line(self, record: ConversationRecord) -> str | None:
        """Return the line that follows those said; None after the last one, and once the call is over."""
        said = sum(1 for turn in record["turns"] if turn["customer"])
        return self._lines[said] if said < len(self._lines) and not record["ended"] else None


def customers_for(campaign: str, language: str) -> list[Customer]:
    """Return the customers who can talk in a campaign and language; none where nobody was recorded."""
    return [RecordedCustomer(campaign, language)] if _recorded(campaign).get(language) else []


@lru_cache
def _recorded(campaign: str) -> dict[str, list[str]]:
    path = bundled().get(campaign, Path()) / RECORDED
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
