"""Everything that dialogues come from: real calls, the project's own, noisy transcripts, files of any layout."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from graph.calls import CallStore
from graph.errors import BadInput
from graph.outcome import NEXT_STEPS
from graph.settings import get_settings
from scripts_library.database import engine_for
from scripts_library.loading import bundled
from scripts_library.persuasion import split_of
from tests.graph.calls_made import keep, outcome, turn_of
from training.corpus.imported import read_persuasion, usual_profile
from training.corpus.mapping import read_mapped, read_mapping
from training.corpus.recorded import read_recorded, read_store
from training.corpus.transcripts import read_transcripts

SHIPPED = bundled()["save_the_children"] / "data"


def write_csv(path: Path, *rows: tuple[object, ...]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def test_real_calls_keep_their_outcome_and_acts_become_intents() -> None:
    dialogues = read_persuasion(SHIPPED)
    assert {one.outcome for one in dialogues} == {"won", "declined"}
    assert {one.split for one in dialogues} == {"train", "dev", "test"}
    assert all(one.split == split_of(one.id) and not one.profile for one in dialogues)
    turns = [turn for one in dialogues for turn in one.turns]
    assert any(turn.intent == "agree-donation" for turn in turns if turn.role == "customer")
    assert not any(turn.intent for turn in turns if turn.role == "agent")
    assert {"logical-appeal", ""} < {one.strategy for one in dialogues}


def test_a_profile_says_what_holds_for_most_and_nothing_of_one_participant(tmp_path: Path) -> None:
    columns = ("B2", "B4", "age.x", "care.x", "fairness.x", "rational.x", "intuitive.x")
    path = write_csv(
        tmp_path / "full_info.csv",
        columns,
        ("a", "1", "35", "5", "1", "4", "4"),
        ("b", "1", "40.0", "1", "5", "4", "2"),
        ("c", "1", "71", "", "", "2", "4"),
        ("d", "0", "71", "5", "1", "1", "5"),
        ("e", "0", "71", "5", "1", "1", "5"),
    )
    assert usual_profile(path) == {"age_group": "30_to_44"}, "no majority, no value; the agents are not counted"


def test_own_calls_bring_stage_intent_thought_and_scripts(own_home: Path, tmp_path: Path) -> None:
    engine = engine_for(get_settings())
    why = {"thought": "They ask the price."}
    turns = [
        turn_of("c1", 0, customer="", reply="Hello, this is Lan.", intent="", stage="opening"),
        turn_of("c1", 1, scripts=[("price-1", 2)], why=why, stage_proposed="close"),
        turn_of("c1", 2, customer="", reply="A person here.", source="human"),
        turn_of("c1", 3, customer="Fine.", reply="Thank you.", intent="agree", stage="close"),
    ]
    keep(engine, "c1", turns, outcome("won", next_step=NEXT_STEPS["won"]), language="en")
    keep(engine, "silent", [turn_of("silent", 0, customer="", reply="Hello.")], outcome("open"))
    [own] = read_store(CallStore(engine))
    assert (own.id, own.outcome, own.source.method, own.language) == ("c1", "won", "recorded", "en")
    said: list[tuple[Any, ...]] = [(turn.role, turn.text, turn.intent, turn.stage) for turn in own.turns]
    assert said == [
        ("agent", "Hello, this is Lan.", "", "opening"),
        ("customer", "How much?", "price", ""),
        ("agent", "It is 60. A person here.", "", "objection"),
        ("customer", "Fine.", "agree", ""),
        ("agent", "Thank you.", "", "close"),
    ]
    assert (own.turns[2].thought, own.turns[2].scripts) == ("They ask the price.", ["price-1"])

    path = tmp_path / "calls.jsonl"
    path.write_text('{"call": 1}\nnothing\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"(?s)line 1: no record.*line 2: no record"):
        read_recorded(path)


def test_transcripts_lose_their_noise_and_say_so(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "calls.csv",
        ("call", "role", "text", "outcome"),
        ("a", "IVR", "Press one.", ""),
        ("a", "Salesman", "Hello there.", ""),
        ("a", "agent", "", ""),
        ("a", "agent", "May I ask\nsomething?", ""),
        ("a", "Customer", "...", ""),
        ("a", "Customer", "Yes.", "won"),
        ("b", "agent", "Hello?", "lost"),
        ("c", "agent", "Hello.", "lost"),
        ("c", "user", "No.", ""),
    )
    told: list[str] = []
    first, second = read_transcripts(path, "lantern_local", "en", told.append)
    assert [(turn.role, turn.text) for turn in first.turns] == [
        ("agent", "Hello there. May I ask something?"),
        ("customer", "Yes."),
    ]
    assert (first.outcome, second.outcome) == ("won", "declined")
    assert len(told) == 2 and "1 lines of role 'IVR'" in told[0] and "1 calls left out" in told[1]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([("call", "text")], "columns role are missing"),
        ([("call", "role", "text", "outcome"), ("", "agent", "Hi", ""), ("a", "agent", "Hi", "maybe")], "(?s)line 2.*line 3"),
        ([("call", "role", "text"), ("a", "agent", "Hi")], "no call in which both sides speak"),
    ],
)  # fmt: skip
def test_broken_transcripts_are_refused(rows: list[tuple[object, ...]], fault: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=fault):
        read_transcripts(write_csv(tmp_path / "calls.csv", *rows), "lantern_local", "en")


def test_json_transcripts_lose_unknown_roles_and_invent_no_outcome(tmp_path: Path) -> None:
    turns = [{"role": "assistant", "text": "Hi."}, {"role": "bot", "text": "Beep."}, {"role": "user", "text": "Hi."}]
    lines = [{"id": "a", "turns": turns}, {"id": "b", "turns": turns, "outcome": False}, {"id": "c", "turns": turns, "outcome": 2}]  # fmt: skip
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8-sig")
    told: list[str] = []
    read = read_transcripts(path, "lantern_local", "en", told.append)
    assert [one.outcome for one in read] == ["", "declined", "won"]
    assert len(told) == 1 and "3 lines of role 'bot'" in told[0]


MAPPING: dict[str, Any] = {
    "campaign": "lantern_local",
    "language": "zh",
    "dialogues": "data.list",
    "id": "meta.id",
    "turns": "talk",
    "role": "who",
    "roles": {"sales": "agent", "user": "customer"},
    "text": "says",
    "stage": "state",
    "thought": "think",
    "outcome": "end",
    "outcomes": {"ok": "won"},
    "profile": {"owner_name": "meta.name"},
    "method": "simulation",
}
TALK = [
    {"who": "sales", "says": "您好。", "state": "opening", "think": "先问好"},
    {"who": "user", "says": " "},
    {"who": "user", "says": "你好。"},
]


def mapped(tmp_path: Path, held: object, **changes: Any) -> Any:
    rules, path = tmp_path / "mapping.yaml", tmp_path / "talks.json"
    rules.write_text(yaml.safe_dump({**MAPPING, **changes}, allow_unicode=True), encoding="utf-8")
    path.write_text(json.dumps({"data": {"list": held}}), encoding="utf-8")
    return read_mapped(path, read_mapping(rules))


def test_a_mapping_names_the_fields_of_a_file(tmp_path: Path) -> None:
    [one] = mapped(tmp_path, [{"meta": {"id": 7, "name": "王"}, "talk": TALK, "end": "ok"}])
    assert (one.id, one.outcome, one.profile, one.source.method) == ("7", "won", {"owner_name": "王"}, "simulation")
    assert [(turn.role, turn.text, turn.stage, turn.thought) for turn in one.turns] == [
        ("agent", "您好。", "opening", "先问好"),
        ("customer", "你好。", "", ""),
    ]


def test_whatever_a_mapping_does_not_fit_is_told_at_once(tmp_path: Path) -> None:
    twice = {"meta": {"id": "x"}, "talk": TALK}
    broken = {"talk": [{"who": "robot", "says": "Hi"}, {"who": "user"}], "end": "lost"}
    with pytest.raises(BadInput) as caught:
        mapped(tmp_path, [twice, twice, broken, {"meta": {"id": "y"}}, "text"])
    lines = str(caught.value).splitlines()
    for number, wrong in [
        (1, "id 'x' stands there twice"), (2, "'meta.id' (id) is missing"), (2, "outcome 'lost' is none of ok"),
        (2, "turn 0: role 'robot' is none of sales, user"), (2, "turn 1: field 'says'"), (3, "'talk' (turns) is missing"), (4, "'talk'"),
    ]:  # fmt: skip
        assert any(f"dialogue {number}: " in line and wrong in line for line in lines), wrong


def test_a_mapping_is_strict(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"(?s)roles\.sales: .*rolle: Extra inputs"):
        mapped(tmp_path, [], roles={"sales": "seller"}, rolle="x")
    with pytest.raises(BadInput, match="no list of dialogues at 'data'"):
        mapped(tmp_path, [], dialogues="data")
