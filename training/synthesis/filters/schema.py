"""The form: the agent opens and has the last word, enough is said, and all of it in the call's language."""

from guardrails.context import GuardContext
from guardrails.text import normalise
from scripts_library.schema import Campaign
from training.corpus.schema import Dialogue
from training.synthesis.filters.rules import broken
from training.synthesis.filters.stage import quoted
from training.synthesis.hearing import WRONG_LANGUAGE

LEAST_TURNS = 5
"""An opening and two exchanges."""


def drop(dialogue: Dialogue, campaign: Campaign) -> str:
    """Return what is wrong with a dialogue's form; empty when nothing is."""
    turns = dialogue.turns
    if len(turns) < LEAST_TURNS:
        return f"{len(turns)} turns; {LEAST_TURNS} are the least"
    if turns[0].role != "agent" or turns[-1].role != "agent":
        return f"the {turns[0].role} opens and the {turns[-1].role} ends; the agent must do both"
    if dialogue.strategy not in [one.id for one in campaign.strategies]:
        return f"strategy '{dialogue.strategy}' is none of the campaign's"
    language = GuardContext(language=dialogue.language)
    for place, turn in enumerate(turns):
        if turn.role == "customer" and WRONG_LANGUAGE.check(normalise(turn.text), language):
            return quoted(place, turn.text, "another language")
    return broken(dialogue, campaign, "schema")
