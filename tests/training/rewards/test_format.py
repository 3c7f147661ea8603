"""The shape of completions."""

import pytest

from training.rewards.format import MOST_CHARACTERS, FormatReward, Spoken, split_thought

SHAPES = [
    ("<think>calm first</think>I hear you.", Spoken("calm first", "I hear you.", True), 1.0, "as it should be"),
    (" <think>\ncalm\n</think>\n\nHi.\n", Spoken("calm", "Hi.", True), 1.0, "spaces around do not matter"),
    ("Hi. <think>calm</think>Bye.", Spoken("calm", "Hi. Bye.", False), 0.5, "words before the thought"),
    ("<think>a</think>Hi.<think>b</think>", Spoken("ab", "Hi.", False), 0.5, "two thoughts"),
    ("<think> </think>Hi.", Spoken("", "Hi.", False), 0.5, "an empty thought"),
    (f"<think>{'x' * (MOST_CHARACTERS + 1)}</think>Hi.", None, 0.5, "an overlong thought"),
    ("<think>calm</think>Hi.</think>", Spoken("calm", "Hi.</think>", False), 0.5, "a marker left over"),
    ("<think>calm and", Spoken("calm and", "", False), 0.0, "a thought that never closes"),
    ("<think>calm</think>", Spoken("calm", "", False), 0.0, "a thought without a reply"),
    ("<think>calm</think>I hear you and", Spoken("calm", "I hear you and", False), 0.5, "a reply that was cut off"),
    ("<think>calm</think>“Fine。”", Spoken("calm", "“Fine。”", True), 1.0, "a quotation mark after the end"),
    ("Hi.", Spoken("", "Hi.", False), 0.0, "no thought"),
    ("Hi.</think><think>", Spoken("", "Hi.</think>", False), 0.0, "markers the wrong way round"),
    ("", Spoken("", "", False), 0.0, "nothing"),
]


@pytest.mark.parametrize(("text", "spoken", "score", "why"), SHAPES, ids=[why for *_, why in SHAPES])
def test_a_completion_is_parted_as_the_graph_does_and_scored_by_its_shape(
    text: str, spoken: Spoken | None, score: float, why: str
) -> None:
    if spoken is not None:
        assert split_thought(text) == spoken
    assert FormatReward().score(text) == score


def test_without_thoughts_markers_are_out_of_place() -> None:
    reward = FormatReward(think=False)
    texts = ["Hi.", "<think>calm</think>Hi.", "", "Hi and", "您好，请问", "您好！"]
    assert reward(completions=[[{"role": "assistant", "content": text}] for text in texts]) == [
        1.0, 0.0, 0.0, 0.0, 0.0, 1.0,
    ]  # fmt: skip
