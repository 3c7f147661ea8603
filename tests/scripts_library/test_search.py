import shutil
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest

from graph.errors import BadInput
from graph.settings import Settings
from scripts_library import store
from scripts_library.database import engine_for, writing
from scripts_library.library import Library
from scripts_library.retrieval import Retrieval
from tests.scripts_library.conftest import HashEmbedder, find, make_script

QUERY = HashEmbedder().query(["too expensive"])[0]


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
