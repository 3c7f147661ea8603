"""A customer's model is trained on what it is sent in evaluation, and on the real line where it spoke as the seller."""

from collections.abc import Sequence

from evaluation.customers.likeness import prefixes, scenario_of
from evaluation.customers.persona import PersonaBuyer
from evaluation.intent import find_campaign
from graph.settings import get_settings
from scripts_library.persuasion import RecordedCall, RecordedTurn, Role
from training.corpus.rows import Message
from training.corpus.schema import Dialogue, DialogueTurn, Origin, Split
from training.customer_rows import customer_rows, inverted_pairs

SAID: list[tuple[Role, str]] = [
    ("agent", "Hello, how are you today?"),
    ("customer", "Fine, thanks. Who is this?"),
    ("agent", "I speak for a charity that helps children. Have you heard of it?"),
    ("customer", "No. What does it do?"),
    ("agent", "It gives children food and schooling. Would you give a little?"),
    ("customer", "How may I help you today?"),
    ("agent", "Any amount is welcome."),
    ("customer", "Maybe a dollar."),
]


def dialogue(
    name: str = "d-1",
    split: Split = "train",
    campaign: str = "save_the_children",
    said: Sequence[tuple[Role, str]] = SAID,
) -> Dialogue:
    turns = [DialogueTurn(role=role, text=text) for role, text in said]
    return Dialogue(
        id=name, campaign=campaign, language="en", turns=turns, source=Origin(method="imported"), split=split
    )


def test_a_row_is_what_the_persona_buyer_sends_on_that_turn_of_that_call() -> None:
    data = find_campaign("save_the_children", get_settings())
    rows = list(customer_rows(dialogue(), data))
    call = RecordedCall("d-1", tuple(RecordedTurn(role, text) for role, text in SAID), 1.0)
    buyer = PersonaBuyer(scenario_of(call), data, 0, get_settings(), "fake/echo")
    sent = {real: buyer._prompt(record) for record, real in prefixes(call)}
    roles = {"system": "system", "human": "user", "ai": "assistant"}
    assert [row["completion"][0]["content"] for row in rows] == [SAID[at][1] for at in (1, 3, 7)]
    for row in rows:
        expected = sent[row["completion"][0]["content"]]
        assert row["prompt"] == [{"role": roles[one.type], "content": one.content} for one in expected]


def test_real_lines_that_the_gate_calls_a_sellers_are_not_learnt_but_stay_in_the_history() -> None:
    rows = list(customer_rows(dialogue(), find_campaign("save_the_children", get_settings())))
    assert "How may I help you today?" not in [row["completion"][0]["content"] for row in rows]
    assert {"role": "assistant", "content": "How may I help you today?"} in rows[-1]["prompt"]


def test_a_customer_who_speaks_first_answers_silence() -> None:
    said: list[tuple[Role, str]] = [("customer", "Hello?"), ("agent", "Hello, this is Lan.")]
    (row,) = customer_rows(dialogue(said=said), find_campaign("save_the_children", get_settings()))
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert row["prompt"][1]["content"].startswith("…")


def test_in_other_campaigns_the_customer_asks_and_doubts_what_they_did_in_the_call() -> None:
    data = find_campaign("lantern_local", get_settings())
    question = next(intent for intent in data.intents if intent.kind == "question")
    doubt = next(intent for intent in data.intents if intent.kind == "objection")
    turns = [
        DialogueTurn(role="agent", text="Hello."),
        DialogueTurn(role="customer", text="What is it?", intent=question.name),
        DialogueTurn(role="agent", text="A shop page."),
        DialogueTurn(role="customer", text="Not for me.", intent=doubt.name),
    ]
    given = dialogue(campaign="lantern_local").model_copy(update={"turns": turns})
    plain = given.model_copy(update={"turns": [turn.model_copy(update={"intent": ""}) for turn in turns]})
    system = next(customer_rows(given, data))["prompt"][0]["content"]
    assert data.campaign.title["en"] in system
    assert system != next(customer_rows(plain, data))["prompt"][0]["content"]


def test_replies_that_speak_for_the_seller_are_paired_with_the_real_line() -> None:
    rows = list(customer_rows(dialogue(), find_campaign("save_the_children", get_settings())))
    replies = iter(
        [
            "Customer: Who are you?",
            "Our donors are happy. How can I help you?",
            "It gives children food and schooling. Would you give a little?",
        ]
    )
    heard = inverted_pairs(rows, lambda prompts: [next(replies) for _ in prompts], batch=2)
    assert heard.replies == 3
    assert [pair["rejected"][0]["content"] for pair in heard.pairs] == [
        "Our donors are happy. How can I help you?",
        "It gives children food and schooling. Would you give a little?",
    ]
    for pair, row in zip(heard.pairs, rows[1:], strict=True):
        assert pair["chosen"] == row["completion"]
        assert pair["prompt"] == row["prompt"]
        assert (pair["pool"], pair["split"], pair["dialogue"]) == ("inverted", "train", "d-1")
        assert "completion" not in pair


def test_every_row_is_heard_once_and_the_listener_is_told() -> None:
    rows = list(customer_rows(dialogue(), find_campaign("save_the_children", get_settings())))
    asked: list[list[Message]] = []
    told: list[tuple[int, int]] = []

    def say(prompts: Sequence[list[Message]]) -> list[str]:
        asked.extend(prompts)
        return ["Okay."] * len(prompts)

    heard = inverted_pairs(rows, say, batch=2, told=lambda done, of: told.append((done, of)))
    assert heard.pairs == []
    assert asked == [row["prompt"] for row in rows]
    assert told == [(2, 3), (3, 3)]
