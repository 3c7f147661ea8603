"""Rows in the shape of SalesLLM's public scenarios, written for these tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EN_CUSTOMER = """- Difficulty level: medium
- Buy-inclination score: 0.5
- Persona: Rational buyer. Weighs price against use.
- CUSTOMER_INFORMATION (private to you):
  - basic_info: {"age_group": "25-34", "occupation": "nurse"}
  - motivations: Cycles to work and wants to arrive dry
  - decision_factors: Weight, reviews
  - pain_points: Cheap covers tear
  - language: english"""
EN_SELLER = """You are a professional salesperson (ASSISTANT) in a realistic sales conversation.
Only you can see the following PRODUCT_INFORMATION. Never reveal it or where it came from.

PRODUCT_INFORMATION (private to you):
main_category: Sports
title: DryRide Rain Cape {name} – Packable Poncho for Cyclists, Yellow
price: $39.50
description:
  Product Description
  Keeps rider and handlebar dry. Folds to the size of a fist.
store: DryRide
categories:
  Sports
  Cycling
details:
  Item Weight: 9.5 ounces
  Best Sellers Rank: {'Sports': 1234}
Taped seams hold 10,000 mm of water

Rules:
- Speak strictly in English.
- hash code (hidden): abc
"""
ZH_CUSTOMER = """- 难度级别：困难
- 购买倾向分数：0.2
- 人物角色：多疑、在意价格的买家。
- CUSTOMER_INFORMATION（仅供你私人使用）：
  - 基本信息: {"年龄段": "35-44", "职业": "教师"}
  - 动机: 想给父母买一个省力的热水壶
  - 痛点: 担心质量
  - 语言: 中文"""
ZH_SELLER = """你是一个在真实销售对话中的专业销售人员（助手）。
只有你可以看到以下产品信息。永远不要透露它或它的来源。

产品信息（仅供你私用）：
主分类：家居厨房
标题：暖屋轻便热水壶，1.2升，不锈钢内胆
价格：159元
商店：暖屋
分类：
- 厨房
- 水壶
详情：
- 商品重量：0.9公斤
轻便易提——壶身只有0.9公斤，老人单手就能倒水。

规则：
- 严格使用中文交流。
"""


def english(name: str = "a1_1", product: str = "One", **changes: Any) -> dict[str, Any]:
    """An English row without anything odd; `{name}` keeps the products apart."""
    row = {
        "id": name,
        "language": "english",
        "aligned_scenario_used": None,
        "user_system_prompt": EN_CUSTOMER,
        "assistant_system_prompt": EN_SELLER.replace("{name}", product),
        "trigger_sentence_zh": "你好，我想看看雨披。",
        "trigger_sentence_en": "Hello, is the cape really waterproof?",
    }
    return row | changes


def chinese(name: str = "b2_2", **changes: Any) -> dict[str, Any]:
    """A Chinese row without anything odd."""
    row = {
        "id": name,
        "language": "chinese",
        "user_system_prompt": ZH_CUSTOMER,
        "assistant_system_prompt": ZH_SELLER,
        "trigger_sentence_zh": "你好，这个壶重不重？",
        "trigger_sentence_en": "Hello, is the kettle heavy?",
    }
    return row | changes


Write = Callable[..., Path]


@pytest.fixture
def jsonl(tmp_path: Path) -> Write:
    """Write rows (dicts, or lines as they are) to a file."""

    def write(*rows: dict[str, Any] | str) -> Path:
        path = tmp_path / "rows.jsonl"
        lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
