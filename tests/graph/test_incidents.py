"""Patterns from words, and which recorded replies they would stop."""

import re
from pathlib import Path

import pytest

from graph.incidents import name_of, pattern_of, recorded_count, recorded_replies
from graph.settings import get_settings
from scripts_library.campaign_edits import try_claim
from scripts_library.database import engine_for
from scripts_library.schema import ForbiddenClaim, Name
from tests.graph.calls_made import keep, outcome, turn_of


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ("no risk", "There is no  risk.", True),
        ("no risk", "There is no risky step.", False),
        ("sure", "Under pressure", False),
        ("Not ice", "notice", False),
        ("100% safe", "It is 100 %safe", False),
        ("100% safe", "It is 100%safe", True),
        ("a.b", "axb", False),
        ("绝对 没有风险", "绝对没有风险", True),
        ("包赚", "我们包赚不赔", True),
        ("ＡＢＣ", "abc", True),
    ],
)
def test_words_are_found_as_words(words: str, text: str, found: bool) -> None:
    assert bool(re.search(pattern_of(words), text, re.IGNORECASE)) is found


def test_replies_are_stopped_as_the_guard_would_and_peoples_lines_are_left_out(own_home: Path) -> None:
    engine = engine_for(get_settings())
    said = [turn_of("one", 0, "", "Hello."), turn_of("one", 1, reply="Well. There is **no risk** at all.")]
    said += [turn_of("one", 2, reply="No risk.", source="human"), turn_of("one", 3, reply="没有风险", language="zh")]
    keep(engine, "one", said, outcome())
    replies = recorded_replies(engine, "lantern_local", "en")
    assert [(call, turn) for call, turn, _ in replies] == [("one", 1), ("one", 0)]
    claim = ForbiddenClaim(
        id="no-risk", reason="there is one", patterns={"en": [pattern_of("no risk")]}, status="draft"
    )
    assert [found.turn for found in try_claim(claim, replies, "en")] == [1]
    assert recorded_replies(engine, "lantern_local", "en", newest=1) == replies[:1]
    assert recorded_count(engine, "lantern_local", "en") == 2
    assert recorded_replies(engine, "save_the_children", "en") == []


def test_the_name_is_one_that_campaigns_take() -> None:
    from pydantic import TypeAdapter

    for call in ("ab12", "Ümlaut Call!", "x" * 64):
        assert TypeAdapter(Name).validate_python(name_of(call, 3))
