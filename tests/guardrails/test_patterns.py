"""A pattern that would hold a call up is refused before it is saved; those that people write are not."""

import re
import time

import pytest

from guardrails.patterns import MAX_PATTERN, endless, pattern_fault
from scripts_library.loading import bundled, load_campaign

ENDLESS = [
    (r"(a+)+$", "a repeat in a repeat"),
    (r"(\w+\s?)+$", "words that may lack the space between them"),
    (r"(x+x+)+y", "two ways to cut the same run"),
    (r"^please (a|aa)+$", "two ways, after something else"),
    (r"([^x]+)+$", "fails only at what it leaves out"),
    (r"(ab|a|b)+!", "alternatives that overlap"),
    (r"(.*a){30}", "counted, with anything between"),
    (r"we (?:promise (?:\w+ ?)+)+never", "deep inside a sentence"),
    (r"保证(很*)*好", "in Chinese"),
    (r".*.*.*.*=x", "many ways to cut a line, no repeat in a repeat"),
]
SOUND = [
    r"\bguaranteed?\b.{0,40}\b(sales|orders?)\b",
    r"(?:very\s+)+cheap",
    r"(?<!not )\b(always|permanently) (first|on top)\b",
    r"保证.{0,12}(赚|回本)",
    r"(?:\w+, )+and more",
    r"[^,.]*\bfree\b[^,.]*",
]


@pytest.mark.parametrize(("pattern", "why"), ENDLESS)
def test_a_pattern_that_may_run_for_ever_is_found(pattern: str, why: str) -> None:
    assert pattern_fault(pattern) == ""
    started = time.monotonic()
    assert endless((SOUND[0], pattern, SOUND[1])) == {pattern}, why
    assert time.monotonic() - started < 30


def test_what_people_write_is_sound_and_soon_tried() -> None:
    assert not [pattern for pattern in SOUND if pattern_fault(pattern)]
    assert endless(tuple(SOUND)) == frozenset()


@pytest.mark.parametrize("name", sorted(bundled()))
def test_the_patterns_that_ship_are_sound(name: str) -> None:
    claims = load_campaign(bundled()[name]).campaign.forbidden
    patterns = tuple(pattern for claim in claims for patterns in claim.patterns.values() for pattern in patterns)
    assert patterns
    assert endless(patterns) == frozenset()


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("free (forever", "no regular expression"),
        ("*free", "no regular expression"),
        ("a" * (MAX_PATTERN + 1), "longer than"),
        ("(free)?", "matches even an empty line"),
        ("", "matches even an empty line"),
    ],
)
def test_a_text_that_cannot_be_a_pattern_is_named(pattern: str, why: str) -> None:
    assert why in pattern_fault(pattern)


def test_odd_patterns_are_tried_without_an_error() -> None:
    odd = (
        r"(?i:a)",
        r"(a)?(?(1)b|c)",
        r"(?=x)a|(?!y)b",
        r"[^\W\d_]+x",
        r"\Aab?\Z",
        r"(?P<n>a)(?P=n)",
        r"a{2,5}?b",
        "[a-z]++!",
    )
    assert [pattern for pattern in odd if re.compile(pattern) and pattern_fault(pattern)] == []
    assert endless(odd) == frozenset()
