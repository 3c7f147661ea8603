"""What an open library holds, the database and the index, and how reads and writes go through them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection

from graph.errors import BadInput
from graph.settings import Settings
from scripts_library.database import answered, engine_for, writing
from scripts_library.index import close_index, open_index
from scripts_library.retrieval import Retrieval
from scripts_library.schema import Script

if TYPE_CHECKING:
    from serving.embed import Embedder


class Held:
    """The library's stores, open until `close`; a context manager."""

    def __init__(self, settings: Settings, embedder: "Embedder | None") -> None:
        self._settings = settings
        self._engine = engine_for(settings)
        self._index = open_index(settings)
        self._retrieval = Retrieval(settings, self._engine, self._index, embedder)
        self._closing = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        """Return the library."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the library."""
        self.close()

    def close(self) -> None:
        """Give the library's locks back; the second call does nothing."""
        with self._closing:
            if not self._closed:
                self._closed = True
                close_index(self._settings)

    def _check_index(self, scripts: Sequence[Script]) -> None:
        """Refuse to publish into an index of another embedding model before anything is written."""
        if any(script.status == "published" for script in scripts):
            with answered():
                self._retrieval.ready()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with answered(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Hold the library, commit what is done inside, then bring the index up."""
        with answered(), self._index.exclusive():
            with writing(self._engine) as connection:
                yield connection
            try:
                self._retrieval.heal()
            except BadInput as error:
                raise BadInput(
                    f"Saved, but customers do not hear it yet, until the library is next opened: {error}"
                ) from error
