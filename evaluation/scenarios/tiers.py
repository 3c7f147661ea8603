"""What a tier means for a scenario: patience, price limit and what counts as success (`data/generator/tiers.yaml`)."""

from functools import cache
from pathlib import Path

from pydantic import Field, TypeAdapter

from evaluation.scenarios.schema import CallOutcome, Check, Tier
from scripts_library.schema import Data, Text
from scripts_library.yaml_lines import read_yaml

INPUTS = Path(__file__).parent / "data" / "generator"
CHECKS: tuple[Check, ...] = ("outcome", "facts", "respect", "disclosure", "legal_moves")
"""What every scenario that nobody wrote by hand must pass."""


class TierPlan(Data):
    """What a tier adds to a customer."""

    style: Text
    questions: int = Field(ge=0)
    objections: int = Field(ge=0)
    patience: int = Field(ge=1)
    limit: float = Field(gt=0, description="Price limit as a share of the product's price.")
    outcomes: list[CallOutcome]


@cache
def tier_plans() -> dict[Tier, TierPlan]:
    """Return the plan of each tier, easiest first."""
    return TypeAdapter(dict[Tier, TierPlan]).validate_python(read_yaml(INPUTS / "tiers.yaml").data)
