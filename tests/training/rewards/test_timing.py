import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from trl.trainer.utils import is_async_callable

from training.rewards.repo import RepoReward
from training.rewards.timing import timed


class Bound:
    __name__ = "bound"
    trainer: Any = None

    def bind(self, trainer: Any) -> None:
        self.trainer = trainer

    def __call__(self, completions: Sequence[str], **_: Any) -> list[float]:
        return [float(len(text)) for text in completions]


class Awaited:
    __name__ = "judge"

    async def __call__(self, completions: Sequence[str], **_: Any) -> list[float]:
        return [0.5] * len(completions)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 100, 3))
    monkeypatch.setattr("training.rewards.timing.time.perf_counter", lambda: next(ticks))


def test_a_reward_keeps_its_name_its_scores_and_what_it_is_bound_to(clock: None) -> None:
    reward, logged = Bound(), dict[str, float]()
    measured: Any = timed(reward)
    measured.bind("a trainer")
    assert (measured.__name__, reward.trainer) == ("bound", "a trainer")
    assert measured(completions=["ab", ""], log_metric=logged.__setitem__) == [2.0, 0.0]
    assert logged == {"seconds/bound": 3}
    assert measured(completions=["ab"]) == [2.0]


def test_one_that_is_awaited_still_is(clock: None) -> None:
    measured: Any = timed(Awaited())
    logged = dict[str, float]()
    assert is_async_callable(measured)
    assert not hasattr(measured, "bind")
    assert asyncio.run(measured(completions=["ab"], log_metric=logged.__setitem__)) == [0.5]
    assert logged == {"seconds/judge": 3}


def test_parts_of_repos_combination_are_measured_one_by_one(clock: None) -> None:
    logged = dict[str, float]()
    RepoReward({timed(Bound()): 1.0, timed(Awaited()): 1.0})(completions=["ab"], log_metric=logged.__setitem__)
    assert {name: value for name, value in logged.items() if name.startswith("seconds/")} == {
        "seconds/bound": 3,
        "seconds/judge": 3,
    }
