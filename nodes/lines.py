"""Approved lines: filled strictly, and chosen so that the call does not repeat itself."""

import re
from collections.abc import Iterable, Mapping, Sequence

from scripts_library.schema import Campaign, Language

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_.-]*)\}")


def values_for(
    campaign: Campaign, language: Language, profile: Mapping[str, str], slots: Mapping[str, str]
) -> dict[str, str]:
    """Return what placeholders may stand for: `agent`, `organisation`, `fact.<id>`, profile fields and slots.

    Profile and slot values are the customer's words: they are cut to 60 characters and lose braces and line breaks.
    """
    values = {f"fact.{fact.id}": fact.text[language] for fact in campaign.facts if language in fact.text}
    values["agent"] = campaign.agent.name[language]
    values["organisation"] = campaign.agent.organisation[language]
    for name, value in {**profile, **slots}.items():
        plain = re.sub(r"[{}<>\s]+", " ", value).strip()[:60]
        if plain:
            values[name] = plain
    return values


def fill(line: str, values: Mapping[str, str]) -> str | None:
    """Fill a line's placeholders; None when one of them is unknown.

    Example:
        >>> fill("Hello {name}", {})
    """
    if any(name not in values for name in PLACEHOLDER.findall(line)):
        return None
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], line)


def filled(lines: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Fill lines, leaving out those that cannot be filled."""
    return [text for line in lines if (text := fill(line, values)) is not None]


def least_recent(lines: Sequence[str], earlier: Sequence[str]) -> list[str]:
    """Order lines so that what was not said yet comes first, then what was said longest ago; else the order stays.

    Args:
        lines: Approved lines, best first.
        earlier: Replies of this call, oldest first.
    """

    def last_said(line: str) -> int:
        return max((turn for turn, reply in enumerate(earlier) if line in reply), default=-1)

    return sorted(lines, key=last_said)
