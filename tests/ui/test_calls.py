"""The calls page: lists, one call, taking over, marks; what others wrote is shown as text."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from graph.call_list import Filters, calls_table
from graph.feedback import mark_turn, trace_url
from graph.marks import mark_history, marks_of
from graph.page_list import cells
from graph.settings import get_settings
from tests.graph.calls_made import keep, objection, outcome, turn_of
from tests.graph.test_tracing import point_at, until
from tests.graph.trace_receiver import receiver
from ui.shared import calls

APP = str(Path(__file__).parents[2] / "app.py")
NASTY = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](http://evil.example) :fire: $a$"
PERSON = "I want to speak to a real person, now."


@pytest.fixture(scope="module")
def home(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all these tests: their calls do not meet."""
    return Path(shutil.copytree(template_home, tmp_path_factory.mktemp("calls") / "home"))


@pytest.fixture(autouse=True)
def scripted_model(own_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESMAN_HOME", str(home))
    monkeypatch.setenv("SALESMAN_LLM", "fake/scripted")
    get_settings.cache_clear()


def opened(**parameters: str) -> AppTest:
    page = AppTest.from_file(APP, default_timeout=60)
    page.run()
    for name, value in parameters.items():
        page.query_params[name] = value
    return fine(page.switch_page("graph/page.py").run())


def fine(page: AppTest) -> AppTest:
    assert not page.exception
    return page


def texts(page: AppTest) -> list[str]:
    return [element.value for element in page.text]


def markdown(page: AppTest) -> str:
    return "\n".join(element.value for element in [*page.markdown, *page.caption])


def waiting_call(call: str) -> None:
    calls().start("lantern_local", call=call, language="en")
    calls().turn(call, "It is too expensive.")
    calls().turn(call, PERSON)


def test_an_empty_home_says_what_to_do(loaded_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESMAN_HOME", str(loaded_home))
    get_settings.cache_clear()
    page = opened()
    assert any("No call has been held yet" in info.value for info in page.info)
    assert "No call waits for a person" in markdown(page)


def test_the_table_tells_outcome_stage_turns_rules_duration_and_marks(home: Path) -> None:
    hit = [{"name": "r", "severity": "high", "action": "blocked", "reason": "x", "text": "y"}]
    turns = [turn_of("table", 0, ""), turn_of("table", 1, rules=hit), turn_of("table", 2)]
    keep(calls().engine, "table", turns, outcome("won"))
    mark_turn(get_settings(), turns[1], "bad", "wrong", "", "ann")
    (row,), _ = calls_table(calls().engine, Filters(text="table"))
    page = opened()
    page.text_input(key="calls_text").set_value("table").run()
    shown = page.dataframe[0].value.iloc[0].to_dict()
    assert shown == {key: value for key, value in cells(row).items()}
    assert (shown["Outcome"], shown["Stage reached"], shown["Turns"], shown["Rules fired"]) == (
        "won",
        "Objection",
        3,
        1,
    )
    assert shown["Marks"] == "0 good, 1 bad"
    page.text_input(key="calls_text").set_value("nothing like it").run()
    assert "No call fits" in page.info[0].value


def test_filters_survive_a_look_at_a_call(home: Path) -> None:
    keep(calls().engine, "kept", [turn_of("kept", 0, "")], outcome("declined"))
    page = opened()
    page.selectbox(key="calls_outcome").set_value("declined").run()
    page.query_params["call"] = "kept"
    fine(page.run())
    fine(page.button(key="back").click().run())
    assert page.selectbox(key="calls_outcome").value == "declined"


def test_more_calls_than_a_page_holds_are_turned_over(home: Path) -> None:
    for number in range(60):
        keep(calls().engine, f"many{number}", [turn_of(f"many{number}", 0, "", "flock")], outcome())
    page = opened()
    page.text_input(key="calls_text").set_value("flock").run()
    assert len(page.dataframe[0].value) == 50
    assert "1–50 of 60" in markdown(page)
    fine(page.button(key="calls_next").click().run())
    assert len(page.dataframe[0].value) == 10
    assert page.button(key="calls_next").disabled
    page.text_input(key="calls_text").set_value("many5").run()
    assert len(page.dataframe[0].value) == 11, "another search begins on its first page"


def test_a_call_shows_what_was_said_and_why_and_jumps_to_a_turn(home: Path) -> None:
    long = [turn_of("long", number, f"line {number}" if number else "") for number in range(40)]
    keep(calls().engine, "long", long, outcome("follow_up", commitment={"when": "tomorrow"}))
    page = opened(call="long", turn="7")
    assert "line 7" in texts(page)
    assert "line 39" not in texts(page)
    assert [entry.proto.expanded for entry in page.expander].count(True) == 1, "the reasons of that turn are open"
    assert "tomorrow" in markdown(page)
    fine(page.button(key="show_all").click().run())
    assert {"line 1", "line 39"} <= set(texts(page))


def test_a_call_that_is_not_there_or_a_turn_that_is_not_is_said(home: Path) -> None:
    page = opened(call="[x](http://evil.example)")
    assert "There is no call" in page.warning[0].value
    assert "](http" not in page.warning[0].value
    keep(calls().engine, "short", [turn_of("short", 0, "")], outcome())
    assert "no turn 9" in opened(call="short", turn="9").warning[0].value


def test_what_customers_and_supervisors_wrote_is_shown_as_text(home: Path) -> None:
    turns = [turn_of("nasty", 0, ""), turn_of("nasty", 1, NASTY, NASTY, outcome="handoff")]
    asked = outcome("handoff", need={"size": NASTY}, objections=[objection(1, intent=NASTY)])
    keep(calls().engine, "nasty", turns, asked, profile={"shop_name": NASTY})
    mark_turn(get_settings(), turns[1], "bad", NASTY, NASTY, NASTY)
    for page in (opened(call="nasty"), opened()):
        assert any(NASTY in text for text in texts(page))
        rendered = [e.value for kind in (page.markdown, page.caption, page.warning, page.info) for e in kind]
        rendered += [e.label for e in page.button]
        assert not [text for text in rendered if "<script>" in text or "](http" in text or ":fire:" in text]


def test_a_supervisor_takes_a_waiting_call_over_and_gives_it_back(home: Path) -> None:
    waiting_call("over")
    page = opened()
    assert PERSON in texts(page)
    fine(page.button(key="waiting_over").click().run())
    assert page.query_params["call"] == "over"
    told = markdown(page)
    assert "Objections" in told
    assert "Offers made" in told
    page.text_area(key="take_line_over").set_value("Wang here, how can I help?")
    fine(page.button(key="take_send").click().run())
    assert "Sent." in page.success[0].value
    assert "Wang here, how can I help?" in texts(page)
    assert page.text_area(key="take_line_over").value == ""
    fine(page.button(key="take_back").click().run())
    assert "given back" in page.success[0].value
    assert not page.text_area
    record = calls().turn("over", "How much is it?")
    assert record["outcome"] != "handoff"
    assert [turn["source"] for turn in calls().record("over")["turns"]].count("human") == 1


def test_why_a_call_waits_stays_when_the_customer_or_a_person_speaks_again(home: Path) -> None:
    waiting_call("why")
    asked = markdown(opened(call="why"))
    reason = next(line for line in asked.splitlines() if "Why it waits" in line)
    calls().turn("why", "Hello? Is anybody there?")
    assert reason in markdown(opened(call="why"))
    calls().human("why", "One moment, please.")
    calls().turn("why", "All right.")
    assert reason in markdown(opened(call="why"))
    assert "awaited" not in reason


def test_what_is_typed_for_one_call_does_not_show_up_at_another(home: Path) -> None:
    for call in ("left", "right"):
        waiting_call(call)
    page = opened(call="left")
    page.text_area(key="take_line_left").set_value("For the left one.")
    page.query_params["call"] = "right"
    fine(page.run())
    assert page.text_area(key="take_line_right").value == ""
    fine(page.button(key="take_send").click().run())
    assert "For the left one." not in [turn["reply"] for turn in calls().record("right")["turns"]]


def test_of_two_supervisors_one_answers_and_the_other_is_told(home: Path) -> None:
    waiting_call("two")
    first, second = opened(call="two"), opened(call="two")
    first.text_area(key="take_line_two").set_value("This is Ann.")
    second.text_area(key="take_line_two").set_value("This is Bob.")
    fine(first.button(key="take_send").click().run())
    fine(second.button(key="take_send").click().run())
    assert "Somebody else answered" in second.warning[0].value
    assert second.text_area(key="take_line_two").value == "This is Bob.", "what was typed is kept"
    assert [turn["reply"] for turn in calls().record("two")["turns"] if turn["source"] == "human"] == ["This is Ann."]
    fine(first.button(key="take_back").click().run())
    second.text_area(key="take_line_two").set_value("Bob again.")
    fine(second.button(key="take_send").click().run())
    assert "does not wait any more" in second.warning[0].value


def test_a_viewer_sees_calls_and_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting_call("look")
    supervisors = opened(call="look")
    monkeypatch.setenv("SALESMAN_ROLES", "viewer")
    get_settings.cache_clear()
    page = opened(call="look")
    assert PERSON in texts(page)
    assert not [button for button in page.button if button.key.startswith(("take_", "mark_", "rule_"))]
    supervisors.text_area(key="take_line_look").set_value("Let me in.")
    supervisors.button(key="take_send").click().run()
    assert supervisors.error, "the action itself checks the role"
    assert not [turn for turn in calls().record("look")["turns"] if turn["source"] == "human"]


def test_an_answer_is_marked_changed_and_withdrawn(home: Path) -> None:
    keep(calls().engine, "mark", [turn_of("mark", 0, ""), turn_of("mark", 1)], outcome())
    page = opened(call="mark")
    fine(page.button(key="mark_1").click().run())
    page.button_group(key="mark_verdict_mark_1").set_value("bad")
    fine(page.button(key="mark_save").click().run())
    assert "needs a reason" in page.error[0].value
    assert marks_of(calls().engine, "mark") == []
    page.text_input(key="mark_reason_mark_1").set_value("names no price")
    page.text_area(key="mark_better_mark_1").set_value("It is 60 a month.")
    fine(page.button(key="mark_save").click().run())
    (mark,) = marks_of(calls().engine, "mark")
    assert (mark["verdict"], mark["reason"], mark["better"]) == ("bad", "names no price", "It is 60 a month.")
    assert any("names no price" in text for text in texts(page))
    assert page.button(key="rule_1")
    fine(page.button(key="mark_1").click().run())
    fine(page.button(key="mark_withdraw").click().run())
    assert marks_of(calls().engine, "mark") == []
    assert len(mark_history(calls().engine, "mark")) == 2


def test_the_form_of_each_turn_begins_with_that_turns_own_mark(home: Path) -> None:
    turns = [turn_of("forms", number, f"line {number}" if number else "") for number in range(3)]
    keep(calls().engine, "forms", turns, outcome())
    page = opened(call="forms")
    fine(page.button(key="mark_2").click().run())
    page.button_group(key="mark_verdict_forms_2").set_value("bad")
    page.text_input(key="mark_reason_forms_2").set_value("too long")
    fine(page.button(key="mark_save").click().run())
    fine(page.button(key="mark_1").click().run())
    page.text_input(key="mark_reason_forms_1").set_value("names no price")
    page.text_area(key="mark_better_forms_1").set_value("It is 60 a month.")
    fine(page.button(key="mark_2").click().run())
    assert page.button_group(key="mark_verdict_forms_2").value == "bad"
    assert page.text_input(key="mark_reason_forms_2").value == "too long"
    assert page.text_area(key="mark_better_forms_2").value == ""


def test_a_traced_turn_has_a_link_to_its_trace(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as langsmith:
        point_at(langsmith.url, monkeypatch)
        calls().start("lantern_local", call="traced", language="en")
        trace = calls().record("traced")["turns"][0]["why"]["trace"]
        assert until(lambda: bool(trace_url(calls().record("traced")["turns"][0])))
        (link,) = opened(call="traced").get("link_button")
        assert f"/r/{trace}" in link.proto.url
    monkeypatch.delenv("LANGSMITH_API_KEY")
    assert not opened(call="traced").get("link_button")


def test_files_are_offered_to_supervisors_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(calls().engine, "files", [turn_of("files", 0, "")], outcome())
    assert len(opened().get("download_button")) == 3
    monkeypatch.setenv("SALESMAN_ROLES", "viewer")
    get_settings.cache_clear()
    assert not opened().get("download_button")
