"""The four methods with a teacher that does well, and with ones that do not."""

import json
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from evaluation.scenarios.loading import bundled_campaigns
from graph.errors import BadInput
from nodes.prompting import estimate_tokens
from serving.fakes import FakeReply
from tests.training.synthesis.teachers import FakeTeacher, Write, extracted, good, transcript, written
from training.corpus.schema import Dialogue, write_dialogues
from training.synthesis import extraction, prefix, role_play, simulation
from training.synthesis.pools import pool_of, read_transcripts
from training.synthesis.run import METHODS, make_one
from training.synthesis.scene import Workshop, expert_answers

Shop = Callable[..., tuple[Workshop, FakeTeacher]]


def made(shop: Workshop, method: str, number: int = 0) -> Any:
    return make_one(shop, method, next(islice(METHODS[method].scenes(shop), number, None)))


@pytest.mark.parametrize("method", METHODS)
def test_a_good_teacher_makes_a_dialogue_that_knows_where_it_comes_from(make_shop: Shop, method: str) -> None:
    shop, _ = make_shop(good())
    one = made(shop, method)
    dialogue: Dialogue = one.dialogue
    assert one.failure == ""
    assert dialogue.turns[0].role == dialogue.turns[-1].role == "agent"
    assert len(dialogue.turns) >= 5
    assert dialogue.source.method == method
    assert dialogue.source.model == "fake-teacher"
    assert len(dialogue.source.prompt_hash) == 16
    assert dialogue.source.seeds
    assert dialogue.split == "train"
    assert dialogue.strategy in [strategy.id for strategy in shop.data.campaign.strategies]


def test_the_pools_are_disjoint_random_and_stay(make_shop: Shop) -> None:
    shop, _ = make_shop(good())
    extracted_from = {scene.seeds[0] for scene in extraction.scenes(shop)}
    played_from = {scene.seeds[0] for scene in role_play.scenes(shop)}
    assert extracted_from.isdisjoint(played_from)
    assert extracted_from | played_from == {one.id for one in shop.transcripts}
    assert 10 <= len(extracted_from) <= 30
    assert {one.id for one in shop.transcripts if pool_of(one.id, 0) == "extraction"} == extracted_from
    assert {one.id for one in shop.transcripts if pool_of(one.id, 1) == "extraction"} != extracted_from


def test_the_expert_pair_stands_last_word_for_word(make_shop: Shop) -> None:
    for campaign, language in (("save_the_children", "en"), ("lantern_local", "zh")):
        shop, _ = make_shop(good(), campaign, language)
        pairs = {(one.question, one.answer) for one in expert_answers(campaign, shop.language)}
        for number in range(3):
            turns = made(shop, "prefix", number).dialogue.turns
            assert (turns[-2].text, turns[-1].text) in pairs
            assert turns[0].text in [line.text for line in turns if line.stage == "opening"]


def test_an_exchange_that_takes_the_experts_answer_away_is_left_out(make_shop: Shop) -> None:
    shop, _ = make_shop(good())
    scene = next(prefix.scenes(shop))
    assert scene.expert
    early = {"customer": scene.expert.question, "agent": "Let me see."}

    shop, _ = make_shop(lambda kind, last: json.dumps({"turns": [early, *written()]}))
    turns = make_one(shop, "prefix", scene).dialogue.turns  # type: ignore[union-attr]
    assert [turn.text for turn in turns].count(scene.expert.question) == 1
    assert len(turns) == 1 + 6 + 2

    shop, _ = make_shop(lambda kind, last: json.dumps({"turns": [early, early, written()[0]]}))
    assert "before its time" in make_one(shop, "prefix", scene).failure


def test_expert_answers_come_again_with_other_company(make_shop: Shop) -> None:
    shop, _ = make_shop(good())
    count = len(expert_answers("save_the_children", "en"))
    scenes = list(islice(prefix.scenes(shop), 2 * count))
    assert len({scene.id for scene in scenes}) == 2 * count
    assert {scene.seeds for scene in scenes[:count]} == {scene.seeds for scene in scenes[count:]}
    again = {scene.seeds: (scene.profile, scene.strategy.id) for scene in scenes[:count]}
    assert any(again[scene.seeds] != (scene.profile, scene.strategy.id) for scene in scenes[count:])


def test_extraction_takes_only_what_the_campaign_knows(make_shop: Shop) -> None:
    shop, model = make_shop(good())
    dialogue = made(shop, "extraction").dialogue
    assert dialogue.profile == {"age_group": "under_30"}
    assert dialogue.strategy == "answer-then-ask"
    assert next(turn.thought for turn in dialogue.turns if turn.thought) == "Greets; ask what they know."
    shown = str(model.seen[0][-1].content)
    assert "555-123-4567" not in shown
    assert "[phone]" in shown


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({"strategy": "push-hard"}, "is no candidate"),
        ({"opening": ""}, "no opening"),
        ({"turns": []}, "no exchange"),
        ({"turns": written(7)}, "of its words stand in the transcript"),
    ],
)
def test_an_extraction_that_cannot_be_believed_is_refused(
    make_shop: Shop, change: dict[str, Any], failure: str
) -> None:
    shop, model = make_shop(lambda kind, last: json.dumps(extracted() | change))
    one = made(shop, "extraction")
    assert one.dialogue is None
    assert failure in one.failure
    assert model.asked == 2


def test_forbidden_sentences_of_people_never_reach_the_teacher(make_shop: Shop) -> None:
    shop, _ = make_shop(good())
    turns = transcript("x").turns
    turns[0] = turns[0].model_copy(update={"text": "Hello. I donated a lot myself. Every penny goes to the children."})
    assert extraction.readable(shop, turns)[0].text == "Hello."


def test_only_the_seller_sees_profile_and_strategy(make_shop: Shop) -> None:
    shop, model = make_shop(good())
    scene = next(role_play.scenes(shop))
    make_one(shop, "role_play", scene)
    told = (scene.strategy.text["en"], shop.told_profile(scene.profile))
    sides: dict[bool, list[str]] = {True: [], False: []}
    for prompt in model.seen:
        whole = "\n".join(str(message.content) for message in prompt)
        sides["You are the seller" in whole].append(whole)
    assert sides[True] and sides[False]
    assert all(words in whole for whole in sides[True] for words in told)
    assert not any(words in whole for whole in sides[False] for words in told)


def test_without_transcripts_role_play_begins_with_the_scripts_situations(make_shop: Shop) -> None:
    shop, _ = make_shop(good(), "lantern_local", "zh", transcripts=[])
    scenes = list(islice(role_play.scenes(shop), 50))
    situations = {line for script in shop.data.scripts if script.language == "zh" for line in script.situation}
    assert {scene.opening for scene in scenes} <= situations
    assert len({scene.id for scene in scenes}) == 50


@pytest.mark.parametrize("manager", ["graph", "model"])
def test_simulation_records_what_sales_proposed_and_what_the_manager_decided(
    make_shop: Shop, loaded_home: Any, manager: str
) -> None:
    def write(kind: str, last: str) -> str:
        if kind == "sales":
            return json.dumps({"line": next(lines), "next_stage": "close"})
        return next(said) if kind == "customer" else json.dumps({"stage": "objection"})

    lines = iter(("It helps children in about 120 countries.", "Nearly 9 out of every 10 dollars go to programs.", "I understand.", "It is voluntary.", "That is fine."))  # fmt: skip
    said = iter(("What does Save the Children do?", "I do not trust charities, they waste it.", "I have to think.", "Hm, maybe.", "Let me see."))  # fmt: skip
    shop, _ = make_shop(write, manager=manager)
    turns = made(shop, "simulation").dialogue.turns
    agents = [turn for turn in turns if turn.role == "agent"]
    assert [turn.proposed for turn in agents[:3]] == ["", "", "close"]
    assert agents[0].stage == "opening"
    if manager == "model":
        assert {turn.stage for turn in agents[1:]} == {"objection"}
    else:
        assert agents[1].stage == "analysis"
        assert agents[2].stage != "close"
        assert all(turn.intent for turn in turns if turn.role == "customer")


def test_the_graph_as_manager_ends_the_call_with_the_campaigns_line(make_shop: Shop, loaded_home: Any) -> None:
    shop, _ = make_shop(lambda kind, last: "Stop calling me, take me off your list!", manager="graph")
    dialogue = made(shop, "simulation").dialogue
    assert dialogue.outcome == "opted_out"
    assert len(dialogue.turns) == 3
    assert dialogue.turns[-1].text in shop.data.campaign.lines.opt_out["en"]


def test_the_manager_may_only_name_a_legal_stage(make_shop: Shop) -> None:
    def write(kind: str, last: str) -> str:
        return json.dumps({"stage": "close"}) if kind == "manager" else good()(kind, last)

    shop, _ = make_shop(write)
    assert "the Manager named stage 'close'" in made(shop, "simulation").failure


def test_a_reply_that_breaks_a_rule_is_asked_for_once_more(make_shop: Shop) -> None:
    replies = iter(["I donated 500 dollars myself!", *("It is your choice.", "Any amount is welcome.") * 9])
    teacher = good()
    shop, _ = make_shop(lambda kind, last: next(replies) if kind == "seller" else teacher(kind, last))
    dialogue = made(shop, "role_play").dialogue
    assert "500" not in " ".join(turn.text for turn in dialogue.turns)
    assert dialogue.turns[2].text == "It is your choice."


def test_a_customer_who_speaks_as_the_seller_is_asked_once_more(make_shop: Shop) -> None:
    said = iter(("How can I help you today?", "What does it cost me?", *(f"And number {n}?" for n in range(9))))
    teacher = good()
    shop, _ = make_shop(lambda kind, last: next(said) if kind == "customer" else teacher(kind, last))
    turns = made(shop, "simulation").dialogue.turns
    assert turns[1].text == "What does it cost me?"


BAD: dict[str, Write] = {
    "empty": lambda kind, last: "",
    "prose": lambda kind, last: "Here is the call you asked for: hello!",
    "cut": lambda kind, last: '{"turns": [{"customer": "Hello, I am',
    "empty object": lambda kind, last: "{}",
    "wrong roles": lambda kind, last: json.dumps({"turns": [{"role": "seller", "text": "Hi"}] * 3}),
}


@pytest.mark.parametrize("method", ["extraction", "prefix"])
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_answer_is_a_failure_with_its_reason(make_shop: Shop, method: str, bad: str) -> None:
    shop, _ = make_shop(BAD[bad])
    one = made(shop, method)
    assert one.dialogue is None
    assert one.failure


@pytest.mark.parametrize(
    ("method", "silent", "failure"),
    [
        ("simulation", "customer", "said nothing, twice"),
        ("role_play", "customer", "said nothing, twice"),
        ("simulation", "sales", "an empty answer"),
        ("role_play", "seller", "the seller said nothing"),
    ],
)
def test_a_side_that_says_nothing_ends_the_attempt(make_shop: Shop, method: str, silent: str, failure: str) -> None:
    teacher = good()
    shop, _ = make_shop(lambda kind, last: "" if kind == silent else teacher(kind, last))
    assert failure in made(shop, method).failure


def test_a_cut_answer_keeps_its_whole_exchanges(make_shop: Shop) -> None:
    whole = json.dumps({"turns": written()})
    shop, _ = make_shop(lambda kind, last: whole[: whole.rindex("Good, because") + 5])
    assert len(made(shop, "prefix").dialogue.turns) == 1 + 4 + 2


@pytest.mark.parametrize(
    ("campaign", "language"), [("save_the_children", "en"), ("lantern_local", "en"), ("lantern_local", "zh")]
)
@pytest.mark.parametrize("method", METHODS)
def test_prompts_are_short_enough_for_a_small_teacher(
    make_shop: Shop, method: str, campaign: str, language: str
) -> None:
    shop, model = make_shop(good(), campaign, language)
    made(shop, method)
    longest = max(sum(estimate_tokens(str(message.content)) for message in prompt) for prompt in model.seen)
    assert longest < 900


def test_seeds_of_tests_are_never_made_from(tmp_path: Any) -> None:
    path = tmp_path / "seeds.jsonl"
    write_dialogues(path, [transcript("a"), transcript("b", "test"), transcript("c", "dev")])
    assert [one.id for one in read_transcripts(str(path), "save_the_children", "en")] == ["a", "c"]
    write_dialogues(path, [transcript("b", "test")])
    with pytest.raises(BadInput, match="all 1 of them are test dialogues"):
        read_transcripts(str(path), "save_the_children", "en")
    with pytest.raises(BadInput, match="there is none"):
        read_transcripts(str(path), "lantern_local", "zh")


def test_the_bundled_calls_are_seeds() -> None:
    found = read_transcripts("persuasion", "save_the_children", "en")
    assert {one.split for one in found} == {"train", "dev"}
    assert len(found) > 100


def test_every_greeting_can_be_said_without_a_profile(make_shop: Shop) -> None:
    for name, data in bundled_campaigns().items():
        for language in data.campaign.languages:
            shop, _ = make_shop(good(), name, language)
            assert "{" not in shop.greeting(next(prefix.scenes(shop))).text


def test_a_broken_server_is_no_fault_of_the_scene(make_shop: Shop) -> None:
    from graph.errors import ModelUnavailable

    shop, _ = make_shop(lambda kind, last: FakeReply(error="connection lost"))
    for method in METHODS:
        with pytest.raises(ModelUnavailable):
            made(shop, method)


def test_simulation_scenes_never_end_and_never_repeat(make_shop: Shop) -> None:
    shop, _ = make_shop(good())
    names = [scene.id for scene in islice(simulation.scenes(shop), 100)]
    assert len(set(names)) == 100
