"""Make a campaign around products on the fly, fit for the graph: a generic frame, and the products' lines as facts."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from evaluation.scenarios.salesllm_text import Product
from graph.errors import BadInput
from scripts_library.checks import Known, check_campaign, check_intents
from scripts_library.loading import CampaignData
from scripts_library.schema import Campaign, Intent, Language
from scripts_library.yaml_lines import read_yaml

_DATA = Path(__file__).parent / "data"
_SEVERAL: dict[Language, str] = {"en": "our products", "zh": "我们的产品"}
_SHOP: dict[Language, str] = {"en": "the shop", "zh": "本店"}
_YUAN = re.compile(r"[¥￥元]|RMB|CNY|人民币", re.IGNORECASE)


def campaign_for(products: Sequence[Product], language: Language) -> CampaignData:
    """Return a campaign that sells these products.

    Args:
        products: One, or the target among its peers; with several of them each fact begins with its product's name.
        language: The one language that the campaign speaks.

    Returns:
        The campaign, named by what it sells: the same products give the same campaign.

    Raises:
        BadInput: The products' texts do not make a sound campaign.
    """
    several = len(products) > 1
    facts = [f"{product.name}: {fact}" if several else fact for product in products for fact in product.facts]
    name = f"salesllm_{language}_{hashlib.sha256(repr(products).encode()).hexdigest()[:12]}"
    words = {
        "{product}": _SEVERAL[language] if several else products[0].name,
        "{store}": _SHOP[language] if several else products[0].store or _SHOP[language],
    }
    frame, everybody = _frame()
    intents = _spoken(everybody, language)
    data: dict[str, Any] = {
        **_filled(_spoken(frame, language), words),
        "name": name,
        "languages": [language],
        "currency": "CNY" if _YUAN.search(" ".join(facts)) else "USD",
        "facts": [{"id": f"fact_{number:03}", "text": {language: fact}} for number, fact in enumerate(facts, 1)],
    }
    data["forbidden"] = [claim for claim in frame["forbidden"] if not _stated(claim, facts)]
    known = Known.of(data, intents)
    problems = [*check_campaign(data, known), *check_intents(intents, known)]
    if problems:
        raise BadInput("; ".join(f"product block: {problem.text()}" for problem in problems))
    return CampaignData(Campaign.model_validate(data), tuple(TypeAdapter(list[Intent]).validate_python(intents)))


@cache
def _frame() -> tuple[Mapping[str, Any], Sequence[Any]]:
    frame, intents = (read_yaml(_DATA / f"salesllm_{kind}.yaml").data for kind in ("campaign", "intents"))
    if not isinstance(frame, dict) or not isinstance(intents, list):
        raise BadInput(
            f"{_DATA}: salesllm_campaign.yaml or salesllm_intents.yaml is damaged; install the program again"
        )
    return frame, intents


def _spoken(data: Any, language: Language) -> Any:
    """Keep one language of every text: the other one would be embedded with each campaign and never be said."""
    if isinstance(data, list):
        return [_spoken(value, language) for value in data]
    if not isinstance(data, dict):
        return data
    if data.keys() == _SHOP.keys():
        return {language: data[language]}
    return {key: _spoken(value, language) for key, value in data.items()}


def _filled(data: Any, words: Mapping[str, str]) -> Any:
    if isinstance(data, dict):
        return {key: _filled(value, words) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(value, words) for value in data]
    for mark, word in words.items():
        data = data.replace(mark, word) if isinstance(data, str) else data
    return data


def _stated(claim: Mapping[str, Any], facts: Sequence[str]) -> bool:
    """A claim that the product block makes itself may be made."""
    patterns = [pattern for language in claim["patterns"].values() for pattern in language]
    return any(re.search(pattern, fact, re.IGNORECASE) for pattern in patterns for fact in facts)
