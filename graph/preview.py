"""What a what-if answer starts from: the state of a call that was never held."""

from collections.abc import Mapping
from typing import Any, cast

from graph.starting import check_start
from graph.state import CallState, Exchange
from nodes.lines import filled, values_for
from scripts_library.schema import Campaign, Language, Stage


def fresh_header(
    campaign: Campaign, language: str | None, profile: Mapping[str, str], strategy: str | None
) -> dict[str, Any]:
    """Return the header of a call that was never held.

    Raises:
        BadInput: Names every value that the campaign does not know.
    """
    chosen = check_start(campaign, language, profile, strategy)
    return {
        "campaign": campaign.name,
        "profile": dict(profile),
        "strategy": chosen,
        "language": language or "",
        "shown": [],
        "withheld": [],
    }


def fresh_state(campaign: Campaign, language: Language, stage: Stage, profile: dict[str, str]) -> CallState:
    """Return the state of a call whose greeting was said and that has come to a stage.

    Args:
        campaign: Greets.
        language: Language of the greeting.
        stage: Where the call stands.
        profile: Fills the greeting.
    """
    greeting = filled(campaign.lines.greeting[language], values_for(campaign, language, profile, {}))[0]
    said: Exchange = {"turn": 0, "customer": "", "reply": greeting}
    return cast(CallState, {"turn": 0, "stage": stage, "language": language, "slots": {}, "history": [said]})
