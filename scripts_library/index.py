"""The published scripts in Chroma: one collection per campaign, language, stage, intent and index.

Chroma's metadata filters scan the whole collection, so what narrows a search is the choice of the collection. A
collection is named `campaign.language.stage.intent.tag`; the tag is drawn anew for every index, so that vectors of
two embedding models never meet. The whole script lies in the metadata: a search reads nothing else.
"""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from graph.errors import BadInput
from graph.settings import Settings
from scripts_library.locks import IndexLock, ReadWriteGuard
from scripts_library.server import running_server

_HNSW = {"space": "cosine", "ef_search": 100, "batch_size": 100, "sync_threshold": 100}
"""An index of at least 100 vectors is kept on disk: a cold first search takes 4 ms instead of 110 (at 500 vectors)."""
_BATCH = 2000
"""Rows per write; Chroma's limit is 5461."""
_ANSWER_S = 20.0
_MARK = "library"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Entry:
    """One script as Chroma keeps it."""

    id: str
    document: str
    payload: str
    """The script as JSON."""
    vector: NDArray[np.float32]  # (d,), unit length


@dataclass(frozen=True)
class Found:
    """One neighbour."""

    id: str
    payload: str
    score: float
    """Cosine similarity, -1 to 1."""


def collection_name(campaign: str, language: str, stage: str, intent: str, tag: str) -> str:
    """Return the name of the collection that holds these scripts."""
    return f"{campaign}.{language}.{stage}.{intent}.{tag}"


class ChromaIndex:
    """Chroma behind a few verbs; safe for the threads of a process. Obtain it with `open_index`."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.chroma_url.strip() or running_server(settings.home)
        self._folder = settings.home.resolve() / "chroma"
        self._lock = None if self._url else IndexLock(settings.home.resolve() / "chroma.lock", self._forget)
        self._guard = ReadWriteGuard()
        self._connecting = threading.Lock()
        self._client: Any = None
        self._collections: dict[str, Any] = {}

    def exclusive(self) -> AbstractContextManager[None]:
        """Hold the embedded index alone; a Chroma server needs no such lock.

        Raises:
            LibraryBusy: Another process has the embedded index open.
        """
        return self._lock.exclusive() if self._lock is not None else nullcontext()

    def query(self, name: str, vector: NDArray[np.float32], n: int) -> list[Found] | None:
        """Return the nearest `n` scripts of a collection, best first; None when there is no such collection."""

        def ask(collection: Any) -> list[Found]:
            answer = collection.query(query_embeddings=[vector], n_results=n, include=["metadatas", "distances"])
            rows = zip(answer["ids"][0], answer["metadatas"][0], answer["distances"][0], strict=True)
            return [Found(id_, str(meta["script"]), 1.0 - float(distance)) for id_, meta, distance in rows]

        with self._guard.reading(), self._errors():
            return self._use(name, ask)

    def named(self, name: str, ids: Sequence[str], vector: NDArray[np.float32]) -> list[Found]:
        """Return those scripts of a collection that have one of these ids, best first."""

        def ask(collection: Any) -> list[Found]:
            answer = collection.get(ids=list(set(ids)), include=["metadatas", "embeddings"])
            rows = zip(answer["ids"], answer["metadatas"], answer["embeddings"], strict=True)
            return [Found(id_, str(meta["script"]), float(np.dot(unit, vector))) for id_, meta, unit in rows]

        with self._guard.reading(), self._errors():
            return sorted(self._use(name, ask) or [], key=lambda found: -found.score)

    def upsert(self, name: str, entries: Sequence[Entry], embedder: str) -> None:
        """Write scripts into a collection, which is made if need be."""
        with self._guard.reading(), self._errors():
            collection = self._collections.get(name) or self._create(name, {"embedder": embedder})
            for start in range(0, len(entries), _BATCH):
                batch = entries[start : start + _BATCH]
                collection.upsert(
                    ids=[entry.id for entry in batch],
                    embeddings=np.stack([entry.vector for entry in batch]),
                    documents=[entry.document for entry in batch],
                    metadatas=[{"script": entry.payload} for entry in batch],
                )

    def delete(self, name: str, ids: Sequence[str]) -> None:
        """Remove scripts from a collection; those that it lacks are no error."""
        with self._guard.reading(), self._errors():
            self._use(name, lambda collection: collection.delete(ids=list(ids)))

    def mark(self, tag: str) -> None:
        """Record in Chroma that the index with this tag was made here."""
        with self._guard.reading(), self._errors():
            self._create(f"{_MARK}.{tag}", {"of": "ai-salesman"})

    def holds(self, tag: str) -> bool:
        """Return whether Chroma has the index with this tag: its files may have been removed."""
        with self._guard.reading(), self._errors():
            return self._use(f"{_MARK}.{tag}", lambda _collection: True) is not None

    def drop(self, unwanted: Callable[[str], bool]) -> None:
        """Delete every collection whose tag is unwanted."""
        with self._guard.reading(), self._errors():
            client = self._connected()
            for collection in client.list_collections():
                if unwanted(collection.name.rpartition(".")[2]):
                    with contextlib.suppress(_not_found()):
                        client.delete_collection(collection.name)
                    self._collections.pop(collection.name, None)

    def mend(self) -> None:
        """Make an embedded index that cannot be opened any more usable again: empty. The caller holds `exclusive`."""
        try:
            with self._guard.reading(), self._errors():
                self._connected().list_collections()
        except BadInput:
            if self._url:
                raise
            self._forget()
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def embedded(self) -> bool:
        """Whether Chroma runs in this process."""
        return not self._url

    def _use(self, name: str, action: Callable[[Any], _T]) -> _T | None:
        """Run an action on a collection; another process may have replaced it since it was cached."""
        missing = _not_found()
        for cached in (True, False):
            collection = self._collections.get(name) if cached else None
            try:
                if collection is None:
                    collection = self._connected().get_collection(name, embedding_function=None)
                    self._collections[name] = collection
                return action(collection)
            except missing:
                self._collections.pop(name, None)
        return None

    def _create(self, name: str, metadata: dict[str, str]) -> Any:
        collection = self._connected().get_or_create_collection(
            name, configuration={"hnsw": _HNSW}, metadata=metadata, embedding_function=None
        )
        self._collections[name] = collection
        return collection

    def _connected(self) -> Any:
        client = self._client
        if client is None:
            with self._connecting:
                if self._client is None:
                    self._client = self._server() if self._url else self._persistent()
                client = self._client
        return client

    def _persistent(self) -> Any:
        import chromadb

        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            return chromadb.PersistentClient(self._folder, settings=_chroma_settings())
        except AttributeError as error:  # Chroma's own clean-up fails and hides the reason
            raise RuntimeError(str(error.__context__ or error)) from error

    def _server(self) -> Any:
        import chromadb
        import httpx

        url = urlsplit(self._url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise BadInput(f"SALESMAN_CHROMA_URL is {self._url!r}; expected something like http://127.0.0.1:8001")
        secure = url.scheme == "https"
        client: Any = chromadb.HttpClient(
            url.hostname, url.port or (443 if secure else 8000), ssl=secure, settings=_chroma_settings()
        )
        for session in _sessions(client):
            session.timeout = httpx.Timeout(_ANSWER_S, connect=2.0)
        return client

    def _forget(self) -> None:
        """Drop the client: another process wrote, or the index is closed; the next use opens it anew."""
        with self._guard.replacing():
            if self._client is not None:
                sessions = _sessions(self._client) if self._url else ()
                self._client.close()
                for session in sessions:
                    session.close()
            self._client = None
            self._collections.clear()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import httpx
        from chromadb.errors import ChromaError

        try:
            yield
        except (ChromaError, httpx.HTTPError, ValueError, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            if self._url:
                raise BadInput(
                    f"The Chroma server {self._url} does not answer ({reason}); start it with `chroma run`, or unset "
                    "SALESMAN_CHROMA_URL"
                ) from error
            raise BadInput(
                f"The script index {self._folder} failed ({reason}); rebuild it with `salesman scripts reindex`"
            ) from error

    def _start(self) -> None:
        if self._lock is not None:
            self._lock.open()

    def _stop(self) -> None:
        self._forget()
        if self._lock is not None:
            self._lock.close()


_OPEN: dict[str, tuple[ChromaIndex, int]] = {}
_OPENING = threading.Lock()


def open_index(settings: Settings) -> ChromaIndex:
    """Return the process's index for these settings, holding the shared lock of an embedded one.

    Raises:
        LibraryBusy: Another process kept writing the embedded index.
    """
    with _OPENING:
        index, users = _OPEN.get(_key(settings), (None, 0))
        if index is None:
            index = ChromaIndex(settings)
            index._start()
        _OPEN[_key(settings)] = (index, users + 1)
        return index


def close_index(settings: Settings) -> None:
    """Give an index back; the last user of the process gives its lock back too."""
    with _OPENING:
        index, users = _OPEN[_key(settings)]
        if users > 1:
            _OPEN[_key(settings)] = (index, users - 1)
        else:
            del _OPEN[_key(settings)]
            index._stop()


def _key(settings: Settings) -> str:
    return settings.chroma_url.strip() or str(Path(settings.home).resolve())


def _sessions(client: Any) -> tuple[Any, Any]:
    """Return the HTTP clients inside Chroma's: they wait for ever and stay open unless we see to it."""
    return client._server._session, client._admin_client._server._session


def _not_found() -> type[Exception]:
    from chromadb.errors import NotFoundError

    return NotFoundError


def _chroma_settings() -> Any:
    from chromadb.config import Settings as ChromaSettings

    return ChromaSettings(_env_file=None, anonymized_telemetry=False)
