"""Personal data: contacts, cards, identity numbers, and names by which people introduce themselves; the agent's own may stay."""

from guardrails.privacy import find_names, find_personal
from scripts_library.schema import Campaign
from training.corpus.schema import Dialogue


def drop(dialogue: Dialogue, campaign: Campaign) -> str:
    """Return where personal data stands (not the data itself: reasons are kept); empty when there is none."""
    own = {campaign.agent.name.get(dialogue.language, ""), campaign.agent.organisation.get(dialogue.language, "")}
    for place, turn in enumerate(dialogue.turns):
        if find_personal(turn.text):
            return f"line {place}: a contact or number of a person"
        if any(name not in own for name in find_names(turn.text)):
            return f"line {place}: somebody's name"
    return ""
