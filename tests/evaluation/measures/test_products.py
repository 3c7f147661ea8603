"""The target among its peers: named or not, agreed or not."""

from typing import Any

import pytest

from evaluation.measures.metric import Score
from evaluation.measures.products import METRICS, product_scores
from evaluation.measures.replay import Replay
from evaluation.scenarios.salesllm_campaign import campaign_for
from evaluation.scenarios.salesllm_text import Product
from graph.records import TurnRecord
from scripts_library.schema import Language
from tests.evaluation import made_calls as made

SHELF: dict[Language, tuple[str, ...]] = {
    "en": ("DryRide Rain Cape", "DryRide Bike Lamp", "Kettle No 2"),
    "zh": ("暖屋轻便热水壶", "暖屋电饭煲", "山行雨披"),
}
NAMED, AGREED = (metric.name for metric in METRICS)


def scored(*turns: TurnRecord, language: Language = "en", of: int = 3, **more: Any) -> dict[str, Score]:
    shelf = [Product(name, "", ("Costs $20.",)) for name in SHELF[language][:of]]
    data = campaign_for(shelf, language)
    scenario = made.scenario(
        campaign=data.campaign.name, language=language, **{"product": shelf[0].name, "products": 6, **more}
    )
    return {score["metric"]: score for score in product_scores(Replay(made.result(turns), scenario, data))}


@pytest.mark.parametrize(
    ("language", "reply", "value", "why"),
    [
        ("en", "The DryRide Rain Cape costs $20.", 1, "the whole name"),
        ("en", "Our rain cape costs $20.", 1, "people shorten names"),
        ("en", "The DryRide Bike Lamp costs $20.", 0, "another one of the same maker"),
        ("en", "DryRide makes good things.", 0, "what they share names none of them"),
        ("en", "It costs $20.", 0, "nothing is named"),
        ("zh", "暖屋的热水壶159元。", 1, "shortened"),
        ("zh", "暖屋电饭煲很好用。", 0, "another one of the same maker"),
        ("zh", "您家的水是热的吗？", 0, "only single characters of it"),
    ],
)
def test_the_target_is_named_by_what_sets_it_apart(language: Language, reply: str, value: float, why: str) -> None:
    found = scored(made.turn("Hm?", reply), language=language)[NAMED]
    assert (found["value"], found["turns"]) == (value, [1] if value else []), why


def test_the_customers_own_words_do_not_count_and_other_products_are_told() -> None:
    found = scored(made.turn("A rain cape, please.", "Take the bike lamp."))[NAMED]
    assert found["value"] == 0
    assert found["reason"] == "DryRide Rain Cape: never named; others named: DryRide Bike Lamp"


@pytest.mark.parametrize(
    ("turns", "value", "at"),
    [
        ([("Hm?", "The rain cape?", "open"), ("Yes.", "Done!", "won")], 1, [1]),
        ([("Hm?", "The rain cape?", "open"), ("Rather the bike lamp.", "Done!", "won")], 0, [2]),
        ([("Hm?", "The bike lamp?", "open"), ("No. The cape then, for rain.", "Done!", "won")], 1, [2]),
        ([("Hm?", "The cape, for rain?", "won"), ("Bye.", "Have a look at the bike lamp too.", "won")], 1, [1]),
        ([("Hm?", "The rain cape?", "open"), ("No.", "Goodbye.", "declined")], None, []),
        ([("Hm?", "It costs $20.", "open"), ("Yes.", "Done!", "won")], None, []),
    ],
)
def test_what_was_named_last_before_the_yes_was_agreed(
    turns: list[tuple[str, str, str]], value: float | None, at: list[int]
) -> None:
    found = scored(*(made.turn(customer, reply, outcome=outcome) for customer, reply, outcome in turns))[AGREED]
    assert (found["value"], found["turns"]) == (value, at)


@pytest.mark.parametrize(
    ("more", "of"), [({"products": 1}, 1), ({"product": ""}, 3), ({"product": "Lantern"}, 3), ({"products": 6}, 1)]
)
def test_where_there_is_no_target_among_peers_nothing_is_scored(more: dict[str, Any], of: int) -> None:
    found = scored(made.turn("Hm?", "The rain cape costs $20."), of=of, **more)
    assert [score["value"] for score in found.values()] == [None, None]
    assert all(score["reason"] for score in found.values())
