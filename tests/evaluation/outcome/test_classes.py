"""Where the truth about a call comes from."""

from typing import Any, cast

import pytest

from evaluation.outcome.classes import ORDER, POINTS, of_call, of_donation
from evaluation.outcome.ordinal import choose
from evaluation.runs.results import CallResult


@pytest.mark.parametrize(
    ("given", "intended", "annotated", "expected", "why"),
    [
        (0.5, 0.5, True, ("A",), "meant it and gave"),
        (2.0, None, True, ("A",), "a gift outweighs words"),
        (2.0, 0.0, True, ("A",), "a gift outweighs words"),
        (0.0, 1.0, True, ("B",), "said so and did not"),
        (0.0, 0.0, True, ("C",), "said that nothing would be given"),
        (0.0, None, True, ("C",), "stated no intention"),
        (0.0, None, False, ("B", "C"), "nobody read the call"),
        (0.1, None, False, ("A",), "the gift alone tells"),
    ],
)
def test_a_real_call_gets_the_classes_that_its_gift_and_intention_allow(
    given: float, intended: float | None, annotated: bool, expected: tuple[str, ...], why: str
) -> None:
    assert of_donation(given, intended, annotated) == expected, why


@pytest.mark.parametrize(
    ("notes", "expected", "why"),
    [
        ([[{"turn": 1}, {"turn": 2, "decided": "buys"}]], "A", "the decision"),
        ([[{"turn": 1, "decided": "declines"}]], "C", "the decision"),
        ([[{"turn": 1, "decided": "hangs_up"}]], "X", "brushed off"),
        ([[{"turn": 1, "decided": "opts_out"}]], "F", "never again"),
        ([[{"turn": 1, "decided": "declines"}], [{"turn": 1, "decided": "buys"}]], "A", "the last session counts"),
        ([[{"turn": 1, "interest": 0.7}]], "B", "undecided and interested"),
        ([[{"turn": 1, "interest": 0.2}]], "C", "undecided and not interested"),
        ([[{"turn": 1, "interest": 0.5}]], "B", "the threshold itself"),
        ([[]], None, "no notes"),
        ([[{"turn": 1, "intent": "greet"}]], None, "notes that tell nothing of it"),
    ],
)
def test_a_simulated_call_gets_the_class_of_what_its_customer_decided(
    notes: list[list[dict[str, Any]]], expected: str | None, why: str
) -> None:
    assert of_call(cast(CallResult, {"notes": notes})) == expected, why


def test_points_fall_with_commitment() -> None:
    assert [POINTS[name] for name in ORDER] == [10, 8, 6, 4, 2]


def test_a_tie_goes_to_the_less_committed_class() -> None:
    assert choose({"A": 0.4, "B": 0.4, "C": 0.2}) == "B"
    assert choose({"A": 0.5, "B": 0.3, "C": 0.2}) == "A"
