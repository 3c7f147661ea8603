"""Replies that only try to please the rewards lose under the shipped recipes; and a recipe that can be pleased is found out."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from trl import GRPOConfig
from typer.testing import CliRunner

from graph.errors import BadInput
from graph.settings import Settings, get_settings
from nodes.resources import get_resources
from tests.training.tiny import tiny_tokenizer
from training.commands import app, recipe_file
from training.corpus.guarded import rule_hits, state_json
from training.corpus.prompts import walk
from training.grpo import GRPORecipe
from training.recipes import read_recipe
from training.rewards.preference import Scale, reliability
from training.rewards.probes import Verdict, cases, check_probes

# TRL's own defaults use names that transformers has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture
def settings(loaded_home: Path) -> Settings:
    return get_settings().model_copy(update={"think": True})


def won(verdicts: list[Verdict]) -> set[str]:
    return {verdict.probe for verdict in verdicts if not verdict.holds}


def test_honest_replies_break_no_rule_and_are_not_the_references_words(settings: Settings) -> None:
    assert len({case.name for case in cases()}) == len(cases())
    for case in cases():
        served = list(walk(case.dialogue(), settings))[-1]
        for reply in (case.honest, case.reference):
            assert rule_hits(state_json(served.state), reply, get_resources(settings)) == [], (case.name, reply)
        assert case.honest != case.reference


@pytest.mark.parametrize("name", ["grpo", "grpo_cpu_without_bayes", "grpo_cpu_spoken"])
def test_no_probe_wins_under_a_shipped_recipe(name: str, settings: Settings) -> None:
    recipe, _, _ = read_recipe(recipe_file(name), [], GRPORecipe, GRPOConfig)
    verdicts = check_probes(recipe.rewards, settings.model_copy(update={"think": recipe.think}), combine=recipe.combine)
    assert {verdict.case for verdict in verdicts} == {case.name for case in cases()}
    assert {verdict.probe for verdict in verdicts} >= {
        "long", "empty", "parroting", "all facts", "flattering", "prompt", "example", "no reply", "honest and cut off",
    }  # fmt: skip
    assert ("no thought" in {verdict.probe for verdict in verdicts}) == recipe.think
    assert won(verdicts) == set()


def test_combined_as_repo_does_none_wins_while_the_main_reward_of_an_honest_reply_is_positive(
    settings: Settings,
) -> None:
    recipe, _, _ = read_recipe(recipe_file("grpo_cpu_without_bayes"), [], GRPORecipe, GRPOConfig)
    assert won(check_probes(recipe.rewards, settings, combine="repo")) == set()
    with_bayes, _, _ = read_recipe(recipe_file("grpo"), [], GRPORecipe, GRPOConfig)
    assert won(check_probes(with_bayes.rewards, settings, combine="repo"))


@pytest.mark.parametrize("name", ["grpo_cpu_sum", "grpo_cpu_repo"])
def test_a_reward_model_that_guesses_lets_no_probe_win(
    name: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guessed(texts: Sequence[list[int]]) -> list[float]:
        return [Random(str(text)).gauss(0, 1) for text in texts]

    scale: Scale = {"most_tokens": 64, "mean": 0.0, "deviation": 1.0, "reliability": reliability(0.5)}
    monkeypatch.setattr("training.rewards.preference.load_reward_model", lambda *_: (None, tiny_tokenizer(), scale))
    monkeypatch.setattr("training.rewards.preference.raw_scores", lambda _, texts, *__, **___: guessed(texts))
    recipe, _, _ = read_recipe(recipe_file(name), [], GRPORecipe, GRPOConfig)
    folder = Path(recipe.reward_model)
    assert won(check_probes(recipe.rewards, settings, combine=recipe.combine, reward_model=folder)) == set()
    scale["reliability"] = 1.0
    assert won(check_probes(recipe.rewards, settings, combine=recipe.combine, reward_model=folder))


def test_a_recipe_that_can_be_pleased_is_found_out(settings: Settings) -> None:
    assert won(check_probes({"similarity": 1.0}, settings)) >= {"no thought", "prompt as thought", "cue as thought"}
    assert won(check_probes({"format": 1.0}, settings)) >= {"parroting", "all facts", "long", "flattering"}
    assert won(check_probes({"bayesian_likelihood": 1.0}, settings)) >= {"no reply", "parroting"}


def test_probes_can_be_those_of_one_campaign(settings: Settings) -> None:
    verdicts = check_probes({"format": 1.0}, settings, campaign="save_the_children")
    assert {verdict.case for verdict in verdicts} == {"gift-small", "gift-trust"}
    with pytest.raises(BadInput, match="no probes for campaign 'tea'; expected one of lantern_local"):
        check_probes({"format": 1.0}, settings, campaign="tea")


def test_a_judge_alone_cannot_be_probed(settings: Settings) -> None:
    with pytest.raises(BadInput, match="a judge alone"):
        check_probes({"judge": 1.0}, settings)


def test_without_thoughts_there_are_none_to_fake(settings: Settings) -> None:
    plain = settings.model_copy(update={"think": False})
    verdicts = check_probes({"rules": 1.0, "similarity": 1.0, "format": 1.0}, plain)
    assert won(verdicts) == set()
    assert not any("thought" in verdict.probe for verdict in verdicts)


def test_the_command_says_which_probes_win(settings: Settings, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["probes", "--config", "grpo_cpu_without_bayes", "--json"])
    assert done.exit_code == 0, done.output
    assert all(verdict["holds"] for verdict in json.loads(done.output))
    recipe = tmp_path / "easy.yaml"
    recipe.write_text("rewards: {format: 1.0}\nthink: true\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["probes", "--config", str(recipe)])
    assert done.exit_code == 1
    assert "NO  gift-small" in done.output
    assert f"of {17 * len(cases())} probes are not beaten by the honest reply" in done.output
