"""What people rate on the rating page, blind and shuffled: single calls, and pairs of two variants; and who is preferred."""

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeVar, cast

from filelock import FileLock
from typing_extensions import TypedDict

from evaluation.judging.agreement import RATINGS
from evaluation.judging.transcript import Said, transcript
from evaluation.report.statistics import mean
from evaluation.runs.results import CallResult
from evaluation.runs.store import Run
from graph.errors import BadInput
from graph.export import cell

PAIRS = "pairs.csv"
TIE = "tie"
Kind = Literal["call", "reply"]
Item = TypeVar("Item")
RATING_COLUMNS = ("item", "rater", "rating", "tier", "criterion", "at")
PAIR_COLUMNS = ("pair", "rater", "kind", "first", "second", "preferred", "at")


@dataclass(frozen=True)
class Shown:
    """A call as a rater sees it: no variant, model, stage or score."""

    unit: str
    tier: str
    said: tuple[tuple[Said, ...], ...]
    """The words of each session."""


@dataclass(frozen=True)
class Pair:
    """Two variants on the same scenario, customer and trial; of replies, the answers to the same line after the same words."""

    id: str
    """The same whichever of the two is shown first."""
    kind: Kind
    first: Shown
    second: Shown


class Preference(TypedDict):
    """How often a variant was preferred to the others, ties half, with a 95 % interval (None where one scenario stands behind it)."""

    kind: Kind
    variant: str
    wins: int
    ties: int
    losses: int
    rate: float | None
    low: float | None
    high: float | None


def calls_to_rate(run: Run, rater: str, criterion: str) -> list[Shown]:
    """Return the calls that a rater has not rated yet, in the rater's own order.

    Args:
        run: The run.
        rater: Seeds the order, so that it is the same whenever the rater comes back, and another for everybody else.
        criterion: What is rated, e.g. `process.progress`.
    """
    rated = {
        row["item"]
        for row in _rows(run.folder / RATINGS)
        if (row["rater"], row["criterion"]) == (cell(rater), criterion)
    }
    return [one for one in _shuffled([_shown(run, call) for call in _held(run)], rater) if one.unit not in rated]


def pairs_to_rate(run: Run, rater: str, kind: Kind) -> list[Pair]:
    """Return the pairs that a rater has not compared yet, in the rater's own order, each with its sides shuffled."""
    rated = {row["pair"] for row in _rows(run.folder / PAIRS) if row["rater"] == cell(rater)}
    left = [pair for pair in _shuffled(_pairs(run, kind), rater) if pair.id not in rated]
    return [_sides_drawn(pair, rater) for pair in left]


def _sides_drawn(pair: Pair, rater: str) -> Pair:
    turned = random.Random(f"{rater}|{pair.id}").random() < 0.5
    return replace(pair, first=pair.second, second=pair.first) if turned else pair


def _shuffled(items: Sequence[Item], rater: str) -> list[Item]:
    return random.Random(f"order|{rater}").sample(items, len(items))


def _held(run: Run) -> list[CallResult]:
    return [
        call for call in run.results if call["error"] is None and any(len(one["turns"]) > 1 for one in call["sessions"])
    ]


def _shown(run: Run, call: CallResult) -> Shown:
    return Shown(
        call["unit"], run.scenarios[call["scenario"]].tier, tuple(transcript(one["turns"]) for one in call["sessions"])
    )


def _pairs(run: Run, kind: Kind) -> list[Pair]:
    alike: dict[tuple[str, str, int], list[CallResult]] = {}
    for call in _held(run):
        alike.setdefault((call["scenario"], call["customer"], call["trial"]), []).append(call)
    found = [
        Pair(f"{kind}:{first['unit']}~{second['unit']}", kind, _shown(run, first), _shown(run, second))
        for calls in alike.values()
        for first, second in combinations(sorted(calls, key=lambda call: call["variant"]), 2)
    ]
    if kind == "call":
        return [pair for pair in found if pair.first.said != pair.second.said]
    return [cut for pair in found if (cut := _first_difference(pair))]


def _first_difference(pair: Pair) -> Pair | None:
    """Cut a pair after the first two replies that differ while everything before is the same; None when there are none."""
    first, second = pair.first.said[0], pair.second.said[0]
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one.customer != other.customer:
            return None
        if one.agent != other.agent:
            if not one.customer:
                return None  # Greetings are chosen, not answered.
            sides = (Shown(side.unit, side.tier, (side.said[0][: place + 1],)) for side in (pair.first, pair.second))
            return Pair(pair.id, "reply", *sides)
    return None


def keep_rating(run: Run, call: Shown, rater: str, criterion: str, rating: float, at: str) -> None:
    """Add a rating to the run's `ratings.csv`."""
    row = {
        "item": call.unit,
        "rater": rater,
        "rating": f"{rating:g}",
        "tier": call.tier,
        "criterion": criterion,
        "at": at,
    }
    _append(run.folder / RATINGS, RATING_COLUMNS, row)


def keep_preference(run: Run, pair: Pair, rater: str, preferred: str, at: str) -> None:
    """Add a comparison to the run's `pairs.csv`.

    Args:
        run: The run.
        pair: As it was shown.
        rater: Who compared.
        preferred: Unit of the better one, or `tie`.
        at: ISO time, UTC.
    """
    row = {
        "pair": pair.id, "rater": rater, "kind": pair.kind, "first": pair.first.unit, "second": pair.second.unit,
        "preferred": preferred, "at": at,
    }  # fmt: skip
    _append(run.folder / PAIRS, PAIR_COLUMNS, row)


def win_rates(folder: Path) -> list[Preference]:
    """Return each variant's win rate in the comparisons of a run, of calls and of replies apart.

    Comparisons of one scenario hang together, whoever made them: the bootstrap draws scenarios, as a report does.

    Raises:
        BadInput: Nobody has compared a pair, or a row names something else than its two units or `tie`.
    """
    rows = {(row["pair"], row["rater"]): row for row in _rows(folder / PAIRS)}.values()
    if not rows:
        raise BadInput(f"{folder} holds no comparisons; people make them on the page Quality, in the tab of ratings.")
    points: dict[tuple[Kind, str], list[tuple[float, str]]] = {}
    for row in rows:
        sides = row["first"], row["second"]
        if row["preferred"] not in (*sides, TIE):
            raise BadInput(
                f"{folder / PAIRS}: '{row['preferred']}' is none of {', '.join(sides)} and {TIE}; mend the row."
            )
        for unit in sides:
            variant, scenario, *_ = unit.split("|")
            point = 0.5 if row["preferred"] == TIE else float(row["preferred"] == unit)
            points.setdefault((cast(Kind, row["kind"]), variant), []).append((point, scenario))
    return [_preference(kind, variant, points[kind, variant]) for kind, variant in sorted(points)]


def _preference(kind: Kind, variant: str, compared: Sequence[tuple[float, str]]) -> Preference:
    """Sum up a variant's comparisons: 1 won, ½ tied, 0 lost; each with its scenario."""
    points = [point for point, _ in compared]
    rate = mean(points, [scenario for _, scenario in compared], share=True)
    wins, ties = points.count(1.0), points.count(0.5)
    return {
        "kind": kind, "variant": variant, "wins": wins, "ties": ties, "losses": len(points) - wins - ties,
        "rate": rate.value if rate else None, "low": rate.low if rate else None, "high": rate.high if rate else None,
    }  # fmt: skip


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _append(path: Path, columns: Iterable[str], row: dict[str, str]) -> None:
    """Add a row, with a head when the file is new; no cell is a formula to a spreadsheet."""
    with FileLock(path.with_name(f".{path.name}.lock")), path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns))
        if not file.tell():
            writer.writeheader()
        writer.writerow({name: cell(value) for name, value in row.items()})
