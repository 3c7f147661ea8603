"""The Lantern Local campaign keeps what it says of itself: complete, bilingual, and clean under its own guardrails."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
import yaml

from guardrails.check import check_reply, check_sentence
from guardrails.context import Forbidden, GuardContext
from guardrails.quantities import allowed_quantities
from guardrails.sentences import split_sentences
from scripts_library.loading import CampaignData, bundled, load_campaign
from scripts_library.schema import ANY_INTENT, STAGES, Language

FOLDER = bundled()["lantern_local"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
SAMPLE = {
    "en": {"shop_name": "Rosie's Noodle Bar", "callback": "tomorrow at 3 pm"},
    "zh": {"shop_name": "老街面馆", "callback": "明天下午3点"},
}
HANDLED_BY_FIXED_LINES = {"angry", "wants_person", "opt_out"}
"""Intents that never reach a stage's scripts."""
LEFT_OPEN = {"bad_reviews"}
"""The hole that the README's desk section finds and fills."""


@cache
def data() -> CampaignData:
    return load_campaign(FOLDER)


def context(language: Language, **changes: object) -> GuardContext:
    campaign = data().campaign
    facts = [text for fact in campaign.facts for text in fact.text.values()]
    known = {
        "language": language,
        "allowed": allowed_quantities([*facts, *campaign.allowed.numbers]),
        "promises": tuple(campaign.allowed.promises[language]),
        "forbidden": tuple(
            Forbidden(claim.id, claim.reason, pattern)
            for claim in campaign.forbidden
            for pattern in claim.patterns[language]
        ),
        "internal_terms": tuple(campaign.internal_terms[language]),
        "slots": {"callback": SAMPLE[language]["callback"]},
        "slot_quantities": allowed_quantities([SAMPLE[language]["callback"]]),
        "max_chars": campaign.max_chars[language],
    }
    return GuardContext(**{**known, **changes})  # type: ignore[arg-type]


def approved(language: Language) -> Iterator[tuple[str, str]]:
    """Yield every approved line, filled, with where it stands."""
    campaign = data().campaign
    lines = [(script.id, line) for script in data().scripts if script.language == language for line in script.say]
    lines += [(stage, line) for stage, plan in campaign.sop.stages.items() for line in plan.fallback[language]]
    lines += [(name, line) for name, by_language in campaign.lines for line in by_language[language]]
    lines += [(slot.name, slot.ask[language]) for slot in campaign.slots if slot.ask]
    lines += [(fact.id, fact.text[language]) for fact in campaign.facts]
    for where, line in [*lines, ("disclosure", campaign.agent.disclosure[language])]:
        yield where, PLACEHOLDER.sub(lambda match: SAMPLE[language][match.group(1)], line)


def alarms(text: str, known: GuardContext) -> list[str]:
    hits = [hit for sentence in split_sentences(text) for hit in check_sentence(sentence, known)]
    return [f"{hit['name']}: {hit['text']}" for hit in [*hits, *check_reply(text, known)]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_intent_has_examples_enough_to_learn_from(language: Language) -> None:
    short = {intent.name: len(intent.examples[language]) for intent in data().intents}
    assert len(short) >= 14
    assert {name for name, count in short.items() if count < 25} == set()
    assert {intent.stage for intent in data().intents} >= {"analysis", "objection", "close"}


def test_no_example_stands_under_two_intents() -> None:
    lines = [line.lower() for intent in data().intents for lines in intent.examples.values() for line in lines]
    assert [line for line, count in Counter(lines).items() if count > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_scripts_cover_every_stage_and_intent(language: Language) -> None:
    scripts = [script for script in data().scripts if script.language == language]
    assert len(scripts) >= 45
    assert all(script.status == "published" for script in scripts)
    general = Counter(script.stage for script in scripts if script.intent == ANY_INTENT)
    assert all(general[stage] >= 3 for stage in STAGES), general
    intents = {intent.name for intent in data().intents} - HANDLED_BY_FIXED_LINES - LEFT_OPEN
    assert intents - {script.intent for script in scripts} == set()
    met = {(script.stage, script.intent) for script in scripts}
    assert {i.name for i in data().intents if i.stage and (i.stage, i.name) not in met} == LEFT_OPEN, (
        "an intent's own stage has no script"
    )
    closing = {(stage, intent) for stage in STAGES for intent in ("not_interested", "goodbye")}
    assert closing - met == set(), "a refusal or goodbye would be answered by a general pitch"


def test_english_and_chinese_scripts_are_twins() -> None:
    def shape(language: str) -> list[tuple[str, list[str]]]:
        chosen = [script for script in data().scripts if script.language == language]
        return [(script.id.replace(f"ll-{language}-", ""), script.facts) for script in chosen]

    assert shape("en") == shape("zh")


def test_a_script_is_short_and_always_has_a_line_without_placeholders() -> None:
    ids = {}
    for script in data().scripts:
        english = script.language == "en"
        ids[script.id] = [
            *(f"say too long: {line}" for line in script.say if len(line) > (220 if english else 90)),
            *(f"two questions: {line}" for line in script.say if len(re.findall("[?？]", line)) > 1),
            *(f"step too long: {s}" for s in script.outline if (len(s.split()) > 12 if english else len(s) > 20)),
            *(["no line without placeholders"] if all(PLACEHOLDER.search(line) for line in script.say) else []),
        ]
    assert {name: faults for name, faults in ids.items() if faults} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_situations_and_the_demo_are_not_copies_of_the_training_examples(language: Language) -> None:
    examples = {line.lower() for intent in data().intents for line in intent.examples[language]}
    demo = yaml.safe_load((FOLDER / "demo_customer.yaml").read_text(encoding="utf-8"))[language]
    situations = [line for s in data().scripts if s.language == language for line in s.situation]
    assert 9 <= len(demo) <= 11
    assert [line for line in [*demo, *situations] if line.lower() in examples] == []


def test_both_languages_state_the_same_numbers() -> None:
    def numbers(text: str) -> set[tuple[str, float, str]]:
        found = {(q.kind, q.value, q.unit) for q in allowed_quantities([text])}
        return {quantity for quantity in found if quantity[0] != "count" or quantity[1] > 1}

    differing = {
        fact.id: (numbers(fact.text["en"]), numbers(fact.text["zh"]))
        for fact in data().campaign.facts
        if numbers(fact.text["en"]) != numbers(fact.text["zh"])
    }
    assert differing == {}


def test_the_facts_fit_into_every_prompt() -> None:
    facts = data().campaign.facts
    assert len(facts) <= 16
    assert sum(len(fact.text["en"]) for fact in facts) / 4 <= 400, "about four characters a token"
    assert sum(len(fact.text["zh"]) for fact in facts) <= 500, "at most a token a character"


def test_strategies_cover_the_three_levels() -> None:
    levels = Counter(strategy.level for strategy in data().campaign.strategies)
    assert levels.total() >= 6
    assert set(levels) == {"goal", "flow", "tactic"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_approved_line_raises_an_alarm(language: Language) -> None:
    known = context(language)
    found = [(where, line, hits) for where, line in approved(language) if (hits := alarms(line, known))]
    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_after_a_refusal_do_not_press(language: Language) -> None:
    known = context(language, refused=True)
    chosen = [s for s in data().scripts if s.language == language and s.intent in ("not_interested", "goodbye")]
    lines = [line for script in chosen for line in script.say if not PLACEHOLDER.search(line)]
    lines += [*data().campaign.lines.farewell[language], *data().campaign.lines.opt_out[language]]
    assert [(line, hits) for line in lines if (hits := alarms(line, known))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_can_use_every_script_in_turn_without_repeating_itself(language: Language) -> None:
    lines = [line for script in data().scripts if script.language == language for line in script.say]
    assert [line for line, count in Counter(lines).items() if count > 1] == []


CLAIMS = [
    ("guaranteed_results", "We guarantee more orders for your shop.", "我们保证您的订单增加。"),
    ("guaranteed_results", "This will double your sales.", "您的营业额能翻一倍。"),
    ("exclusive_position", "You get the first place in the search.", "您的店会一直排第一。"),
    ("defamed_competitor", "The other platform is ripping you off.", "美团就是在坑商家。"),
    ("free_forever", "The storefront is free forever.", "店铺永久免费。"),
    ("endorsement", "We are backed by the city council.", "我们是政府指定的合作平台。"),
    ("false_urgency", "This price ends today.", "名额有限，今天截止。"),
    ("fear_or_herd", "All your neighbours are with us.", "您隔壁的店都已经加入了。"),
    ("special_discount", "I have a special discount for you.", "我给您申请内部优惠。"),
]


@pytest.mark.parametrize(("claim", "english", "chinese"), CLAIMS)
def test_a_forbidden_claim_is_caught_in_both_languages(claim: str, english: str, chinese: str) -> None:
    patterns = next(item.patterns for item in data().campaign.forbidden if item.id == claim)
    for language, sentence in (("en", english), ("zh", chinese)):
        assert any(re.search(pattern, sentence, re.IGNORECASE) for pattern in patterns[language]), sentence  # type: ignore[index]


HONEST = [
    ("en", "I can't guarantee orders, and nobody can.", "a denied guarantee is honest"),
    ("en", "The trial is 14 days free.", "a free trial is a fact"),
    ("en", "You can keep your other platform.", "other platforms may be named"),
    ("en", "Take your time, the trial has no deadline.", "no urgency"),
    ("zh", "我们不能保证订单。", "否认保证"),
    ("zh", "试用免费14天。", "免费试用是事实"),
    ("zh", "美团您可以继续用。", "可以提到别的平台"),
    ("zh", "试用到期自动结束，不扣费。", "没有期限压力"),
]


@pytest.mark.parametrize(("language", "sentence", "why"), HONEST)
def test_an_honest_sentence_is_no_forbidden_claim(language: Language, sentence: str, why: str) -> None:
    caught = [
        claim.id
        for claim in data().campaign.forbidden
        for pattern in claim.patterns[language]
        if re.search(pattern, sentence, re.IGNORECASE)
    ]
    assert caught == [], why
