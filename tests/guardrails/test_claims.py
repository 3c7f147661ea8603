"""A campaign's forbidden claims: a hit says which claim it was and how serious; one mechanism for a sentence and a reply."""

from guardrails.check import check_reply, check_sentence
from guardrails.claims import claims_in_reply
from guardrails.context import Forbidden, GuardContext

FREE = Forbidden("free_forever", "Only the trial is free.", r"\bfree forever\b", "medium")
FREE_TOO = Forbidden("free_forever", "Only the trial is free.", r"\bnever pay\b", "medium")
FIRST = Forbidden("first_place", "No position is sold.", r"\btop of the list\b", "low")
CONTEXT = GuardContext(forbidden=(FREE, FREE_TOO, FIRST))


def claims_of(hits: list) -> list[tuple[str, str, str]]:
    return [(hit["claim"], hit["severity"], hit["text"]) for hit in hits if hit["name"] == "forbidden_claim"]


def test_a_hit_tells_the_claim_its_severity_and_its_reason() -> None:
    (hit,) = [hit for hit in check_sentence("You are at the top of the list.", CONTEXT) if "claim" in hit]
    assert hit == {
        "name": "forbidden_claim",
        "claim": "first_place",
        "severity": "low",
        "action": "blocked",
        "reason": "a claim that the campaign forbids: No position is sold.",
        "text": "top of the list",
    }


def test_every_claim_of_a_sentence_and_of_a_reply_is_named_once() -> None:
    sentence = "It is free forever, you never pay, and you are at the top of the list."
    expected = [("free_forever", "medium", "free forever"), ("first_place", "low", "top of the list")]
    assert claims_of(check_sentence(sentence, CONTEXT)) == expected
    assert claims_of(check_reply(f"{sentence} As I said. You never pay.", CONTEXT)) == expected


def test_the_claims_of_a_reply_are_those_that_the_check_reports() -> None:
    for reply in ("Well. You **never pay**.", "You are at the t\u200bop of the list!", "Never. Pay us a visit.", ""):
        made = [(one.claim.id, one.claim.severity, one.text) for one in claims_in_reply(reply, CONTEXT.forbidden)]
        assert made == claims_of(check_reply(reply, CONTEXT)), reply
    assert [made.text for made in claims_in_reply("Well. You **never pay**.", CONTEXT.forbidden)] == ["never pay"]
