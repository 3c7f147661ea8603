"""Shares with their uncertainty, and the difference of two."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963985
"""Standard normal quantile of 97.5 %, for intervals of 95 %."""
ENOUGH = 20
"""Below so many, a share says too little to act on."""


@dataclass(frozen=True)
class Share:
    """So many of so many, with Wilson's 95 % interval; all three figures are 0..1."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end.

        Source: Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), without continuity
        correction.
        """
        if not self.of:
            return 0.0, 1.0
        share, n, z2 = self.hits / self.of, self.of, Z * Z
        middle = share + z2 / (2 * n)
        half = Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        return max(0.0, (middle - half) / (1 + z2 / n)), min(1.0, (middle + half) / (1 + z2 / n))

    @property
    def too_few(self) -> bool:
        """Whether there are fewer than `ENOUGH`."""
        return self.of < ENOUGH


@dataclass(frozen=True)
class Difference:
    """Share `a` less share `b`, with Newcombe's 95 % interval."""

    a: Share
    b: Share

    @property
    def value(self) -> float | None:
        """-1..1; None when one of the shares is of nothing."""
        return None if self.a.value is None or self.b.value is None else self.a.value - self.b.value

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end.

        Source: Newcombe, Interval estimation for the difference between independent proportions, Statistics in Medicine 17 (1998),
        method 10 (hybrid score, from the two Wilson intervals).
        """
        if self.a.value is None or self.b.value is None:
            return -1.0, 1.0
        (low_a, high_a), (low_b, high_b) = self.a.interval, self.b.interval
        difference = self.a.value - self.b.value
        below = sqrt((self.a.value - low_a) ** 2 + (high_b - self.b.value) ** 2)
        above = sqrt((high_a - self.a.value) ** 2 + (self.b.value - low_b) ** 2)
        return difference - below, difference + above

    @property
    def too_few(self) -> bool:
        """Whether either share is of fewer than `ENOUGH`."""
        return self.a.too_few or self.b.too_few
