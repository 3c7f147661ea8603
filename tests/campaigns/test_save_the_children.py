"""The save_the_children campaign: true to its facts, honest for a machine, and drawn from the train split."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest
import yaml

from guardrails.check import check_reply, check_sentence
from guardrails.privacy import mask
from guardrails.quantities import allowed_quantities
from guardrails.sentences import split_sentences
from scripts_library.fact_sheet import fact_sheet
from scripts_library.loading import CampaignData, bundled, load_campaign
from scripts_library.persuasion import RecordedCall, labelled_examples, read_calls, split_of
from scripts_library.schema import ANY_INTENT, STAGES

FOLDER = bundled()["save_the_children"]
SAMPLE = {"first_name": "Robin", "donation": "35 cents"}
WRITTEN_HERE = {"opt_out", "wants_person", "angry"}


@cache
def data() -> CampaignData:
    return load_campaign(FOLDER)


@cache
def calls() -> dict[str, RecordedCall]:
    return {call.id: call for call in read_calls(FOLDER / "data")}


def filled(line: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: SAMPLE[match.group(1)], line)


def approved() -> Iterator[tuple[str, str]]:
    campaign = data().campaign
    yield from ((script.id, line) for script in data().scripts for line in script.say)
    yield from ((name, line) for name, lines in campaign.lines for line in lines["en"])
    yield from ((stage, line) for stage, plan in campaign.sop.stages.items() for line in plan.fallback["en"])
    yield from ((slot.name, slot.ask["en"]) for slot in campaign.slots if slot.ask)
    yield from ((fact.id, fact.text["en"]) for fact in campaign.facts)
    yield "disclosure", campaign.agent.disclosure["en"]


def breaches(text: str, **changes: object) -> list[str]:
    rules = replace(
        fact_sheet(data().campaign, "en"),
        slots={"donation": SAMPLE["donation"]},
        slot_quantities=allowed_quantities([SAMPLE["donation"]]),
        personal=(SAMPLE["first_name"],),
        **changes,  # type: ignore[arg-type]
    )
    hits = [hit for sentence in split_sentences(text) for hit in check_sentence(sentence, rules)]
    return [f"{hit['name']}: {hit['text']}" for hit in [*hits, *check_reply(text, rules)]]


def test_no_approved_line_breaks_a_rule() -> None:
    broken = {(where, line): hits for where, line in approved() if (hits := breaches(filled(line)))}
    assert broken == {}


def test_the_answers_to_a_no_pass_the_rules_for_a_call_with_a_refusal() -> None:
    lines = [line for script in data().scripts if script.intent == "disagree-donation" for line in script.say]
    lines += data().campaign.lines.farewell["en"]
    assert len(lines) >= 8
    assert {line: hits for line in lines if (hits := breaches(filled(line), refused=True))} == {}


MUST_NOT_BE_SAID = [
    "I donated all of my payment too.", "I'll match your donation.", "Your gift is fully tax deductible.",
    "Every penny goes to the children.", "Just $1 will save a child.", "Meet a little girl called Amina.",
    "I work for Save the Children.", "My kids mean the world to me.", "You can give by credit card.",
    "How can you refuse when children suffer?", "About 97% of the money goes to programs.", "It costs only $5.",
    "We at Save the Children thank you.", "As a mother, I know how it feels.", "Sign up for a monthly donation.",
]  # fmt: skip


@pytest.mark.parametrize("line", MUST_NOT_BE_SAID)
def test_what_the_campaign_forbids_is_caught(line: str) -> None:
    assert breaches(line)


def test_lines_are_brief_with_at_most_one_question_and_each_script_can_always_speak() -> None:
    for script in data().scripts:
        assert any("{" not in line for line in script.say), script.id
        for line in script.say:
            assert len(line) <= 240, script.id
            assert line.count("?") <= 1, script.id
            assert len(re.findall(r"[.!?](?=\s|$)", line)) <= 2, script.id


def test_every_stage_has_general_scripts_and_every_act_has_one_of_its_own() -> None:
    scripts = data().scripts
    assert len(scripts) >= 45
    assert {script.status for script in scripts} == {"published"}
    general = Counter(script.stage for script in scripts if script.intent == ANY_INTENT)
    assert {stage for stage in STAGES if general[stage] < 3} == set()
    assert {intent.name for intent in data().intents} - {script.intent for script in scripts} == WRITTEN_HERE
    for intent in data().intents:
        if intent.stage:
            assert any(script.intent == intent.name and script.stage == intent.stage for script in scripts), intent.name


def test_every_script_names_a_successful_call_of_the_train_split() -> None:
    for script in data().scripts:
        found = re.fullmatch(r"persuasion_for_good:(\S+), reviewed", script.source)
        assert found, script.id
        assert calls()[found.group(1)].won, script.id
        assert split_of(found.group(1)) == "train", script.id


def test_the_intents_are_the_unmerged_acts_and_what_stops_the_agent() -> None:
    acts = {example.label for example in labelled_examples("save_the_children")}
    assert len(acts) == 23
    assert {intent.name for intent in data().intents} == acts | WRITTEN_HERE
    assert {intent.kind for intent in data().intents} >= {
        "opt_out",
        "handoff",
        "off_topic",
        "refusal",
        "agreement",
        "goodbye",
    }


def test_examples_of_the_acts_come_from_the_train_split_alone() -> None:
    acts = labelled_examples("save_the_children")
    train = {(act.label, act.text) for act in acts if split_of(act.dialogue) == "train"}
    elsewhere = {(act.label, act.text) for act in acts} - train
    for intent in data().intents:
        examples = intent.examples["en"]
        assert 12 <= len(examples) <= 25, intent.name
        if intent.name in WRITTEN_HERE:
            continue
        assert [example for example in examples if mask(example) != example] == [], intent.name
        foreign = [example for example in examples if (intent.name, example) not in train]
        assert len(foreign) <= (6 if intent.name == "disagree-donation-more" else 0), (intent.name, foreign)
        assert not [example for example in foreign if (intent.name, example) in elsewhere], intent.name


def test_the_facts_are_few_and_short() -> None:
    facts = [fact.text["en"] for fact in data().campaign.facts]
    assert len(facts) <= 14
    assert sum(len(text) for text in facts) / 4 <= 400, "four characters a token"


def test_the_gift_lies_within_the_task_payment() -> None:
    (donation,) = [slot for slot in data().campaign.slots if slot.name == "donation"]
    assert (donation.kind, donation.minimum, donation.maximum) == ("amount", 0.01, 2)


def test_the_demo_customer_is_a_real_one_of_the_test_split_who_gave() -> None:
    demo = yaml.safe_load((FOLDER / "demo_customer.yaml").read_text(encoding="utf-8"))
    call = calls()[demo["id"]]
    assert call.won
    assert split_of(call.id) == "test"
    assert demo["en"] == [turn.text for turn in call.turns if turn.role == "customer"]
    assert 8 <= len(demo["en"]) <= 12
