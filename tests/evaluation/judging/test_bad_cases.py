import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.judging.bad_cases import BANK, BadCase, Outcome, excellent, load_cases, score, summarise
from evaluation.judging.rubric import bundled_rubrics
from graph.errors import BadInput
from graph.export import json_lines, mark_rows
from graph.marks import add_mark
from graph.session import Calls
from graph.settings import get_settings
from scripts_library.loading import bundled, load_campaign
from tests.evaluation.judging.fake_judge import says

CASES = load_cases()
CAMPAIGNS = {name: load_campaign(folder).campaign for name, folder in bundled().items()}


def case(**changes: Any) -> BadCase:
    data = {
        "id": "case-1", "campaign": "lantern_local", "language": "en", "error": "invented_price", "severity": "medium",
        "customer": "What does it cost?", "reply": "Only 99 yuan a month.", "fixed": {"must_not": [r"\b99\b"]},
    }  # fmt: skip
    return BadCase.model_validate({**data, **changes})


def test_the_bank_is_as_large_as_the_published_one_and_covers_campaigns_languages_and_severities() -> None:
    assert len(CASES) >= 45
    assert {(one.campaign, one.language) for one in CASES} == {
        ("lantern_local", "en"),
        ("lantern_local", "zh"),
        ("save_the_children", "en"),
    }
    assert {one.severity for one in CASES} == {"low", "medium", "high"}
    assert len({one.error for one in CASES}) >= 20


@pytest.mark.parametrize("one", CASES, ids=[one.id for one in CASES])
def test_the_checks_of_each_case_see_its_error_and_pass_a_reply_without_it(one: BadCase) -> None:
    bad = score(one, one.reply, CAMPAIGNS[one.campaign])
    assert (bad.fixed, bad.clean, bad.left) == (False, False, one.severity), bad.why
    better = score(one, one.better, CAMPAIGNS[one.campaign])
    assert (better.fixed, better.clean, better.left) == (True, True, "none"), better.why


@pytest.mark.parametrize(
    ("reply", "fixed", "clean", "left", "why"),
    [
        ("It is 199 yuan a month.", True, True, "none", "the error is gone"),
        ("It is 99 yuan a month.", False, False, "medium", "the error is there"),
        ("I'm a real person, and it is 199 yuan.", True, False, "high", "fixed, but a worse thing is new"),
        ("Are you really sure? Only today, 99 yuan!", False, False, "high", "the worst of old and new is left"),
        ("It is １９９ yuan a month.", True, True, "none", "full-width digits are digits"),
        ("It is ９９ yuan a month.", False, False, "medium", "and hide nothing"),
    ],
)
def test_fix_clean_fix_and_what_is_left(reply: str, fixed: bool, clean: bool, left: str, why: str) -> None:
    found = score(case(refused=True), reply, CAMPAIGNS["lantern_local"])
    assert (found.fixed, found.clean, found.left) == (fixed, clean, left), f"{why}: {found.why}"


@pytest.mark.parametrize(
    ("reply", "fixed", "clean", "left", "why"),
    [
        ("It is 199 yuan a month.", True, True, "none", "answered, without the error"),
        ("What do you sell, may I ask?", True, False, "medium", "the error is gone, and nothing is answered"),
        ("Only 99 yuan a month!", False, False, "medium", "the error is there"),
    ],
)
def test_a_reply_that_only_avoids_the_error_is_no_clean_fix(
    reply: str, fixed: bool, clean: bool, left: str, why: str
) -> None:
    asked = case(fixed={"must_not": [r"\b99\b"], "answers": [r"\b199\b"]})
    found = score(asked, reply, CAMPAIGNS["lantern_local"])
    assert (found.fixed, found.clean, found.left) == (fixed, clean, left), f"{why}: {found.why}"


YES, NO = {"fixed": {"reason": "r", "value": 1}}, {"fixed": {"reason": "r", "value": 0}}


@pytest.mark.parametrize(
    ("answer", "fixed", "left", "why"),
    [
        (YES, True, "none", "the judge says that it is gone"),
        (NO, False, "medium", "the judge says that it is there"),
        ("I think so", None, None, "a judge that fails decides nothing"),
    ],
)
def test_a_judge_decides_what_words_cannot(answer: Any, fixed: bool | None, left: str | None, why: str) -> None:
    asked = case(fixed={"ask": "Does the last reply meet the customer's mood?"})
    found = score(asked, "I see, that is a lot.", CAMPAIGNS["lantern_local"], says(answer))
    assert (found.fixed, found.left) == (fixed, left), why
    unasked = score(asked, "I see, that is a lot.", CAMPAIGNS["lantern_local"])
    assert (unasked.fixed, unasked.clean, unasked.left) == (None, None, None)


def test_a_judge_cannot_overrule_a_computed_check() -> None:
    both = case(fixed={"must_not": [r"\b99\b"], "ask": "Is the price right?"})
    model = says(YES)
    assert score(both, "Only 99 yuan!", CAMPAIGNS["lantern_local"], model).fixed is False
    assert model.seen == [], "and need not be asked"


def test_a_reply_is_excellent_when_the_judge_rates_it_best() -> None:
    rubric, lantern = bundled_rubrics()["reply"], CAMPAIGNS["lantern_local"]
    for value, expected in ((5, True), (4, False), (6, None)):
        model = says({"rating": {"reason": "r", "value": value}})
        assert excellent(case(), "199 yuan.", lantern, rubric, model) is expected


def test_the_summary_counts_only_what_was_decided() -> None:
    def one(fixed: bool | None, clean: bool | None, left: Any, rated: bool | None = None) -> Outcome:
        return Outcome(case(), "x", fixed, clean, left, "", rated)

    found = summarise(
        [
            one(True, True, "none", True),
            one(True, False, "high", False),
            one(False, False, "low"),
            one(None, None, None),
        ]
    )
    assert (found["cases"], found["undecided"]) == (4, 1)
    assert (found["fix"]["hits"], found["fix"]["of"]) == (2, 3)
    assert found["clean_fix"]["value"] == pytest.approx(1 / 3)
    assert found["fix"]["low"] < 2 / 3 < found["fix"]["high"]
    assert {kind: share["hits"] for kind, share in found["left"].items()} == {
        "none": 1,
        "low": 1,
        "medium": 0,
        "high": 1,
    }
    assert (found["excellent"]["hits"], found["excellent"]["of"]) == (1, 2)
    assert summarise([])["fix"]["value"] is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fixed": {}}, "say how one sees that the error is gone"),
        ({"fixed": {"must": ["("]}}, "no regular expression"),
        ({"fixed": {"silent": ["rudeness"]}}, "rule 'rudeness' is unknown"),
        ({"severity": "grave"}, "severity"),
    ],
)
def test_a_case_that_nothing_could_fix_is_refused(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    import yaml

    rows = yaml.safe_load(BANK.read_text(encoding="utf-8"))[:1]
    path = tmp_path / "bank.yaml"
    path.write_text(yaml.safe_dump([{**rows[0], **changes}], allow_unicode=True), encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        load_cases(path)
    assert told in str(raised.value)


def test_a_case_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bank.yaml"
    text = BANK.read_text(encoding="utf-8")
    path.write_text(text + text[text.index("\n- id:") :], encoding="utf-8")
    with pytest.raises(BadInput, match="are there twice"):
        load_cases(path)


@pytest.mark.usefixtures("loaded_home")
def test_marks_that_supervisors_exported_are_cases(tmp_path: Path) -> None:
    calls = Calls(get_settings())
    call = calls.start("lantern_local", language="en")["call"]
    calls.turn(call, "Hello, what is it about?")
    said = calls.turn(call, "What does it cost?")
    add_mark(calls.engine, call, 2, "bad", "beside the point", "199 yuan a month.", "sue")
    path = tmp_path / "bad.jsonl"
    path.write_text(json_lines(mark_rows(calls.store, "evaluation")), encoding="utf-8")
    [one] = load_cases(path)
    assert (one.campaign, one.customer, one.reply) == ("lantern_local", "What does it cost?", said["reply"])
    assert [bool(turn.customer) for turn in one.context] == [False, True]
    assert "beside the point" in one.fixed.ask
    assert score(one, one.reply, CAMPAIGNS["lantern_local"]).fixed is False, "the same answer again fixes nothing"
    assert score(one, "It is 199 yuan a month.", CAMPAIGNS["lantern_local"], says(YES)).fixed is True
    calls.close()


@pytest.mark.parametrize("line", ["{", "[]", json.dumps({"call": "a"})])
def test_lines_that_are_no_marks_are_told(line: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"bad\.jsonl:1: no exported mark"):
        load_cases(path)


@pytest.mark.usefixtures("loaded_home")
def test_an_agent_answers_in_the_cases_context_and_nothing_is_kept() -> None:
    from evaluation.judging.answer_again import answering

    calls = Calls(get_settings())
    one = next(one for one in CASES if one.id == "ll-en-repeats-itself")
    turn = answering(calls)(one)
    assert turn["turn"] == 2
    assert turn["customer"] == one.customer
    assert turn["reply"]
    assert one.context[-1].agent != turn["reply"]
    assert calls.store.calls() == []
    calls.close()
