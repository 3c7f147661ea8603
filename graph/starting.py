"""What a call is started with, and what each of its turns hands to the graph."""

from collections.abc import Mapping
from typing import Any

from graph.errors import BadInput
from graph.state import CallState
from scripts_library.schema import STAGES, Campaign, Stage


def given_for(header: Mapping[str, Any], call: str, turn: int, text: str) -> CallState:
    """Return a turn's input to the graph.

    Args:
        header: The call's, as `CallStore.header` gives it.
        call: Id of the call.
        turn: Number of the turn.
        text: The customer's line.
    """
    return {
        "call": call,
        "campaign": header["campaign"],
        "profile": header["profile"],
        "strategy": header["strategy"],
        "asked_language": header["language"],
        "turn": turn,
        "customer": text,
        "shown": header["shown"],
        "withheld": header["withheld"],
    }


def known_stage(stage: str) -> Stage:
    """Return a stage by its name.

    Raises:
        BadInput: There is no such stage.
    """
    for known in STAGES:
        if known == stage:
            return known
    raise BadInput(f"Stage '{stage}' is not known; expected one of {', '.join(STAGES)}.")


def check_start(campaign: Campaign, language: str | None, profile: Mapping[str, str], strategy: str | None) -> str:
    """Check what a call is started with, and return the strategy's id, the campaign's first when none is given.

    Raises:
        BadInput: Names every value that the campaign does not know.
    """
    wrong: list[str] = []
    if language and language not in campaign.languages:
        wrong.append(f"language '{language}': expected one of {', '.join(campaign.languages)}")
    fields = {entry.name: entry for entry in campaign.profile}
    for name, value in profile.items():
        if name not in fields:
            wrong.append(f"profile field '{name}': expected one of {', '.join(fields) or 'none'}")
        elif fields[name].values and value not in fields[name].values:
            wrong.append(f"profile {name} '{value}': expected one of {', '.join(fields[name].values)}")
    strategies = [entry.id for entry in campaign.strategies]
    if strategy and strategy not in strategies:
        wrong.append(f"strategy '{strategy}': expected one of {', '.join(strategies)}")
    if wrong:
        raise BadInput(f"Campaign {campaign.name}: " + "; ".join(wrong))
    return strategy or strategies[0]
