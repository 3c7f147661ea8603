"""What a file of scenarios holds, and what the project brings along: the tables behind `salesman evaluate scenarios`."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from typing_extensions import TypedDict

from evaluation.scenarios.loading import bundled_scenarios, examine_file, split_ids
from evaluation.scenarios.scenario_set import Finding
from evaluation.scenarios.schema import Split
from graph.settings import Settings


class Reasons(TypedDict):
    """One scenario and what is wrong or odd about it."""

    id: str
    reasons: list[str]


class Report(TypedDict):
    """What a check of a file finds."""

    sound: list[str]
    """Ids of all that can run, those with a warning among them."""
    broken: list[Reasons]
    warnings: list[Reasons]


class Count(TypedDict):
    """How many bundled scenarios there are of one kind."""

    campaign: str
    language: str
    tier: str
    split: str
    scenarios: int


def check_file(path: Path, settings: Settings) -> Report:
    """Check a file of scenarios: own YAML or SalesLLM's JSONL.

    Args:
        path: The file.
        settings: Name the library whose campaigns own scenarios may name too.

    Raises:
        BadInput: The file as a whole, or the library, cannot be read.
    """
    found = examine_file(path, settings)
    return {
        "sound": [scenario.id for scenario in found.scenarios],
        "broken": _told(found.broken),
        "warnings": _told(found.warnings),
    }


def count_bundled() -> list[Count]:
    """Return the bundled scenarios counted by campaign, language, tier and split."""
    split_of = {name: split for split in get_args(Split) for name in split_ids(split)}
    counts = Counter((s.campaign, s.language, s.tier, split_of[s.id]) for s in bundled_scenarios())
    return [
        {"campaign": campaign, "language": language, "tier": tier, "split": split, "scenarios": number}
        for (campaign, language, tier, split), number in counts.items()
    ]


def _told(findings: Iterable[Finding]) -> list[Reasons]:
    return [{"id": finding.id, "reasons": finding.reasons} for finding in findings]
