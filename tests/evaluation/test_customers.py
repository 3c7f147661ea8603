"""The recorded customer plays a whole call, from wherever it stands."""

from pathlib import Path

import pytest

from evaluation.customers.recorded import RecordedCustomer, customers_for
from graph.errors import BadInput
from graph.session import Calls
from graph.settings import Settings


def test_a_recorded_customer_plays_a_whole_call_and_goes_on_where_it_stands(loaded_home: Path) -> None:
    calls = Calls(Settings(home=loaded_home, llm="fake/scripted", _env_file=None))  # type: ignore[call-arg]
    calls.start("lantern_local", call="one", language="en")
    said = []
    while line := RecordedCustomer("lantern_local", "en").next_line(calls.record("one")):
        said.append(line)
        calls.turn("one", line)
    assert len(said) == len(set(said)) == 11
    assert said[3] == "And how much is it per month?"
    assert len(calls.record("one")["turns"]) == 12


def test_a_customer_has_nothing_to_say_in_a_call_that_is_over(loaded_home: Path) -> None:
    calls = Calls(Settings(home=loaded_home, llm="fake/scripted", _env_file=None))  # type: ignore[call-arg]
    calls.start("lantern_local", call="one", language="en")
    calls.turn("one", "Never call me again!")
    assert RecordedCustomer("lantern_local", "en").next_line(calls.record("one")) is None


@pytest.mark.parametrize(
    ("campaign", "language", "expected"),
    [
        ("lantern_local", "zh", 1),
        ("save_the_children", "en", 1),
        ("save_the_children", "zh", 0),
        ("a_new_one", "en", 0),
    ],
)
def test_customers_are_offered_where_one_was_recorded(campaign: str, language: str, expected: int) -> None:
    assert len(customers_for(campaign, language)) == expected
    if not expected:
        with pytest.raises(BadInput, match=rf"{campaign} .*'{language}'"):
            RecordedCustomer(campaign, language)
