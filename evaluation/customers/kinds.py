"""The kinds of customers by name."""

from evaluation.customers.protocol import Customer
from evaluation.customers.recorded import RecordedCustomer
from evaluation.customers.retrieved import RetrievedBuyer
from evaluation.customers.rule import RuleBuyer
from evaluation.scenarios.schema import Scenario
from graph.errors import BadInput
from graph.settings import Settings
from scripts_library.loading import CampaignData

KINDS = ("rule", "retrieved", "recorded")


def make_customer(kind: str, scenario: Scenario, campaign: CampaignData, seed: int, settings: Settings) -> Customer:
    """Make the customer of a call.

    Args:
        kind: One of `KINDS`.
        scenario: Who the customer is.
        campaign: What the call is about.
        seed: Draws whatever the kind draws.
        settings: Where vectors are kept and models are served.

    Raises:
        BadInput: No such kind, or it cannot play in this campaign or language.
    """
    if kind == "rule":
        return RuleBuyer(scenario, campaign, seed)
    if kind == "retrieved":
        return RetrievedBuyer(scenario, seed, settings)
    if kind == "recorded":
        return RecordedCustomer(scenario.campaign, scenario.language)
    raise BadInput(f"Customer '{kind}' is unknown; expected {', '.join(KINDS)}.")


def speaks_with_a_model(kind: str) -> bool:
    """Tell whether customers of a kind need a chat model."""
    return False
