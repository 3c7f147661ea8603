"""Charts as plain SVG, made of classes that the page's style colours for light, dark and paper."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from markupsafe import Markup

from evaluation.report.numbers import number

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 8, 22


@dataclass(frozen=True)
class Scale:
    """The range of an axis."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where a value stands, 0 to 1; what lies outside stands at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    @property
    def zero(self) -> float | None:
        """Where zero stands, if it is inside."""
        return self.at(0.0) if self.low < 0 < self.high else None


def scale_of(unit: str, figures: Iterable[Mapping[str, Any]], value: str = "mean") -> Scale:
    """Return the axis for figures: shares 0–1, everything else from zero to a round figure.

    Args:
        unit: The metric's unit.
        figures: Estimates, or differences; a negative one makes the axis symmetrical.
        value: Which entry is the value.
    """
    ends = [
        end for figure in figures for end in (figure[value], figure.get("low"), figure.get("high")) if end is not None
    ]
    if value == "mean" and unit == "share" and all(0 <= end <= 1 for end in ends):
        return Scale(0.0, 1.0)
    far = _round_up(max((abs(end) for end in ends), default=1.0))
    return Scale(-far if value != "mean" or min(ends, default=0.0) < 0 else 0.0, far)


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(float(step * power) for step in (1, 2, 2.5, 5, 10) if value <= step * power * (1 + 1e-9))


def bar(figure: Mapping[str, Any], scale: Scale, look: str, value: str = "mean") -> Markup:
    """Return an estimate as a dot with its interval; it stretches to the width it is given.

    Args:
        figure: Holds the value, `low` and `high`.
        scale: The axis.
        look: A class that colours it, e.g. `v0`.
        value: Which entry is the value.
    """
    middle, low, high = (figure.get(name) for name in (value, "low", "high"))
    parts = ['<path class="grid" d="M0 5H100"/>']
    if scale.zero is not None:
        parts.append(f'<path class="zero" d="M{100 * scale.zero:.2f} 0V10"/>')
    if low is not None and high is not None:
        parts.append(f'<path class="range {look}" d="M{100 * scale.at(low):.2f} 5H{100 * scale.at(high):.2f}"/>')
    parts.append(f'<path class="dot {look}" d="M{100 * scale.at(middle or 0.0):.2f} 5h0"/>')
    return Markup(
        f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'
    )


def lines(series: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], x: str, unit: str, title: str) -> Markup:
    """Return lines with intervals over whole numbers.

    Args:
        series: Class of each line, and its estimates.
        x: Which entry of an estimate stands on the horizontal axis.
        unit: Unit of the estimates.
        title: What a screen reader says.
    """
    points = [point for _, line in series for point in line]
    if not points:
        return Markup("")
    scale = scale_of(unit, points)
    places = [int(point[x]) for point in points]
    first, last = min(places), max(max(places), min(places) + 1)

    def across(value: float) -> float:
        return LEFT + 6 + (WIDTH - LEFT - RIGHT - 12) * (value - first) / (last - first)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * scale.at(value)

    drawn = [_axis_y(scale, unit, up), _axis_x(first, max(places), across)]
    for place, (look, line) in enumerate(series):
        shift = (place - (len(series) - 1) / 2) * 3
        spots = [(across(int(point[x])) + shift, point) for point in line]
        path = " ".join(f"{at:.1f},{up(point['mean']):.1f}" for at, point in spots)
        drawn.append(f'<polyline class="line {look}" points="{path}"/>')
        for at, point in spots:
            if point.get("low") is not None:
                drawn.append(
                    f'<path class="thin {look}" d="M{at:.1f} {up(point["low"]):.1f}V{up(point["high"]):.1f}"/>'
                )
            drawn.append(f'<circle class="spot {look}" cx="{at:.1f}" cy="{up(point["mean"]):.1f}" r="3"/>')
    label = Markup.escape(title)
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'
    )


def _axis_y(scale: Scale, unit: str, up: Any) -> str:
    drawn = []
    for step in range(5):
        value = scale.low + (scale.high - scale.low) * step / 4
        text = number(value, unit) if unit != "tokens" else f"{value:,.0f}"
        drawn.append(f'<path class="grid" d="M{LEFT} {up(value):.1f}H{WIDTH - RIGHT}"/>')
        drawn.append(f'<text class="tick" x="{LEFT - 4}" y="{up(value) + 3.5:.1f}" text-anchor="end">{text}</text>')
    return "".join(drawn)


def _axis_x(first: int, last: int, across: Any) -> str:
    step = max(1, ceil((last - first) / 10))
    return "".join(
        f'<text class="tick" x="{across(value):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{value}</text>'
        for value in range(first, last + 1, step)
    )
