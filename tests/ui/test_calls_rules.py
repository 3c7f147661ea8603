"""From a bad mark to a rule on the calls page: written, tried, published, used by the guard, taken back, rolled back."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from graph.feedback import mark_turn
from graph.incidents import Reply, recorded_replies
from graph.settings import get_settings
from guardrails.check import check_reply
from scripts_library.fact_sheet import fact_sheet
from tests.graph.calls_made import keep, outcome, turn_of
from tests.ui.test_calls import NASTY, fine, markdown, opened, texts
from ui.shared import calls, library
from ui.text import plain

CLAIM = "Our shops double their sales within a week."
BETTER = "Many shops sell more after some months."


@pytest.fixture(scope="module")
def home(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all these tests: their calls do not meet."""
    return Path(shutil.copytree(template_home, tmp_path_factory.mktemp("rules") / "home"))


@pytest.fixture(autouse=True)
def scripted_model(own_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESMAN_HOME", str(home))
    monkeypatch.setenv("SALESMAN_LLM", "fake/scripted")
    get_settings.cache_clear()


def bad_answer(call: str, reply: str = CLAIM, reason: str = "nobody can promise that", better: str = BETTER) -> None:
    turns = [turn_of(call, 0, "", "Hello."), turn_of(call, 1, "What do I get?", reply)]
    keep(calls().engine, call, turns, outcome())
    mark_turn(get_settings(), turns[1], "bad", reason, better, "ann")


def blocked(reply: str) -> bool:
    """Say whether the guard stops a reply for a claim that came of an incident."""
    hits = check_reply(reply, fact_sheet(library().campaign("lantern_local").campaign, "en"))
    return any(hit.get("claim", "").startswith("incident") for hit in hits)


def drafting(call: str) -> AppTest:
    return opened(call=call, turn="1", rule="1")


def test_a_bad_mark_becomes_a_draft_then_a_rule_then_is_taken_and_rolled_back(home: Path) -> None:
    bad_answer("inc")
    page = opened(call="inc")
    fine(page.button(key="rule_1").click().run())
    assert page.text_input(key="rule_reason").value == "nobody can promise that"
    assert page.text_area(key="rule_must").value == CLAIM
    assert page.text_area(key="rule_must_not").value == BETTER
    fine(page.button(key="rule_save").click().run())
    assert "at least one wording" in page.error[0].value
    page.text_area(key="rule_words_en").set_value("double their sales")
    fine(page.button(key="rule_try").click().run())
    assert "stopped 1 of" in page.info[0].value
    assert CLAIM in texts(page)
    before = library().campaign_version("lantern_local")
    fine(page.button(key="rule_save").click().run())
    assert "draft is kept" in page.success[0].value
    assert library().campaign_version("lantern_local") == before + 1
    assert not blocked(CLAIM), "a draft stops nothing"
    fine(page.button(key="publish_claim_incident-inc-1").click().run())
    assert "Published" in page.success[0].value
    assert blocked(CLAIM)
    assert not blocked(BETTER)
    fine(page.button(key="unpublish_claim_incident-inc-1").click().run())
    assert not blocked(CLAIM)
    published = before + 2
    fine(page.button(key=f"roll_back_{published}").click().run())
    fine(page.button(key=f"sure_{published}").click().run())
    assert "Rolled back" in page.success[0].value
    assert blocked(CLAIM)
    assert library().campaign_history("lantern_local")[-1].action == "roll_back"


def test_a_name_that_is_or_was_taken_is_refused_and_the_rule_that_has_it_stays(home: Path) -> None:
    bad_answer("twice")
    pages = [drafting("twice"), drafting("twice")]
    for page, words in zip(pages, ("double their sales", "within a week"), strict=True):
        page.text_area(key="rule_words_en").set_value(words)
    fine(pages[0].button(key="rule_publish").click().run())
    version = library().campaign_version("lantern_local")
    fine(pages[1].button(key="rule_save").click().run())
    assert "another short name" in pages[1].error[0].value
    assert (library().campaign_version("lantern_local"), blocked(CLAIM)) == (version, True)
    left = [claim for claim in library().campaign_revision("lantern_local").forbidden if claim.id != "incident-twice-1"]
    library().revise_campaign("lantern_local", version, "sue", forbidden=left)
    fine(pages[1].button(key="rule_save").click().run())
    assert "another short name" in pages[1].error[0].value
    pages[1].text_input(key="rule_id").set_value("incident-twice-b")
    fine(pages[1].button(key="rule_save").click().run())
    assert "incident-twice-b" in library().campaign_revision("lantern_local").entries("forbidden")


def reworded(rule: str, reason: str) -> int:
    """Let Sam change why a rule is one; return the version that he saved."""
    latest = library().campaign_revision("lantern_local")
    claims = [c.model_copy(update={"reason": reason}) if c.id == rule else c for c in latest.forbidden]
    library().revise_campaign("lantern_local", latest.version, "sam", forbidden=claims)
    return latest.version + 1


def drafted(call: str) -> AppTest:
    """Keep a draft of a rule; return the list that shows it."""
    bad_answer(call)
    page = drafting(call)
    page.text_area(key="rule_words_en").set_value("double their sales")
    return fine(page.button(key="rule_save").click().run())


def test_a_rule_that_somebody_changed_since_it_was_drawn_is_not_published_unseen(home: Path) -> None:
    page = drafted("seen")
    version = reworded("incident-seen-1", "what Sam wrote")
    fine(page.button(key="publish_claim_incident-seen-1").click().run())
    assert library().campaign_version("lantern_local") == version
    assert f"sam has saved version {version} since you looked" in page.warning[0].value
    assert {"nobody can promise that", "what Sam wrote"} <= set(texts(page))
    fine(page.button(key="publish_claim_incident-seen-1").click().run())
    assert library().campaign_revision("lantern_local").entries("forbidden")["incident-seen-1"].status == "published"  # type: ignore[union-attr]


def test_recorded_answers_are_read_again_only_when_there_are_new_ones_and_only_the_newest(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = drafted("cached")
    read: list[str] = []

    def newest_two(engine: Engine, campaign: str, language: str) -> list[Reply]:
        read.append(language)
        return recorded_replies(engine, campaign, language, newest=2)

    monkeypatch.setattr("graph.page_rule.recorded_replies", newest_two)
    fine(page.button(key="try_incident-cached-1").click().run())
    fine(page.run())
    assert read == ["en"]
    assert any(plain("Only the newest 2 of ") in caption.value for caption in page.caption)
    bad_answer("later")
    fine(page.run())
    assert read == ["en", "en"]


def test_another_rules_change_stands_in_nobodys_way(home: Path) -> None:
    drafted("other")
    page = drafted("mine")
    reworded("incident-other-1", "what Sam wrote")
    fine(page.button(key="publish_claim_incident-mine-1").click().run())
    entries = library().campaign_revision("lantern_local").entries("forbidden")
    assert entries["incident-mine-1"].status == "published"  # type: ignore[union-attr]
    assert entries["incident-other-1"].reason == "what Sam wrote"  # type: ignore[union-attr]


@pytest.mark.parametrize("clicked", [False, True], ids=["before the first click", "between the clicks"])
def test_a_version_that_came_since_the_list_was_drawn_is_not_rolled_back_unseen(home: Path, clicked: bool) -> None:
    call = f"back-{clicked}".lower()
    page = drafted(call)
    earlier = library().campaign_version("lantern_local") - 1
    if clicked:
        fine(page.button(key=f"roll_back_{earlier}").click().run())
    version = reworded(f"incident-{call}-1", "what Sam wrote")
    if not clicked:
        fine(page.button(key=f"roll_back_{earlier}").click().run())
    fine(page.button(key=f"sure_{earlier}").click().run())
    assert library().campaign_version("lantern_local") == version
    assert f"sam has saved version {version} since you looked" in page.warning[0].value
    assert {"nobody can promise that", "what Sam wrote"} <= set(texts(page))


def test_a_rule_that_misses_its_own_lines_is_not_published(home: Path) -> None:
    bad_answer("miss")
    page = drafting("miss")
    page.text_area(key="rule_words_en").set_value("something else")
    version = library().campaign_version("lantern_local")
    fine(page.button(key="rule_publish").click().run())
    assert page.error
    assert library().campaign_version("lantern_local") == version


def test_a_pattern_that_is_none_is_said(home: Path) -> None:
    bad_answer("pattern")
    page = drafting("pattern")
    page.text_area(key="rule_words_en").set_value("(")
    page.checkbox(key="rule_regex").check()
    fine(page.button(key="rule_try").click().run())
    assert page.error


def test_a_bad_mark_becomes_a_line_for_the_judges(home: Path) -> None:
    bad_answer("judge")
    page = drafting("judge")
    fine(page.radio(key="rule_kind").set_value("rubric").run())
    page.text_input(key="rule_rubric_en").set_value("Promises no figures.")
    fine(page.button(key="rule_publish").click().run())
    (line,) = [line for line in library().campaign("lantern_local").campaign.rubric if "judge" in line.id]
    assert (line.text["en"], line.status, line.source) == ("Promises no figures.", "published", "call judge turn 1")


def test_without_a_bad_mark_there_is_nothing_to_draft(home: Path) -> None:
    keep(calls().engine, "plain", [turn_of("plain", 0, ""), turn_of("plain", 1)], outcome())
    assert "Mark this answer as bad first" in drafting("plain").info[0].value


def test_a_viewer_drafts_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad_answer("viewer")
    monkeypatch.setenv("SALESMAN_ROLES", "viewer")
    get_settings.cache_clear()
    page = drafting("viewer")
    assert "supervisor" in page.error[0].value
    assert not [button for button in page.button if button.key and button.key.startswith("rule_")]


def test_what_others_wrote_is_shown_as_text(home: Path) -> None:
    bad_answer("nasty", NASTY, NASTY, NASTY)
    page = drafting("nasty")
    page.text_area(key="rule_words_en").set_value("alert")
    fine(page.button(key="rule_try").click().run())
    assert NASTY in texts(page)
    assert not [text for text in markdown(page).splitlines() if "<script>" in text or "](http" in text]
