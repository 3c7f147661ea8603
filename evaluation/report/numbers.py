"""How figures are written for people: few digits, a true minus, intervals in brackets."""

from collections.abc import Mapping
from typing import Any

_DIGITS = {"share": 2, "points": 2, "count": 2, "seconds": 2, "tokens": 0}


def number(value: float | None, unit: str = "share") -> str:
    """Return a figure: 0.42, −0.05, 1,240; a dash for none.

    Args:
        value: The figure.
        unit: A metric's unit; decides the digits.
    """
    if value is None:
        return "–"
    text = f"{abs(value):,.{_DIGITS[unit]}f}"
    return f"−{text}" if value < 0 and text.strip("0.,") else text


def interval(figure: Mapping[str, Any], unit: str = "share", value: str = "mean") -> str:
    """Return a figure with its interval: 0.42 (0.31–0.53), or −0.05 (−0.10 to 0.02).

    Args:
        figure: Holds the value, `low` and `high`; without ends only the value is written.
        unit: A metric's unit.
        value: Which entry is the value.
    """
    low, high = figure.get("low"), figure.get("high")
    middle = number(figure[value], unit)
    if low is None or high is None:
        return middle
    between = " to " if low < 0 else "–"
    return f"{middle} ({number(low, unit)}{between}{number(high, unit)})"


def p_value(p: float) -> str:
    """Return a p-value: 0.034, or <0.001."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
