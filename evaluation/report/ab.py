"""Online A/B figures of real conversations, as TeleBot and REPO publish them: rates by arm, lifts, intervals, tests.

| column | what it says of one conversation |
|---|---|
| `arm` | which version held it |
| `seconds` | how long it lasted |
| `high_intention` | a meeting was agreed, or an extra direct contact obtained |
| `follow_up` | a person marked the customer for following up |
| `visit` | the customer came by within 7 days |
| `ai_suspicion` | the customer said that this is a machine |
| `responded` | the customer answered at all |
| `task_success` | the task of the conversation (ticket) was done |

`arm` is needed, the others as far as there are some: 1 or 0, empty where it is not known. `seconds` makes the figures of calls
over 20 seconds, which about three turns take: they leave out who would have hung up on anybody.

Sources: TeleBot, table 3 (it publishes follow-up and visit of the long calls only); REPO, arXiv 2510.04214. Intervals: Newcombe 1998 (difference), Katz et al. 1978 (ratio).
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, exp, isfinite, sqrt
from pathlib import Path
from typing import Any, Literal

from scipy import stats  # type: ignore[import-untyped]

from evaluation.report.statistics import ALPHA, POWER, holm
from graph.errors import BadInput
from graph.intervals import Difference, Share, Z

ARM, SECONDS = "arm", "seconds"
LONG = 20.0
"""Seconds; calls over it are counted apart."""
FEW = 5
"""Expected count below which the test is Fisher's exact one."""
TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
MOST_ERRORS = 20


@dataclass(frozen=True)
class Rate:
    """One online figure."""

    name: str
    column: str
    label: str
    over_20: bool
    better: Literal["higher", "lower"] = "higher"


RATES = (
    Rate("high_intention", "high_intention", "High intention", False),
    Rate("high_intention_20s", "high_intention", "High intention, calls over 20 s", True),
    Rate("follow_up", "follow_up", "Follow-up", False),
    Rate("follow_up_20s", "follow_up", "Follow-up, calls over 20 s", True),
    Rate("visit", "visit", "Visit within 7 days", False),
    Rate("visit_20s", "visit", "Visit within 7 days, calls over 20 s", True),
    Rate("ai_suspicion", "ai_suspicion", "AI suspicion", False, "lower"),
    Rate("response", "responded", "Response", False),
    Rate("task_success", "task_success", "Task success", False),
)
COLUMNS = tuple(dict.fromkeys(rate.column for rate in RATES))
Row = dict[str, Any]


def compare_arms(path: Path, base: str = "") -> dict[str, Any]:
    """Compare the arms of an experiment.

    Args:
        path: CSV with a row a conversation; see the module.
        base: The arm that the others are held against; by default the file's first.

    Returns:
        `base`; `arms` (conversations by arm); `rates`: by rate `label`, `better`, `arms` (by arm `hits`, `of`, `rate`, `low`,
        `high`) and `against_base` (by other arm `difference` with its interval, `lift` (relative) with its interval, None
        without a hit in both arms, `test`, `p`, and `p_holm` over all rates and arms); `left_out`: why, by rate that cannot be
        told.

    Raises:
        BadInput: Unreadable, columns missing, values that are no 0 or 1, fewer than two arms; all rows at once.
    """
    columns, rows = _read(path)
    arms = list(dict.fromkeys(row[ARM] for row in rows))
    base = base or arms[0]
    if base not in arms or len(arms) < 2:
        raise BadInput(f"{path}: arms {', '.join(arms)}; expected two or more, '{base}' among them.")
    told = [(rate, _left_out(rate, columns, rows, arms)) for rate in RATES]
    rates = {rate.name: _rate(rate, rows, arms, base) for rate, reason in told if not reason}
    tests = [test for found in rates.values() for test in found["against_base"].values()]
    for test, p in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p
    return {
        "base": base,
        "arms": {arm: _count(rows, arm) for arm in arms},
        "rates": rates,
        "left_out": {rate.name: {"label": rate.label, "reason": reason} for rate, reason in told if reason},
    }


def _left_out(rate: Rate, columns: Sequence[str], rows: Sequence[Row], arms: Sequence[str]) -> str:
    """Return why a rate cannot be told; empty where it can."""
    needed = (rate.column, SECONDS) if rate.over_20 else (rate.column,)
    if missing := [column for column in needed if column not in columns]:
        return f"no column {' and no column '.join(missing)}"
    known = _known(rate, rows)
    if without := [arm for arm in arms if not _count(known, arm)]:
        long = f" over {LONG:g} s" if rate.over_20 else ""
        return f"no conversation{long} with a known {rate.column} in {', '.join(without)}"
    return ""


def _known(rate: Rate, rows: Sequence[Row]) -> list[Row]:
    known = [row for row in rows if row.get(rate.column) is not None]
    return [row for row in known if (row.get(SECONDS) or 0.0) > LONG] if rate.over_20 else known


def _rate(rate: Rate, rows: Sequence[Row], arms: Sequence[str], base: str) -> dict[str, Any]:
    known = _known(rate, rows)
    shares = {arm: Share(sum(row[rate.column] for row in known if row[ARM] == arm), _count(known, arm)) for arm in arms}
    return {
        "label": rate.label,
        "better": rate.better,
        "arms": {
            arm: {
                "hits": share.hits,
                "of": share.of,
                "rate": share.value,
                "low": share.interval[0],
                "high": share.interval[1],
            }
            for arm, share in shares.items()
        },
        "against_base": {arm: _test(share, shares[base]) for arm, share in shares.items() if arm != base},
    }


def _count(rows: Sequence[Row], arm: str) -> int:
    return sum(row[ARM] == arm for row in rows)


def _test(share: Share, base: Share) -> dict[str, Any]:
    difference = Difference(share, base)
    test, p = two_proportions(share, base)
    return {
        "difference": {"value": difference.value, "low": difference.interval[0], "high": difference.interval[1]},
        "lift": lift(share, base),
        "test": test,
        "p": p,
        "p_holm": p,
    }


def lift(share: Share, base: Share) -> dict[str, float] | None:
    """Return how much larger a share is than the base's, relative to it, with Katz's 95 % interval; None without hits in both."""
    if not share.hits or not base.hits:
        return None
    ratio = (share.hits / share.of) / (base.hits / base.of)
    spread = Z * sqrt(1 / share.hits - 1 / share.of + 1 / base.hits - 1 / base.of)
    return {"value": ratio - 1, "low": ratio * exp(-spread) - 1, "high": ratio * exp(spread) - 1}


def two_proportions(first: Share, second: Share) -> tuple[Literal["z", "fisher"], float]:
    """Return the test of two equal shares and its two-sided p: the pooled z test, Fisher's exact one where counts are small."""
    pooled = (first.hits + second.hits) / (first.of + second.of)
    if min(first.of, second.of) * min(pooled, 1 - pooled) < FEW:
        table = [[share.hits, share.of - share.hits] for share in (first, second)]
        return "fisher", float(stats.fisher_exact(table).pvalue)
    error = sqrt(pooled * (1 - pooled) * (1 / first.of + 1 / second.of))
    return "z", float(2 * stats.norm.sf(abs(first.hits / first.of - second.hits / second.of) / error))


def sample_size(base: float, lift: float, power: float = POWER, alpha: float = ALPHA) -> int:
    """Return the conversations needed in each of two arms to find a relative lift.

    Args:
        base: Rate of the base, between 0 and 1.
        lift: Relative change to be found, e.g. 0.05 for 20 % → 21 %; may be negative.
        power: Chance of finding it.
        alpha: Two-sided level.

    Raises:
        BadInput: A rate outside 0..1, or no lift.

    Source: Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions (2003), equation 4.14, without continuity
    correction.
    """
    other = base * (1 + lift)
    if not (0 < base < 1 and 0 < other < 1 and lift and 0 < power < 1 and 0 < alpha < 1):
        raise BadInput(
            f"A base of {base:g} with a lift of {lift:g} makes a rate of {other:g}; expected two different rates between 0 and 1, "
            f"and a power and a level between 0 and 1."
        )
    middle = (base + other) / 2
    level, chance = float(stats.norm.ppf(1 - alpha / 2)), float(stats.norm.ppf(power))
    spread = level * sqrt(2 * middle * (1 - middle)) + chance * sqrt(base * (1 - base) + other * (1 - other))
    return ceil((spread / (other - base)) ** 2)


def _read(path: Path) -> tuple[Sequence[str], list[Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            names, raw = table.fieldnames or [], list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read ({error}); give a UTF-8 CSV with a row a conversation.") from error
    if ARM not in names or not set(COLUMNS) & set(names):
        found = ", ".join(names) or "none"
        raise BadInput(f"{path}: columns {found}; expected {ARM} and some of {', '.join((SECONDS, *COLUMNS))}.")
    errors: list[str] = []
    rows = [_row(path, number, row, errors) for number, row in enumerate(raw, start=2)]
    if errors:
        more = [f"and {len(errors) - MOST_ERRORS} more"] if len(errors) > MOST_ERRORS else []
        raise BadInput("\n".join([*errors[:MOST_ERRORS], *more]))
    if not rows:
        raise BadInput(f"{path}: holds no conversation; give a row for each.")
    return names, rows


def _row(path: Path, number: int, raw: Mapping[str, str | None], errors: list[str]) -> Row:
    row: Row = {ARM: (raw.get(ARM) or "").strip()}
    if not row[ARM]:
        errors.append(f"{path}:{number}: {ARM} is empty; name the version that held the conversation")
    for column, value in _given(raw):
        if column == SECONDS:
            row[column] = _seconds(value)
            wrong = row[column] is None
        else:
            row[column] = 1 if value.lower() in TRUE else 0
            wrong = value.lower() not in (*TRUE, *FALSE)
        if wrong:
            expected = "seconds" if column == SECONDS else "1 or 0"
            errors.append(f"{path}:{number}: {column} {value!r}; expected {expected}, or nothing where it is not known")
    return row


def _given(raw: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    for column in (SECONDS, *COLUMNS):
        if value := (raw.get(column) or "").strip():
            yield column, value


def _seconds(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return found if isfinite(found) and found >= 0 else None
