"""One unit: a customer and the served graph; whatever breaks is booked where it broke."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluation.customers.protocol import Note
from evaluation.runs.hold import hold
from evaluation.runs.units import Unit
from evaluation.runs.variants import AS_SERVED
from evaluation.scenarios.schema import Scenario, Success
from graph.errors import ModelUnavailable
from graph.records import ConversationRecord
from graph.session import Calls
from graph.settings import Settings
from tests.serving.fault_server import FaultServer


class Talker:
    """Says lines that a function makes of their number; None ends the call."""

    name = "talker"

    def __init__(self, line: Callable[[int], str | None]) -> None:
        self._line = line

    def next_line(self, record: ConversationRecord) -> str | None:
        return self._line(sum(1 for turn in record["turns"] if turn["customer"]))

    def notes(self, record: ConversationRecord) -> list[Note]:
        return [{"turn": turn["turn"]} for turn in record["turns"] if turn["customer"]]


def unit_of(**changes: object) -> Unit:
    scenario = Scenario(
        id="s-1", campaign="lantern_local", language="en", tier="easy", propensity=0.8, persona="A baker.",
        reason="Few customers.", success=Success(outcomes=["won"]), checks=["outcome"],
    )  # fmt: skip
    return Unit(AS_SERVED, scenario.model_copy(update=changes), "talker", 0, 7)


@pytest.fixture
def calls(loaded_home: Path) -> Calls:
    return Calls(Settings(home=loaded_home, llm="fake/scripted", _env_file=None))  # type: ignore[call-arg]


def test_a_customer_with_nothing_more_to_say_ends_the_call(calls: Calls) -> None:
    result = hold(calls, unit_of(), lambda _: Talker(lambda n: ["Hello?", "How much is it?", None][n]), 0)
    (record,) = result["sessions"]
    assert result["stopped"] == "customer" and result["error"] is None
    assert [turn["customer"] for turn in record["turns"]] == ["", "Hello?", "How much is it?"]
    assert result["notes"] == [[{"turn": 1}, {"turn": 2}]]
    assert record == calls.record(record["call"])


def test_a_customer_who_never_stops_is_stopped_at_the_scenarios_limit(calls: Calls) -> None:
    result = hold(calls, unit_of(max_turns=4), lambda _: Talker(lambda n: f"And what about question {n}?"), 0)
    assert result["stopped"] == "max_turns"
    assert sum(1 for turn in result["sessions"][0]["turns"] if turn["customer"]) == 4


class Decider(Talker):
    """Tells what it has decided, whatever it says."""

    decided = ""

    def notes(self, record: ConversationRecord) -> list[Note]:
        return [{**note, "decided": self.decided} for note in super().notes(record)]


@pytest.mark.parametrize(("decided", "sessions"), [("declines", 3), ("hangs_up", 1), ("buys", 1)])
def test_a_customer_who_tells_its_no_is_called_again_however_the_agent_noted_it(
    calls: Calls, decided: str, sessions: int
) -> None:
    customer = Decider(lambda n: "I sell noodles." if n == 0 else None)
    customer.decided = decided
    result = hold(calls, unit_of(sessions=3), lambda _: customer, 0)
    assert result["sessions"][0]["outcome"]["status"] != "declined"
    assert len(result["sessions"]) == sessions


def test_an_opt_out_ends_the_call_and_is_never_followed_up(calls: Calls) -> None:
    result = hold(calls, unit_of(sessions=3), lambda _: Talker(lambda _: "Never call me again!"), 0)
    assert result["stopped"] == "opted_out"
    assert len(result["sessions"]) == 1


def test_a_refusal_is_followed_up_at_most_twice_and_the_agent_knows_the_earlier_call(calls: Calls) -> None:
    lines = ["I need more new customers.", "No thanks, I'm not interested.", "No. Not interested."]
    result = hold(calls, unit_of(sessions=3), lambda _: Talker(lambda n: lines[n] if n < 3 else None), 0)
    assert [record["outcome"]["status"] for record in result["sessions"]] == ["declined"] * 3
    assert len({record["call"] for record in result["sessions"]}) == 3
    assert result["sessions"][2]["turns"][0]["why"]["slots"]["need"] == "new_customers"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: "  ", "empty line"),
    ],
)
def test_a_broken_customer_is_no_fault_of_the_agent(calls: Calls, line: Callable[[int], str | None], told: str) -> None:
    result = hold(calls, unit_of(), lambda _: Talker(line), 0)
    assert result["error"] is not None
    assert result["error"]["boundary"] == "customer" and told in result["error"]["message"]
    assert len(result["sessions"][0]["turns"]) == 1, "what was said until then is kept"


def test_a_customers_dead_model_is_booked_on_the_server(calls: Calls) -> None:
    def dead(_: object) -> Talker:
        raise ModelUnavailable("the customer's model is gone")

    error = hold(calls, unit_of(), dead, 0)["error"]
    assert error is not None and error["boundary"] == "server"


def test_a_customer_who_cannot_be_made_is_booked_on_the_customer(calls: Calls) -> None:
    def unmade(_: object) -> Talker:
        raise RuntimeError("no such persona")

    assert hold(calls, unit_of(), unmade, 0)["error"] == {
        "boundary": "customer",
        "message": "RuntimeError: no such persona",
    }


@pytest.fixture
def dying(loaded_home: Path) -> Iterator[Calls]:
    with FaultServer("ok", "500", text="I see.") as server:
        yield Calls(Settings(home=loaded_home, llm_base_url=server.base_url, llm_model="m", _env_file=None))  # type: ignore[call-arg]


def test_a_server_that_dies_half_way_is_booked_on_the_server_not_on_the_agent(dying: Calls) -> None:
    result = hold(dying, unit_of(), lambda _: Talker(lambda n: f"How much does plan {n} cost?"), 0)
    assert result["stopped"] == "error"
    assert result["error"] is not None and result["error"]["boundary"] == "server"


def test_a_killed_call_goes_on_where_it_was_and_a_failed_one_begins_anew(calls: Calls) -> None:
    def two(n: int) -> str | None:
        return ["Hello?", "How much is it?", "Which cities?", None][n]

    class Killed(BaseException):
        pass

    def dies(n: int) -> str | None:
        if n == 2:
            raise Killed
        return two(n)

    with pytest.raises(Killed):
        hold(calls, unit_of(), lambda _: Talker(dies), 0)
    result = hold(calls, unit_of(), lambda _: Talker(two), 0)
    assert [turn["customer"] for turn in result["sessions"][0]["turns"]] == [
        "", "Hello?", "How much is it?", "Which cities?",
    ]  # fmt: skip
    anew = hold(calls, unit_of(), lambda _: Talker(two), 1)
    assert anew["sessions"][0]["call"] != result["sessions"][0]["call"]
