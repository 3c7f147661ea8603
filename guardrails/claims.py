"""Claims that a campaign forbids: which of them a text makes."""

from collections.abc import Iterable
from dataclasses import dataclass

from guardrails.context import Forbidden
from guardrails.rule import compiled
from guardrails.sentences import split_sentences
from guardrails.text import normalise


@dataclass(frozen=True, slots=True)
class ClaimMade:
    """A forbidden claim, and the words that make it."""

    claim: Forbidden
    text: str


def find_claims(text: str, forbidden: Iterable[Forbidden]) -> list[ClaimMade]:
    """Return the forbidden claims of one sentence, each once, with its first match.

    Args:
        text: Normalised text (`guardrails.text.normalise`).
        forbidden: What is forbidden, one pattern each; patterns of one claim share its id.
    """
    found: dict[str, ClaimMade] = {}
    for claim in forbidden:
        if claim.id not in found and (match := compiled(claim.pattern).search(text)):
            found[claim.id] = ClaimMade(claim, match.group())
    return list(found.values())


def claims_in_reply(reply: str, forbidden: Iterable[Forbidden]) -> list[ClaimMade]:
    """Return the forbidden claims of a whole reply, each once, read as the rules read it: sentence by sentence.

    Args:
        reply: As it was said or written.
        forbidden: What is forbidden.
    """
    plain, known = normalise(reply), list(forbidden)
    found: dict[str, ClaimMade] = {}
    for sentence in split_sentences(plain) or [plain]:
        for made in find_claims(sentence, known):
            found.setdefault(made.claim.id, made)
    return list(found.values())
