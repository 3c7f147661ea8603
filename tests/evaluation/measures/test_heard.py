"""What replies are worth to the customer, apart for simple lines and for those that want an answer."""

import pytest

from evaluation.measures.heard import DEMANDING, SIMPLE, heard_scores
from evaluation.measures.replay import Replay
from graph.records import TurnRecord
from tests.evaluation import made_calls as made

ANSWER = "It costs 199 yuan a month."
BESIDE = "Absolutely, I'm glad you're interested!"


def values(*turns: TurnRecord, **more: object) -> dict[str, float | None]:
    call = Replay(made.result(turns, **more), made.scenario(), made.campaign())  # type: ignore[arg-type]
    return {score["metric"]: score["value"] for score in heard_scores(call)}


def test_an_answer_is_worth_more_than_words_beside_the_question() -> None:
    good, bad = (values(made.turn("How much is it?", reply, intent="price_question")) for reply in (ANSWER, BESIDE))
    assert good[DEMANDING] is not None and bad[DEMANDING] is not None
    assert good[DEMANDING] > 0 > bad[DEMANDING]
    assert good[SIMPLE] is bad[SIMPLE] is None, "there was no simple line"


@pytest.mark.parametrize(
    ("intent", "simple", "demanding"),
    [("greeting", True, False), ("price_question", False, True), ("not_interested", False, False)],
)
def test_lines_are_told_apart_by_what_they_want(intent: str, simple: bool, demanding: bool) -> None:
    found = values(made.turn("Well.", "What do you sell?", intent=intent))
    assert (found[SIMPLE] is not None, found[DEMANDING] is not None) == (simple, demanding)


def test_what_the_customer_meant_counts_before_what_the_agent_understood() -> None:
    line = made.turn("How much is it?", BESIDE, intent="greeting")
    told = values(line, notes=[{"turn": 1, "intent": "price_question"}])
    assert told[SIMPLE] is None and told[DEMANDING] is not None


def test_the_same_reply_again_is_worth_less() -> None:
    once = made.turn("Hm.", "People nearby find your shop online and order from it.", intent="greeting")
    twice = values(once, once)[SIMPLE]
    alone = values(once)[SIMPLE]
    assert twice is not None and alone is not None and twice < alone
