"""Rows: what is learnt from, what is left out and why, and where pairs come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from graph.errors import BadInput
from graph.settings import get_settings
from nodes.resources import get_resources
from tests.training.corpus.dialogues import dialogue, said
from training.corpus.guarded import rule_hits
from training.corpus.preferences import preference_rows
from training.corpus.prompts import walk
from training.corpus.schema import Dialogue
from training.corpus.to_rows import Tally, prompt_rows, served_turns, sft_rows

HELLO = "Hello, this is Lan."
GOOD = "I see. How do your customers find you today?"
LIE = "It costs 3 dollars a month, I guarantee it."
PRICE = "How much does it cost?"


def talk(name: str, *said_: Any, **more: Any) -> Dialogue:
    return dialogue(name, HELLO, *said_, **more)


def rows_of(dialogues: list[Dialogue], **options: Any) -> tuple[list[Any], list[Any], Tally]:
    tally = Tally()
    turns = list(served_turns(dialogues, get_settings(), tally))
    return list(sft_rows(turns, **options)), list(prompt_rows(turns, **options)), tally


def test_an_answer_that_the_guard_would_block_is_no_reference(loaded_home: Path) -> None:
    sft, prompts, tally = rows_of([talk("a", "I run a bakery.", GOOD, PRICE, LIE)])
    assert [row["completion"][0]["content"] for row in sft] == [row["reference"] for row in prompts] == [GOOD]
    assert (tally.answers, tally.fixed, tally.blocked) == (2, 0, 1)
    assert tally.rules["unsupported_quantity"] == 1
    [row] = prompts
    assert (row["dialogue"], row["turn"], row["split"], row["method"]) == ("a", 2, "train", "imported")
    assert [message["role"] for message in row["prompt"]] == ["system", "assistant", "user"]
    assert row["prompt"][1]["content"] == HELLO and "I run a bakery." in row["prompt"][2]["content"]


def test_a_customers_own_number_may_be_said_back_but_is_not_learnt(loaded_home: Path) -> None:
    told = "My number is 415-555-0134, call me there."
    sft, prompts, tally = rows_of([talk("a", told, "Thank you, I have 415-555-0134 here.")])
    assert (sft, prompts, tally.blocked, tally.personal) == ([], [], 0, 1)


def test_a_completion_is_checked_as_the_guard_would_in_its_place(loaded_home: Path) -> None:
    _, [first, second], _ = rows_of([talk("a", "I run a bakery.", GOOD, "Hm, all right then.", "Thank you. When may I call again?")])  # fmt: skip
    resources = get_resources(get_settings())
    assert rule_hits(first["state"], GOOD, resources) == []
    assert {hit["name"] for hit in rule_hits(second["state"], GOOD, resources)} == {"repetition"}, "said before"
    assert rule_hits(first["state"], LIE, resources)
    assert set(json.loads(first["state"])) == {"campaign", "language", "profile", "slots", "history", "customer", "refusals", "understood", "move"}  # fmt: skip


def test_a_thought_stands_only_where_the_prompt_asks_for_it(loaded_home: Path) -> None:
    with_thought = said("agent", GOOD, thought="Learn how they sell.")
    made = talk("a", "I run a bakery.", with_thought, "By walking past.", "Good to know. What do they buy most?")
    sft, prompts, _ = rows_of([made], think=True)
    asked = ["<think>" in row["prompt"][-1]["content"] for row in sft]
    told = [row["completion"][0]["content"].startswith("<think>Learn how they sell.</think>I see.") for row in sft]
    assert asked == told == [True, False]
    assert all("<think>" in row["prompt"][-1]["content"] for row in prompts), "a task asks always"
    plain, _, _ = rows_of([made])
    assert not any("<think>" in json.dumps(row) for row in plain)


def test_turns_with_a_fixed_line_make_no_row_and_an_opt_out_ends_the_walk(loaded_home: Path) -> None:
    person = talk("a", "I want to talk to a human being, a real person.", "Of course, I am here.", PRICE, "Gladly. Which plan do you mean?")  # fmt: skip
    gone = talk("b", "Never call me again, take me off your list!", "I am sorry.", PRICE, GOOD)
    settings = get_settings()
    assert [served.at for served in walk(person, settings)] == [4], "the call is given back after the person's line"
    assert list(walk(gone, settings)) == []
    _, _, tally = rows_of([person, gone])
    assert (tally.answers, tally.fixed) == (4, 3)


def test_a_dialogue_that_the_customer_opens_is_given_the_greeting(loaded_home: Path) -> None:
    opened = dialogue("a", said("customer", "Hello? Who is it?"), said("agent", GOOD))
    [served] = walk(opened, get_settings())
    assert served.at == 1 and served.reply == GOOD
    assert "Lan" in served.prompt()[1]["content"]


def test_a_draw_is_the_same_each_time_and_over_all_dialogues(loaded_home: Path) -> None:
    made = [talk(str(number), "I run a bakery.", GOOD, "By word of mouth.", "Nice. What sells best?") for number in range(4)]  # fmt: skip
    drawn = [
        [(served.dialogue.id, served.at) for served in served_turns(made, get_settings(), Tally(), seed)]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(drawn[0]) == sorted(drawn[2]) == [(str(number), at) for number in range(4) for at in (2, 4)]


def test_what_campaigns_do_not_know_is_told_at_once(loaded_home: Path) -> None:
    wrong = [talk("a", "Hi.", GOOD, profile={"shoe_size": "9"}), talk("b", "Hi.", GOOD, strategy="shout"), talk("c", "Hi.", GOOD, campaign="none")]  # fmt: skip
    with pytest.raises(BadInput) as caught:
        list(served_turns(wrong, get_settings(), Tally()))
    lines = str(caught.value).splitlines()
    assert ["shoe_size" in lines[0], "shout" in lines[1], "none" in lines[2], len(lines)] == [True, True, True, 3]


def test_pairs_come_from_outcomes_and_rules_in_the_same_situation(loaded_home: Path) -> None:
    better = "Gladly. May I first ask how many items you sell?"
    made = [
        talk("won", PRICE, better, outcome="won"),
        talk("lost", "How much would it cost me?", "Well, that depends.", outcome="declined"),
        talk("far", "Who is calling, please?", "It is Lan, an AI assistant.", outcome="declined"),
        talk("liar", "What does it cost?", LIE, outcome="won"),
    ]
    rows = preference_rows(served_turns(made, get_settings(), Tally()))
    found = {(row["pool"], row["dialogue"], row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows}
    assert ("outcomes", "won", better, "Well, that depends.") in found
    rules = [row for row in rows if row["pool"] == "rules"]
    assert [row["rejected"][0]["content"] for row in rules] == [LIE]
    assert len(rows) == 2


def test_thoughts_are_in_both_replies_of_a_pair_or_in_none(loaded_home: Path) -> None:
    def pair(second: str) -> Any:
        one = talk("won", PRICE, said("agent", GOOD, thought="Ask first."), outcome="won")
        two = talk("lost", PRICE, said("agent", "It depends.", thought=second), outcome="declined")
        [row] = preference_rows(served_turns([one, two], get_settings(), Tally()), think=True)
        return [
            "<think>" in text
            for text in (
                row["prompt"][-1]["content"],
                row["chosen"][0]["content"],
                row["rejected"][0]["content"],
            )
        ]

    assert pair("Evade.") == [True, True, True]
    assert pair("") == [False, False, False]


def mark(better: str, call: str = "own") -> dict[str, Any]:
    def message(text: str) -> list[dict[str, str]]:
        return [{"role": "x", "content": text}]

    return {"kind": "preference", "call": call, "prompt": message(PRICE), "chosen": message(better), "rejected": message(GOOD)}  # fmt: skip


def test_marks_become_pairs_on_the_prompt_that_was_served(loaded_home: Path) -> None:
    own = talk("own", "I run a bakery.", "Nice. What sells best?", PRICE, GOOD, method="recorded")
    better = "Gladly. Which plan do you have in mind?"
    marks = [mark(better), mark(LIE), mark(better, "other"), {**mark(better), "kind": "sft"}]
    [row] = preference_rows(served_turns([own], get_settings(), Tally()), marks)
    assert (row["pool"], row["turn"]) == ("marks", 4)
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == (better, GOOD)
    assert PRICE in row["prompt"][-1]["content"] and row["prompt"][0]["role"] == "system"
