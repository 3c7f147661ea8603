import json
import logging
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.errors import Cancelled
from guardrails.check import check_reply
from scripts_library.fact_sheet import fact_sheet
from scripts_library.loading import CampaignData, bundled, load_campaign
from scripts_library.mining import Answer, mine, mine_calls, shorten, stage_of
from scripts_library.persuasion import read_calls

CAMPAIGN = "save_the_children"
DATA = bundled()[CAMPAIGN] / "data"


class Words:
    """An embedder of hashed words: near texts share words."""

    name, dimension = "words", 256

    def query(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"[\u3400-\u9fff]|[a-z']+", text.lower()):
                vectors[row, sum(ord(character) * 31**place for place, character in enumerate(word)) % 256] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    passage = query


@cache
def data(name: str = CAMPAIGN) -> CampaignData:
    return load_campaign(bundled()[name])


class Shelf:
    """The one thing of a library that mining needs."""

    def campaign(self, name: str) -> CampaignData:
        return data(name)


def call(name: str, *texts: str, outcome: object = True) -> dict[str, object]:
    turns = [{"role": "agent" if place % 2 == 0 else "customer", "text": text} for place, text in enumerate(texts)]
    return {"id": name, "turns": turns, "outcome": outcome}


def write(path: Path, *calls: dict[str, object]) -> Path:
    path.write_text("\n".join(json.dumps(item, ensure_ascii=False) for item in calls), encoding="utf-8")
    return path


GOOD = "They help children with food, medicine and school. Which of these matters most to you?"
BREACHES = [
    ("Give today and 97% of it reaches a village that we built.", "an unsupported percentage"),
    ("It only costs you $45 a month, which is really nothing.", "an unsupported price"),
    ("I donated half of my own payment yesterday, you should too.", "a life of one's own"),
    ("My daughter is five and she would love to hear from you.", "a life of one's own"),
    ("My name is Robert and I would like to tell you about them.", "a name"),
    ("Every single penny of it goes straight to the children.", "a forbidden claim"),
]


def test_drafts_come_from_calls_that_succeeded_with_their_source(tmp_path: Path) -> None:
    path = write(
        tmp_path / "calls.jsonl",
        call("won-1", "Hello, have you heard of the charity?", "What does Save the Children do?", GOOD),
        call(
            "lost-1",
            "Hello there.",
            "What does Save the Children do?",
            "Nothing much that I could tell.",
            outcome=False,
        ),
    )
    scripts = mine(path, CAMPAIGN, Shelf(), author="mia", limit=10, embedder=Words())
    (script,) = scripts
    assert (script.status, script.author, script.source) == ("draft", "mia", "won-1")
    assert (script.stage, script.intent, script.language) == ("analysis", "ask-org-info", "en")
    assert script.say == [GOOD]
    assert script.situation == ["What does Save the Children do?"]
    assert [step.split(":")[0] for step in script.outline] == ["Say", "Ask"]


@pytest.mark.parametrize(("answer", "why"), BREACHES)
def test_an_answer_that_must_not_be_said_never_becomes_a_draft(tmp_path: Path, answer: str, why: str) -> None:
    path = write(tmp_path / "calls.jsonl", call("won-1", "Hello there.", "What does Save the Children do?", answer))
    mined = mine_calls(read_calls(path), data(), Words(), author="mia", limit=10)
    assert mined.scripts == [], why
    assert sum(mined.dropped.values()) == 1


def test_the_log_says_how_many_answers_were_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(
        tmp_path / "calls.jsonl",
        call("won-1", "Hello there.", "What do they do?", GOOD, "I see.", "I donated my own money to them last week."),
    )
    with caplog.at_level(logging.INFO, "scripts_library.mining"):
        mine(path, CAMPAIGN, Shelf(), author="mia", limit=10, embedder=Words())
    assert "1 of 1 calls succeeded; 2 answers, 1 left out" in caplog.text


def test_the_classifier_is_asked_for_lines_without_a_label(tmp_path: Path) -> None:
    path = write(tmp_path / "calls.jsonl", call("won-1", "Hello there.", "hmm hmm", GOOD))
    asked: list[tuple[list[str], list[str]]] = []

    def classify(lines: list[str], before: list[str]) -> list[str]:
        asked.append((lines, before))
        return ["negative-reaction-to-donation"] * len(lines)

    (script,) = mine(path, CAMPAIGN, Shelf(), author="mia", limit=5, classify=classify, embedder=Words())
    assert asked == [(["hmm hmm"], ["Hello there."])]
    assert (script.stage, script.intent) == ("objection", "negative-reaction-to-donation")


def test_an_own_record_keeps_its_stage_and_intent(tmp_path: Path) -> None:
    turns = [
        {"customer": "", "reply": "Hello, this is Ada.", "stage": "opening", "intent": ""},
        {"customer": "hm", "reply": GOOD, "stage": "objection", "intent": "acknowledgement"},
    ]
    path = write(tmp_path / "calls.jsonl", {"call": "own", "turns": turns, "outcome": {"status": "won"}})
    (script,) = mine(path, CAMPAIGN, Shelf(), author="mia", limit=5, embedder=Words())
    assert (script.stage, script.intent) == ("objection", "acknowledgement")


def test_chinese_calls_give_chinese_drafts(tmp_path: Path) -> None:
    answer = "您可以先看看同类店铺的情况，再决定要不要开。"
    path = write(tmp_path / "calls.jsonl", call("won-zh", "您好，我是小岚。", "太贵了，不划算", answer))
    (script,) = mine(path, "lantern_local", Shelf(), author="mia", limit=5, embedder=Words())
    assert (script.language, script.say) == ("zh", [answer])
    english_only = mine_calls(read_calls(path), data(), Words(), author="mia", limit=5)
    assert english_only.dropped == {"language not in the campaign": 1}


def test_a_lone_swapped_call_is_put_right_with_the_campaigns_own_lines(tmp_path: Path) -> None:
    texts = (
        "What does Save the Children do? How do they help the children? I have not heard of this charity before!",
        "Hello, this is Ada, an AI assistant calling for the Save the Children donation task.",
        "In which countries do they serve? Can you tell me more about it?",
        "It works in about 120 countries, and donations help with food, medicine, health care, school and shelter.",
    )
    path = write(tmp_path / "calls.jsonl", call("swapped", *texts))
    scripts = mine(path, CAMPAIGN, Shelf(), author="mia", limit=5, embedder=Words())
    assert {line for script in scripts for line in script.say} == {texts[3]}


def test_the_limit_first_covers_every_stage_and_intent_and_drafts_repeat_exactly() -> None:
    calls = [call for call in read_calls(DATA) if any(turn.acts for turn in call.turns)]
    first = mine_calls(calls, data(), Words(), author="mia", limit=500)
    again = mine_calls(calls, data(), Words(), author="mia", limit=20)
    assert again.scripts == first.scripts[:20]
    pairs = [(script.stage, script.intent) for script in again.scripts]
    assert len(set(pairs)) == 20
    assert first.calls >= 100
    assert first.dropped["unsupported_quantity"] > 0
    assert len(first.scripts) >= 60


def test_no_draft_of_the_data_breaks_a_rule() -> None:
    calls = read_calls(DATA)[:120]
    mined = mine_calls(calls, data(), Words(), author="mia", limit=500)
    rules = fact_sheet(data().campaign, "en")
    assert mined.scripts
    assert [line for script in mined.scripts for line in script.say if check_reply(line, rules)] == []


def test_mining_tells_how_far_it_is_and_can_be_cancelled_at_every_step() -> None:
    calls = read_calls(DATA)[:25]

    def mined(cancelled_at: int) -> list[tuple[int, int]]:
        told: list[tuple[int, int]] = []

        def progress(done: int, total: int) -> None:
            told.append((done, total))
            if len(told) == cancelled_at:
                raise Cancelled("enough")

        mine_calls(calls, data(), Words(), author="mia", limit=9, progress=progress)
        return told

    told = mined(0)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert (told[0], told[-1]) == ((0, 100), (100, 100))
    assert len(told) >= 5
    for step in range(1, len(told) + 1):
        with pytest.raises(Cancelled):
            mined(step)


SHORTENED = [
    ("One is here. Two is here now. Three.", "One is here. Two is here now.", "two sentences are kept"),
    ("Yes.", "", "too short to guide anyone"),
    (
        "This sentence is fine on its own. " + "Word " * 60 + ".",
        "This sentence is fine on its own.",
        "the long one is left out",
    ),
    ("word " * 80 + ".", "", "a first sentence that is too long"),
]


@pytest.mark.parametrize(("text", "expected", "why"), SHORTENED)
def test_answers_are_shortened_to_what_is_spoken(text: str, expected: str, why: str) -> None:
    assert shorten(text, "en") == expected, why


PLACES = [
    ("greeting", True, False, "opening"),
    ("acknowledgement", False, False, "analysis"),
    ("acknowledgement", False, True, "close"),
    ("negative-reaction-to-donation", True, False, "objection"),
    ("provide-donation-amount", False, False, "close"),
]


@pytest.mark.parametrize(("intent", "first", "late", "expected"), PLACES)
def test_the_stage_follows_the_intent_then_the_place_in_the_call(
    intent: str, first: bool, late: bool, expected: str
) -> None:
    (meant,) = [item for item in data().intents if item.name == intent]
    assert stage_of(Answer("c", "en", "x", "", "y", intent, None, first, late), meant) == expected
