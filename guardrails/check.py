"""Run the rules: on a sentence before it is released, on the reply so far, on a customer's line."""

from graph.records import RuleHit
from guardrails.context import GuardContext
from guardrails.rule import Rule, Scope
from guardrails.rules import RULES
from guardrails.sentences import split_sentences
from guardrails.signals import find_injection
from guardrails.text import normalise

_SHOWN = 200


def _run(text: str, context: GuardContext, scope: Scope) -> list[RuleHit]:
    hits: list[RuleHit] = []
    for rule in RULES:
        if rule.scope == scope:
            found = rule.check(text, context)
            if found is not None:
                hits.append(_hit(rule, found))
    return hits


def _hit(rule: Rule, found: str) -> RuleHit:
    return {
        "name": rule.name,
        "severity": rule.severity,
        "action": "blocked",
        "reason": rule.reason,
        "text": found.strip()[:_SHOWN],
    }


def check_sentence(text: str, context: GuardContext) -> list[RuleHit]:
    """Return the breaches of one sentence of the agent; an empty list releases it."""
    return _run(normalise(text), context, "sentence")


def check_reply(text: str, context: GuardContext) -> list[RuleHit]:
    """Return the breaches of the reply so far: each sentence's, then those of the whole.

    Each rule is reported once, with the first breach that it found.
    """
    plain = normalise(text)
    hits: dict[str, RuleHit] = {}
    for sentence in split_sentences(plain) or [plain]:
        for hit in _run(sentence, context, "sentence"):
            hits.setdefault(hit["name"], hit)
    return [*hits.values(), *_run(plain, context, "reply")]


def check_customer(text: str, language: str) -> list[RuleHit]:
    """Return a mark when a customer's line tries to override the agent; such a line never reaches a prompt as instructions.

    Args:
        text: What the customer said.
        language: "en" or "zh"; attempts are looked for in both.
    """
    found = find_injection(text)
    if found is None:
        return []
    return [
        {
            "name": "injection",
            "severity": "high",
            "action": "marked",
            "reason": f"the customer's line ({language}) tries to give the agent instructions",
            "text": found.strip()[:_SHOWN],
        }
    ]
