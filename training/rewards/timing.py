"""How long each reward takes. TRL measures it too, but tells only services that keep logs elsewhere."""

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from training.rewards.repo import Reward

Log = Callable[[str, float], None]


def timed(reward: Reward) -> Reward:
    """Return a reward that also logs `seconds/<its name>`: seconds of a generation, which is one step in the shipped recipes.

    Rewards that are awaited run side by side, so their seconds may be more than what they add to the step.

    Args:
        reward: As TRL takes it; what it may be bound to, the returned one can be bound to as well.
    """
    given: Any = reward
    measured: Any = (_awaited if inspect.iscoroutinefunction(given.__call__) else _called)(reward)
    measured.__name__ = given.__name__
    if hasattr(given, "bind"):
        measured.bind = given.bind
    return measured  # type: ignore[no-any-return]


def _called(reward: Reward) -> Reward:
    def measured(log_metric: Log | None = None, **given: Any) -> Sequence[float | None]:
        with _clock(reward, log_metric):
            scores: Sequence[float | None] = reward(log_metric=log_metric, **given)
        return scores

    return measured


def _awaited(reward: Reward) -> Reward:
    async def measured(log_metric: Log | None = None, **given: Any) -> Sequence[float | None]:
        with _clock(reward, log_metric):
            scores: Sequence[float | None] = await reward(log_metric=log_metric, **given)
        return scores

    return measured


@contextmanager
def _clock(reward: Reward, log_metric: Log | None) -> Iterator[None]:
    started = time.perf_counter()
    yield
    if log_metric:
        log_metric(f"seconds/{reward.__name__}", time.perf_counter() - started)
