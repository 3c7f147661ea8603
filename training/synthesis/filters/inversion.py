"""Role inversion: a customer who speaks as the seller, or a seller who repeats the customer.

Source: SalesLLM, arXiv 2604.07054 (role inversion); the words are those of `evaluation.customers.gates`.
"""

from evaluation.customers.gates import speaks_as_seller
from guardrails.rule import either, first
from guardrails.text import normalise
from training.corpus.schema import Dialogue
from training.synthesis.filters.stage import quoted

_BUYS = either(
    r"\bI(?:'d| would)? (?:like|want) to (?:sign up|try (?:it|the trial)|start the trial|donate|give \$)",
    r"\bI(?:'m| am) (?:just )?(?:a (?:customer|shop ?owner|participant)|the (?:owner|customer))\b|\bhow much (?:does|do|would) (?:it|you|that) (?:cost|charge)\b",
    r"\bI(?:'m| am) not (?:interested|sure (?:about|if) (?:it|this))\b|\bI(?:'ll| will) (?:take it|think about it)\b",
    r"我(?:是|就是)(?:老板|店主|客户)|(?:你|您)们?(?:怎么收费|多少钱)|我(?:不感兴趣|考虑考虑|再想想|不需要)|我想(?:试试|开通|捐)",
)
"""What only a customer says."""


def drop(dialogue: Dialogue) -> str:
    """Return the first line in which somebody speaks for the other side; empty when nobody does."""
    replies: list[str] = []
    for place, turn in enumerate(dialogue.turns):
        if turn.role == "customer":
            if speaks_as_seller(turn.text, replies):
                return quoted(place, turn.text, "the customer speaks as the seller")
        else:
            if first(_BUYS, normalise(turn.text)):
                return quoted(place, turn.text, "the seller speaks as the customer")
            replies.append(turn.text)
    return ""
