"""Customers by the name of their kind."""

import pytest

from evaluation.customers.kinds import KINDS, make_customer, speaks_with_a_model
from graph.errors import BadInput
from graph.settings import Settings
from tests.evaluation.customers.samples import CHARITY, LANTERN, of, record, scenario


def settings() -> Settings:
    return Settings(judge="fake/scripted", _env_file=None)  # type: ignore[call-arg]


@pytest.mark.parametrize("kind", [*KINDS[:-1], "trained:fake/echo"])
def test_every_kind_says_something_first(kind: str) -> None:
    customer = make_customer(kind, of(CHARITY), CHARITY, 1, settings())
    assert customer.next_line(record())
    assert customer.name
    assert customer.notes(record()) == []


@pytest.mark.parametrize("kind", ["robot", "", "trained", "trained:", "persona:x"])
def test_an_unknown_kind_is_named_with_those_that_exist(kind: str) -> None:
    with pytest.raises(
        BadInput, match=rf"'{kind}' is unknown; expected one of rule, retrieved, persona, recorded, trained:MODEL"
    ):
        make_customer(kind, scenario(), LANTERN, 1, settings())


def test_a_trained_customer_is_a_persona_served_by_another_model() -> None:
    assert make_customer("trained:fake/echo", scenario(), LANTERN, 1, settings()).name == "persona (fake/echo)"


def test_only_personas_need_a_chat_model() -> None:
    assert [kind for kind in KINDS if speaks_with_a_model(kind)] == ["persona", "trained:MODEL"]
