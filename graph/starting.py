"""What a call is started with, and what each of its turns hands to the graph."""

from collections.abc import Mapping
from typing import Any

from langgraph.types import Command

from graph.errors import BadInput
from graph.records import ConversationRecord
from graph.state import CallState, Exchange
from nodes.prompting import trim
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


def carried_over(record: ConversationRecord) -> CallState:
    """Return what a follow-up call knows of the earlier one: what was said, and what was learnt.

    Args:
        record: The earlier call. Its turns count backwards from -1, so that no turn of the new call is taken for one of them.
    """
    turns = record["turns"]
    history: list[Exchange] = [
        {"turn": turn["turn"] - len(turns), "customer": turn["customer"], "reply": turn["reply"]} for turn in turns
    ]
    return {"history": trim(history), "slots": dict(turns[-1]["why"]["slots"]) if turns else {}}


def resume(text: str, turn: int, *, give_back: bool = False) -> Command[Any]:
    """Return a person's answer to a waiting call, as the graph takes it."""
    return Command(resume={"text": text, "turn": turn, "give_back": give_back})


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
