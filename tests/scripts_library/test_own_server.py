import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from graph.errors import LibraryBusy
from graph.settings import Settings
from scripts_library.library import Library
from scripts_library.server import chroma_server, running_server
from tests.scripts_library.conftest import find, make_script


def test_an_index_served_to_all_is_found_by_whoever_opens_the_library(
    opened: Callable[..., Library], settings: Settings
) -> None:
    with chroma_server(settings) as url:
        assert running_server(settings.home) == url
        library = opened()
        library.add(make_script("s-1", status="published"), "ada")
        assert not library._index.embedded
        assert "s-1" in find(library)
        library.close()
    assert running_server(settings.home) == ""
    library = opened()
    assert library._index.embedded
    assert "s-1" in find(library)


def test_a_server_is_not_started_beneath_an_open_embedded_index(
    opened: Callable[..., Library], settings: Settings
) -> None:
    opened()
    with pytest.raises(LibraryBusy, match="has the script library"), chroma_server(settings):
        pass


def test_a_second_application_uses_the_server_of_the_first(settings: Settings) -> None:
    with chroma_server(settings) as first, chroma_server(settings) as second:
        assert first == second


def test_what_a_killed_application_left_is_not_taken_for_a_server(settings: Settings) -> None:
    program = (
        "import sys, pathlib\nfrom graph.settings import Settings\nfrom scripts_library.server import chroma_server\n"
        "with chroma_server(Settings(home=pathlib.Path(sys.argv[1]))) as url:\n    print(url, flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(settings.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert running_server(settings.home) == url
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    assert (settings.home / "chroma.url").exists()
    assert running_server(settings.home) == ""
    with chroma_server(settings) as fresh:
        assert running_server(settings.home) == fresh
