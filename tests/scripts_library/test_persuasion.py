import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from graph.errors import BadInput
from scripts_library.persuasion import (
    RecordedCall,
    RecordedTurn,
    clean,
    labelled_examples,
    outcome_of,
    read_acts,
    read_calls,
    role_of,
    split_of,
)
from scripts_library.speakers import restore_speakers

SHIPPED = Path(__file__).parents[2] / "scripts_library" / "campaigns" / "save_the_children" / "data"
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "persuasion_for_good"
FORMS = [
    pytest.param(SHIPPED, id="shipped"),
    pytest.param(
        PUBLISHED,
        id="published",
        marks=pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published form is not here"),
    ),
]


def jsonl(path: Path, *items: object) -> Path:
    path.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    return path


def call_of(path: Path, *turns: object, outcome: object = 1) -> list[tuple[str, str]]:
    (call,) = read_calls(jsonl(path / "calls.jsonl", {"id": "a", "turns": list(turns), "outcome": outcome}))
    return [(turn.role, turn.text) for turn in call.turns]


def agent(text: object) -> dict[str, object]:
    return {"role": "agent", "text": text}


def customer(text: object) -> dict[str, object]:
    return {"role": "customer", "text": text}


@pytest.mark.parametrize("folder", FORMS)
def test_both_forms_of_the_data_give_the_same_calls_and_acts(folder: Path) -> None:
    calls = read_calls(folder)
    assert len(calls) == 867
    assert sum(call.won for call in calls) == 467
    assert all(
        first.role != second.role for call in calls for first, second in zip(call.turns, call.turns[1:], strict=False)
    )
    acts = read_acts(folder)
    assert len({act.dialogue for act in acts}) == 250
    assert len({act.label for act in acts if act.role == "customer"}) == 23
    assert sum(any(turn.acts for turn in call.turns) for call in calls) == 250


def test_an_act_knows_what_was_said_before_it() -> None:
    acts = read_acts(SHIPPED / "annotated_dialog.csv")
    yes, work = (act for act in acts[:12] if act.text in ("Yes!", "I work with children who have terminal illnesses."))
    assert (yes.turn, yes.position, yes.label, yes.role) == (1, 0, "positive-to-inquiry", "customer")
    assert work.position == 1
    assert yes.previous_agent_text.endswith("Are you involved with charities?")
    assert work.previous_agent_text == yes.previous_agent_text
    first = acts[0]
    assert (first.previous_agent_text, first.previous_customer_text) == ("", "")


def test_the_annotated_files_alone_are_read_as_calls(tmp_path: Path) -> None:
    for name in ("annotated_dialog.csv", "annotated_info.csv"):
        (tmp_path / name).write_bytes((SHIPPED / name).read_bytes())
    calls = read_calls(tmp_path)
    assert len(calls) == 250
    assert 0 < sum(call.won for call in calls) < 250


def test_splits_are_by_dialogue_disjoint_and_of_the_stated_size() -> None:
    ids = [call.id for call in read_calls(SHIPPED)]
    share = Counter(split_of(name) for name in ids)
    assert share.total() == 867
    assert 0.55 < share["train"] / 867 < 0.65
    assert 0.20 < share["test"] / 867 < 0.30
    assert [split_of(name) for name in ids] == [split_of(name) for name in ids]


def test_labelled_examples_are_the_customers_and_only_where_a_campaign_has_them() -> None:
    examples = labelled_examples("save_the_children")
    assert len(examples) > 4000
    assert {example.role for example in examples} == {"customer"}
    assert labelled_examples("lantern_local") == []


NOISE = [
    (
        [agent("Hi"), customer(""), agent("Anyone?")],
        [("agent", "Hi Anyone?")],
        "an empty turn is dropped, its neighbours join",
    ),
    ([agent("Hi"), agent("Hi"), customer("Yes")], [("agent", "Hi"), ("customer", "Yes")], "a doubled turn counts once"),
    (
        [agent("A1"), agent("A2"), customer("B")],
        [("agent", "A1 A2"), ("customer", "B")],
        "a repeated speaker is joined",
    ),
    ([agent("Hi"), customer(None), customer("ok")], [("agent", "Hi"), ("customer", "ok")], "null is no speech"),
    ([agent(12), agent(["x"]), customer("ok")], [("customer", "ok")], "numbers and lists are no speech"),
    ([agent("..."), agent("😀"), customer("ok")], [("customer", "ok")], "symbols alone are no speech"),
    ([agent("nan"), customer("NaN"), agent("Hi")], [("agent", "Hi")], "NaN written as text is no speech"),
    (
        [agent("caf\ufffd \x00nice\n now"), customer("ok")],
        [("agent", "caf nice now"), ("customer", "ok")],
        "broken bytes go",
    ),
    (["text", 3, agent("Hi")], [("agent", "Hi")], "a turn that is no object is dropped"),
    ([{"role": "weather", "text": "sunny"}, agent("Hi")], [("agent", "Hi")], "an unknown speaker is dropped"),
    (
        [{"role": "Assistant", "text": "Hi"}, {"role": "USER", "text": "ok"}],
        [("agent", "Hi"), ("customer", "ok")],
        "other names",
    ),
    (
        [{"role": 0, "text": "Hi"}, {"role": 1.0, "text": "ok"}],
        [("agent", "Hi"), ("customer", "ok")],
        "numbered speakers",
    ),
    (
        [agent("你好，我是小岚"), customer("不要。")],
        [("agent", "你好，我是小岚"), ("customer", "不要。")],
        "Chinese is speech",
    ),
]


@pytest.mark.parametrize(("turns", "expected", "why"), NOISE, ids=[why for *_, why in NOISE])
def test_noise_in_a_call_is_tolerated(
    tmp_path: Path, turns: list[object], expected: list[tuple[str, str]], why: str
) -> None:
    assert call_of(tmp_path, *turns) == expected, why


OUTCOMES = [
    (True, 1.0), (False, 0.0), ("won", 1.0), ("declined", 0.0), (2, 2.0), ("0.5", 0.5), ("$1.50", 1.5), ("", 0.0), (None, 0.0),
    ("nan", 0.0), (float("nan"), 0.0), ({"status": "won"}, 1.0), ({"status": "follow_up"}, 0.0), ("perhaps", None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), OUTCOMES)
def test_outcomes_are_read_as_numbers(value: object, expected: float | None) -> None:
    assert outcome_of(value) == expected


def test_an_exported_record_is_a_recorded_call(tmp_path: Path) -> None:
    turns = [
        {"turn": 0, "customer": "", "reply": "Hello, this is Ada.", "intent": "", "stage": "opening"},
        {"turn": 1, "customer": "How?", "reply": "It is simple.", "intent": "ask-donation-procedure", "stage": "close"},
    ]
    path = jsonl(tmp_path / "record.jsonl", {"call": "c1", "turns": turns, "outcome": {"status": "won"}})
    (call,) = read_calls(path)
    assert call == RecordedCall(
        "c1",
        (
            RecordedTurn("agent", "Hello, this is Ada.", stage="opening"),
            RecordedTurn("customer", "How?", ("ask-donation-procedure",)),
            RecordedTurn("agent", "It is simple.", stage="close"),
        ),
        1.0,
    )


def test_every_broken_line_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text(
        '{"id": "a"\n[]\n{"turns": []}\n{"id": "b", "turns": 3}\n{"id": "c", "turns": [], "outcome": "perhaps"}\n'
    )
    with pytest.raises(BadInput) as caught:
        read_calls(path)
    lines = str(caught.value).splitlines()
    assert [f"line {number}:" in line for number, line in enumerate(lines, start=1)] == [True] * 5
    assert "perhaps" in lines[4]


def test_what_cannot_be_calls_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file or folder"):
        read_calls(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"no annotated_dialog\.csv and no annotated_info\.csv"):
        read_calls(tmp_path)
    (tmp_path / "full_dialog.csv").write_text("Unit,Turn,B4\nHello,0,0\n")
    (tmp_path / "full_info.csv").write_text("B2,B4,B6\na,1,1.0\n")
    with pytest.raises(BadInput, match="columns B2 are missing"):
        read_calls(tmp_path)
    (tmp_path / "full_dialog.csv").write_text("Unit,Turn,B4,B2\nHello,first,0,a\n")
    with pytest.raises(BadInput, match="column Turn holds 'first'"):
        read_calls(tmp_path)
    with pytest.raises(BadInput, match="holds no call"):
        read_calls(jsonl(tmp_path / "empty.jsonl", {"id": "a", "turns": [agent("")], "outcome": 1}))


def test_a_noisy_csv_folder_is_read(tmp_path: Path) -> None:
    rows = b'Unit,Turn,B4,B2\nHello,0,0,a\n,0,1,a\ncaf\xe9 fine,1.0,1,a\nnan,1,0,a\n"x, y",2,0,a\nlost,2,7,a\n,0,0,b\n'
    (tmp_path / "full_dialog.csv").write_bytes(b"\xef\xbb\xbf" + rows)
    (tmp_path / "full_info.csv").write_text("B2,B4,B6\na,0,0\na,1,nan\n")
    (call,) = read_calls(tmp_path)
    assert [(turn.role, turn.text) for turn in call.turns] == [
        ("agent", "Hello"),
        ("customer", "caf fine"),
        ("agent", "x, y"),
    ]
    assert not call.won


def test_calls_with_swapped_speakers_are_turned_round_and_the_others_kept() -> None:
    calls = read_calls(SHIPPED)[:300]
    swapped = {call.id for call in calls[::15]}
    other = {"agent": "customer", "customer": "agent"}
    mixed = [
        RecordedCall(call.id, tuple(RecordedTurn(other[turn.role], turn.text) for turn in call.turns), call.outcome)  # type: ignore[arg-type]
        if call.id in swapped
        else call
        for call in calls
    ]
    before = {call.id: call.turns[0].role for call in mixed}
    turned = {call.id for call in restore_speakers(mixed) if call.turns[0].role != before[call.id]}
    assert len(turned & swapped) >= 0.85 * len(swapped)
    assert len(turned - swapped) <= 0.05 * (len(calls) - len(swapped)), "some calls of the data are swapped themselves"


def test_a_lone_call_without_anything_to_compare_with_is_kept() -> None:
    call = RecordedCall(
        "a", (RecordedTurn("customer", "May I tell you about our offer?"), RecordedTurn("agent", "No.")), 0.0
    )
    assert restore_speakers([call]) == [call]


@pytest.mark.parametrize("name", sorted(path.name for path in SHIPPED.glob("*.csv")))
def test_the_shipped_data_hold_no_background_no_user_ids_and_no_addresses(name: str) -> None:
    path = SHIPPED / name
    text = path.read_text(encoding="utf-8")
    with path.open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file))
    assert "B3" not in columns
    assert not [column for column in columns if column.endswith(".x")]
    assert "user_" not in text
    assert "@live" not in text


def test_the_shipped_data_are_small_and_carry_their_licence() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 4_000_000
    assert "Apache License" in (SHIPPED / "LICENSE").read_text(encoding="utf-8")
    assert "1906.06725" in (SHIPPED / "README.md").read_text(encoding="utf-8")


def test_roles_and_texts_have_one_reading() -> None:
    assert [role_of(value) for value in ("0", 1, "0.0", "Agent ", "persuadee", "?")] == [
        "agent", "customer", "agent", "agent", "customer", None,
    ]  # fmt: skip
    assert clean("  a \n b ") == "a b"
