"""What a customer hears in a reply, as a reward."""

import json

import pytest

from scripts_library.loading import bundled, load_campaign
from training.rewards.heard import HeardReward

HISTORY = [
    {"turn": 0, "customer": "", "reply": "Hello! Have you heard of Save the Children?"},
    {"turn": 1, "customer": "A little.", "reply": "It works for children in about 120 countries."},
]
PLACE = {"campaign": "save_the_children", "language": "en", "history": HISTORY, "refusals": 0}
ASKS = "What does the charity do with the money?"
REFUSES = "No, I don't want to give."


def score(reply: str, customer: str, intent: str, **place: object) -> float:
    reward = HeardReward(lambda name: load_campaign(bundled()[name]))
    state = json.dumps({**PLACE, "customer": customer, **place})
    found = reward(completions=[reply], state=[state], intent=[intent])[0]
    assert found is not None
    assert -1 <= found <= 1
    return found


@pytest.mark.parametrize(
    ("better", "worse", "why"),
    [
        ("It gives food, medicine and school to children.", "Absolutely, I'm glad you're interested!", "an answer"),
        ("It gives food, medicine and school; does that help?", "It gives food, medicine and school.", "a question"),
        ("What would you like to know?", "Absolutely, I'm glad you're interested!", "to ask is more than to agree"),
        ("Children get food and medicine.", "It works for children in about 120 countries.", "the same again"),
    ],
)
def test_of_two_replies_to_a_question_the_better_one_earns_more(better: str, worse: str, why: str) -> None:
    assert score(better, ASKS, "ask-org-info") > score(worse, ASKS, "ask-org-info"), why


def test_pressure_after_a_refusal_costs() -> None:
    pressing = "How much would you like to donate then?"
    assert score(pressing, REFUSES, "disagree-donation", refusals=1) < 0
    assert score("I understand, thank you for your time.", REFUSES, "disagree-donation", refusals=1) >= 0


def test_a_thought_is_not_heard() -> None:
    said = "It gives food, medicine and school to children."
    assert score(f"<think>Absolutely.</think>{said}", ASKS, "ask-org-info") == score(said, ASKS, "ask-org-info")
