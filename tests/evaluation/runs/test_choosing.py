"""Which scenarios a run is held with."""

from collections import Counter
from pathlib import Path

import pytest

from evaluation.runs.choosing import choose
from graph.errors import BadInput
from graph.settings import Settings


@pytest.fixture
def settings(loaded_home: Path) -> Settings:
    return Settings(home=loaded_home, llm="fake/echo", _env_file=None)  # type: ignore[call-arg]


def test_a_splits_beginning_is_a_fair_sample_of_one_campaign_too(settings: Settings) -> None:
    found = choose("test", settings, campaign="save_the_children").scenarios
    tiers = Counter(one.tier for one in found[:40])
    assert {one.campaign for one in found} == {"save_the_children"} and len(found) >= 40
    assert len(tiers) == 5 and min(tiers.values()) >= 5


def test_telebots_run_is_a_hundred_scripts_with_three_profiles_and_strategies_each(settings: Settings) -> None:
    found = choose("telebot", settings, campaign="lantern_local", language="zh").scenarios
    assert len(found) == 300
    assert len({(str(one.profile), one.strategy) for one in found}) > 30
    with pytest.raises(BadInput, match="--campaign and --language"):
        choose("telebot", settings, campaign="lantern_local")


def test_follow_ups_are_sessions_after_a_refusal_and_peers_are_for_salesllms_rows(settings: Settings) -> None:
    assert {one.sessions for one in choose("dev", settings, follow_ups=2).scenarios} == {3}
    assert {one.max_turns for one in choose("dev", settings, max_turns=3).scenarios} == {3}
    with pytest.raises(BadInput, match="SalesLLM"):
        choose("dev", settings, products=6)


@pytest.mark.parametrize(
    ("source", "only", "told"),
    [
        ("tset", {}, "train, dev, test or telebot"),
        ("test", {"campaign": "lantern"}, "lantern_local in zh"),
        ("test", {"campaign": "save_the_children", "language": "zh"}, "save_the_children in zh"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(source: str, only: dict[str, str], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        choose(source, Settings(_env_file=None), **only)  # type: ignore[arg-type, call-arg]
