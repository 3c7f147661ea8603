"""A call as it goes on, with what the guardrails know at each line: makers and filters judge as the served guard does."""

from dataclasses import replace

from evaluation.customers.ending import refuses
from evaluation.customers.gates import speaks_as_seller
from graph.records import RuleHit
from guardrails.check import check_reply
from guardrails.privacy import find_personal
from guardrails.quantities import allowed_quantities
from guardrails.rules import RULES
from guardrails.signals import find_signals
from guardrails.text import normalise
from nodes.prompting import PROMPT_MARKS
from nodes.slots import fill_slots
from scripts_library.fact_sheet import fact_sheet
from scripts_library.schema import Campaign, Language
from training.corpus.schema import Dialogue

WRONG_LANGUAGE = next(rule for rule in RULES if rule.name == "wrong_language")


class Hearing:
    """Follows a call line by line.

    Args:
        campaign: Gives facts, promises and forbidden claims.
        language: Of the call.
        profile: What the agent knows beforehand, and may therefore say.
    """

    def __init__(self, campaign: Campaign, language: Language, profile: dict[str, str]) -> None:
        self._campaign, self._language = campaign, language
        self._rules = replace(fact_sheet(campaign, language, PROMPT_MARKS), personal=tuple(profile.values()))

    def hear(self, line: str) -> None:
        """Take note of what the customer says."""
        rules, signals = self._rules, find_signals(line, self._language)
        slots = fill_slots(self._campaign, rules.slots, line, "", self._language)
        self._rules = replace(
            rules,
            heard=line,
            slots=slots,
            slot_quantities=allowed_quantities(slots.values()),
            personal=(*rules.personal, *find_personal(line)),
            refused=rules.refused or refuses(line),
            opted_out=rules.opted_out or "opt_out" in signals,
            asked_identity="asks_identity" in signals,
        )

    def breaches(self, reply: str) -> list[RuleHit]:
        """Return the rules that a reply would break here."""
        return check_reply(reply, self._rules)

    def say(self, reply: str) -> None:
        """Take note of what the agent says."""
        self._rules = replace(self._rules, earlier=(*self._rules.earlier, reply))

    def strange(self, line: str) -> str:
        """Return why a line is no customer's of this call: another language, or the seller's words; empty when it is one."""
        if found := WRONG_LANGUAGE.check(normalise(line), self._rules):
            return f"another language: {found}"
        if found := speaks_as_seller(line, self._rules.earlier):
            return f"speaks as the seller: {found}"
        return ""


def breaches_of(dialogue: Dialogue, campaign: Campaign) -> list[tuple[int, RuleHit]]:
    """Return what the agent's lines of a dialogue break: (place of the line, breach)."""
    hearing = Hearing(campaign, dialogue.language, dialogue.profile)
    found: list[tuple[int, RuleHit]] = []
    for place, turn in enumerate(dialogue.turns):
        if turn.role == "customer":
            hearing.hear(turn.text)
        else:
            found += [(place, hit) for hit in hearing.breaches(turn.text)]
            hearing.say(turn.text)
    return found
