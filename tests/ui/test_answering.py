import threading

import pytest

from graph.errors import BadInput
from ui.answering import Answering


def test_sentences_come_as_they_are_said_and_then_the_result() -> None:
    go_on = threading.Event()

    def work(say: object) -> int:
        say("one")  # type: ignore[operator]
        assert go_on.wait(20)
        say("two")  # type: ignore[operator]
        return 2

    answering = Answering(work)
    sentences = answering.sentences()
    assert next(sentences) == "one"
    go_on.set()
    assert list(sentences) == ["two"]
    assert answering.result() == 2


def test_the_work_goes_on_when_nobody_listens_any_more() -> None:
    done = threading.Event()

    def work(say: object) -> None:
        say("one")  # type: ignore[operator]
        done.set()

    Answering(work)
    assert done.wait(20)


def test_an_error_reaches_whoever_asks_for_the_result() -> None:
    def work(say: object) -> None:
        raise BadInput("no such call")

    answering = Answering(work)
    assert list(answering.sentences()) == []
    with pytest.raises(BadInput, match="no such call"):
        answering.result()
