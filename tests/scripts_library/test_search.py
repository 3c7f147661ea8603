import shutil
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.errors import BadInput, Cancelled
from graph.settings import Settings
from scripts_library import store
from scripts_library.database import engine_for, writing
from scripts_library.library import Library
from scripts_library.retrieval import Retrieval
from tests.scripts_library.conftest import CAMPAIGN, HashEmbedder, find, make_script, write_campaign

QUERY = HashEmbedder().query(["too expensive"])[0]
GREEN = CAMPAIGN.replace("tea_club", "green_tea")


def vector(text: str) -> NDArray[np.float32]:
    return HashEmbedder().query([text])[0]


def test_a_search_finds_the_nearest_first_with_its_similarity(library: Library) -> None:
    library.add_many([make_script(f"s-{n}", situation=[f"line {n}"], status="published") for n in range(30)], "ann")
    vector = HashEmbedder().query(["line 7"])[0]
    found = library.search("tea_club", "en", "objection", "too_expensive", vector, k=5)
    assert found.no_hit == ""
    assert found.hits[0].script == library.get("s-7")
    assert found.hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
    assert len(found.hits) == 5


NO_HIT = [
    (("en", "objection", "too_expensive"), {}, ["price-1"], "", "the intent has a script"),
    (
        ("en", "objection", "too_expensive"),
        {"exclude": {"price-1"}},
        ["general-1"],
        "general",
        "its only one is excluded",
    ),
    (("en", "objection", "agrees"), {}, ["general-1"], "general", "the intent has none"),
    (("en", "objection", "any"), {}, ["general-1"], "general", "general ones are asked for"),
    (("en", "objection", "agrees"), {"exclude": ["general-1"]}, [], "none", "nothing is left"),
    (("zh", "objection", "agrees"), {}, [], "none", "no general script in Chinese"),
    (("en", "close", "too_expensive"), {}, [], "none", "another stage's scripts are never used"),
]


@pytest.mark.parametrize(("place", "options", "ids", "no_hit", "why"), NO_HIT, ids=[case[4] for case in NO_HIT])
def test_the_no_hit_policy(
    library: Library, place: tuple[str, str, str], options: dict[str, list[str]], ids: list[str], no_hit: str, why: str
) -> None:
    found = library.search("tea_club", *place, QUERY, **options)
    assert ([hit.script.id for hit in found.hits], found.no_hit) == (ids, no_hit), why


def test_an_unknown_campaign_finds_nothing(library: Library) -> None:
    assert library.search("coffee_club", "en", "objection", "too_expensive", QUERY).no_hit == "none"


def test_expired_scripts_are_not_found_however_many_there_are(library: Library) -> None:
    today = date.today()  # noqa: DTZ011 - the machine's own day is what the library goes by
    expired = [make_script(f"old-{n}", valid_until=today - timedelta(days=1), status="published") for n in range(60)]
    library.add_many([*expired, make_script("last-day", valid_until=today, status="published")], "ann")
    assert sorted(find(library, "situation of old-3", k=3)) == ["last-day", "price-1"]


def test_excluded_scripts_make_room_for_others(library: Library) -> None:
    library.add_many([make_script(f"s-{n:02}", status="published") for n in range(40)], "ann")
    seen: list[str] = []
    while fresh := [id_ for id_ in find(library, k=3, exclude=seen) if id_ != "general-1"]:
        seen += fresh
    assert sorted(seen) == ["price-1", *(f"s-{n:02}" for n in range(40))]


def test_another_embedding_model_is_refused_until_reindex(opened: Callable[..., Library]) -> None:
    opened().close()
    other = HashEmbedder("other", 24)
    library = opened(embedder=other)
    vector = other.query(["too expensive"])[0]
    expected = "built with embedding model 'hash', but 'other' is in use; rebuild it with `salesman scripts reindex`"
    with pytest.raises(BadInput, match=expected):
        library.search("tea_club", "en", "objection", "too_expensive", vector)
    with pytest.raises(BadInput, match=expected):
        library.publish("draft-1", 1, "ann")
    assert library.get("draft-1").version == 1
    library.revise("draft-1", 1, "ann", title="drafts need no index")
    library.archive("general-1", 1, "ann")

    assert library.reindex() == 2
    assert [hit.script.id for hit in library.search("tea_club", "en", "objection", "too_expensive", vector).hits] == [
        "price-1"
    ]
    assert library.search("tea_club", "en", "objection", "any", vector).no_hit == "none"


def test_a_vector_of_another_size_is_refused(library: Library) -> None:
    with pytest.raises(BadInput, match=r"shape \(3,\), the index \(16,\)"):
        library.search("tea_club", "en", "objection", "too_expensive", np.ones(3, np.float32))


def test_reindex_rebuilds_the_same_answers_and_leaves_one_index(library: Library, settings: Settings) -> None:
    library.add_many([make_script(f"s-{n}", status="published") for n in range(12)], "ann")
    before = find(library, "situation of s-3", k=20)
    assert library.reindex() == 15
    assert find(library, "situation of s-3", k=20) == before
    names = [collection.name for collection in library._index._connected().list_collections()]
    assert len({name.rpartition(".")[2] for name in names}) == 1


@pytest.mark.parametrize("call", [1, 3, 4])
def test_a_reindex_that_is_cancelled_leaves_the_old_index_in_use(
    library: Library, settings: Settings, call: int
) -> None:
    library.add_many([make_script(f"s-{n:03}", status="published") for n in range(130)], "ann")
    before, told = find(library, "situation of s-003", k=20), []
    with engine_for(settings).connect() as connection:
        info = store.index_info(connection)
    assert info is not None

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == call:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        library.reindex(progress)
    assert told == [(0, 133), (64, 133), (128, 133), (133, 133)][:call]
    assert find(library, "situation of s-003", k=20) == before
    names = [collection.name for collection in library._index._connected().list_collections()]
    assert {name.rpartition(".")[2] for name in names} == {info.tag}
    assert library.reindex() == 133
    assert find(library, "situation of s-003", k=20) == before


def test_an_index_that_was_removed_is_built_again(opened: Callable[..., Library], settings: Settings) -> None:
    opened().close()
    shutil.rmtree(settings.home / "chroma")
    assert find(opened()) == ["price-1"]


def test_an_index_that_was_damaged_names_reindex_which_mends_it(
    opened: Callable[..., Library], settings: Settings
) -> None:
    opened().close()
    (settings.home / "chroma" / "chroma.sqlite3").write_bytes(b"damaged" * 1000)
    library = opened()
    with pytest.raises(BadInput, match=r"failed \(.*\); rebuild it with `salesman scripts reindex`"):
        find(library)
    library.reindex()
    assert find(library) == ["price-1"]


def test_an_edit_that_stopped_between_the_stores_is_healed_by_the_next_opening(
    opened: Callable[..., Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = opened()
    with monkeypatch.context() as broken:
        broken.setattr(Retrieval, "heal", lambda self: None)
        library.publish("draft-1", 1, "ann")
        library.archive("price-1", 1, "ann")
        assert find(library, k=9) == ["price-1"]
    library.close()
    assert find(opened(), k=9) == ["draft-1"]


def test_an_index_that_fails_after_the_save_says_so_and_is_healed_later(
    opened: Callable[..., Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = opened()

    def fail(*_: object) -> None:
        raise BadInput("no answer")

    with monkeypatch.context() as broken:
        broken.setattr(library._index, "upsert", fail)
        with pytest.raises(BadInput, match=r"Saved, but customers do not hear it yet.*no answer"):
            library.publish("draft-1", 1, "ann")
    assert library.get("draft-1").status == "published"
    assert find(library, k=9) == ["price-1"]
    opened()
    assert sorted(find(library, k=9)) == ["draft-1", "price-1"]


def test_healing_marks_what_it_wrote_so_that_it_ends(library: Library, settings: Settings) -> None:
    with engine_for(settings).connect() as connection:
        info = store.index_info(connection)
        assert info is not None
        assert (info.embedder, info.dimension) == ("hash", 16)
        assert store.behind_ids(connection, info.tag) == []
        assert store.behind_ids(connection, "elsewhere") == ["general-1", "price-1", "price-zh"]
    with writing(engine_for(settings)) as connection:
        store.mark_indexed(connection, [("price-1", None, None)])
    library._retrieval.heal()
    assert not library._retrieval.is_behind()


def test_a_draft_that_is_tried_competes_by_its_score_and_nobody_else_finds_it(library: Library) -> None:
    library.add_many([make_script("new-1", situation=["Too dear for me"])], "ann")
    tried = library.search("tea_club", "en", "objection", "too_expensive", vector("Too dear for me"), drafts=["new-1"])
    assert (tried.hits[0].script.id, tried.hits[0].script.version) == ("new-1", 1)
    assert tried.hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert {hit.script.id for hit in tried.hits} == {"new-1", "price-1"}
    assert find(library, "Too dear for me", k=9) == ["price-1"]


def test_a_draft_takes_the_place_of_its_published_version(library: Library) -> None:
    library.revise("price-1", 1, "ann", situation=["Something else"])
    tried = library.search("tea_club", "en", "objection", "too_expensive", vector("Something else"), drafts=["price-1"])
    assert [(hit.script.id, hit.script.version) for hit in tried.hits] == [("price-1", 2)]
    live = library.search("tea_club", "en", "objection", "too_expensive", vector("Something else"))
    assert [(hit.script.id, hit.script.version) for hit in live.hits] == [("price-1", 1)]


def test_a_draft_that_moved_elsewhere_is_found_there_and_no_longer_here(library: Library) -> None:
    library.revise("price-1", 1, "ann", stage="close", intent="agrees")
    assert find(library, drafts=["price-1"]) == ["general-1"]
    moved = library.search("tea_club", "en", "close", "agrees", QUERY, drafts=["price-1"])
    assert ([hit.script.id for hit in moved.hits], moved.no_hit) == (["price-1"], "")


DRAFTS_LEFT_OUT: list[tuple[dict[str, object], dict[str, object], str]] = [
    ({"language": "zh", "say": ["好"]}, {}, "another language"),
    ({"stage": "close"}, {}, "another stage"),
    ({"intent": "agrees"}, {}, "another intent"),
    ({"valid_until": date(2020, 1, 1)}, {}, "expired"),
    ({"status": "archived"}, {}, "archived"),
    ({}, {"exclude": ["new-1"]}, "excluded"),
]


@pytest.mark.parametrize(("fields", "options", "why"), DRAFTS_LEFT_OUT, ids=[case[2] for case in DRAFTS_LEFT_OUT])
def test_a_draft_is_left_out_where_a_published_script_would_be(
    library: Library, fields: dict[str, object], options: dict[str, object], why: str
) -> None:
    library.add(make_script("new-1", **fields), "ann")
    assert "new-1" not in find(library, "situation of new-1", k=9, drafts=["new-1"], **options), why


def test_a_general_draft_is_found_where_the_intent_has_none(library: Library) -> None:
    library.add(make_script("new-1", intent="any", language="zh", say=["好的。"]), "ann")
    found = library.search("tea_club", "zh", "objection", "agrees", QUERY, drafts=["new-1"])
    assert ([hit.script.id for hit in found.hits], found.no_hit) == (["new-1"], "general")


def test_drafts_can_be_tried_before_anything_was_published(opened: Callable[..., Library], tmp_path: Path) -> None:
    scripts = "- {id: only-1, stage: close, intent: agrees, language: en, title: T, situation: [S], outline: [O], say: [Y], status: draft}"
    library = opened(campaigns={"green_tea": write_campaign(tmp_path / "green_tea", campaign=GREEN, scripts=scripts)})
    found = library.search("green_tea", "en", "close", "agrees", vector("S"), drafts=["only-1"])
    assert [hit.script.id for hit in found.hits] == ["only-1"]


def test_only_drafts_of_the_place_are_embedded(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.add_many([make_script("here"), make_script("there", stage="close"), make_script("idle")], "ann")
    embedded: list[str] = []
    passage = HashEmbedder.passage

    def watched(self: HashEmbedder, texts: Sequence[str]) -> NDArray[np.float32]:
        embedded.extend(texts)
        return passage(self, texts)

    monkeypatch.setattr(HashEmbedder, "passage", watched)
    library.search("tea_club", "en", "objection", "too_expensive", QUERY, drafts=["here", "there"])
    assert embedded == ["situation of here"]
    library.search("tea_club", "en", "objection", "too_expensive", QUERY)
    assert embedded == ["situation of here"], "a live call embeds no script"


def test_a_script_that_an_ab_test_shows_comes_first_however_far_it_is(library: Library) -> None:
    library.add_many([make_script(f"s-{n:02}", status="published") for n in range(40)], "ann")
    nearest = find(library, "situation of s-07", k=40)
    last = nearest[-1]
    found = library.search(
        "tea_club", "en", "objection", "too_expensive", vector("situation of s-07"), prefer=[last, last, "general-1"]
    )
    assert [hit.script.id for hit in found.hits] == [last, *nearest[:2]]
    assert found.hits[0].score < found.hits[2].score < found.hits[1].score == pytest.approx(1.0, abs=1e-5)


def test_what_is_excluded_or_tried_as_a_draft_is_not_shown_in_its_published_version(library: Library) -> None:
    library.add(make_script("new-1", status="published"), "ann")
    assert find(library, prefer=["new-1"]) == ["new-1", "price-1"]
    assert find(library, prefer=["new-1"], exclude=["new-1"]) == ["price-1"]
    library.revise("new-1", 1, "ann", title="Better")
    found = library.search("tea_club", "en", "objection", "too_expensive", QUERY, prefer=["new-1"], drafts=["new-1"])
    assert [(hit.script.id, hit.script.version) for hit in found.hits] == [("new-1", 2), ("price-1", 1)]
