"""What a what-if answer starts from: the state of a call that was never held."""

from typing import cast

from graph.state import CallState, Exchange
from nodes.lines import filled, values_for
from scripts_library.schema import Campaign, Language, Stage


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
