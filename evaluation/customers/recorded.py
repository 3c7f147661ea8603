"""Recorded customers: the lines of one call, said again."""

from functools import lru_cache
from pathlib import Path

import yaml

from evaluation.customers.protocol import Customer, Note
from graph.errors import BadInput
from graph.records import ConversationRecord
from scripts_library.loading import bundled

RECORDED = "demo_customer.yaml"


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

    def notes(self, record: ConversationRecord) -> list[Note]:
        """Return nothing: recorded lines carry no meaning of their own."""
        return []


def customers_for(campaign: str, language: str) -> list[Customer]:
    """Return the customers who can talk in a campaign and language; none where nobody was recorded."""
    return [RecordedCustomer(campaign, language)] if _recorded(campaign).get(language) else []


@lru_cache
def _recorded(campaign: str) -> dict[str, list[str]]:
    path = bundled().get(campaign, Path()) / RECORDED
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
