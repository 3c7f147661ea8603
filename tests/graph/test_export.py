"""Files for spreadsheets, training and evaluation."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from graph.calls import CallStore
from graph.export import cell, mark_rows, outcomes_csv
from graph.marks import add_mark
from graph.settings import get_settings
from scripts_library.database import engine_for
from tests.graph.calls_made import keep, objection, outcome, turn_of


@pytest.fixture
def engine(own_home: Path) -> Any:
    engine = engine_for(get_settings())
    said = [
        turn_of("one", 0, "", "Hello."),
        turn_of("one", 1, "Who?", "Mei."),
        turn_of("one", 2, "How much?", "Loads."),
    ]
    said += [turn_of("one", 3, "", "A person here.", source="human"), turn_of("one", 4, "Thanks", "Bye.")]
    won = {"what": "Lantern", "when": "", "contact": "=cmd()", "amount": ""}
    end = outcome("won", commitment=won, need={"size": "big"}, objections=[objection(1, 2), objection(2)])
    keep(engine, "one", said, end)
    return engine


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+86", "'+86"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        (" =1", "' =1"),
        ("\tx", "'\tx"),
        ("a=b", "a=b"),
        (3, "3"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula(value: object, expected: str) -> None:
    assert cell(value) == expected


def test_outcomes_are_a_table_of_calls(engine: Any) -> None:
    (row,) = csv.DictReader(StringIO(outcomes_csv(engine)))
    assert (row["call"], row["outcome"], row["turns"], row["objections"]) == ("one", "won", "5", "price; price")
    assert (row["objections_settled"], row["need"], row["agreed"]) == ("1", "size: big", "Lantern")
    assert row["agreed_contact"] == "'=cmd()"
    assert outcomes_csv(engine, "save_the_children").count("\n") == 1


def test_a_bad_mark_with_a_better_reply_is_a_preference_row(engine: Any) -> None:
    add_mark(engine, "one", 2, "bad", "vague", "It is 60.", "ann")
    add_mark(engine, "one", 1, "bad", "no better reply", "", "ann")
    add_mark(engine, "one", 0, "good", "", "", "ann")
    (row,) = mark_rows(CallStore(engine), "training")
    assert row["kind"] == "preference"
    assert row["prompt"] == [
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Mei."},
        {"role": "user", "content": "How much?"},
    ]
    assert row["chosen"] == [{"role": "assistant", "content": "It is 60."}]
    assert row["rejected"] == [{"role": "assistant", "content": "Loads."}]
    assert (row["call"], row["turn"], row["campaign"], row["language"]) == ("one", 2, "lantern_local", "en")


def test_a_good_mark_is_a_row_for_sft_and_neighbours_of_one_side_are_one_message(engine: Any) -> None:
    add_mark(engine, "one", 4, "good", "", "", "ann")
    (row,) = mark_rows(CallStore(engine), "training")
    assert (row["kind"], row["completion"]) == ("sft", [{"role": "assistant", "content": "Bye."}])
    assert row["prompt"][-2:] == [
        {"role": "assistant", "content": "Loads.\nA person here."},
        {"role": "user", "content": "Thanks"},
    ]


def test_the_bank_of_bad_cases_holds_what_a_judge_needs(engine: Any, tmp_path: Path) -> None:
    add_mark(engine, "one", 2, "bad", "vague", "", "ann")
    add_mark(engine, "one", 4, "good", "", "", "ann")
    path = tmp_path / "bank.jsonl"
    done = CliRunner().invoke(app, ["marks", "export", str(path), "--for", "evaluation"])
    assert done.exit_code == 0
    (row,) = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert (row["customer"], row["reply"], row["reason"], row["better"]) == ("How much?", "Loads.", "vague", "")
    assert [message["content"] for message in row["messages"]] == ["Hello.", "Who?", "Mei."]


def test_the_command_writes_outcomes_for_a_spreadsheet(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert CliRunner().invoke(app, ["outcomes", str(path)]).stdout == f"{path}: 1 calls\n"
    assert path.read_bytes().startswith(b"\xef\xbb\xbfcall,"), "so that a spreadsheet reads Chinese"
