"""A turn that failed inside: an approved line answers, and the call stays where it was."""

from collections.abc import Callable
from typing import cast

from graph.compose import Turn
from graph.state import CallState, Exchange
from nodes.lines import filled, values_for
from nodes.release import join
from nodes.understand import NO_USE
from scripts_library.schema import Campaign, Language, Stage


def state_after_failure(
    held: CallState,
    turn: Turn,
    campaign: Campaign,
    released: list[str],
    release: Callable[[str], None],
    error: Exception,
) -> CallState:
    """Say an approved line of the stage that the call is in, and return the state after it.

    Args:
        held: State before the turn.
        turn: The turn that failed.
        campaign: Its stages' fallback lines answer.
        released: What the customer has seen of the turn; `release` adds to it.
        release: Shows the line.
        error: What broke.
    """
    language = cast(Language, held.get("language") or turn.header["language"] or campaign.languages[0])
    stage = cast(Stage, held.get("stage") or "opening")
    release(filled(campaign.sop.stages[stage].fallback[language], values_for(campaign, language, {}, {}))[0])
    exchange: Exchange = {"turn": turn.turn, "customer": turn.customer, "reply": join(released, language)}
    return {
        **held,
        "turn": turn.turn,
        "customer": turn.customer,
        "language": language,
        "stage": stage,
        "understood": {"intent": "", "confidence": 0.0, "way": "none", "signals": [], "rules": [], "ms": 0.0},
        "move": {**held.get("move", {}), "proposed": stage, "reason": "the turn failed inside: stage kept"},
        "said": {
            "reply": exchange["reply"],
            "source": "script",
            "rules": [],
            "error": f"inside: {type(error).__name__}: {str(error)[:200]}",
            "use": NO_USE,
        },
        "history": [*held.get("history", []), exchange],
    }
