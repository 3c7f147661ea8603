"""Run the rules: on a sentence before it is released, on the reply so far, on a customer's line."""

from graph.records import RuleHit
from guardrails.claims import find_claims
from guardrails.context import GuardContext
from guardrails.rule import Rule, Scope
from guardrails.rules import RULES
from guardrails.rules_facts import FORBIDDEN_CLAIM
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
                hits += _claims(rule, text, context) if rule.name == FORBIDDEN_CLAIM else [_hit(rule, found)]
    return hits


def _claims(rule: Rule, text: str, context: GuardContext) -> list[RuleHit]:
    """Return a hit for each of the campaign's claims, with the claim's own severity and reason."""
    hits: list[RuleHit] = []
    for made in find_claims(text, context.forbidden):
        hit = _hit(rule, made.text)
        hit["severity"], hit["claim"] = made.claim.severity, made.claim.id
        hit["reason"] = f"{rule.reason}: {made.claim.reason}"
        hits.append(hit)
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

    Each rule is reported once, with the first breach that it found; each of the campaign's forbidden claims is a rule of its own.
    """
    plain = normalise(text)
    hits: dict[tuple[str, str], RuleHit] = {}
    for sentence in split_sentences(plain) or [plain]:
        for hit in _run(sentence, context, "sentence"):
            hits.setdefault((hit["name"], hit.get("claim", "")), hit)
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
