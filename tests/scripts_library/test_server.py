import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from graph.errors import BadInput
from graph.settings import Settings
from scripts_library.library import Library, open_library
from tests.scripts_library.conftest import HashEmbedder, find, make_script
from tests.scripts_library.processes import others

CHROMA = Path(sys.executable).with_name("chroma")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Chroma server."""
    folder, port = tmp_path_factory.mktemp("chroma"), free_port()
    command = [str(CHROMA), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "chroma run did not start"
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def settings(tmp_path: Path, server: str) -> Settings:
    return Settings(home=tmp_path / "home", chroma_url=server, _env_file=None)


def test_several_processes_edit_and_search_at_once_without_loss(
    opened: Callable[..., Library], settings: Settings, folder: Path, server: str
) -> None:
    with others(3, settings.home, folder, server) as started:
        library = opened()
        for round_ in range(4):
            for number, other in enumerate(started):
                other.send(
                    f"[library.add(make_script('p{number}-{round_}', situation=['p{number}-{round_}']), 'process {number}'),"
                    f" library.publish('p{number}-{round_}', 1, 'process {number}'), find(library, 'p{number}-{round_}', k=1)][-1]"
                )
            mine = f"me-{round_}"
            library.add(make_script(mine, situation=[mine], status="published"), "me")
            assert find(library, mine, k=1) == [mine]
            for number, other in enumerate(started):
                assert other.answer() == f"['p{number}-{round_}']"
        expected = sorted(
            ["price-1", *(f"me-{r}" for r in range(4)), *(f"p{n}-{r}" for n in range(3) for r in range(4))]
        )
        assert sorted(find(library, k=50)) == expected
        for other in started:
            assert other.do("sorted(find(library, k=50))") == repr(expected)


def test_of_processes_that_edit_one_version_one_wins_and_all_hear_it(
    opened: Callable[..., Library], settings: Settings, folder: Path, server: str
) -> None:
    with others(3, settings.home, folder, server) as started:
        for number, other in enumerate(started):
            other.send(f"library.revise('price-1', 1, 'process {number}', situation=['edit {number}']).version")
        answers = [other.answer() for other in started]
        assert sorted(answer.split(":")[0] for answer in answers) == ["2", "StaleEdit", "StaleEdit"]
        winner = answers.index("2")
        opened().publish("price-1", 2, "me")
        for other in started:
            search = f"library.search('tea_club', 'en', 'objection', 'too_expensive', library._retrieval.embedder.query(['edit {winner}'])[0])"
            assert other.do(f"[(hit.script.version, round(hit.score, 3)) for hit in {search}.hits]") == "[(3, 1.0)]"


def test_a_new_index_is_found_by_processes_that_used_the_old_one(
    opened: Callable[..., Library], settings: Settings, folder: Path, server: str
) -> None:
    library = opened()
    with others(1, settings.home, folder, server) as (other,):
        assert other.do("find(library)") == "['price-1']"
        library.reindex()
        assert other.do("find(library)") == "['price-1']"
        other.do("library.publish('draft-1', 1, 'ann')")
        assert sorted(find(library)) == ["draft-1", "price-1"]
        library.close()
        new = opened(embedder=HashEmbedder("other"))
        new.reindex()
        assert other.do("find(library)").startswith("BadInput: The script index was built with embedding model 'other'")


def test_publishing_while_the_index_is_built_anew_loses_nothing(library: Library) -> None:
    library.add_many([make_script(f"s-{n:02}") for n in range(20)], "ann")
    with ThreadPoolExecutor(2) as pool:
        rebuilt = pool.submit(lambda: [library.reindex() for _ in range(3)])
        for number in range(20):
            library.publish(f"s-{number:02}", 1, "ann")
        assert len(rebuilt.result()) == 3
    assert sorted(find(library, k=50)) == ["price-1", *(f"s-{n:02}" for n in range(20))]


def test_homes_that_share_a_server_do_not_mix(
    library: Library, settings: Settings, tmp_path: Path, folder: Path
) -> None:
    with open_library(
        settings.model_copy(update={"home": tmp_path / "second"}), HashEmbedder(), campaigns={"tea_club": folder}
    ) as second:
        second.publish("draft-1", 1, "ann")
        assert sorted(find(second)) == ["draft-1", "price-1"]
        second.reindex()
    assert find(library) == ["price-1"]


def test_a_server_that_does_not_answer_is_named(settings: Settings, folder: Path) -> None:
    absent = settings.model_copy(update={"chroma_url": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(
        BadInput, match=r"The Chroma server http://127\.0\.0\.1:\d+ does not answer .*start it with `chroma run`"
    ):
        open_library(absent, HashEmbedder(), campaigns={"tea_club": folder})
    wrong = settings.model_copy(update={"chroma_url": "localhost:8000"})
    with pytest.raises(BadInput, match="SALESMAN_CHROMA_URL is 'localhost:8000'; expected something like http://"):
        open_library(wrong, HashEmbedder(), campaigns={"tea_club": folder})
    shutil.rmtree(settings.home)
