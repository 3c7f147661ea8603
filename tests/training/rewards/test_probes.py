"""Replies that only try to please the rewards lose; and a recipe that can be pleased is found out."""

from pathlib import Path

import pytest

from graph.settings import Settings, get_settings
from nodes.resources import get_resources
from training.corpus.guarded import rule_hits, state_json
from training.corpus.prompts import walk
from training.rewards.probes import cases, check_probes

REWARDS = {"bayesian_prior": 0.2, "bayesian_likelihood": 0.5, "rules": 1.0, "format": 0.5, "similarity": 1.0}


@pytest.fixture
def settings(loaded_home: Path) -> Settings:
    return get_settings().model_copy(update={"think": True})


def test_honest_replies_break_no_rule_and_are_nobodys_words(settings: Settings) -> None:
    for case in cases():
        served = list(walk(case.dialogue(), settings))[-1]
        for reply in (case.honest, case.reference):
            assert rule_hits(state_json(served.state), reply, get_resources(settings)) == [], (case.name, reply)
        assert case.honest != case.reference


def test_no_probe_wins_under_either_way_to_combine(settings: Settings) -> None:
    for combine in ("sum", "repo"):
        verdicts = check_probes(REWARDS, settings, combine=combine)  # type: ignore[arg-type]
        assert {verdict.case for verdict in verdicts} == {case.name for case in cases()}
        assert [one for one in verdicts if not one.holds] == []
    assert {verdict.probe for verdict in verdicts} >= {
        "long",
        "empty",
        "parroting",
        "all facts",
        "flattering",
        "example",
    }


def test_a_recipe_that_can_be_pleased_is_found_out(settings: Settings) -> None:
    winning = {verdict.probe for verdict in check_probes({"similarity": 1.0}, settings) if not verdict.holds}
    assert winning >= {"no thought", "prompt as thought"}, "likeness alone does not see thoughts"
    winning = {verdict.probe for verdict in check_probes({"format": 1.0}, settings) if not verdict.holds}
    assert winning >= {"parroting", "all facts", "long"}, "the format alone takes any words"


def test_without_thoughts_there_are_none_to_fake(settings: Settings) -> None:
    plain = settings.model_copy(update={"think": False})
    verdicts = check_probes({"rules": 1.0, "similarity": 1.0, "format": 1.0}, plain)
    assert all(verdict.holds for verdict in verdicts)
    assert not any("thought" in verdict.probe for verdict in verdicts)
