"""How long work tells how far it is; whoever listens may stop it by raising `graph.errors.Cancelled`."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told (done, total)."""


def unwatched(done: int, total: int) -> None:
    """Listen to nothing."""


def part(progress: Progress, begin: int, end: int) -> Progress:
    """Return what one part of some work tells: the whole goes from `begin` to `end` percent in it."""
    return lambda done, total: progress(begin + (end - begin) * done // total if total else end, 100)
