"""Calls as the classifier reads them, from files and from runs."""

from pathlib import Path

import pytest

from evaluation.outcome.dialogue import Dialogue, Exchange, exchanges_of_records, read_donations, read_results
from evaluation.scenarios.loading import split_ids
from graph.errors import BadInput
from tests.evaluation import made_calls as made

DIALOG = "B2,B4,Turn,Unit\nd1,0,0,Hello\nd1,0,0,Will you give?\nd1,1,0,Maybe\nd1,1,1,I will\nd1,0,2,Thanks\nd2,1,0,Hi\nd2,0,1,Hi you\n"
INFO = "B2,B4,B6\nd1,0,9\nd1,1,0.0\nd2,1,1.5\n"
INTENDED = "B2,B4,B5\nd1,0,5\nd1,1,0.2\n"


def folder(path: Path, intended: str = INTENDED) -> Path:
    (path / "full_dialog.csv").write_text(DIALOG, encoding="utf-8")
    (path / "full_info.csv").write_text(INFO, encoding="utf-8")
    (path / "annotated_info.csv").write_text(intended, encoding="utf-8")
    return path


def test_real_calls_become_exchanges_with_the_persuadees_gift_and_intention(tmp_path: Path) -> None:
    first, second = read_donations(folder(tmp_path))
    assert first.possible == ("B",), "the persuader's own 9 dollars say nothing of the customer"
    assert first.exchanges == (Exchange("Hello Will you give?", "Maybe I will", 0), Exchange("Thanks", "", 1))
    assert second.possible == ("A",)
    assert second.exchanges == (Exchange("", "Hi", 0), Exchange("Hi you", "", 1))
    assert first.text == "[ASSISTANT] Hello Will you give?\n[USER] Maybe I will\n[ASSISTANT] Thanks"


@pytest.mark.parametrize(
    ("scenario", "group", "held_out"),
    [
        (split_ids("test")[0], split_ids("test")[0], True),
        (f"{split_ids('test')[0]}.x6.f2", split_ids("test")[0], True),
        (split_ids("train")[0], split_ids("train")[0], False),
        (f"{split_ids('dev')[0]}.f1", split_ids("dev")[0], False),
    ],
)
def test_a_simulated_call_is_held_out_with_its_scenario_in_whatever_mode(
    scenario: str, group: str, held_out: bool
) -> None:
    call = Dialogue("a call", "en", (), scenario=scenario)
    assert (call.group, call.held_out) == (group, held_out)


def test_a_file_of_intentions_without_its_columns_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"annotated_info\.csv: columns B5 are missing"):
        read_donations(folder(tmp_path, "B2,B4\nd1,1\n"))


def test_the_shipped_calls_are_read_whole() -> None:
    from evaluation.outcome.measure import TAUGHT

    calls = read_donations(TAUGHT)
    assert len(calls) == 867
    assert all(call.exchanges and call.possible for call in calls)
    labelled = [exchange for call in calls for exchange in call.exchanges if exchange.acts]
    assert any("customer:agree-donation" in (exchange.acts or ()) for exchange in labelled)


def test_records_of_several_sessions_are_read_in_order() -> None:
    first = made.record([made.turn(reply=made.GREETING), made.turn("What is it?", "A lamp.")])
    second = made.record([made.turn(reply="Me again."), made.turn("Fine.", "")])
    found = exchanges_of_records([first, second], {(1, 1): "agree"})
    assert [(one.agent, one.customer, one.turn) for one in found] == [
        (made.GREETING, "What is it?", 1),
        ("A lamp.", "", 1),
        ("Me again.", "Fine.", 3),
    ]
    assert found[2].acts == {"customer:agree"} and found[0].acts is None


def test_calls_of_a_run_count_when_they_ended_and_their_customer_tells() -> None:
    decided = made.result([made.turn("Yes.")], notes=[{"turn": 1, "decided": "buys", "intent": "agree"}])
    silent = made.result([made.turn("Yes.")])
    failed = made.result(error={"boundary": "server", "message": "gone"}, notes=[{"turn": 1, "decided": "buys"}])
    (found,) = read_results([decided, silent, failed])
    assert (found.possible, found.language, found.id) == (("A",), "en", decided["unit"])
    assert found.exchanges[0].acts == {"customer:agree"}
