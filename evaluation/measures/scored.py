"""How a finding becomes a score: its value, its reason in words, and the turns that it rests on."""

from collections.abc import Sequence

from evaluation.measures.metric import Score
from evaluation.measures.replay import Said

SHOWN = 3
"""Findings that a reason quotes."""
Finding = tuple[Said, str]
"""A turn, and what was found in it."""


def counted(metric: str, found: Sequence[Finding], of: str = "") -> Score:
    """Return how often something was found in a call.

    Args:
        metric: Name of the metric.
        found: One item for each time.
        of: Among what it was looked for, e.g. `6 replies`.
    """
    return {
        "metric": metric,
        "value": float(len(found)),
        "reason": quoted(found) or f"none{f' in {of}' if of else ''}",
        "turns": turns_of(found),
    }


def shared(metric: str, hits: Sequence[Said], of: Sequence[Said], what: str) -> Score:
    """Return the share of a call's turns in which something holds; None where it applies to no turn.

    Args:
        metric: Name of the metric.
        hits: The turns in which it holds.
        of: The turns in which it could hold.
        what: What holds, e.g. `turns fell back on an approved line`.
    """
    if not of:
        return absent(metric, f"no turn to which it applies: {what}")
    missed = [one.number for one in of if one not in hits]
    return {
        "metric": metric,
        "value": len(hits) / len(of),
        "reason": f"{len(hits)} of {len(of)} {what}",
        "turns": [one.number for one in hits] if len(hits) <= len(missed) else missed,
    }


def judged(metric: str, passed: bool, reason: str, turns: Sequence[int] = ()) -> Score:
    """Return 1 or 0 with its reason."""
    return {"metric": metric, "value": float(passed), "reason": reason, "turns": list(turns)}


def measured(metric: str, value: float, reason: str) -> Score:
    """Return an amount: seconds, tokens, points."""
    return {"metric": metric, "value": value, "reason": reason, "turns": []}


def absent(metric: str, reason: str) -> Score:
    """Return a score of a call to which the metric does not apply."""
    return {"metric": metric, "value": None, "reason": reason, "turns": []}


def quoted(found: Sequence[Finding]) -> str:
    """Return the first findings in words."""
    shown = "; ".join(f"turn {one.number}: “{text}”" for one, text in found[:SHOWN])
    return f"{shown} and {len(found) - SHOWN} more" if len(found) > SHOWN else shown


def turns_of(found: Sequence[Finding]) -> list[int]:
    """Return the turns of findings, each once."""
    return sorted({one.number for one, _ in found})
