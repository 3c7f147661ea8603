"""REPO's combination: four quadrants, zero, the clip, and what is logged."""

from collections.abc import Sequence
from typing import Any

import pytest

from training.rewards.repo import RepoReward, combine

QUADRANTS = [
    (2.0, 0.5, 3.0, "good and praised: more"),
    (2.0, -0.5, 1.0, "good but faulty: less"),
    (-2.0, 0.5, -1.0, "bad but praised: less bad"),
    (-2.0, -0.5, -3.0, "bad and faulty: worse"),
    (0.0, 1.0, 0.0, "where the main reward is silent, nothing is said"),
    (0.0, -1.0, 0.0, "nor against it"),
    (2.0, -7.0, 0.0, "faults erase, and do not turn the sign"),
    (-2.0, 7.0, 0.0, "nor does praise"),
    (2.0, 7.0, 4.0, "praise doubles at most"),
]


@pytest.mark.parametrize(("main", "enhancing", "expected", "why"), QUADRANTS, ids=[why for *_, why in QUADRANTS])
def test_judge_and_rules_never_turn_the_main_rewards_sign(
    main: float, enhancing: float, expected: float, why: str
) -> None:
    assert combine(main, enhancing) == expected
    assert combine(main, enhancing * 100, n=100) == expected, "the paper's points give the same"


class Part:
    """A reward that says what it is told to."""

    def __init__(self, name: str, *scores: float | None) -> None:
        self.__name__ = name
        self.scores = scores
        self.bound: Any = None

    def bind(self, trainer: Any) -> None:
        self.bound = trainer

    def __call__(self, **_: Any) -> Sequence[float | None]:
        return self.scores


class Later(Part):
    """One that is waited for."""

    async def __call__(self, **_: Any) -> Sequence[float | None]:  # type: ignore[override]
        return self.scores


def test_every_part_is_weighted_combined_and_logged() -> None:
    parts = {
        Part("preference", 2.0, -2.0, None, 1.0): 1.0,
        Part("similarity", 1.0, 0.0, None, None): 2.0,
        Part("rules", -1.0, 0.0, -1.0, -0.5): 0.5,
        Later("judge", 0.5, None, 1.0, 1.0): 1.0,
        Part("format", 1.0, 0.0, 1.0, 1.0): 0.25,
    }
    logged: dict[str, float] = {}
    reward = RepoReward(parts)
    assert reward(log_metric=logged.__setitem__, completions=["a"] * 4) == [4.0, -2.5, None, 1.75]
    assert logged["repo/preference"] == pytest.approx(1 / 3)
    assert logged["repo/judge"] == pytest.approx(2.5 / 3)
    assert logged["repo/format"] == 0.75
    assert logged["repo/main"] == pytest.approx((4 - 2 + 1) / 3)
    assert set(logged) == {f"repo/{part.__name__}" for part in parts} | {"repo/main", "repo/enhancing"}


def test_where_nothing_is_wrong_the_main_reward_stands() -> None:
    parts = {Part("preference", -1.5): 1.0, Part("rules", 0.0): 1.0, Part("format", 1.0): 1.0}
    assert RepoReward(parts)(completions=["a"]) == [-1.5]


def test_the_trainer_is_handed_on() -> None:
    part, trainer = Part("preference", 1.0), object()
    RepoReward({part: 1.0, lambda **_: [0.0]: 1.0}).bind(trainer)
    assert part.bound is trainer
