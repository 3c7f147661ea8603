"""The guardrails as filters: every rule of theirs belongs to one stage, and judges a reply as the served guard does."""

from collections.abc import Mapping

from guardrails.rules_facts import FACT_RULES
from guardrails.rules_honesty import HONESTY_RULES
from scripts_library.schema import Campaign
from training.corpus.schema import Dialogue
from training.synthesis.filters.stage import quoted
from training.synthesis.hearing import breaches_of

RULES_OF: Mapping[str, frozenset[str]] = {
    "schema": frozenset({"wrong_language"}),
    "safety": frozenset({rule.name for rule in HONESTY_RULES} - {"markdown"} | {"pressure", "contact_after_opt_out"}),
    "coherence": frozenset({"garbage", "echo", "repetition"}),
    "conversationality": frozenset({"markdown", "over_length", "two_questions"}),
    "facts": frozenset(rule.name for rule in FACT_RULES),
}
"""Stage → names of the rules that it drops for."""


def broken(dialogue: Dialogue, campaign: Campaign, stage: str) -> str:
    """Return the first breach of a stage's rules by the agent; empty when there is none."""
    for place, hit in breaches_of(dialogue, campaign):
        if hit["name"] in RULES_OF[stage]:
            return quoted(place, hit["text"], hit["name"])
    return ""
