"""A chat model as classifier: what it is shown, and what its answers count for."""

from evaluation.outcome.asked import SHOTS, ask_outcomes, chance_of, pick_examples
from evaluation.outcome.classes import ORDER, IntentClass
from evaluation.outcome.dialogue import Dialogue, Exchange
from serving.fakes import FakeReply, ScriptedChatModel


def call(name: str, *possible: IntentClass) -> Dialogue:
    return Dialogue(name, "en", (Exchange("Will you?", f"Says {name}", 1),), possible)


def test_an_answer_is_read_and_anything_else_is_no_answer() -> None:
    replies = [FakeReply(json={"class": "B"}), FakeReply(json={"class": "Z"}), FakeReply(json={"other": "A"})]
    model = ScriptedChatModel(replies=list(replies))
    assert ask_outcomes(model, [call("x"), call("y"), call("z")]) == ["B", None, None]


def test_the_model_sees_the_rules_the_examples_and_the_call_last() -> None:
    model = ScriptedChatModel(replies=[FakeReply(json={"class": "A"})])
    ask_outcomes(model, [call("asked")], [call("shown", "C")])
    system, shown, answer, asked = (str(message.content) for message in model.seen[0])
    assert "less committed" in system and "{{" not in system
    assert (shown[-5:], answer, asked[-5:]) == ("shown", '{"class": "C"}', "asked")


def test_examples_take_the_classes_in_turn_and_only_calls_whose_class_is_known() -> None:
    calls = [call(f"{name}{number}", name) for name in ("A", "B", "C") for number in range(6)]
    picked = pick_examples([call("unknown", "B", "C"), *calls])
    assert len(picked) == SHOTS
    assert [one.id for one in picked[:4]] == ["A0", "B0", "C0", "A1"]


def test_only_a_clear_purchase_counts_as_one_and_commitment_ranks_the_rest() -> None:
    chances = [chance_of(name) for name in ORDER]
    assert chances == sorted(chances, reverse=True)
    assert [chance >= 0.5 for chance in chances] == [True, False, False, False, False]
    assert chance_of(None) < 0.5
