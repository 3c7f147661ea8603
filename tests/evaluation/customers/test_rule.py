"""The rule buyer: the same customer every time, moved by the agent's words alone."""

import re
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from evaluation.customers.rule import Mood, RuleBuyer
from evaluation.customers.wording import FOLDER, GENERIC, Roles, Wording, read_book
from evaluation.scenarios.loading import DATA
from graph.records import ConversationRecord
from guardrails.signals import find_signals
from nodes.intent_data import campaign_examples
from scripts_library.loading import CampaignData
from scripts_library.schema import Intent
from tests.evaluation.customers.samples import (
    CHARITY,
    GOOD,
    IDLE,
    LANTERN,
    PUSHY,
    decision,
    lines,
    of,
    record,
    scenario,
    talk,
)  # fmt: skip


def bought(agent: list[str], n: int = 60, **changes: Any) -> int:
    """Count how many of n customers buy from an agent."""
    won = 0
    for seed in range(n):
        buyer = RuleBuyer(scenario(**changes), LANTERN, seed)
        won += decision(buyer, talk(buyer, agent)) == "buys"
    return won


@pytest.mark.parametrize("agent", [GOOD, PUSHY, IDLE, [""], ["word " * 5000]])
def test_the_same_seed_gives_the_same_call_and_every_call_ends(agent: list[str]) -> None:
    first, second = (talk(RuleBuyer(scenario(), LANTERN, 7), agent) for _ in range(2))
    assert first == second
    assert 3 <= len(lines(first)) <= 14


def test_seeds_give_different_calls() -> None:
    assert len({tuple(lines(talk(RuleBuyer(scenario(), LANTERN, seed), GOOD))) for seed in range(10)}) == 10


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_call_that_was_cut_goes_on_as_if_it_had_not_been(cut: int) -> None:
    straight = talk(RuleBuyer(scenario(), LANTERN, 1), GOOD)
    part: ConversationRecord = {**straight, "turns": straight["turns"][:cut]}
    fresh = RuleBuyer(scenario(), LANTERN, 1)
    assert fresh.next_line(part) == straight["turns"][cut]["customer"]
    while (line := fresh.next_line(part)) is not None:
        number = len(part["turns"])
        part["turns"].append({"turn": number, "customer": line, "reply": GOOD[(number - 1) % len(GOOD)]})
    assert part == straight
    assert fresh.notes(straight) == RuleBuyer(scenario(), LANTERN, 1).notes(straight)


def test_asking_twice_for_the_next_line_changes_nothing() -> None:
    buyer, call = RuleBuyer(scenario(), LANTERN, 1), record()
    assert buyer.next_line(call) == buyer.next_line(call)
    assert buyer.notes(call) == []


def test_one_buyer_may_be_asked_about_two_calls_in_turn() -> None:
    one, other = talk(RuleBuyer(scenario(), LANTERN, 1), GOOD), talk(RuleBuyer(scenario(), LANTERN, 1), PUSHY)
    buyer = RuleBuyer(scenario(), LANTERN, 1)
    before = buyer.notes(one)
    assert buyer.notes(other) != before
    assert buyer.notes(one) == before


def test_it_reads_nothing_but_words() -> None:
    plain = record(("Hello", GOOD[0]), ("I run a bakery", GOOD[1]))
    told = record(("Hello", GOOD[0]), ("I run a bakery", GOOD[1]))
    for turn in told["turns"]:
        turn.update({"intent": "agrees", "stage": "close", "outcome": "won", "confidence": 1.0})
    assert RuleBuyer(scenario(), LANTERN, 1).next_line(plain) == RuleBuyer(scenario(), LANTERN, 1).next_line(told)


def test_an_agent_that_answers_sells_more_than_one_that_talks_beside_the_point_or_pushes() -> None:
    good, idle, pushy = bought(GOOD), bought(IDLE), bought(PUSHY)
    assert good > idle + 10
    assert good > pushy + 10


def test_the_tiers_buy_in_their_order() -> None:
    counts = [bought(GOOD, propensity=p) for p in (0.8, 0.5, 0.2, 0.05)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] + 20


def test_a_middling_mood_buys_with_the_propensity_of_its_scenario() -> None:
    for propensity in (0.8, 0.5, 0.2, 0.05):
        assert Mood(propensity, None, proposed=True).chance() == pytest.approx(propensity)


def test_prices_above_the_limit_lose_customers() -> None:
    assert bought(GOOD, price_limit=250) > bought(GOOD, price_limit=50) + 10


def test_what_is_told_only_when_asked_is_not_told_unasked() -> None:
    silent = [line for line in GOOD if "?" not in line]
    for seed in range(10):
        said = " ".join(lines(talk(RuleBuyer(scenario(), LANTERN, seed), silent)))
        assert "afternoon" not in said
    asked = talk(RuleBuyer(scenario(), LANTERN, 1), GOOD)
    assert "More people in the afternoon" in lines(asked)


def test_contact_is_given_only_by_those_who_buy_and_then_always() -> None:
    for seed in range(30):
        buyer = RuleBuyer(scenario(), LANTERN, seed)
        call = talk(buyer, GOOD)
        assert ("138 0000 9999" in " ".join(lines(call))) == (decision(buyer, call) == "buys")


def test_every_question_and_objection_is_said_to_an_agent_that_answers() -> None:
    buyer = RuleBuyer(scenario(patience=12), LANTERN, 3)
    meant = [note.get("intent") for note in buyer.notes(talk(buyer, GOOD))]
    assert {"price_question", "ask_setup", "no_trust"} <= set(meant)


def test_pressed_after_a_no_some_customers_opt_out_for_good() -> None:
    def after_no(seed: int, reply: str) -> str:
        buyer = RuleBuyer(scenario(propensity=0.05, tier="adversarial"), LANTERN, seed)
        goes_on = iter([*GOOD[:4]] * 3)
        noes = set(read_book("lantern_local").lines["not_interested"]["en"])
        replies: list[str] = []

        def agent(line: str) -> str:
            replies.append(reply if replies[-1:] == [reply] or line in noes else next(goes_on))
            return replies[-1]

        return decision(buyer, talk(buyer, agent))

    pressed = [after_no(seed, "Are you sure? Come on, just give it a try!") for seed in range(40)]
    let_go = [after_no(seed, "No problem at all. Goodbye!") for seed in range(40)]
    assert 10 < pressed.count("opts_out") < 40
    assert "opts_out" not in let_go


def test_patience_ends_in_hanging_up() -> None:
    buyer = RuleBuyer(scenario(), LANTERN, 1)
    call = talk(buyer, [""])
    assert decision(buyer, call) == "hangs_up"
    assert buyer.notes(call)[-1]["patience"] == 0


def test_a_believed_lie_counts_as_an_answer() -> None:
    lie = ["It is 5 yuan a month." if "199" in line else line for line in GOOD]
    assert bought(lie) >= bought(GOOD)


def test_a_giver_names_an_amount_within_its_limit() -> None:
    agent = [
        "Save the Children is an international charity for children's health.",
        "It works in about 120 countries, and I understand your worry.",
        "Donations help with food and medicine. Would you like to donate a few cents?",
    ]
    given = set()
    for seed in range(30):
        buyer = RuleBuyer(of(CHARITY, if_asked={}, price_limit=0.3, propensity=0.9), CHARITY, seed)
        call = talk(buyer, agent)
        given |= {
            line
            for line in lines(call)
            if line in read_book("save_the_children").lines["provide-donation-amount"]["en"]
        }
    assert given
    assert given <= {"Take 30 cents from my payment, please.", "I can part with 25 cents."}


def test_an_unknown_campaign_is_served_by_the_generic_lines() -> None:
    stranger = CampaignData(LANTERN.campaign.model_copy(update={"name": "gloves"}), ())
    for language in ("en", "zh"):
        buyer = RuleBuyer(
            scenario(language=language, questions=["ask_price", "material"], opening="Hi, 你好"), stranger, 1
        )
        call = talk(buyer, GOOD)
        assert lines(call)[0] == "Hi, 你好"
        assert any(price in " ".join(lines(call)) for price in read_book(GENERIC).lines["ask_price"][language])
        assert all("intent" not in note for note in buyer.notes(call))
        assert len({decision(again, talk(again, GOOD)) for again in _strangers(stranger)} - {""}) >= 2


def _strangers(campaign: CampaignData) -> list[RuleBuyer]:
    return [RuleBuyer(scenario(questions=["ask_price"]), campaign, seed) for seed in range(20)]


def test_a_finished_call_hears_nothing_more() -> None:
    assert RuleBuyer(scenario(), LANTERN, 1).next_line(record(("Bye", "Goodbye!"), ended=True)) is None


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


@pytest.mark.parametrize("campaign", [LANTERN, CHARITY], ids=["lantern_local", "save_the_children"])
def test_there_are_lines_for_every_intent_and_none_is_in_the_training_data(campaign: CampaignData) -> None:
    book = read_book(campaign.campaign.name)
    assert set(book.lines) == {intent.name for intent in campaign.intents}
    learnt = {_plain(example.text) for example in campaign_examples(campaign)}
    for intent, by_language in book.lines.items():
        assert set(by_language) == set(campaign.campaign.languages), intent
        for said in by_language.values():
            assert len({_plain(line) for line in said}) >= 4, intent
            assert not {_plain(line) for line in said} & learnt


def test_the_campaigns_made_of_salesllm_rows_have_lines_and_roles_of_their_own_intents() -> None:
    intents = TypeAdapter(list[Intent]).validate_python(
        yaml.safe_load((DATA / "salesllm_intents.yaml").read_text(encoding="utf-8"))
    )
    learnt = {_plain(line) for intent in intents for said in intent.examples.values() for line in said}
    for language in ("en", "zh"):
        wording = Wording("gloves", intents, language)
        assert wording.roles == Roles(
            tells="tells_need", contact="gives_contact", after_yes=["agrees", "gives_contact", "goodbye"]
        )
        generic = read_book(GENERIC).lines
        for intent in intents:
            said = wording.lines(intent.name)
            assert said == generic[intent.name if intent.name in generic else intent.kind][language]  # type: ignore[index]
            assert intent.name in generic or intent.kind not in ("question", "objection"), intent.name
            assert not {_plain(line) for line in said} & learnt, intent.name


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_those_who_opt_out_say_so_in_words_that_count_as_an_opt_out(path: Any) -> None:
    for language, said in read_book(path.stem).lines["opt_out"].items():
        for line in said:
            assert "opt_out" in find_signals(line, language), line
