"""The expert answers and personas that ship: every answer agrees with its campaign, every persona is one of its customers."""

from collections import Counter

import pytest

from evaluation.customers.gates import speaks_as_seller
from evaluation.scenarios.loading import bundled_campaigns
from training.synthesis.hearing import Hearing
from training.synthesis.scene import ExpertAnswer, expert_answers, personas_of

PLACES = [(name, language) for name, data in bundled_campaigns().items() for language in data.campaign.languages]
ANSWERS = [(name, language, one) for name, language in PLACES for one in expert_answers(name, language)]


@pytest.mark.parametrize(("campaign", "language", "one"), ANSWERS, ids=lambda value: getattr(value, "id", value))
def test_an_expert_answer_breaks_no_rule_of_its_campaign(campaign: str, language: str, one: ExpertAnswer) -> None:
    hearing = Hearing(bundled_campaigns()[campaign].campaign, language, {})  # type: ignore[arg-type]
    hearing.hear(one.question)
    assert hearing.breaches(one.answer) == []
    assert speaks_as_seller(one.question) is None


def test_there_are_answers_of_every_kind_in_every_place() -> None:
    assert len(ANSWERS) >= 80
    for place in PLACES:
        kinds = Counter(one.kind for one in expert_answers(*place))
        assert set(kinds) == {"fact", "worry", "ending", "safety"}, place
    ids = Counter((name, language, one.id) for name, language, one in ANSWERS)
    assert max(ids.values()) == 1


@pytest.mark.parametrize(("campaign", "language"), PLACES)
def test_a_campaign_has_a_dozen_customers_with_profiles_of_its_schema(campaign: str, language: str) -> None:
    personas = personas_of(campaign, language)  # type: ignore[arg-type]
    assert len({one.id for one in personas}) == len(personas) >= 12
    allowed = {field.name: field.values for field in bundled_campaigns()[campaign].campaign.profile}
    for persona in personas:
        assert persona.profile
        assert all(value in allowed[name] for name, value in persona.profile.items()), persona.id


def test_a_campaign_without_personas_of_its_own_has_general_ones() -> None:
    assert {one.profile == {} for one in personas_of("not_ours", "zh")} == {True}
