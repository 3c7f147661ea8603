"""SalesLLM's two harder modes: the target among other products, and follow-up sessions after a refusal.

Source: "SalesLLM" (arXiv 2604.07054), extensions: 6 products (also 15: one target and 14 peers); up to 2 follow-ups.
"""

import random
from dataclasses import replace
from typing import Literal

from evaluation.scenarios.salesllm_campaign import campaign_for
from evaluation.scenarios.salesllm_text import Product
from evaluation.scenarios.scenario_set import ScenarioSet
from graph.errors import BadInput
from scripts_library.loading import CampaignData
from scripts_library.schema import Language


def with_peers(scenarios: ScenarioSet, n: Literal[6, 15], seed: int = 0) -> ScenarioSet:
    """Give the seller more products than the one that the customer is after.

    Args:
        scenarios: SalesLLM's, as read from its file.
        n: Products in all: the scenario's own, and n - 1 others of the set in its language.
        seed: Draws the peers; each scenario draws for itself, so that leaving one out changes no other.

    Returns:
        The same customers with campaigns of n products in random order, the product's name in front of each fact; ids end
        with `.x6` or `.x15`.

    Raises:
        BadInput: A language of the set has fewer than n products.
    """
    products = {name: _product(data) for name, data in scenarios.campaigns.items()}
    campaigns: dict[str, CampaignData] = {}
    changed = []
    for scenario in scenarios.scenarios:
        if scenario.campaign not in products:
            raise BadInput(f"Scenario {scenario.id!r} is not of SalesLLM; only those can be given peer products")
        speaking = scenarios.campaigns[scenario.campaign].campaign.languages
        peers = sorted(
            name
            for name, data in scenarios.campaigns.items()
            if data.campaign.languages == speaking and name != scenario.campaign
        )
        if len(peers) < n - 1:
            raise BadInput(
                f"{n} products wanted in {scenario.language!r}, but the file has {len(peers) + 1}; give more rows"
            )
        rng = random.Random(f"{seed} {scenario.id}")
        chosen = [scenario.campaign, *rng.sample(peers, n - 1)]
        rng.shuffle(chosen)
        campaign = campaign_for([products[name] for name in chosen], scenario.language)
        campaigns[campaign.campaign.name] = campaign
        changed.append(
            scenario.model_copy(update={"id": f"{scenario.id}.x{n}", "campaign": campaign.campaign.name, "products": n})
        )
    return replace(scenarios, scenarios=tuple(changed), campaigns=campaigns)


def with_follow_ups(scenarios: ScenarioSet, follow_ups: Literal[1, 2] = 2) -> ScenarioSet:
    """Let a customer who refused be called again.

    Args:
        scenarios: Any.
        follow_ups: Further sessions at most, each with what was said before.

    Returns:
        The same scenarios with that many more sessions; ids end with `.f1` or `.f2`.
    """
    changed = (
        scenario.model_copy(update={"id": f"{scenario.id}.f{follow_ups}", "sessions": 1 + follow_ups})
        for scenario in scenarios.scenarios
    )
    return replace(scenarios, scenarios=tuple(changed))


def _product(data: CampaignData) -> Product:
    language: Language = data.campaign.languages[0]
    facts = tuple(fact.text[language] for fact in data.campaign.facts)
    return Product(data.campaign.title[language], data.campaign.agent.organisation[language], facts)
