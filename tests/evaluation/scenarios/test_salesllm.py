"""SalesLLM's rows, unchanged: what runs, what is broken, what is odd, and which campaigns they become."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.customers.rule import RuleBuyer
from evaluation.scenarios.loading import load_scenario_file
from evaluation.scenarios.modes import with_follow_ups, with_peers
from evaluation.scenarios.salesllm import BANDS
from evaluation.scenarios.salesllm_text import customer_block, customer_field, product_of
from evaluation.scenarios.tiers import tier_plans
from graph.errors import BadInput
from graph.session import Calls
from graph.settings import Settings
from guardrails.quantities import find_quantities
from scripts_library.loading import CampaignData, load_campaign
from scripts_library.schema import STAGES, Language
from tests.evaluation import made_calls as made
from tests.evaluation.scenarios.conftest import (
    EN_CUSTOMER,
    EN_SELLER,
    ZH_CUSTOMER,
    ZH_SELLER,
    Write,
    chinese,
    english,
)


def written(data: CampaignData, folder: Path) -> Path:
    """Write a campaign as a folder, as runs do."""
    folder.mkdir(parents=True)
    contents = (data.campaign.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
                [intent.model_dump(mode="json", exclude_none=True) for intent in data.intents], [])  # fmt: skip
    for name, content in zip(("campaign", "intents", "scripts"), contents, strict=True):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder


def test_a_row_becomes_a_scenario_with_its_private_prompt_and_first_line(jsonl: Write) -> None:
    found = load_scenario_file(jsonl(english(), chinese()))
    assert (found.broken, found.warnings) == ((), ())
    first, second = found.scenarios
    assert (first.id, first.language, first.tier, first.propensity) == ("a1_1", "en", "medium", 0.5)
    assert first.opening == "Hello, is the cape really waterproof?"
    assert first.customer_prompt == EN_CUSTOMER
    assert first.product == "DryRide Rain Cape One"
    assert (first.persona, first.reason) == (
        "Rational buyer. Weighs price against use.",
        "Cycles to work and wants to arrive dry",
    )
    assert (second.language, second.tier, second.propensity) == ("zh", "hard", 0.2)
    assert second.opening == "你好，这个壶重不重？"
    assert second.reason == "想给父母买一个省力的热水壶"
    assert first.source == second.source == "salesllm"


def test_a_product_block_becomes_facts_one_per_line_or_field(jsonl: Write) -> None:
    found = load_scenario_file(jsonl(english(), chinese()))
    facts = [
        [fact.text[scenario.language] for fact in found.campaigns[scenario.campaign].campaign.facts]
        for scenario in found.scenarios
    ]
    assert facts[0] == [
        "main_category: Sports",
        "title: DryRide Rain Cape One – Packable Poncho for Cyclists, Yellow",
        "price: $39.50",
        "Keeps rider and handlebar dry. Folds to the size of a fist.",
        "store: DryRide",
        "categories: Sports > Cycling",
        "Item Weight: 9.5 ounces",
        "Best Sellers Rank: ('Sports': 1234)",
        "Taped seams hold 10,000 mm of water",
    ]
    assert facts[1] == [
        "主分类：家居厨房",
        "标题：暖屋轻便热水壶，1.2升，不锈钢内胆",
        "价格：159元",
        "商店：暖屋",
        "分类: 厨房 > 水壶",
        "商品重量：0.9公斤",
        "轻便易提——壶身只有0.9公斤，老人单手就能倒水。",
    ]


@pytest.mark.parametrize(("row", "currency"), [(english(), "USD"), (chinese(), "CNY")])
def test_a_campaign_made_on_the_fly_passes_every_check_of_a_written_one(
    row: dict[str, Any], currency: str, jsonl: Write, tmp_path: Path
) -> None:
    found = load_scenario_file(jsonl(row))
    ((name, data),) = found.campaigns.items()
    assert data.campaign.name == name == found.scenarios[0].campaign
    assert data.campaign.currency == currency
    assert load_campaign(written(data, tmp_path / "campaign")) == data


@pytest.mark.parametrize(("row", "language"), [(english(), "en"), (chinese(), "zh")])
def test_the_frame_has_enough_examples_of_every_intent(row: dict[str, Any], language: Language, jsonl: Write) -> None:
    (data,) = load_scenario_file(jsonl(row)).campaigns.values()
    assert len(data.intents) >= 14
    for intent in data.intents:
        assert list(intent.examples) == [language]
        assert len(set(intent.examples[language])) >= 12, intent.name
    assert {"objection", "refusal", "agreement", "opt_out", "goodbye"} <= {intent.kind for intent in data.intents}
    assert set(data.campaign.sop.stages) == set(STAGES)


def test_a_whole_call_can_be_held_in_such_a_campaign(
    jsonl: Write, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = load_scenario_file(jsonl(chinese()))
    ((name, data),) = found.campaigns.items()
    few = tuple(intent.model_copy(update={"examples": {"zh": intent.examples["zh"][:4]}}) for intent in data.intents)
    monkeypatch.setattr("scripts_library.loading.CAMPAIGNS", tmp_path / "campaigns")
    written(CampaignData(data.campaign, few), tmp_path / "campaigns" / name)
    settings = Settings(home=own_home, llm="fake/scripted", _env_file=None)  # type: ignore[call-arg]
    calls = Calls(settings)
    calls.start(name, call="one", language="zh")
    for line in (found.scenarios[0].opening, "多少钱", "行，我要了", "再见"):
        calls.turn("one", line)
    record = calls.record("one")
    assert record["outcome"]["status"] == "won"
    assert all(turn["reply"] for turn in record["turns"])


def test_the_numbers_of_the_block_are_the_numbers_that_may_be_said(jsonl: Write) -> None:
    (data,) = load_scenario_file(jsonl(english())).campaigns.values()
    said = {found.quantity.value for fact in data.campaign.facts for found in find_quantities(fact.text["en"])}
    assert {39.5, 9.5, 10_000} <= said


NO_BLOCK = "您是一位专业的销售助理，专注于实际销售对话。"


@pytest.mark.parametrize(
    ("row", "name", "reasons", "why"),
    [
        (
            chinese(assistant_system_prompt=NO_BLOCK),
            "b2_2",
            ["no product block"],
            "the seller would have nothing to sell",
        ),
        (english(user_system_prompt="- Difficulty level: hard"), "a1_1", ["no customer block"], "nobody to play"),
        (
            chinese(assistant_system_prompt=NO_BLOCK, user_system_prompt="- 难度级别：困难"),
            "b2_2",
            ["no product block", "no customer block"],
            "both are named at once",
        ),
        (english(assistant_system_prompt=None), "a1_1", ["no product block"], "null is no prompt"),
        (
            english(assistant_system_prompt="PRODUCT_INFORMATION (private to you):\n\nRules:\n- Be kind."),
            "a1_1",
            ["no product block"],
            "an empty block names no product",
        ),
        ('{"id": "c3_3", "language": ', "line 1", ["not JSON"], "half a line has no id to be named by"),
        ("[1, 2]", "line 1", ["not a JSON object"], "a list is no row"),
        (english(id=None), "line 1", ["no id"], "a row must be named"),
        (english(id="a b/c"), "line 1", ["letters, digits"], "an id becomes the name of files"),
        (english(trigger_sentence_en="x" * 601), "a1_1", ["opening"], "what the schema refuses is told, not raised"),
    ],
)
def test_broken_rows_are_named_with_all_reasons_and_left_out(
    row: dict[str, Any] | str, name: str, reasons: list[str], why: str, jsonl: Write
) -> None:
    found = load_scenario_file(jsonl(row, english("good_1")))
    assert [scenario.id for scenario in found.scenarios] == ["good_1"], why
    ((broken, told),) = found.broken
    assert broken == name
    assert len(told) == len(reasons)
    assert all(reason in text for reason, text in zip(reasons, told, strict=True)), told


def test_half_a_character_stops_nothing(jsonl: Write) -> None:
    found = load_scenario_file(jsonl(json.dumps(english(trigger_sentence_en="Hello \ud83d", language="\ud83d"))))
    assert found.scenarios[0].opening == "Hello ?"
    assert found.warnings[0].reasons == ["declared language of the row is ?, but the prompts are English"]


def test_an_id_used_twice_breaks_the_second_row(jsonl: Write) -> None:
    found = load_scenario_file(jsonl(english(), english()))
    assert len(found.scenarios) == 1
    assert found.broken[0].id == "a1_1" and "line 2" in found.broken[0].reasons[0]


@pytest.mark.parametrize(
    ("row", "reason", "why"),
    [
        (english(language="chinese"), "declared language of the row is chinese", "as in a real row"),
        (chinese(language="english"), "declared language of the row is english", "the other way round"),
        (chinese(user_system_prompt=ZH_CUSTOMER.replace("语言: 中文", "语言: 英文")), "customer block is 英文", "declared inside"),
        (english(assistant_system_prompt=ZH_SELLER, language="zh"), "customer's prompt is not Chinese", "prompts differ"),
        (english(user_system_prompt=EN_CUSTOMER.replace("Cycles to work and wants to arrive dry", "")), "empty motivations", "nothing there"),
        (english(user_system_prompt=EN_CUSTOMER.replace("Cycles to work and wants to arrive dry", "[]")), "empty motivations", "an empty list"),
        (english(user_system_prompt=EN_CUSTOMER.replace("Cycles to work and wants to arrive dry", "N/A")), "empty motivations", "a word for nothing"),
        (chinese(user_system_prompt=ZH_CUSTOMER.replace("  - 动机: 想给父母买一个省力的热水壶\n", "")), "empty motivations", "no such field"),
        (english(user_system_prompt=EN_CUSTOMER.replace("0.5", "0.9")), "0.9 is outside the band of medium (0.4 to 0.7)", "too keen"),
        (chinese(user_system_prompt=ZH_CUSTOMER.replace("困难", "非常困难").replace("0.2", "0.3")), "0.3 is outside the band of very hard", "two words"),
        (english(user_system_prompt=EN_CUSTOMER.replace("medium", "moderate")), "unknown tier (moderate)", "not a tier's name"),
        (english(user_system_prompt=EN_CUSTOMER.replace("0.5", "high")), "no inclination between 0 and 1 (high)", "no number"),
        (english(user_system_prompt=EN_CUSTOMER.replace("0.5", "5")), "no inclination between 0 and 1 (5)", "another scale"),
        (english(trigger_sentence_en=" "), "no first line", "the customer has to begin somehow"),
    ],
)  # fmt: skip
def test_odd_rows_run_with_a_warning(row: dict[str, Any], reason: str, why: str, jsonl: Write) -> None:
    found = load_scenario_file(jsonl(row))
    assert not found.broken, why
    assert [finding.id for finding in found.warnings] == [found.scenarios[0].id]
    assert any(reason in text for text in found.warnings[0].reasons), found.warnings


@pytest.mark.parametrize(
    ("tier", "score", "odd"),
    [(tier, score, False) for tier, band in BANDS.items() for score in band]
    + [("easy", 0.69, True), ("medium", 0.39, True), ("medium", 0.71, True), ("hard", 0.09, True), ("hard", 0.41, True)]
    + [("very_hard", 0.21, True), ("adversarial", 0.11, True)],
)
def test_the_bands_include_their_ends(tier: str, score: float, odd: bool, jsonl: Write) -> None:
    prompt = EN_CUSTOMER.replace("medium", tier.replace("_", " ")).replace("0.5", str(score))
    found = load_scenario_file(jsonl(english(user_system_prompt=prompt)))
    assert (found.scenarios[0].tier, found.scenarios[0].propensity) == (tier, score)
    assert bool(found.warnings) == odd


def test_a_motivation_may_stand_below_its_key(jsonl: Write) -> None:
    below = EN_CUSTOMER.replace("motivations: Cycles to work", "motivations:\n      - Cycles to work")
    found = load_scenario_file(jsonl(english(user_system_prompt=below)))
    assert not found.warnings
    assert found.scenarios[0].reason == "Cycles to work and wants to arrive dry"


def test_the_language_is_that_of_the_prompts_whatever_is_declared(jsonl: Write) -> None:
    found = load_scenario_file(jsonl(english(language="chinese")))
    assert found.scenarios[0].language == "en"
    assert found.campaigns[found.scenarios[0].campaign].campaign.languages == ["en"]


def test_a_long_line_becomes_several_facts_and_loses_no_word() -> None:
    text = " ".join(f"This is sentence number {number} of a long description." for number in range(40))
    product = product_of(EN_SELLER.replace("Folds to the size of a fist.", text))
    assert product is not None
    assert max(map(len, product.facts)) <= 300
    assert text in " ".join(product.facts)


def test_the_block_ends_at_the_rules_and_not_at_a_field_of_that_name() -> None:
    product = product_of(EN_SELLER.replace("price: $39.50", "Rules: for two players\nName: Other\nBrand: Third"))
    assert product is not None
    assert "Rules: for two players" in product.facts
    assert product.facts[-1] == "Taped seams hold 10,000 mm of water"
    assert (product.name, product.store) == ("DryRide Rain Cape", "DryRide")


def test_a_claim_that_the_block_makes_itself_may_be_made(jsonl: Write) -> None:
    seller = EN_SELLER.replace("Taped seams", "Comes with a free gift. Taped seams")
    (plain,) = load_scenario_file(jsonl(english())).campaigns.values()
    (gift,) = load_scenario_file(jsonl(english(assistant_system_prompt=seller))).campaigns.values()
    assert [claim.id for claim in plain.campaign.forbidden] == ["false_urgency", "special_discount"]
    assert [claim.id for claim in gift.campaign.forbidden] == ["false_urgency"]


def test_the_target_can_be_hidden_among_peers(jsonl: Write) -> None:
    rows = [english(f"a_{number}", f"No{number}") for number in range(8)]
    found = load_scenario_file(jsonl(*rows))
    mixed = with_peers(found, 6, seed=3)
    assert [scenario.id for scenario in mixed.scenarios] == [f"a_{number}.x6" for number in range(8)]
    for scenario in mixed.scenarios:
        facts = [fact.text["en"] for fact in mixed.campaigns[scenario.campaign].campaign.facts]
        names = {fact.split(": ")[0] for fact in facts}
        assert scenario.product in names
        assert len(names) == scenario.products == 6
    assert with_peers(found, 6, seed=3) == mixed
    assert with_peers(found, 6, seed=4) != mixed
    places = {
        [fact.text["en"].split(": ")[0] for fact in mixed.campaigns[s.campaign].campaign.facts].index(s.product)
        for s in mixed.scenarios
    }
    assert len(places) > 2, "the target's place would tell it"


def test_too_few_products_are_refused(jsonl: Write) -> None:
    found = load_scenario_file(jsonl(*(english(f"a_{number}", f"No{number}") for number in range(6)), chinese()))
    with pytest.raises(BadInput, match=r"15 products wanted in 'en', but the file has 6"):
        with_peers(found, 15)
    with pytest.raises(BadInput, match=r"6 products wanted in 'zh', but the file has 1"):
        with_peers(found, 6)


def test_follow_ups_add_sessions_and_nothing_else(jsonl: Write) -> None:
    found = load_scenario_file(jsonl(english()))
    (again,) = with_follow_ups(found).scenarios
    assert (again.id, again.sessions) == ("a1_1.f2", 3)
    assert again.model_copy(update={"id": "a1_1", "sessions": 1}) == found.scenarios[0]


def test_thousands_of_blank_lines_in_a_row_cost_no_time() -> None:
    """A pattern that tries every way to split blank lines would take hours here, and the test's time limit would tell."""
    blank = "\n" * 20_000
    assert customer_field(blank + "- Difficulty: easy", "difficulty") == "easy"
    assert customer_block(blank + "nothing") == ""
    assert product_of(blank + "no product here" + blank) is None


def test_customers_without_a_model_have_as_much_to_ask_and_doubt_as_their_tier(jsonl: Write) -> None:
    path = jsonl(*(english(f"a{place}_1", f"Number {place}") for place in range(8)), chinese())
    found = load_scenario_file(path)
    for scenario in found.scenarios:
        plan, kinds = (
            tier_plans()[scenario.tier],
            {one.name: one.kind for one in found.campaigns[scenario.campaign].intents},
        )
        assert [kinds[name] for name in scenario.questions] == ["question"] * plan.questions
        assert [kinds[name] for name in scenario.objections] == ["objection"] * plan.objections
    assert len({tuple(one.questions + one.objections) for one in found.scenarios}) > 1, "not the same of all"
    assert found.scenarios == load_scenario_file(path).scenarios


def test_a_rule_buyer_on_these_rows_asks_and_decides(jsonl: Write) -> None:
    found = load_scenario_file(jsonl(english()))
    (scenario,) = found.scenarios
    buyer = RuleBuyer(scenario, found.campaigns[scenario.campaign], 0)
    record = made.record([made.turn(reply="Hello.")])
    for _ in range(scenario.max_turns):
        if (line := buyer.next_line(record)) is None:
            break
        record["turns"].append(made.turn(line, "Yes.", turn=len(record["turns"])))
    meant = [note.get("intent", "") for note in buyer.notes(record)]
    assert {*scenario.questions, *scenario.objections} & set(meant)
    assert buyer.notes(record)[-1]["decided"]
