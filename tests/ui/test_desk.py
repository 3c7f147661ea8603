import pytest

from scripts_library.schema import Script
from tests.ui.app import UNTRUSTED, opened, shown
from ui.shared import calls, library
from ui.text import plain

pytestmark = pytest.mark.usefixtures("loaded_home")
CAMPAIGN = "lantern_local"
SCRIPT = "ll-en-objection-no-trust-01"


def a_script(script_id: str = "mine-01", **changes: object) -> Script:
    given: dict[str, object] = {
        "id": script_id,
        "campaign": CAMPAIGN,
        "stage": "objection",
        "intent": "bad_reviews",
        "language": "en",
        "title": "Answer fear of reviews",
        "situation": ["I'm afraid of bad reviews"],
        "outline": ["Take the fear seriously", "Offer the dashboard"],
        "say": ["I understand. In the dashboard you see views, calls and orders for each day."],
    }
    return Script.model_validate(given | changes)


def test_the_list_finds_scripts_by_words_stage_and_author() -> None:
    library().add(a_script(), "ada")
    app = opened("desk", campaign=CAMPAIGN)
    assert "165 of 165 scripts" in shown(app)
    app.text_input(key="browse_text").set_value("fear of REVIEWS").run()
    assert "1 of 165 scripts" in shown(app)
    assert app.button(key="open_mine-01").label == plain("Answer fear of reviews")
    app.text_input(key="browse_text").set_value("").run()
    app.selectbox(key="browse_author").set_value("ada").run()
    assert "1 of 165 scripts" in shown(app)
    app.selectbox(key="browse_stage").set_value("close").run()
    assert "Clear one of them" in shown(app)


def test_the_hole_is_shown_and_leads_to_a_new_script_that_can_be_saved_tried_published_and_taken_back() -> None:
    app = opened("desk", campaign=CAMPAIGN, tab="coverage")
    assert "Holes: 1" in shown(app)
    app.button(key="hole_objection_bad_reviews").click().run()
    assert app.selectbox(key="new_intent").value == "bad_reviews"
    app.button(key="save_new").click().run()
    assert "new" in app.query_params, "nothing to save yet"
    assert app.error
    app.text_input(key="new_title").set_value("Answer fear of reviews")
    app.text_area(key="new_situation").set_value("I'm afraid of bad reviews")
    app.text_area(key="new_outline").set_value("Take the fear seriously")
    app.text_area(key="new_say").set_value("I understand. You see views, calls and orders for each day.")
    app.run()
    app.button(key="save_new").click().run()
    script = str(app.query_params["script"])
    assert library().get(script).status == "draft"
    app.text_input(key=f"try_{script}_line").set_value("One bad review and my shop is finished").run()
    app.button(key=f"try_{script}_ask").click().run()
    assert "Your script was found, in place 1" in shown(app)
    live = calls().preview(CAMPAIGN, "One bad review and my shop is finished", language="en", stage="analysis")
    assert script not in [used["id"] for used in live["scripts"]]
    app.button(key="publish").click().run()
    app.button(key="publish_now").click().run()
    assert library().get(script).status == "published"
    live = calls().preview(CAMPAIGN, "One bad review and my shop is finished", language="en", stage="analysis")
    assert script in [used["id"] for used in live["scripts"]]
    app.button(key="back_1").click().run()
    app.button(key="back_now_1").click().run()
    assert [revision.action for revision in library().history(script)] == ["add", "publish", "roll_back"]
    assert library().get(script).status == "draft"


def test_a_line_with_an_unknown_placeholder_cannot_be_saved_and_the_form_says_why() -> None:
    app = opened("desk", script=SCRIPT)
    app.text_area(key=f"edit_{SCRIPT}_say").set_value("Hello {shop_nane}").run()
    assert any("shop" in error.value and "Approved lines" in error.value for error in app.error)
    app.button(key="save").click().run()
    assert library().get(SCRIPT).version == 1


def test_an_edit_is_a_draft_until_it_is_published_and_the_difference_is_shown_first() -> None:
    app = opened("desk", script=SCRIPT)
    before = library().get(SCRIPT)
    app.text_input(key=f"edit_{SCRIPT}_title").set_value("Earn trust slowly").run()
    app.button(key="save").click().run()
    draft = library().get(SCRIPT)
    assert (draft.version, draft.status, draft.title) == (before.version + 1, "draft", "Earn trust slowly")
    assert f"customers hear version {before.version}" in shown(app)
    app.button(key="publish").click().run()
    assert before.title in shown(app)
    app.button(key="publish_now").click().run()
    assert library().get(SCRIPT).status == "published"


def test_somebody_elses_newer_edit_is_shown_beside_ones_own_and_nothing_is_overwritten() -> None:
    app = opened("desk", script=SCRIPT)
    base = library().get(SCRIPT)
    app.text_input(key=f"edit_{SCRIPT}_title").set_value("My title").run()
    library().revise(SCRIPT, base.version, "bob", title="Bob's title")
    app.button(key="save").click().run()
    assert library().get(SCRIPT).title == "Bob's title"
    assert "bob has saved version" in shown(app)
    assert {"My title", "Bob's title"} <= {text.value for text in app.text}
    app.button(key="put_mine_on_top").click().run()
    assert library().get(SCRIPT).title == "My title"
    assert library().get(SCRIPT, base.version + 1).title == "Bob's title"


def test_a_script_can_be_archived_duplicated_and_begun_with_a_customers_line() -> None:
    call = calls().start(CAMPAIGN, language="en")["call"]
    calls().turn(call, "What about my late deliveries?")
    app = opened("desk", script=SCRIPT)
    app.button(key="duplicate").click().run()
    assert app.text_input(key="new_title").value == library().get(SCRIPT).title
    app.selectbox(key="new_line").set_value("What about my late deliveries?").run()
    assert "What about my late deliveries?" in app.text_area(key="new_situation").value
    app = opened("desk", script=SCRIPT)
    app.button(key="archive").click().run()
    assert library().get(SCRIPT).status == "archived"


def test_words_of_scripts_and_customers_are_shown_as_text() -> None:
    library().add(a_script("evil-01", title=UNTRUSTED, situation=[UNTRUSTED], author=UNTRUSTED), UNTRUSTED)
    call = calls().start(CAMPAIGN, language="en")["call"]
    calls().turn(call, UNTRUSTED)
    for address in ({}, {"tab": "coverage"}, {"tab": "works"}, {"tab": "try"}, {"script": "evil-01"}):
        app = opened("desk", campaign=CAMPAIGN, **address)
        rendered = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.info, *app.error, *app.warning]
        labels = [entry.label for kind in (app.button, app.selectbox, app.expander) for entry in kind]
        for text in [*(entry.value for entry in rendered), *labels]:
            assert "<script>" not in text
            assert "![x]" not in text
            assert "](http" not in text


def test_two_scripts_of_one_place_can_be_tested_against_each_other() -> None:
    app = opened("desk", campaign=CAMPAIGN, tab="works")
    assert "No call has used a script" in shown(app)
    app.button(key="test_start").click().run()
    assert "running" in shown(app)
    call = calls().start(CAMPAIGN)["call"]
    header = calls().store.header(call)
    assert len(header["shown"]) == len(header["withheld"]) == 1
    stop = next(button for button in app.button if str(button.key).startswith("stop_"))
    stop.click().run()
    assert "stopped" in shown(app)


def test_a_viewer_cannot_open_the_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    from graph.settings import get_settings

    monkeypatch.setenv("SALESMAN_ROLES", "viewer")
    get_settings.cache_clear()
    app = opened("desk", script=SCRIPT)
    assert "needs the role “editor”" in shown(app)
    assert not app.text_area


def test_a_copy_stays_in_its_campaign_and_an_unknown_one_is_one_line() -> None:
    app = opened("desk", script="stc-analysis-acknowledgement-goes-on")
    app.button(key="duplicate").click().run()
    assert str(app.query_params["campaign"]) == "save_the_children"
    assert app.selectbox(key="new_intent").value == "acknowledgement"
    assert not app.error
    app = opened("desk", new="1", copy="nope")
    assert "nope" in app.error[0].value


def test_what_was_typed_is_not_dropped_by_archiving() -> None:
    app = opened("desk", script=SCRIPT)
    app.text_input(key=f"edit_{SCRIPT}_title").set_value("Typed").run()
    assert app.button(key="archive").disabled


def test_a_line_that_the_rules_would_stop_is_pointed_out_before_it_is_published() -> None:
    app = opened("desk", script=SCRIPT)
    assert not app.warning
    app.text_area(key=f"edit_{SCRIPT}_say").set_value("We guarantee it for 99 yuan.").run()
    assert any("Approved line 1 would be stopped" in warning.value and "99" in warning.value for warning in app.warning)


def test_what_was_typed_for_one_new_script_does_not_turn_up_in_the_next() -> None:
    app = opened("desk", campaign=CAMPAIGN, new="1", intent="bad_reviews", stage="objection")
    app.text_input(key="new_title").set_value("Half typed").run()
    app.button(key="back").click().run()
    app = app.run()
    app.query_params.clear()
    app.query_params["new"], app.query_params["campaign"], app.query_params["line"] = "1", CAMPAIGN, "Something else"
    app.run()
    assert app.text_input(key="new_title").value == ""
    assert app.text_area(key="new_situation").value == "Something else"
