"""Rewards by name."""

from pathlib import Path

import pytest

from graph.errors import BadInput
from graph.settings import Settings
from training.rewards.registry import MAKERS, build_rewards


def test_a_recipes_names_become_functions_with_their_weights() -> None:
    rewards, weights = build_rewards({"format": 0.5, "rules": 1, "bayesian_prior": 0.25}, Settings())
    assert [reward.__name__ for reward in rewards] == ["format", "rules", "bayesian_prior"]
    assert weights == [0.5, 1.0, 0.25]


def test_combined_as_repo_does_they_are_one_function() -> None:
    [reward], weights = build_rewards({"bayesian_prior": 0.25, "format": 0.5}, Settings(), combine="repo")
    assert reward.__name__ == "repo"
    assert weights == [1.0]
    assert {part.__name__: weight for part, weight in reward.parts.items()} == {"bayesian_prior": 0.25, "format": 0.5}


def test_every_reward_is_made_under_the_name_it_is_logged_by() -> None:
    for name in set(MAKERS) - {"preference"}:
        assert MAKERS[name](Settings(), None).__name__ == name


@pytest.mark.parametrize("think", [True, False])
def test_the_format_depends_on_whether_thoughts_are_wanted(think: bool) -> None:
    [reward], _ = build_rewards({"format": 1}, Settings(think=think))
    assert reward(completions=["<think>He asks.</think>Yes.", "Yes."]) == ([1.0, 0.0] if think else [0.0, 1.0])


BAD = [
    ({"rulez": 1.0}, "sum", "Rewards rulez are unknown; expected some of bayesian_prior"),
    ({}, "sum", "chooses no rewards"),
    ({"rules": 1.0, "judge": 1.0}, "repo", "rules, judge are none"),
    ({"preference": 1.0}, "sum", "needs the recipe's reward_model"),
]


@pytest.mark.parametrize(("chosen", "combine", "told"), BAD)
def test_bad_choices_are_told(chosen: dict[str, float], combine: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        build_rewards(chosen, Settings(), combine=combine)  # type: ignore[arg-type]


def test_a_folder_without_a_reward_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no reward model \(reward.json\)"):
        build_rewards({"preference": 1.0}, Settings(), reward_model=tmp_path)
