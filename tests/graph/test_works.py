"""What is told of scripts, A/B tests, and the figures' intervals."""

import random
from pathlib import Path
from typing import Any

import pytest

from graph import experiments
from graph.calls import CallStore
from graph.errors import BadInput
from graph.intervals import Difference, Share
from graph.session import Calls
from graph.settings import Settings
from graph.works import fell_through, never_used, recent_lines, used_script_ids, what_works
from scripts_library.database import engine_for
from scripts_library.library import Library, open_library
from tests.graph.calls_made import HEADER, keep, objection, outcome, turn_of

A, B = "lantern-price-en", "lantern-price-en-b"


@pytest.fixture
def engine(own_home: Path) -> Any:
    engine = engine_for(Settings(home=own_home, _env_file=None))
    CallStore(engine)
    return engine


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval_is_the_published_one(hits: int, of: int, low: float, high: float) -> None:
    assert Share(hits, of).interval == pytest.approx((low, high), abs=5e-5)


def test_newcombes_interval_is_the_published_one() -> None:
    difference = Difference(Share(56, 70), Share(48, 80))  # Newcombe 1998, table II, example (a), method 10
    assert difference.value == pytest.approx(0.2)
    assert difference.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_a_script_is_told_by_what_followed_it(engine: Any) -> None:
    led = [turn_of("c1", 1, scripts=[("s", 1), ("t", 1)]), turn_of("c1", 2, scripts=[("t", 1), ("s", 1)])]
    keep(engine, "c1", led, outcome("won", objections=[objection(1, 2)]))
    keep(engine, "c2", [turn_of("c2", 1, scripts=[("s", 2)])], outcome("declined", objections=[objection(1)]))
    keep(engine, "c3", [turn_of("c3", 1, scripts=[("s", 2)])], outcome("open"))
    works = {row.script: row for row in what_works(engine, "lantern_local")}
    assert (works["s"].led, works["s"].fetched) == (3, 4)
    assert (works["s"].resolved, works["s"].won) == (Share(1, 2), Share(1, 2)), "a call that goes on is not counted"
    assert (works["t"].led, works["t"].fetched, works["t"].resolved, works["t"].won) == (1, 2, Share(0, 0), Share(1, 1))
    assert works["s"].won.too_few
    (second,) = what_works(engine, script="s", versions=(2, 9))
    assert (second.led, second.won) == (2, Share(0, 1))
    assert what_works(engine, "save_the_children") == []
    assert used_script_ids(engine, "lantern_local") == {"s", "t"}
    assert never_used(engine, ["u", "t", "a"]) == ["a", "u"]


def test_lines_that_no_script_was_found_for_come_once_with_their_place(engine: Any) -> None:
    for call in ("c1", "c2"):
        lines = [turn_of(call, 1, "Is it safe?", no_hit="general"), turn_of(call, 2, "Found", scripts=[("s", 1)])]
        keep(engine, call, [*lines, turn_of(call, 3, "安全吗？", no_hit="none", language="zh")], outcome())
    newest, older = fell_through(engine, "lantern_local")
    assert (newest.line, newest.language, newest.no_hit, newest.times) == ("安全吗？", "zh", "none", 2)
    assert (older.line, older.stage, older.intent) == ("Is it safe?", "objection", "price")
    assert [heard.line for heard in recent_lines(engine, text="saf")] == ["Is it safe?"]
    assert len(recent_lines(engine, limit=2)) == 2


@pytest.fixture
def library(loaded_home: Path) -> Any:
    from serving.embed import load_embedder

    settings = Settings(home=loaded_home, _env_file=None)
    with open_library(settings, load_embedder(settings)) as library:
        yield library


def two_of_a_place(library: Library) -> tuple[str, str]:
    first = next(
        s for s in library.list("lantern_local", status="published") if s.stage == "objection" and s.intent != "any"
    )
    copy = first.model_copy(update={"id": f"{first.id}-b", "status": "published"})
    return first.id, library.add(copy, "ann").id


def test_each_call_draws_one_of_the_two_and_keeps_it_until_the_test_stops(library: Library) -> None:
    engine = engine_for(library._settings)
    store = CallStore(engine)
    store.open("before", HEADER)
    one, two = two_of_a_place(library)
    held = experiments.start(engine, library, one, two, "ann")
    for number in range(40):
        store.open(f"c{number}", HEADER)
    store.open("elsewhere", {**HEADER, "campaign": "save_the_children"})
    drawn = {tuple(store.header(f"c{number}")["shown"]) for number in range(40)}
    assert drawn == {(one,), (two,)}
    header = store.header("c0")
    assert header["withheld"] == [two if header["shown"] == [one] else one]
    assert store.header("c0") == header
    for call in ("before", "elsewhere"):
        assert (store.header(call)["shown"], store.header(call)["withheld"]) == ([], [])
    with pytest.raises(BadInput, match="running already"):
        experiments.start(engine, library, two, one, "bob")
    library.archive(two, library.get(two).version, "ann")
    assert (store.header("c0")["shown"], store.header("c0")["withheld"]) == ([], []), (
        "nothing is kept from a call for a script that is gone"
    )
    library.publish(two, library.get(two).version, "ann")
    assert store.header("c0")["shown"]
    assert experiments.stop(engine, held.id, "bob").stopped_by == "bob"
    assert store.header("c0")["shown"] == []
    with pytest.raises(BadInput, match="was stopped"):
        experiments.stop(engine, held.id, "bob")
    assert experiments.start(engine, library, one, two, "ann").id != held.id, "another may follow"
    assert [entry.stopped_at is None for entry in experiments.experiments(engine)] == [True, False]


def test_only_published_scripts_of_one_place_are_compared(library: Library) -> None:
    engine = engine_for(library._settings)
    CallStore(engine)
    live = library.list("lantern_local", status="published")
    other = next(script for script in live if script.stage != live[0].stage)
    for pair, message in (
        ((live[0].id, live[0].id), "with itself"),
        ((live[0].id, other.id), "different"),
        ((live[0].id, "nowhere"), "not published"),
    ):
        with pytest.raises(BadInput, match=message):
            experiments.start(engine, library, *pair, "ann")


def test_a_test_is_reported_by_what_calls_drew(library: Library) -> None:
    engine = engine_for(library._settings)
    CallStore(engine)
    one, two = two_of_a_place(library)
    place = library.get(one)
    held = experiments.start(engine, library, one, two, "ann")
    store = CallStore(engine)
    won = {one: 0, two: 0}
    counts = {one: 0, two: 0}
    for number in range(60):
        call = f"c{number}"
        store.open(call, {**HEADER, "campaign": place.campaign})
        shown = store.header(call)["shown"][0]
        sold = number % 3 == 0
        counts[shown] += 1
        won[shown] += sold
        met = {"intent": place.intent, "language": place.language, "at": "2020-01-01T00:00:00+00:00"}
        turn = turn_of(call, 1, scripts=[(shown, 1)], **met)
        settled = [objection(1, 1 if sold else None, place.intent)]
        keep(engine, call, [turn], outcome("won" if sold else "declined", objections=settled))
    store.open("never came", {**HEADER, "campaign": place.campaign})
    told = experiments.report(engine, held.id)
    assert (told.a.reached, told.b.reached) == (counts[one], counts[two])
    assert told.a.assigned + told.b.assigned == 61
    assert (told.a.led, told.b.led) == (counts[one], counts[two])
    assert (told.a.won, told.b.won) == (Share(won[one], counts[one]), Share(won[two], counts[two]))
    assert (told.a.resolved, told.b.resolved) == (told.a.won, told.b.won)
    assert told.won.too_few == (min(counts.values()) < 20)


@pytest.mark.parametrize(("true_a", "true_b"), [(0.3, 0.3), (0.5, 0.3), (0.05, 0.05)])
def test_the_interval_covers_the_true_difference_in_about_95_of_100_tests(true_a: float, true_b: float) -> None:
    chance = random.Random(7)
    covered = found = 0
    for _ in range(2000):
        a, b = (Share(sum(chance.random() < share for _ in range(150)), 150) for share in (true_a, true_b))
        low, high = Difference(a, b).interval
        covered += low <= true_a - true_b <= high
        found += low > 0 or high < 0
    assert 0.935 <= covered / 2000 <= 0.98
    if true_a != true_b:
        assert found / 2000 > 0.9, "a true difference of 20 points is found with 150 calls a side"


def test_a_call_is_given_the_script_that_it_drew_and_never_the_other(loaded_home: Path) -> None:
    calls = Calls(Settings(home=loaded_home, llm="fake/echo", _env_file=None))
    line = "That is too expensive for us."
    calls.start("lantern_local", call="first", language="en")
    first = calls.turn("first", line)
    library = calls.resources.library
    one = library.get(first["scripts"][0]["id"])
    two = library.add(one.model_copy(update={"id": f"{one.id}-b", "status": "published"}), "ann")
    held = experiments.start(calls.engine, library, one.id, two.id, "ann")
    drawn: set[str] = set()
    for number in range(8):
        call = f"c{number}"
        calls.start("lantern_local", call=call, language="en")
        header = calls.store.header(call)
        used = [script["id"] for script in calls.turn(call, line)["scripts"]]
        assert used[0] == header["shown"][0]
        assert header["withheld"][0] not in used
        drawn |= set(header["shown"])
    told = experiments.report(calls.engine, held.id)
    assert told.a.reached + told.b.reached == told.a.led + told.b.led == 8
    assert told.won.too_few
    assert drawn <= {one.id, two.id}
