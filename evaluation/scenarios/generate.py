"""Make the bundled scenarios: offers × personas × tiers, the same ones every time.

``python -m evaluation.scenarios.generate`` rewrites `data/<campaign>_<language>.yaml` and `data/splits.yaml`. What goes in
is data: `data/generator/tiers.yaml` and one `data/generator/<campaign>.yaml` a campaign.
"""

import random
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import cast

import yaml
from pydantic import Field

from evaluation.scenarios.loading import DATA, SPLITS, bundled_campaigns, load_scenario_file
from evaluation.scenarios.schema import PROPENSITY, Scenario, Split, Success, Tier
from evaluation.scenarios.tiers import CHECKS, INPUTS, TierPlan, tier_plans
from graph.terminal import say
from scripts_library.schema import Data, Language, Lines, Name, Text
from scripts_library.yaml_lines import read_yaml

_DEAL: tuple[Split, ...] = ("test", "train", "dev", "test", "train", "dev", "test")
"""Splits by position in a stratum: three of seven for the test, and a scenario added at the end moves no other one."""


class Product(Data):
    """One thing that a call of the campaign can be about."""

    id: Name
    price: float | None = Field(default=None, ge=0, description="In the campaign's currency; absent: no limit either.")
    questions: list[Name]
    strategies: list[Name]
    reason: Text


class Persona(Data):
    """One customer, whom a tier makes easier or harder."""

    id: Name
    products: list[Name]
    persona: Text
    opening: Text
    known: Lines
    if_asked: dict[Name, Text]
    questions: list[Name]
    objections: list[Name]
    profile: dict[Name, str]
    profile_text: dict[Name, Text] = Field(default_factory=dict, description="Profile fields that are told in words.")


class Inputs(Data):
    """`data/generator/<campaign>.yaml`."""

    seed: int
    per_tier: int = Field(ge=1)
    slots_in_success: list[Name] = Field(description="Wanted of customers who can be won, all tiers but the last two.")
    questions_of_last_tier: list[Name] = Field(description="What adversarial customers throw in as well.")
    products: list[Product]
    personas: list[Persona]


def generate(campaign: str) -> dict[Language, list[Scenario]]:
    """Return the campaign's generated scenarios; number N of a tier is the same customer in every language.

    Within a tier no persona comes to the same product twice.

    Args:
        campaign: A bundled campaign with a file in `data/generator/`.
    """
    inputs = Inputs.model_validate(read_yaml(INPUTS / f"{campaign}.yaml").data)
    products = {product.id: product for product in inputs.products}
    pairs = [(persona, products[name]) for persona in inputs.personas for name in persona.products]
    rng = random.Random(inputs.seed)
    made: dict[Language, list[Scenario]] = {name: [] for name in bundled_campaigns()[campaign].campaign.languages}
    for tier, plan in tier_plans().items():
        for number, (persona, product) in enumerate(rng.sample(pairs, inputs.per_tier), start=1):
            shared = _drawn(persona, product, tier, plan, inputs, rng)
            for language, scenarios in made.items():
                name = f"{campaign}.{language}.{tier}.{number:02}"
                told = _told(persona, product, plan, language)
                scenarios.append(
                    Scenario.model_validate({"id": name, "campaign": campaign, "language": language, **shared, **told})
                )
    return made


def _drawn(
    persona: Persona, product: Product, tier: Tier, plan: TierPlan, inputs: Inputs, rng: random.Random
) -> dict[str, object]:
    """Return what is the same in every language."""
    others = [name for name in persona.questions if name not in product.questions]
    questions = product.questions + rng.sample(others, max(0, plan.questions - len(product.questions)))
    slots = [] if tier in ("very_hard", "adversarial") else inputs.slots_in_success
    return {
        "tier": tier,
        "propensity": PROPENSITY[tier],
        "product": product.id,
        "profile": persona.profile,
        "strategy": rng.choice(product.strategies),
        "questions": questions + (inputs.questions_of_last_tier if tier == "adversarial" else []),
        "objections": rng.sample(persona.objections, min(plan.objections, len(persona.objections))),
        "price_limit": None if product.price is None else round(product.price * plan.limit, 2),
        "patience": plan.patience,
        "success": Success(outcomes=plan.outcomes, slots=slots),
        "checks": [*CHECKS, "slots"] if slots else list(CHECKS),
        "source": "generated",
    }


def _told(persona: Persona, product: Product, plan: TierPlan, language: Language) -> dict[str, object]:
    """Return what is told in words."""
    space = "" if language == "zh" else " "
    return {
        "persona": f"{persona.persona[language]}{space}{plan.style[language]}",
        "reason": product.reason[language],
        "opening": persona.opening[language],
        "known": persona.known[language],
        "if_asked": {slot: text[language] for slot, text in persona.if_asked.items()},
        "profile": persona.profile | {name: text[language] for name, text in persona.profile_text.items()},
    }


def deal(scenarios: Iterable[Scenario]) -> dict[Split, list[str]]:
    """Return the splits, stratified by campaign, language, tier and hand-written or not.

    Each split goes through the strata in turn, so that its first N scenarios are a fair sample of it.
    """
    strata: dict[tuple[str, ...], list[str]] = {}
    for scenario in scenarios:
        kind = "written" if scenario.source == "written" else scenario.tier
        strata.setdefault((scenario.campaign, scenario.language, kind), []).append(scenario.id)
    splits: dict[Split, list[str]] = {"train": [], "dev": [], "test": []}
    for position, names in enumerate(zip_longest(*strata.values())):
        splits[_DEAL[position % len(_DEAL)]] += [name for name in names if name]
    return splits


def files() -> dict[Path, str]:
    """Return every file that the generator writes, with its text."""
    texts: dict[Path, str] = {}
    everything: list[Scenario] = []
    for path in sorted(INPUTS.glob("*.yaml")):
        if path.stem not in bundled_campaigns():
            continue
        for language, scenarios in generate(path.stem).items():
            name = f"{path.stem}_{language}"
            texts[DATA / f"{name}.yaml"] = _yaml([_plain(scenario) for scenario in scenarios], f"generator/{path.name}")
            everything += [*scenarios, *load_scenario_file(DATA / f"{name}_written.yaml").scenarios]
    texts[SPLITS] = _yaml(cast(Mapping[str, object], deal(everything)), "generate.py: `deal`")
    return texts


def _plain(scenario: Scenario) -> dict[str, object]:
    return scenario.model_dump(mode="json", exclude_defaults=True)


def _yaml(data: object, source: str) -> str:
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110)
    return f"# Written by `python -m evaluation.scenarios.generate` out of {source}; edit that instead.\n{text}"


def main() -> None:
    """Rewrite the generated files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
        say(str(path))


if __name__ == "__main__":
    main()
