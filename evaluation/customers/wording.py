"""The lines that the rule buyer speaks: data, per campaign, by the intent that they mean."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, get_args

import yaml
from pydantic import Field

from scripts_library.schema import Data, Intent, IntentKind, Language, Lines, Name

FOLDER = Path(__file__).parent / "lines"
GENERIC = "generic"
_KINDS: dict[str, IntentKind] = {kind: kind for kind in get_args(IntentKind)}


class Roles(Data):
    """Which intents serve where the customer's part of the call asks for one."""

    tells: Name | None = Field(default=None, description="What a told fact about the customer is meant as.")
    contact: Name | None = Field(default=None, description="Gives a time, number or name.")
    amount: Name | None = Field(default=None, description="Names an amount of money.")
    after_yes: list[Name] = Field(default_factory=list, description="What a customer who buys says, in this order.")


class Book(Data):
    """One file of lines: intent (or, in the generic file, kind) → language → lines."""

    roles: Roles
    lines: dict[Name, Annotated[Lines, Field(min_length=1)]]


@lru_cache
def read_book(campaign: str) -> Book:
    """Return the lines of a campaign that has its own, or the generic ones."""
    return Book.model_validate(yaml.safe_load((FOLDER / f"{campaign}.yaml").read_text(encoding="utf-8")))


class Wording:
    """What a customer of one campaign can say in one language.

    Args:
        campaign: Name of the campaign; one without lines of its own is served by the generic ones.
        intents: The campaign's intents.
        language: Of the lines.
    """

    def __init__(self, campaign: str, intents: Sequence[Intent], language: Language) -> None:
        own = campaign if (FOLDER / f"{campaign}.yaml").is_file() else GENERIC
        self._book, self._generic = read_book(own), read_book(GENERIC)
        self._kinds: dict[str, IntentKind] = {intent.name: intent.kind for intent in intents}
        self._language: Language = language
        self.roles = self._guessed(intents) if self._book is self._generic else self._book.roles

    def _guessed(self, intents: Sequence[Intent]) -> Roles:
        """Return the roles in a campaign without lines of its own, from what kind its intents are and where they lead."""
        told = [intent for intent in intents if intent.kind == "information"]
        contact = next((intent.name for intent in told if intent.stage == "close"), None)
        tells = next((intent.name for intent in told if intent.name != contact), None)
        after = [self.first("agreement"), *([contact] if contact else []), self.first("goodbye")]
        return Roles(tells=tells, contact=contact, after_yes=after)

    def kind(self, intent: str) -> IntentKind:
        """Return an intent's kind; of what the campaign does not know, kinds stand for themselves, the rest are questions."""
        return self._kinds.get(intent) or _KINDS.get(intent, "question")

    def first(self, kind: IntentKind) -> str:
        """Return the campaign's first intent of a kind; the kind's own name where it has none."""
        return next((name for name, own in self._kinds.items() if own == kind), kind)

    def is_known(self, intent: str) -> bool:
        """Tell whether the campaign has this intent."""
        return intent in self._kinds

    def lines(self, intent: str) -> list[str]:
        """Return the lines for an intent: the campaign's, else generic ones of its name, else of its kind."""
        for book, name in ((self._book, intent), (self._generic, intent), (self._generic, self.kind(intent))):
            found = book.lines.get(name, {}).get(self._language)
            if found:
                return found
        return self._generic.lines["question"][self._language]
