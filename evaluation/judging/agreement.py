"""How far a judge agrees with people: Pearson, Spearman, Krippendorff's α and ICC(2,1), each with a bootstrap interval."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from evaluation.judging.batch import FILE, Line, judged_scores
from evaluation.runs.store import read_lines
from graph.errors import BadInput

Table = NDArray[np.float64]
"""Ratings, a row an item and a column a rater; NaN where somebody did not rate."""
RATINGS = "ratings.csv"
COLUMNS = ("item", "rater", "rating")
JUDGE = "judge"
ROUNDS = 1000
FEWEST = 3
"""Items below which no figure means anything."""


@dataclass(frozen=True)
class Rating:
    """One rating; `tier` and `criterion` may be empty."""

    item: str
    rater: str
    rating: float
    tier: str = ""
    criterion: str = ""


def read_ratings(path: Path) -> list[Rating]:
    """Read a CSV of item, rater, rating, and perhaps tier and criterion.

    Of several ratings of one item by one rater the last counts.

    Raises:
        BadInput: Unreadable, columns missing, or rows that cannot be used; all rows at once.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read ({error}); give a UTF-8 CSV of {', '.join(COLUMNS)}.") from error
    if missing := [name for name in COLUMNS if rows and name not in rows[0]]:
        raise BadInput(f"{path}: columns {', '.join(missing)} are missing; expected {', '.join(COLUMNS)}.")
    found: dict[tuple[str, str, str], Rating] = {}
    errors = []
    for number, row in enumerate(rows, start=2):
        words = {name: (row.get(name) or "").strip() for name in (*COLUMNS, "tier", "criterion")}
        rating = _number(words["rating"])
        if rating is None or not words["item"] or not words["rater"]:
            errors.append(
                f"{path}:{number}: item {words['item']!r}, rater {words['rater']!r}, rating {words['rating']!r}; fill all three, the last with a number"
            )
            continue
        key = (words["criterion"], words["item"], words["rater"])
        found[key] = Rating(words["item"], words["rater"], rating, words["tier"], words["criterion"])
    if errors:
        raise BadInput("\n".join(errors))
    return list(found.values())


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def find_ratings(data: Path, judge: str = JUDGE) -> list[Rating]:
    """Return the ratings of a CSV, or those of a run with its judge's: by its folder, or by the `ratings.csv` in it.

    Args:
        data: CSV, or folder of a run.
        judge: As for `ratings_of_run`.

    Raises:
        BadInput: As `read_ratings` and `ratings_of_run` do.
    """
    if data.is_dir():
        return ratings_of_run(data, judge)
    if data.name == RATINGS and data.with_name(FILE).is_file():
        return ratings_of_run(data.parent, judge)
    return read_ratings(data)


def ratings_of_run(folder: Path, judge: str = JUDGE) -> list[Rating]:
    """Return what people rated on the rating page of a run, and what the judge said of the same calls.

    Args:
        folder: The run's.
        judge: One that judged the run, by its model's name; else the newest answers count, as the rater `judge`.

    Raises:
        BadInput: Nobody has rated a call of the run, or no judge has.
    """
    if not (folder / RATINGS).is_file():
        raise BadInput(f"{folder} holds no ratings; people make them on the page Quality, or give the CSV of your own.")
    people = read_ratings(folder / RATINGS)
    lines = cast(list[Line], list(read_lines(folder / FILE)))
    own = [line for line in lines if line["judge"] == judge]
    rater, scores = judge if own else JUDGE, judged_scores(own or lines)
    if any(one.rater == rater for one in people):
        raise BadInput(
            f"{folder / RATINGS}: a person rated as '{rater}', which is the judge's name; name the person otherwise."
        )
    wanted = {(one.criterion, one.item): one for one in people}
    judged = [
        Rating(item, rater, score["value"], wanted[score["metric"], item].tier, score["metric"])
        for item, call in scores.items()
        for score in call
        if score["value"] is not None and (score["metric"], item) in wanted
    ]
    if not judged:
        raise BadInput(f"{folder}: no judge has rated what people rated; `salesman evaluate judge {folder}` asks one.")
    return [*people, *judged]


def agreement(
    ratings: Sequence[Rating], judge: str = JUDGE, criterion: str = "", seed: int = 0, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Compare a judge with people.

    Args:
        ratings: The judge's and the people's.
        judge: Name of the judge among the raters.
        criterion: Which criterion; may be empty where there is only one.
        seed: Of the bootstrap, which draws items.
        rounds: Resamples.

    Returns:
        `judge`, `criterion`, `items` (rated by the judge and at least one person), `people`; `pearson`, `spearman`, `icc`
        (ICC(2,1)) of the judge against the people's mean; `alpha_interval`, `alpha_ordinal` over the judge and all people;
        `alpha_people` (interval) over the people alone; `bias`, the judge's mean less the people's: each
        `{"value", "low", "high"}`, all None where the figure is not defined. `within_tier`: Pearson by tier, and their mean.

    Raises:
        BadInput: Unknown judge or criterion, several criteria, or fewer than three items.
    """
    chosen = _one_criterion(ratings, criterion)
    raters = sorted({one.rater for one in chosen})
    if judge not in raters:
        raise BadInput(
            f"Rater '{judge}' is not in the ratings; expected one of {', '.join(raters) or 'nobody'}: name one with --judge, "
            f"or give a run's folder, where its judge's answers ({FILE}) are joined with the people's."
        )
    people = [rater for rater in raters if rater != judge]
    table, items = _table(chosen, [judge, *people])
    both = ~np.isnan(table[:, 0]) & ~np.isnan(table[:, 1:]).all(axis=1)
    table, items = table[both], [item for item, kept in zip(items, both, strict=True) if kept]
    if len(items) < FEWEST:
        raise BadInput(f"{len(items)} items were rated by '{judge}' and a person; {FEWEST} are the fewest to compare.")
    figures: dict[str, Callable[[Table], float | None]] = {
        "pearson": lambda t: pearson(t[:, 0], np.nanmean(t[:, 1:], axis=1)),
        "spearman": lambda t: pearson(ranks(t[:, 0]), ranks(np.nanmean(t[:, 1:], axis=1))),
        "icc": lambda t: icc(np.column_stack([t[:, 0], np.nanmean(t[:, 1:], axis=1)])),
        "alpha_interval": lambda t: alpha(t, "interval"),
        "alpha_ordinal": lambda t: alpha(t, "ordinal"),
        "alpha_people": lambda t: alpha(t[:, 1:], "interval"),
        "bias": lambda t: float(np.mean(t[:, 0] - np.nanmean(t[:, 1:], axis=1))),
    }
    tiers = {one.item: one.tier for one in chosen}
    return {
        "judge": judge,
        "criterion": chosen[0].criterion,
        "items": len(items),
        "people": len(people),
        **{name: _with_interval(table, figure, seed, rounds) for name, figure in figures.items()},
        "within_tier": _within_tier(table, [tiers[item] for item in items]),
    }


def _one_criterion(ratings: Sequence[Rating], criterion: str) -> list[Rating]:
    known = sorted({one.criterion for one in ratings})
    if criterion and criterion not in known:
        raise BadInput(
            f"Criterion '{criterion}' is not in the ratings; expected one of {', '.join(filter(None, known))}."
        )
    if not criterion and len(known) > 1:
        raise BadInput(f"The ratings hold several criteria; choose one of {', '.join(known)}.")
    return [one for one in ratings if one.criterion == (criterion or (known or [""])[0])]


def _table(ratings: Iterable[Rating], raters: Sequence[str]) -> tuple[Table, list[str]]:
    held = list(ratings)
    items = sorted({one.item for one in held})
    row, column = (
        {item: place for place, item in enumerate(items)},
        {rater: place for place, rater in enumerate(raters)},
    )
    table = np.full((len(items), len(raters)), np.nan)
    for one in held:
        table[row[one.item], column[one.rater]] = one.rating
    return table, items


def _with_interval(
    table: Table, figure: Callable[[Table], float | None], seed: int, rounds: int
) -> dict[str, float | None]:
    """Return a figure with its percentile bootstrap interval (95 %), items drawn with their ratings."""
    drawn = np.random.default_rng(seed)
    value = figure(table)
    values = [
        figure(table[drawn.integers(0, len(table), len(table))]) for _ in range(rounds if value is not None else 0)
    ]
    known = [one for one in values if one is not None]
    if value is None or len(known) < rounds / 2:
        return {"value": value, "low": None, "high": None}
    low, high = np.quantile(known, [0.025, 0.975])
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _within_tier(table: Table, tiers: Sequence[str]) -> dict[str, Any]:
    found: dict[str, float | None] = {}
    for tier in sorted(set(filter(None, tiers))):
        rows = table[[place for place, one in enumerate(tiers) if one == tier]]
        figure = pearson(rows[:, 0], np.nanmean(rows[:, 1:], axis=1)) if len(rows) >= FEWEST else None
        found[tier] = None if figure is None else round(figure, 4)
    known = [value for value in found.values() if value is not None]
    return {"tiers": found, "mean": round(sum(known) / len(known), 4) if known else None}


def pearson(first: Table, second: Table) -> float | None:
    """Return the product-moment correlation; None where one of the two never varies."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def ranks(values: Table) -> Table:
    """Return the ranks of values from 1; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Table = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return found


def icc(table: Table) -> float | None:
    """Return ICC(2,1): absolute agreement of single ratings, items and raters drawn at random.

    Args:
        table: Items × raters, nothing missing.

    Source: Shrout & Fleiss, Intraclass correlations, Psychological Bulletin 86 (1979), case 2.
    """
    n, k = table.shape
    if n < 2 or k < 2 or np.ptp(table) == 0:
        return None
    mean = table.mean()
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    between_items = k * ((rows - mean) ** 2).sum() / (n - 1)
    between_raters = n * ((columns - mean) ** 2).sum() / (k - 1)
    residual = ((table - rows[:, None] - columns[None, :] + mean) ** 2).sum() / ((n - 1) * (k - 1))
    below = between_items + (k - 1) * residual + k * (between_raters - residual) / n
    return float((between_items - residual) / below) if below > 0 else None


def alpha(table: Table, level: Literal["interval", "ordinal"]) -> float | None:
    """Return Krippendorff's α: 1 is full agreement, 0 what chance gives.

    Args:
        table: Items × raters; NaN is missing, and items with one rating do not count.
        level: How far two values lie apart.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), the coincidence matrix of section D.
    """
    values = np.unique(table[~np.isnan(table)])
    counts = np.stack([(table == value).sum(axis=1) for value in values], axis=1) if len(values) else np.zeros((0, 0))
    counts = counts[counts.sum(axis=1) > 1].astype(float)  # items × values
    if len(values) < 2 or not len(counts):
        return None
    weights = 1 / (counts.sum(axis=1) - 1)
    seen = (counts * weights[:, None]).T @ counts - np.diag(counts.T @ weights)  # coincidences, values × values
    each = seen.sum(axis=1)
    apart = _squared_distances(values, each, level)
    total = each.sum()
    expected = (np.outer(each, each) * apart).sum() / (total * (total - 1))
    return float(1 - (seen * apart).sum() / total / expected) if expected > 0 else None


def _squared_distances(values: Table, each: Table, level: Literal["interval", "ordinal"]) -> Table:
    if level == "ordinal":
        values = np.cumsum(each) - each / 2  # a value's place is the middle of its ranks
    found: Table = (values[:, None] - values[None, :]) ** 2
    return found
