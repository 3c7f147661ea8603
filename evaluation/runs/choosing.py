"""Which scenarios a run is held with: a split, TeleBot's published run, or a file; and in which of SalesLLM's modes."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from evaluation.judging.telebot import telebot_scenarios, without_seeds
from evaluation.scenarios.loading import load_scenario_file, load_split
from evaluation.scenarios.modes import with_follow_ups, with_peers
from evaluation.scenarios.scenario_set import ScenarioSet
from evaluation.scenarios.schema import SPLITS
from graph.errors import BadInput
from graph.settings import Settings
from nodes.resources import get_resources
from scripts_library.schema import Language

TELEBOT = "telebot"
LANGUAGES: tuple[Language, ...] = ("en", "zh")
SHOWN = 6
"""Campaigns that a message names."""


def choose(
    source: str,
    settings: Settings,
    *,
    campaign: str = "",
    language: str = "",
    products: Literal[1, 6, 15] = 1,
    follow_ups: Literal[0, 1, 2] = 0,
    max_turns: int | None = None,
    seed: int = 0,
) -> ScenarioSet:
    """Return the scenarios of a run.

    Args:
        source: `train`, `dev`, `test`, `telebot` (100 scripts × 3 sampled profiles and strategies of one campaign and language),
            or a file: own YAML, or SalesLLM's JSONL.
        settings: Name the library that TeleBot's seeds come from, and whose campaigns own YAML may name.
        campaign: Only scenarios of this campaign.
        language: Only scenarios in this language.
        products: Products that the seller has; other than 1 for SalesLLM's rows.
        follow_ups: Sessions after a refusal, at most.
        max_turns: Customer lines in a session at most, where a scenario allows more.
        seed: Draws peer products and TeleBot's pairs.

    Raises:
        BadInput: The source cannot be read, or a mode does not fit it.
    """
    split = next((name for name in SPLITS if name == source), None)
    if split:
        found = load_split(split)
    elif source == TELEBOT:
        found = _telebot(settings, campaign, language, seed)
    elif Path(source).suffix or Path(source).exists():
        found = load_scenario_file(Path(source), settings)
    else:
        raise BadInput(f"--scenarios {source}: no file of that name; give one, or {', '.join(SPLITS)} or {TELEBOT}.")
    kept = [
        one
        for one in found.scenarios
        if (not campaign or one.campaign == campaign) and (not language or one.language == language)
    ]
    if found.scenarios and not kept:
        there = ", ".join(sorted({f"{one.campaign} in {one.language}" for one in found.scenarios})[:SHOWN])
        raise BadInput(
            f"--scenarios {source} has none of campaign {campaign or 'any'} in {language or 'any language'}; it has {there}."
        )
    if max_turns is not None:
        kept = [one.model_copy(update={"max_turns": min(one.max_turns, max_turns)}) for one in kept]
    found = replace(found, scenarios=tuple(kept))
    found = with_peers(found, products, seed) if products != 1 else found
    return with_follow_ups(found, follow_ups) if follow_ups else found


def _telebot(settings: Settings, campaign: str, language: str, seed: int) -> ScenarioSet:
    spoken = next((name for name in LANGUAGES if name == language), None)
    if not campaign or spoken is None:
        raise BadInput(
            "--scenarios telebot needs --campaign and --language: its seeds are the scripts of one campaign in one."
        )
    library = get_resources(settings).library
    data = replace(library.campaign(campaign), scripts=tuple(library.list(campaign, status="published")))
    made = telebot_scenarios(data, spoken, seed=seed)
    return ScenarioSet(tuple(made), {campaign: without_seeds(data, made)})
