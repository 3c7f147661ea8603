"""What reading a file of scenarios gives: those that can run, those that cannot, and what to look at twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from evaluation.scenarios.schema import Scenario
from scripts_library.loading import CampaignData


class Finding(NamedTuple):
    """What is wrong or odd about one scenario."""

    id: str
    """The scenario's id; `line N` of the file when it has none."""
    reasons: list[str]


@dataclass(frozen=True)
class ScenarioSet:
    """The scenarios of one file."""

    scenarios: tuple[Scenario, ...]
    """All that can run, also those with a warning."""
    campaigns: Mapping[str, CampaignData] = field(default_factory=dict)
    """The campaigns made on the fly for them, by name; the others are bundled or in the library."""
    broken: tuple[Finding, ...] = ()
    """Left out of a run, and counted there."""
    warnings: tuple[Finding, ...] = ()
