"""SalesLLM's public scenarios (JSONL), unchanged: each product block becomes a campaign on the fly.

Source: "SalesLLM" (arXiv 2604.07054) and its released data, which holds broken rows; those are named, not repaired.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from pydantic import TypeAdapter, ValidationError

from evaluation.scenarios import salesllm_text as text
from evaluation.scenarios.salesllm_campaign import campaign_for
from evaluation.scenarios.scenario_set import Finding, ScenarioSet
from evaluation.scenarios.schema import PROPENSITY, Scenario, ScenarioId, Success, Tier
from evaluation.scenarios.tiers import CHECKS, tier_plans
from graph.errors import BadInput
from scripts_library.loading import CampaignData, schema_problems
from scripts_library.schema import IntentKind, Language

BANDS: dict[Tier, tuple[float, float]] = {
    "easy": (0.7, 1.0),
    "medium": (0.4, 0.7),
    "hard": (0.1, 0.4),
    "very_hard": (0.0, 0.2),
    "adversarial": (0.0, 0.1),
}
"""Scores that a tier may have: wide enough for both of the published tables."""
MAX_TURNS = 10
"""The published runner stops after 20 utterances, which are ten exchanges."""
_NOT_ASKED = "who_calls"
"""These customers begin the talk: they know whom they have on the line."""
_ID: TypeAdapter[str] = TypeAdapter(ScenarioId)
_NO_REASON: dict[Language, str] = {"en": "You want to know more about it.", "zh": "你想了解一下这个产品。"}


class _Broken(Exception):
    """A row that cannot run, with all reasons."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)


def read_salesllm(path: Path) -> ScenarioSet:
    """Read SalesLLM's JSONL.

    Args:
        path: One row a line: `id`, `language`, `user_system_prompt`, `assistant_system_prompt`, `trigger_sentence_en`/`_zh`.

    Returns:
        Every row that can run, with its campaign. Broken: no JSON, no id, an id that was there before, no product block
        or no customer block. Warned of: empty motivations, a declared language other than the prompts', an unknown tier
        or a score outside its tier's band, no first line.

    Raises:
        BadInput: The file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise BadInput(f"{path}: missing – check the name") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read ({error}) – save it as UTF-8 text") from None
    scenarios: dict[str, Scenario] = {}
    campaigns: dict[str, CampaignData] = {}
    broken: list[Finding] = []
    warnings: list[Finding] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name = f"line {number}"
        try:
            row = _row(line)
            name = _id(row)
            if name in scenarios:
                raise _Broken(f"id used twice: also in line {number}")
            scenario, campaign, odd = _scenario(name, row)
        except _Broken as error:
            broken.append(Finding(name, error.reasons))
            continue
        scenarios[name] = scenario
        campaigns[campaign.campaign.name] = campaign
        if odd:
            warnings.append(Finding(name, odd))
    return ScenarioSet(tuple(scenarios.values()), campaigns, tuple(broken), tuple(warnings))


def _row(line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _Broken(f"not JSON ({error})") from None
    if not isinstance(row, dict):
        raise _Broken(f"not a JSON object but {type(row).__name__}")
    return row


def _id(row: Mapping[str, Any]) -> str:
    name = _text(row, "id").strip()
    try:
        _ID.validate_python(name)
    except ValidationError:
        raise _Broken(f"id {name!r} is not made of letters, digits, `.`, `_`, `-`" if name else "no id") from None
    return name


def _text(row: Mapping[str, Any], key: str) -> str:
    """Return a field's text, "" where it has none; half characters (lone surrogates) could be sent and printed nowhere."""
    value = row.get(key)
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def _scenario(name: str, row: Mapping[str, Any]) -> tuple[Scenario, CampaignData, list[str]]:
    """Return the row as a scenario, its campaign and what is odd about it."""
    prompt, seller = _text(row, "user_system_prompt"), _text(row, "assistant_system_prompt")
    product, reasons = text.product_of(seller), []
    if product is None:
        reasons.append("no product block (PRODUCT_INFORMATION, 产品信息) in assistant_system_prompt")
    if not text.customer_block(prompt):
        reasons.append("no customer block (CUSTOMER_INFORMATION, 客户信息) in user_system_prompt")
    if product is None or reasons:
        raise _Broken(*reasons)
    language = text.language_of(seller)
    tier, score, odd = _difficulty(prompt)
    odd += _languages(row, prompt, language)
    motivation = text.customer_field(prompt, r"(?:\w+[ _])?motivations?", r"\w{0,4}动机")
    if not motivation:
        odd.append("empty motivations: the customer has no reason to buy")
    opening = _text(row, f"trigger_sentence_{language}").strip()
    if not opening:
        odd.append(f"no first line (trigger_sentence_{language}): the customer begins as they like")
    try:
        campaign = campaign_for([product], language)
        plan = tier_plans()[tier]
        scenario = Scenario(
            id=name,
            campaign=campaign.campaign.name,
            language=language,
            tier=tier,
            propensity=score,
            product=product.name,
            persona=(text.customer_field(prompt, "persona", "人物角色", "人物特征", "人物") or plan.style[language])[
                :600
            ],
            reason=(motivation or _NO_REASON[language])[:600],
            opening=opening,
            patience=plan.patience,
            questions=_drawn(campaign, "question", plan.questions, name),
            objections=_drawn(campaign, "objection", plan.objections, name),
            customer_prompt=prompt,
            success=Success(outcomes=plan.outcomes),
            checks=list(CHECKS),
            max_turns=MAX_TURNS,
            source="salesllm",
        )
    except ValidationError as error:
        raise _Broken(*(f"{problem.loc[-1]}: {problem.text()}" for problem in schema_problems(error))) from None
    except BadInput as error:
        raise _Broken(str(error)) from None
    return scenario, campaign, odd


def _drawn(data: CampaignData, kind: IntentKind, count: int, name: str) -> list[str]:
    """Return what a customer without a model asks or doubts: the rows leave it to their prompt. As many as the tier has, drawn by the row's id."""
    known = [intent.name for intent in data.intents if intent.kind == kind and intent.name != _NOT_ASKED]
    return Random(f"{name} {kind}").sample(known, min(count, len(known)))


def _difficulty(prompt: str) -> tuple[Tier, float, list[str]]:
    """Return tier, inclination and what is odd; where one is missing, the other one tells it."""
    word = text.customer_field(prompt, "difficulty(?: level)?", "难度(?:级别|等级)?")
    given = text.customer_field(
        prompt,
        "(?:buy|purchase)[- ]?(?:inclination|intention|intent)[ -]?(?:score)?",
        "购买(?:倾向|意愿|意向)(?:分数|得分|分|度)?",
    )
    number = re.match(r"\d+(?:\.\d+)?|\.\d+", given)
    score = float(number.group()) / (100 if "%" in given else 1) if number else None
    tier, odd = text.named_tier(word), []
    if tier is None:
        odd.append(f"unknown tier ({word or 'none named'}); expected one of {', '.join(BANDS).replace('_', ' ')}")
    if score is None or not 0 <= score <= 1:
        odd.append(f"no inclination between 0 and 1 ({given or 'none given'}); the tier's own is used")
        return tier or "medium", PROPENSITY[tier or "medium"], odd
    if tier is None:
        return _nearest(score), score, odd
    low, high = BANDS[tier]
    if not low <= score <= high:
        odd.append(f"score {score:g} is outside the band of {tier.replace('_', ' ')} ({low:g} to {high:g})")
    return tier, score, odd


def _nearest(score: float) -> Tier:
    return min(PROPENSITY, key=lambda tier: abs(PROPENSITY[tier] - score))


def _languages(row: Mapping[str, Any], prompt: str, language: Language) -> Iterator[str]:
    """Yield where a row's languages do not agree; the seller's prompt decides, because it holds the facts."""
    names = {"en": "English", "zh": "Chinese"}
    if text.language_of(prompt) != language:
        yield f"the customer's prompt is not {names[language]}, as the seller's is"
    declared = {
        "the row": _text(row, "language"),
        "the customer block": text.customer_field(prompt, "language", "语言"),
    }
    for place, word in declared.items():
        if word and text.named_language(word) != language:
            yield f"declared language of {place} is {word}, but the prompts are {names[language]}"
