"""The bundled scenarios: enough of them, made by the generator, split cleanly, and fit for the agent."""

from collections import Counter
from typing import get_args

import pytest

from evaluation.scenarios.generate import files
from evaluation.scenarios.loading import bundled_campaigns, bundled_files, bundled_scenarios, load_scenarios, split_ids
from evaluation.scenarios.schema import PROPENSITY, Split, Tier
from graph.errors import BadInput
from nodes.slots import fill_slots
from scripts_library.schema import Language

EVERY = bundled_scenarios()
PLACES: list[tuple[str, Language]] = sorted(bundled_files())


def test_the_committed_files_are_what_the_generator_makes() -> None:
    for path, text in files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `python -m evaluation.scenarios.generate`"


@pytest.mark.parametrize(("campaign", "language"), PLACES)
def test_each_campaign_and_language_has_scenarios_of_every_tier(campaign: str, language: Language) -> None:
    scenarios = load_scenarios(campaign, language)
    generated = Counter(scenario.tier for scenario in scenarios if scenario.source == "generated")
    assert sum(generated.values()) >= 48
    assert set(generated) == set(get_args(Tier)) and min(generated.values()) >= 9
    assert sum(scenario.source == "written" for scenario in scenarios) >= 6
    assert {(scenario.campaign, scenario.language) for scenario in scenarios} == {(campaign, language)}


def test_splits_are_disjoint_and_complete() -> None:
    dealt = [name for split in get_args(Split) for name in split_ids(split)]
    assert sorted(dealt) == sorted(scenario.id for scenario in EVERY)
    assert len(set(dealt)) == len(dealt)


@pytest.mark.parametrize(("campaign", "language"), PLACES)
@pytest.mark.parametrize(("split", "least"), [("train", 16), ("dev", 8), ("test", 24)])
def test_each_split_holds_every_tier(campaign: str, language: Language, split: Split, least: int) -> None:
    names = set(split_ids(split))
    inside = [scenario for scenario in load_scenarios(campaign, language) if scenario.id in names]
    assert len(inside) >= least
    assert {scenario.tier for scenario in inside} == set(get_args(Tier))


def test_generated_customers_have_their_tier_s_inclination_and_never_name_the_tier() -> None:
    for scenario in EVERY:
        if scenario.source == "generated":
            assert scenario.propensity == PROPENSITY[scenario.tier]
        told = f"{scenario.persona} {scenario.reason} {scenario.opening}".casefold()
        assert "adversarial" not in told and "difficulty" not in told and "难度" not in told


def test_no_two_generated_scenarios_of_a_tier_are_the_same_customer_with_the_same_wish() -> None:
    seen = Counter(
        (scenario.campaign, scenario.language, scenario.tier, scenario.opening, scenario.product)
        for scenario in EVERY
        if scenario.source == "generated"
    )
    assert max(seen.values()) == 1


def test_what_a_customer_says_when_asked_fills_the_slot() -> None:
    told = {(s.campaign, s.language, slot, line) for s in EVERY for slot, line in s.if_asked.items()}
    missed = [
        (slot, line)
        for campaign, language, slot, line in told
        if slot not in fill_slots(bundled_campaigns()[campaign].campaign, {}, line, "", language)
    ]
    assert len(told) > 100
    assert missed == []


def test_every_slot_that_success_wants_can_be_told_by_the_customer() -> None:
    for scenario in EVERY:
        assert set(scenario.success.slots) <= set(scenario.if_asked), scenario.id


def test_only_scenarios_without_a_win_are_opted_out_of_or_refused() -> None:
    """A customer who can be won is never counted as a success for leaving in anger, nor one who opts out for buying."""
    for scenario in EVERY:
        outcomes = set(scenario.success.outcomes)
        assert "handoff" not in outcomes
        assert not {"won", "opted_out"} <= outcomes, scenario.id
        assert scenario.tier in ("very_hard", "adversarial") or outcomes <= {"won", "follow_up"}, scenario.id


def test_the_hand_written_ones_cover_the_moments_that_matter() -> None:
    for campaign, language in PLACES:
        written = [scenario for scenario in load_scenarios(campaign, language) if scenario.source == "written"]
        assert any(scenario.success.outcomes == ["opted_out"] for scenario in written)
        assert any(scenario.sessions == 3 for scenario in written)
        assert any(scenario.products > 1 for scenario in written)


def test_unknown_campaigns_and_splits_are_named_with_what_there_is() -> None:
    with pytest.raises(BadInput, match=r"'moon'.*lantern_local en"):
        load_scenarios("moon", "en")
    with pytest.raises(BadInput, match=r"'exam'.*train, dev, test"):
        split_ids("exam")  # type: ignore[arg-type]
