import pytest

from graph.session import Calls
from graph.works import fell_through
from scripts_library.schema import Script

pytestmark = pytest.mark.usefixtures("loaded_home")
FEAR = "I'm afraid of bad reviews"


def test_scripts_that_a_call_has_used_up_are_no_hole_in_the_library() -> None:
    calls = Calls()
    script = Script(
        id="reviews-1",
        campaign="lantern_local",
        stage="objection",
        intent="bad_reviews",
        language="en",
        title="Answer it",
        situation=[FEAR],
        outline=["Take it seriously"],
        say=["That worry makes sense. Shall an adviser call you?"],
        status="published",
    )
    call = calls.start("lantern_local", language="en")["call"]
    assert calls.turn(call, FEAR)["why"]["no_hit"] == "general"
    calls.resources.library.add(script, "ada")
    seen = [calls.turn(call, f"{FEAR}{'!' * number}")["why"]["no_hit"] for number in range(1, 3)]
    assert seen == ["", "used"]
    assert [heard.line for heard in fell_through(calls.engine)] == [FEAR]
