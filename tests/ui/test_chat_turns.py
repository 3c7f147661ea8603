"""A turn goes on whoever watches it."""

import threading
from typing import Any

import pytest

from graph.errors import BadInput, CallBusy, CallEnded, ModelUnavailable
from ui import turns


def ended(turn: turns.Turn) -> list[str]:
    """Watch a turn to its end, and return what was said."""
    return list(turn.follow())[-1]


def begun(call: str, work: Any) -> turns.Turn:
    turn = turns.begin(call, "hello?", work)
    assert turn is not None
    return turn


def test_sentences_come_as_they_are_said_to_everybody_who_watches() -> None:
    go_on = threading.Event()

    def work(heard: Any) -> None:
        heard("One.")
        assert go_on.wait(20)
        heard("Two.")

    turn = begun("a", work)
    watched = turn.follow()
    while not (first := next(watched)):
        """It has not spoken yet."""
    assert first == ["One."]
    assert turns.running("a") is turn
    go_on.set()
    assert list(watched)[-1] == ["One.", "Two."]
    assert ended(turn) == ["One.", "Two."], "who comes late sees all"
    assert turns.running("a") is None


def test_a_turn_goes_on_when_nobody_watches_any_more() -> None:
    done = threading.Event()
    turn = begun("b", lambda heard: done.set())
    assert done.wait(20)
    ended(turn)
    assert not turn.trouble


def test_a_call_has_one_turn_at_a_time_and_others_do_not_wait_for_it() -> None:
    go_on = threading.Event()
    turn = begun("c", lambda heard: go_on.wait(20))
    assert turns.begin("c", "me too", lambda heard: None) is None
    ended(begun("d", lambda heard: None))
    go_on.set()
    ended(turn)
    ended(begun("c", lambda heard: None))


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (CallBusy("x"), "busy"),
        (CallEnded("x"), "ended"),
        (ModelUnavailable("x"), "model"),
        (BadInput("x"), "failed"),
        (RuntimeError("x"), "failed"),
    ],
)
def test_an_error_is_named_and_the_call_is_free_again(error: Exception, trouble: str) -> None:
    def fail(heard: Any) -> None:
        raise error

    turn = begun("e", fail)
    ended(turn)
    assert turn.trouble == trouble
    assert turns.running("e") is None
