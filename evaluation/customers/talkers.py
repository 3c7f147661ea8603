"""The customers who can talk in a call that somebody watches: recorded ones, and rule buyers from easy to adversarial."""

from evaluation.customers.protocol import Customer
from evaluation.customers.recorded import customers_for
from evaluation.customers.rule import RuleBuyer
from evaluation.scenarios.loading import bundled_scenarios, split_ids
from scripts_library.loading import CampaignData


def talkers(campaign: CampaignData, language: str) -> dict[str, Customer]:
    """Return who can talk in a campaign and language, by `recorded` or the tier of a rule buyer; empty where nobody can.

    Args:
        campaign: What the call is about.
        language: `en` or `zh`.
    """
    name = campaign.campaign.name
    found: dict[str, Customer] = {customer.name: customer for customer in customers_for(name, language)}
    train = set(split_ids("train"))
    for scenario in bundled_scenarios():
        fits = scenario.campaign == name and scenario.language == language and scenario.id in train
        if fits and scenario.source == "generated" and scenario.tier not in found:
            found[scenario.tier] = RuleBuyer(scenario, campaign, 0)
    return found
