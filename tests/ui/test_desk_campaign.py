"""Facts and rules in the desk: edited with history, nothing in use lost, nobody's edit overwritten."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from scripts_library.campaign_edits import CampaignRevision
from tests.ui.app import SECONDS, UNTRUSTED, opened, shown
from ui.shared import calls, library
from ui.text import plain

pytestmark = pytest.mark.usefixtures("loaded_home")
CAMPAIGN = "lantern_local"


def tab(view: str = "facts") -> AppTest:
    app = opened("desk", campaign=CAMPAIGN, tab="campaign")
    return look_at(app, view) if view != "facts" else app


def look_at(app: AppTest, view: str) -> AppTest:
    return app.button_group(key=f"campaign_view_{CAMPAIGN}").set_value(view).run()


def click(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, [entry.value for entry in app.exception]
    return app


def errors(app: AppTest) -> str:
    return "\n".join(entry.value for entry in app.error)


def latest() -> CampaignRevision:
    return library().campaign_revision(CAMPAIGN)


def revise(author: str = "jun", **parts: Any) -> None:
    library().revise_campaign(CAMPAIGN, latest().version, author, **parts)


def facts_with(fact_id: str, english: str) -> list[Any]:
    return [
        fact.model_copy(update={"text": {**fact.text, "en": english}}) if fact.id == fact_id else fact
        for fact in latest().facts
    ]


def test_a_fact_is_changed_and_a_call_sees_it() -> None:
    app = click(tab(), "edit_facts_onboarding")
    assert app.text_area(key="entry_text_en").value.startswith("Setup: a 20-minute phone call")
    app.text_area(key="entry_text_en").set_value(
        "Setup: a 25-minute phone call with an adviser; the shop is live within 3 working days."
    )
    app.text_area(key="entry_text_zh").set_value("开店：跟顾问通25分钟电话；3个工作日内上线。")
    click(app, "entry_save")
    assert "Saved. Calls go by it" in shown(app) and not app.error
    assert "25-minute" in latest().entries("facts")["onboarding"].text["en"]  # type: ignore[union-attr]
    assert (latest().version, latest().action) == (2, "revise") and latest().author
    assert "25-minute" in shown(app)
    facts = library().campaign(CAMPAIGN).campaign.facts
    assert any("25-minute" in fact.text["en"] for fact in facts)


def test_a_fact_in_use_names_its_scripts_and_cannot_be_removed_another_can_in_two_clicks() -> None:
    revise(facts=[*latest().facts, {"id": "spare", "text": {"en": "We are kind.", "zh": "我们很和气。"}}])
    app = tab()
    uses = library().fact_uses(CAMPAIGN)["trial"]
    assert app.button(key="remove_facts_trial").disabled
    assert plain(f"Scripts that use it: {len(uses)}") in shown(app)
    click(app, "remove_facts_spare")
    assert "spare" in latest().entries("facts")
    click(app, "remove_now_facts_spare")
    assert "spare" not in latest().entries("facts")
    click(app, "edit_facts_trial")
    assert app.button(key=f"open_{uses[0]}").label == plain(library().get(uses[0]).title)
    app.button(key=f"open_{uses[0]}").click().run()
    assert app.query_params["script"] in (uses[0], [uses[0]])


def test_a_new_fact_is_checked_in_words_and_what_was_typed_stays() -> None:
    app = click(tab(), "entry_add")
    app.text_input(key="entry_id").set_value("Late Fee")
    app.text_area(key="entry_text_en").set_value("There is no late fee of {amount}.")
    click(app, "entry_save")
    for expected in ("use small letters", "write something here", "without { }"):
        assert expected in errors(app).replace("\\", ""), expected
    assert latest().version == 1
    assert app.text_area(key="entry_text_en").value == "There is no late fee of {amount}."
    app.text_input(key="entry_id").set_value("late_fee")
    app.text_area(key="entry_text_en").set_value("Paying late costs nothing extra.")
    app.text_area(key="entry_text_zh").set_value("晚付款不另收费。")
    click(app, "entry_save")
    assert not app.error
    assert "late_fee" in latest().entries("facts")


def test_numbers_that_differ_between_the_languages_are_pointed_out() -> None:
    app = click(tab(), "edit_facts_price_basic")
    assert not app.warning
    app.text_area(key="entry_text_en").set_value("Basic storefront: 189 yuan a month, or 1,980 yuan a year.").run()
    assert "different numbers" in shown(app)
    app.text_area(key="entry_text_zh").set_value("基础店铺：每月189元，或每年1980元。").run()
    assert not app.warning


def test_a_forbidden_claim_is_written_in_plain_words_tried_and_published() -> None:
    call = "tried"
    calls().start(CAMPAIGN, call=call, language="en")
    said = str(calls().turn(call, "What is this about?")["reply"])
    words = " ".join(said.rstrip(".!?").split()[:3])
    app = click(tab("forbidden"), "entry_add")
    app.text_input(key="entry_reason").set_value("We do not talk like that.")
    app.text_area(key="entry_words_en").set_value(f"{words}\n100% (really)")
    app.text_area(key="entry_must_match").set_value(said)
    app.selectbox(key="entry_severity").set_value("low")
    app.radio(key="entry_status").set_value("published")
    click(app, "entry_try")
    assert any(entry.value.startswith("It would have stopped 1 of ") for entry in app.info)
    assert said in [text.value for text in app.text]
    assert latest().version == 1, "trying saves nothing"
    app.text_area(key="entry_must_not_match").set_value(said)
    click(app, "entry_save")
    assert "this sentence is stopped, too" in errors(app)
    app.text_area(key="entry_must_not_match").set_value("An honest sentence.")
    click(app, "entry_save")
    assert not app.error
    made = next(claim for claim in latest().forbidden if claim.reason == "We do not talk like that.")
    assert (made.id, made.severity, made.status, len(made.patterns["en"])) == ("rule-1", "low", "published", 2)


def test_a_removed_claims_name_is_never_given_to_another() -> None:
    kept = latest().forbidden
    revise(forbidden=[*kept, {"id": "rule-1", "reason": "No.", "patterns": {"en": ["never"]}}])
    revise(forbidden=kept)
    app = click(tab("forbidden"), "entry_add")
    app.text_input(key="entry_reason").set_value("Something else.")
    app.text_area(key="entry_words_en").set_value("ever")
    click(app, "entry_save")
    assert {entry.id for entry in latest().forbidden} - {entry.id for entry in kept} == {"rule-2"}


def test_a_broken_or_endless_search_pattern_is_refused_in_words() -> None:
    app = click(tab("forbidden"), "entry_add")
    app.text_input(key="entry_reason").set_value("No.")
    app.checkbox(key="entry_patterns").set_value(True)
    for pattern, expected in (("(never", "no search pattern"), (r"(\w+\s?)+$", "could hold a call up")):
        app.text_area(key="entry_words_en").set_value(pattern)
        click(app, "entry_save")
        assert expected in errors(app)
    assert latest().version == 1


def test_a_newer_edit_of_the_same_entry_is_shown_beside_what_was_typed_and_overwritten_only_on_purpose() -> None:
    app = click(tab(), "edit_facts_delivery")
    app.text_area(key="entry_text_en").set_value("Delivery: our riders for 5 yuan an order.")
    revise(facts=facts_with("delivery", "Delivery: our riders for 7 yuan an order."))
    click(app, "entry_save")
    assert latest().version == 2, "nothing was overwritten"
    assert "jun has saved this entry meanwhile" in shown(app)
    both = "\n".join(text.value for text in app.text)
    assert "5 yuan an order" in both and "7 yuan an order" in both
    assert app.text_area(key="entry_text_en").value == "Delivery: our riders for 5 yuan an order."
    click(app, "entry_on_top_2")
    assert latest().version == 3
    assert "5 yuan" in latest().entries("facts")["delivery"].text["en"]  # type: ignore[union-attr]


def test_somebody_elses_edit_of_another_entry_is_told_and_kept() -> None:
    app = click(tab(), "edit_facts_delivery")
    app.text_area(key="entry_text_en").set_value("Delivery: our riders for 5 yuan an order.").run()
    revise(facts=facts_with("onboarding", "Setup: one phone call."))
    app.run()
    assert any("has changed something else meanwhile" in entry.value for entry in app.info)
    click(app, "entry_save")
    texts = {fact.id: fact.text["en"] for fact in latest().facts}
    assert (texts["onboarding"], latest().version) == ("Setup: one phone call.", 3)
    assert "5 yuan" in texts["delivery"]


def test_what_was_typed_survives_another_view_and_page() -> None:
    app = click(tab("rubric"), "entry_add")
    app.text_area(key="entry_text_en").set_value("Asks before it offers.").run()
    look_at(app, "history")
    app.switch_page("graph/page.py").run()
    app.switch_page("scripts_library/page.py")
    app.query_params["campaign"], app.query_params["tab"] = CAMPAIGN, "campaign"
    app.run()
    assert app.text_area(key="entry_text_en").value == "Asks before it offers."
    click(app, "entry_save")
    assert [(line.id, line.text, line.status) for line in latest().rubric] == [
        ("line-1", {"en": "Asks before it offers."}, "draft")
    ]


def test_the_history_says_who_and_what_and_two_clicks_go_back() -> None:
    revise(facts=facts_with("delivery", "Delivery: our riders for 7 yuan an order."))
    app = tab("history")
    labels = [entry.label for entry in app.expander]
    assert any("Version 2 · edited · jun" in label for label in labels)
    assert any("Version 1 · loaded from files" in label for label in labels)
    both = "\n".join(text.value for text in app.text)
    assert "6 yuan an order" in both and "7 yuan an order" in both
    click(app, "campaign_back_1")
    assert latest().version == 2
    click(app, "campaign_back_now_1")
    assert (latest().version, latest().action) == (3, "roll_back")
    assert "6 yuan" in latest().entries("facts")["delivery"].text["en"]  # type: ignore[union-attr]
    assert "Version 1 is in use again" in shown(app)


def test_an_entry_that_somebody_edits_between_the_two_clicks_is_not_removed() -> None:
    revise(facts=[*latest().facts, {"id": "spare", "text": {"en": "We are kind.", "zh": "我们很和气。"}}])
    app = click(tab(), "remove_facts_spare")
    revise(facts=facts_with("spare", "We are very kind."))
    click(app, "remove_now_facts_spare")
    assert "spare" in latest().entries("facts")
    assert "jun has saved version 3 since you looked" in shown(app)
    both = "\n".join(text.value for text in app.text)
    assert "English: We are kind." in both and "English: We are very kind." in both
    revise(facts=facts_with("delivery", "Delivery: our riders for 7 yuan an order."))
    click(app, "remove_now_facts_spare")
    assert "spare" not in latest().entries("facts"), "another entry's change stands in nobody's way"


@pytest.mark.parametrize("clicked", [False, True], ids=["before the first click", "between the clicks"])
def test_going_back_does_not_undo_a_version_that_nobody_has_seen(clicked: bool) -> None:
    revise(facts=facts_with("delivery", "Delivery: our riders for 7 yuan an order."))
    app = tab("history")
    if clicked:
        click(app, "campaign_back_1")
    revise(facts=facts_with("delivery", "Delivery: our riders for 8 yuan an order."), author="sam")
    if not clicked:
        click(app, "campaign_back_1")
    click(app, "campaign_back_now_1")
    assert (latest().version, latest().action) == (3, "revise")
    assert "sam has saved version 3 since you looked" in shown(app)


def test_text_is_shown_as_text() -> None:
    revise(
        author=UNTRUSTED[:60],
        facts=facts_with("delivery", UNTRUSTED.replace("{", "")),
        rubric=[{"id": "nasty", "text": {"en": UNTRUSTED}, "source": UNTRUSTED}],
        forbidden=[*latest().forbidden, {"id": "nasty", "reason": UNTRUSTED, "patterns": {"en": ["nasty"]}}],
    )
    for view in ("facts", "forbidden", "rubric", "history"):
        app = tab(view)
        rendered = "\n".join(
            str(entry.value) for kind in (app.markdown, app.caption, app.info, app.warning) for entry in kind
        )
        rendered += "\n".join(entry.label for entry in [*app.expander, *app.button])
        for harmful in ("<script>", "![x](", "[go](", "**b**", ":smile:"):
            assert harmful not in rendered, (view, harmful)
        if view != "history":
            assert UNTRUSTED in [text.value for text in app.text], view


def test_somebody_who_may_only_look_cannot_open_the_tab(monkeypatch: pytest.MonkeyPatch) -> None:
    from graph.settings import get_settings

    monkeypatch.setenv("SALESMAN_ROLES", "viewer")
    get_settings.cache_clear()
    app = opened("desk", campaign=CAMPAIGN, tab="campaign")
    assert "needs the role" in errors(app)
    assert not [button for button in app.button if str(button.key).startswith(("edit_", "entry_"))]


@pytest.mark.parametrize(
    ("view", "expected"),
    [("facts", "助手可以说的内容"), ("forbidden", "绝不能说的话"), ("rubric", "评判"), ("history", "从文件载入")],
)
def test_the_tab_speaks_chinese(view: str, expected: str) -> None:
    def page() -> None:
        from scripts_library.page_campaign import campaign_tab

        campaign_tab("lantern_local")

    app = AppTest.from_function(page, default_timeout=SECONDS)
    app.session_state["interface_language"] = "zh"
    app.session_state[f"campaign_view_{CAMPAIGN}"] = view
    app.run()
    assert not app.exception
    assert expected in "\n".join([shown(app), *(entry.label for entry in app.expander)])
