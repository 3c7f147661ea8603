import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graph.errors import LibraryBusy
from graph.settings import Settings
from scripts_library import locks
from scripts_library.index import ChromaIndex
from scripts_library.library import Library
from scripts_library.locks import IndexLock, ReadWriteGuard
from tests.scripts_library.conftest import find, make_script
from tests.scripts_library.processes import others


def test_two_processes_that_start_at_once_on_an_empty_home_load_the_campaigns_once(
    settings: Settings, folder: Path
) -> None:
    with others(3, settings.home, folder) as started:
        for other in started:
            assert other.do("library.campaigns()") == "['tea_club']"
            assert other.do("find(library)") == "['price-1']"
            assert other.do("len(library.history('price-1'))") == "1"


def test_a_writer_beside_another_process_is_told_at_once_and_nothing_changes(
    opened: Callable[..., Library], settings: Settings, folder: Path
) -> None:
    library = opened()
    with others(1, settings.home, folder) as (other,):
        started = time.monotonic()
        answer = other.do("library.add(make_script(), 'ann')")
        assert time.monotonic() - started < 5
        assert answer.startswith("LibraryBusy: Another process has the script library")
        assert "SALESMAN_CHROMA_URL" in answer
        with pytest.raises(LibraryBusy, match="SALESMAN_CHROMA_URL"):
            library.publish("draft-1", 1, "bob")
        with pytest.raises(LibraryBusy, match="SALESMAN_CHROMA_URL"):
            library.reindex()
        assert (find(library), other.do("find(library)")) == (["price-1"], "['price-1']")
        assert other.do("len(library.list())") == "4"
    assert library.publish("draft-1", 1, "bob").version == 2
    assert sorted(find(library)) == ["draft-1", "price-1"]


def test_a_killed_process_leaves_no_lock(opened: Callable[..., Library], settings: Settings, folder: Path) -> None:
    with others(1, settings.home, folder) as (other,):
        other.send("[lock := library._index.exclusive(), lock.__enter__(), os.kill(os.getpid(), 9)]")
        other.process.wait(20)
        library = opened()
        library.publish("draft-1", 1, "bob")
    with others(1, settings.home, folder) as (other,):
        other.kill()
        library.archive("draft-1", 2, "bob")
    assert find(library) == ["price-1"]


def test_a_process_killed_between_the_stores_is_healed_by_the_next(
    opened: Callable[..., Library], settings: Settings, folder: Path
) -> None:
    with others(1, settings.home, folder) as (other,):
        other.send(
            "[setattr(library._retrieval, 'heal', lambda: os.kill(os.getpid(), 9)), library.publish('draft-1', 1, 'ann')]"
        )
        other.process.wait(20)
    library = opened()
    assert library.get("draft-1").status == "published"
    assert sorted(find(library)) == ["draft-1", "price-1"]


def test_a_process_that_lost_its_lock_to_a_writer_opens_the_index_anew(tmp_path: Path) -> None:
    stale: list[str] = []
    first = IndexLock(tmp_path / "lock", lambda: stale.append("first"))
    second = IndexLock(tmp_path / "lock", lambda: stale.append("second"))
    first.open()
    second.open()
    with pytest.raises(LibraryBusy), first.exclusive():
        pytest.fail("two processes may not write")
    assert stale == []
    first.close()
    with second.exclusive():
        pass
    first.open()
    assert stale == []
    second.close()
    with first.exclusive(), first.exclusive():
        pass
    second.open()
    second._seen = b""
    with pytest.raises(LibraryBusy), second.exclusive():
        pytest.fail("two processes may not write")
    assert stale == ["second"]
    first.close()
    second.close()


def test_opening_waits_for_a_writer_and_then_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_S", 0.05)
    writer = IndexLock(tmp_path / "lock", lambda: None)
    writer.open()
    with writer.exclusive(), pytest.raises(LibraryBusy, match="has been writing the script library"):
        IndexLock(tmp_path / "lock", lambda: None).open()
    with (
        locks.one_process(tmp_path / "opening"),
        pytest.raises(LibraryBusy, match="has been opening"),
        locks.one_process(tmp_path / "opening"),
    ):
        pytest.fail("two processes may not open at once")
    writer.close()


def test_the_guard_lets_readers_share_and_a_replacer_alone() -> None:
    guard = ReadWriteGuard()
    seen: list[str] = []

    def replace() -> None:
        with guard.replacing():
            seen.append("replaced")

    with guard.reading(), guard.reading():
        thread = threading.Thread(target=replace)
        thread.start()
        seen.append("reading")
    thread.join(10)
    assert seen == ["reading", "replaced"]


def test_searches_go_on_while_the_index_is_opened_anew(library: Library) -> None:
    library.add_many([make_script(f"s-{number}", status="published") for number in range(5)], "ann")
    stop = threading.Event()
    found: set[tuple[str, ...]] = set()

    def search() -> None:
        while not stop.is_set():
            found.add(tuple(find(library, "situation of s-1", k=9)))

    thread = threading.Thread(target=search)
    thread.start()
    for _ in range(5):
        library._index._forget()
        assert len(find(library, k=9)) == 6
    stop.set()
    thread.join(20)
    assert {len(ids) for ids in found} == {6}
    assert isinstance(library._index, ChromaIndex)


def test_two_libraries_of_one_process_share_the_lock(opened: Callable[..., Library]) -> None:
    first, second = opened(), opened()
    first.publish("draft-1", 1, "ann")
    assert sorted(find(second)) == ["draft-1", "price-1"]
    first.close()
    first.close()
    second.archive("draft-1", 2, "ann")
    assert find(second) == ["price-1"]
