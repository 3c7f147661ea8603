"""The kinds of customers by name."""

from collections.abc import Sequence

from evaluation.customers.persona import PersonaBuyer
from evaluation.customers.protocol import Customer
from evaluation.customers.recorded import RecordedCustomer
from evaluation.customers.retrieved import RetrievedBuyer
from evaluation.customers.rule import RuleBuyer
from evaluation.scenarios.schema import Scenario
from graph.errors import BadInput
from graph.records import ConversationRecord
from graph.settings import Settings
from scripts_library.loading import CampaignData

KINDS = ("rule", "retrieved", "persona", "recorded", "trained:MODEL")
"""`trained:MODEL` is a customer model of your own: the persona buyer, served by that model (a name of `salesman models
list`, `NAME+FILE.gguf` with a LoRA adapter, or a name of the server of `SALESMAN_JUDGE_BASE_URL`)."""


def make_customer(
    kind: str,
    scenario: Scenario,
    campaign: CampaignData,
    seed: int,
    settings: Settings,
    earlier: Sequence[ConversationRecord] = (),
) -> Customer:
    """Make the customer of a call.

    Args:
        kind: One of `KINDS`.
        scenario: Who the customer is.
        campaign: What the call is about.
        seed: Draws whatever the kind draws.
        settings: Where vectors are kept and models are served.
        earlier: Calls that the customer has had with the agent before; a persona remembers them, the others draw anew.

    Raises:
        BadInput: No such kind, or it cannot play in this campaign or language.
        ModelUnavailable: Its model cannot be had.
    """
    name, _, model = kind.partition(":")
    seed += len(earlier)
    if kind == "rule":
        return RuleBuyer(scenario, campaign, seed)
    if kind == "retrieved":
        return RetrievedBuyer(scenario, seed, settings)
    if kind == "recorded":
        return RecordedCustomer(scenario.campaign, scenario.language)
    if kind == "persona" or (name == "trained" and model):
        return PersonaBuyer(scenario, campaign, seed, settings, model or None, earlier=earlier)
    raise BadInput(f"Customer '{kind}' is unknown; expected one of {', '.join(KINDS)}.")


def speaks_with_a_model(kind: str) -> bool:
    """Tell whether customers of a kind need a chat model."""
    return kind == "persona" or kind.startswith("trained:")
