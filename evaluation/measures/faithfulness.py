"""Faithfulness: what the agent said against the campaign's facts, by the very rules that guard a call.

A reply that was said is checked again here, whoever let it pass; what the guard blocked on the way is counted apart, since
the customer never heard it. A person's own lines (after a hand-over) are not the agent's.
"""

from collections import Counter
from collections.abc import Iterator

from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay, Said
from evaluation.measures.scored import Finding, counted, judged, quoted, turns_of
from evaluation.runs.results import CallResult
from guardrails.quantities import find_quantities
from guardrails.rules import RULES
from guardrails.rules_facts import FACT_RULES, FORBIDDEN_CLAIM
from guardrails.sentences import split_sentences
from guardrails.text import normalise

QUANTITY = FACT_RULES[0]
"""The rule on numbers; its hits are told apart here into prices and the rest."""
PRICE_KINDS = ("money", "percent")
PROMISES = ("promise", "outcome_claim")
FACTS = frozenset(rule.name for rule in FACT_RULES)

METRICS = [
    Metric("faithful.call", "faithfulness", "Calls without an unsupported claim", "higher", "share", guardrail=True),
    Metric("faithful.unsupported_price", "faithfulness", "Unsupported prices", "lower", "count", guardrail=True),
    Metric(
        "faithful.unsupported_number", "faithfulness", "Other unsupported numbers", "lower", "count", guardrail=True
    ),
    Metric("faithful.unsupported_promise", "faithfulness", "Unsupported promises", "lower", "count", guardrail=True),
    Metric("faithful.forbidden_claim", "faithfulness", "Forbidden claims", "lower", "count", guardrail=True),
    Metric("faithful.false_urgency", "faithfulness", "False urgency", "lower", "count", guardrail=True),
    Metric("rules.said", "faithfulness", "Rule breaches said", "lower", "count", guardrail=True),
    Metric("rules.blocked", "faithfulness", "Rule breaches blocked before they were said", "neither", "count"),
    *(
        Metric(f"rule.{rule.name}", "faithfulness", f"Said: {rule.reason}", "lower", "count", guardrail=True)
        for rule in RULES
    ),
]


def unsupported_quantities(said: Said) -> Iterator[tuple[bool, str]]:
    """Yield each number of a reply that no fact supports, with whether it is a price.

    The rule names the first number of a sentence; each that is named is taken out until the rule is content.
    """
    if not any(hit["name"] == QUANTITY.name for hit in said.hits):
        return
    plain = normalise(said.turn["reply"])
    for sentence in split_sentences(plain) or [plain]:
        rest = sentence
        while found := QUANTITY.check(rest, said.rules):
            kinds = [item.quantity.kind for item in find_quantities(rest) if item.text == found]
            yield any(kind in PRICE_KINDS for kind in kinds), found
            shorter = rest.replace(found, " ", 1)
            if shorter == rest:
                break
            rest = shorter


def lies(call: Replay) -> list[Finding]:
    """Return every claim of the agent that no fact supports, in order."""
    return [(said, hit["text"]) for said in call.turns for hit in said.hits if hit["name"] in FACTS]


def blocked(result: CallResult) -> Counter[str]:
    """Return how often each rule kept something from being said."""
    turns = (turn for record in result["sessions"] for turn in record["turns"])
    return Counter(hit["name"] for turn in turns for hit in turn["rules"] if hit["action"] == "blocked")


def faithfulness_scores(call: Replay) -> list[Score]:
    """Count a call's unsupported claims, and its rule breaches by rule."""
    spoken = [said for said in call.turns if said.by_agent]
    of = f"{len(spoken)} replies"
    hits = [(said, hit) for said in spoken for hit in said.hits]

    def named(*names: str) -> list[Finding]:
        return [(said, hit["text"]) for said, hit in hits if hit["name"] in names]

    numbers = [(said, price, text) for said in spoken for price, text in unsupported_quantities(said)]
    false = lies(call)
    stopped = blocked(call.result)
    stopping = [said.number for said in call.turns if any(hit["action"] == "blocked" for hit in said.turn["rules"])]
    return [
        judged("faithful.call", not false, quoted(false) or f"every claim in {of} is supported", turns_of(false)),
        counted("faithful.unsupported_price", [(said, text) for said, price, text in numbers if price], of),
        counted("faithful.unsupported_number", [(said, text) for said, price, text in numbers if not price], of),
        counted("faithful.unsupported_promise", named(*PROMISES), of),
        counted("faithful.forbidden_claim", named(FORBIDDEN_CLAIM), of),
        counted("faithful.false_urgency", named("false_urgency"), of),
        counted("rules.said", [(said, f"{hit['name']}: {hit['text']}") for said, hit in hits], of),
        {
            "metric": "rules.blocked",
            "value": float(stopped.total()),
            "reason": ", ".join(f"{name} {count}" for name, count in stopped.most_common()) or f"none in {of}",
            "turns": stopping,
        },
        *(counted(f"rule.{rule.name}", named(rule.name), of) for rule in RULES),
    ]
