"""Keep Chroma what the revisions say, and search it.

The index is brought up under a lock in SQL: read what should be there, write it to Chroma, record it, commit. So two
processes never overtake one another, and one that is killed leaves a record that says "behind".
"""

import secrets
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from graph.errors import BadInput, Cancelled
from graph.settings import Settings
from scripts_library import store
from scripts_library.database import writing
from scripts_library.index import ChromaIndex, Entry, Found, collection_name
from scripts_library.progress import Progress, unwatched
from scripts_library.schema import ANY_INTENT, Script
from scripts_library.store import IndexInfo

if TYPE_CHECKING:
    from serving.embed import Embedder

NoHit = Literal["", "general", "none", "used"]
Place = tuple[str, str, str, str]
"""Campaign, language, stage, intent."""
_BATCH = 512
_EMBEDDED = 64
"""Scripts embedded between two looks at whether to go on; about a second."""
_SPARE = 5
"""Fetched beyond `k`, for the expired and the excluded."""


@dataclass(frozen=True)
class Hit:
    """A script that a search found, and its cosine similarity to the query."""

    script: Script
    score: float


@dataclass(frozen=True)
class Search:
    """What a search found, best first, and which step of the no-hit policy it took."""

    hits: list[Hit]
    no_hit: NoHit


class Retrieval:
    """The published scripts as calls see them; safe for the threads of a process."""

    def __init__(self, settings: Settings, engine: Engine, index: ChromaIndex, embedder: "Embedder | None") -> None:
        self._settings = settings
        self._engine = engine
        self._index = index
        self._given_embedder = embedder
        self._info: IndexInfo | None = None
        self._ahead: dict[str, NDArray[np.float32]] = {}
        self._checking = threading.RLock()

    def search(
        self,
        campaign: str,
        language: str,
        stage: str,
        intent: str,
        vector: NDArray[np.float32],
        k: int,
        exclude: Container[str],
        drafts: Sequence[str],
        prefer: Sequence[str],
    ) -> Search:
        """Return the nearest published scripts, with drafts in the place of their published versions; see `Library.search`."""
        tried = self._latest(drafts)

        def free(script: Script) -> bool:
            return script.id not in exclude and (script.valid_until is None or script.valid_until >= _today())

        def live(script: Script) -> bool:
            return free(script) and script.id not in drafts

        steps: list[tuple[str, NoHit]] = [(intent, ""), (ANY_INTENT, "general")]
        for name, no_hit in steps if intent != ANY_INTENT else steps[1:]:
            place = (campaign, language, stage, name)
            hits = self._nearest(place, vector, k, live)
            if prefer or tried:
                hits += self._preferred(place, vector, prefer, live)
                hits += self._drafted(place, vector, [script for script in tried if free(script)])
                best = sorted(hits, key=lambda hit: (hit.script.id not in prefer, -hit.score))
                hits = list({hit.script.id: hit for hit in best}.values())[:k]
            if hits:
                return Search(hits, no_hit)
        return Search([], "none")

    def ready(self) -> IndexInfo | None:
        """Return the index in use, rebuilt if its files are gone; None while nothing was ever published.

        Raises:
            BadInput: It was built with another embedding model.
            LibraryBusy: Its files are gone, and another process has the library open.
        """
        if self._info is not None:
            return self._info
        with self._checking:
            info = self._read_info()
            if info is None:
                return None
            self._check_embedder(info)
            if not self._index.holds(info.tag):
                self.rebuild()
                info = self._read_info()
            self._info = info
            return info

    def is_behind(self) -> bool:
        """Return whether the index lacks something, as far as SQL knows; Chroma is not asked."""
        with self._engine.connect() as connection:
            info = store.index_info(connection)
            return bool(store.behind_ids(connection, info.tag if info else ""))

    def heal(self) -> None:
        """Bring the index up to the revisions; left alone while it belongs to another embedding model."""
        with self._index.exclusive():
            while True:
                with self._engine.connect() as connection:
                    info = store.index_info(connection)
                    ids = store.behind_ids(connection, info.tag if info else "")
                if not ids:
                    return
                if info is None:
                    info = self._first_index()
                if info.embedder != self.embedder.name:
                    return
                for start in range(0, len(ids), _BATCH):
                    self._bring_up(ids[start : start + _BATCH], info)

    def rebuild(self, progress: Progress = unwatched) -> int | None:
        """Build a new index and drop the old one; None when another process did so at the same time.

        Raises:
            Cancelled: `progress` raised it; what was built is dropped, and the old index stays.
        """
        with self._index.exclusive():
            self._index.mend()
            with self._engine.connect() as connection:
                before = store.index_info(connection)
                scripts = [head.script for head in store.heads(connection, live=True)]
            scripts.sort(key=lambda script: _place(script, ""))
            fresh = self._new_info()
            self._index.mark(fresh.tag)
            marks: list[tuple[str, int | None, str | None]] = []
            try:
                for start in range(0, len(scripts), _EMBEDDED):
                    progress(start, len(scripts))
                    batch = scripts[start : start + _EMBEDDED]
                    self._put(batch, self._vectors(batch), fresh)
                    marks += [(script.id, script.version, _place(script, fresh.tag)) for script in batch]
                progress(len(scripts), len(scripts))
            except Cancelled:
                self._index.drop(lambda tag: tag == fresh.tag)
                raise
            with writing(self._engine) as connection:
                mine = store.index_info(connection, lock=True) == before
                if mine:
                    store.set_index(connection, fresh)
                    store.mark_indexed(connection, marks)
            if not mine:
                self._index.drop(lambda tag: tag == fresh.tag)
                return None
            self._info = fresh
            self.heal()
            old = before.tag if before else ""
            self._index.drop(lambda tag: tag == old or (self._index.embedded and tag != fresh.tag))
            return len(scripts)

    @contextmanager
    def ahead(self, scripts: Sequence[Script], progress: Progress) -> Iterator[None]:
        """Embed scripts that are about to be published, so that nothing is written yet while there is time to cancel."""
        vectors: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(scripts), _EMBEDDED):
            progress(start, len(scripts))
            batch = scripts[start : start + _EMBEDDED]
            vectors.update(zip(map(_document, batch), self._vectors(batch), strict=True))
        self._ahead = vectors
        try:
            yield
        finally:
            self._ahead = {}

    @property
    def embedder(self) -> "Embedder":
        """The model of the vectors."""
        if self._given_embedder is None:
            from serving.embed import load_embedder

            self._given_embedder = load_embedder(self._settings)
        return self._given_embedder

    def _nearest(
        self, place: Place, vector: NDArray[np.float32], k: int, wanted: Callable[[Script], bool]
    ) -> list[Hit]:
        info, count = self.ready(), k + _SPARE
        while info is not None:
            if vector.shape != (info.dimension,):
                raise BadInput(f"The query vector has shape {vector.shape}, the index ({info.dimension},); {_REINDEX}")
            found = self._index.query(collection_name(*place, info.tag), vector, count)
            if found is None:
                latest = self._read_info()
                if latest == info:
                    return []
                self._info = None  # another process built a new index
                info = self.ready()
                continue
            hits = [hit for hit in map(_hit, found) if wanted(hit.script)]
            if len(hits) >= k or len(found) < count:
                return hits[:k]
            count *= 4
        return []

    def _preferred(
        self, place: Place, vector: NDArray[np.float32], ids: Sequence[str], wanted: Callable[[Script], bool]
    ) -> list[Hit]:
        """Return those of the place's published scripts that are to come first, however far they are."""
        info = self.ready()
        found = self._index.named(collection_name(*place, info.tag), ids, vector) if info and ids else []
        return [hit for hit in map(_hit, found) if wanted(hit.script)]

    def _latest(self, ids: Sequence[str]) -> list[Script]:
        """Return the latest versions of the scripts that are tried, those aside that are archived."""
        if not ids:
            return []
        with self._engine.connect() as connection:
            found = store.find_heads(connection, ids)
        return [script for script in found.values() if script.status != "archived"]

    def _drafted(self, place: Place, vector: NDArray[np.float32], drafts: Sequence[Script]) -> list[Hit]:
        """Return those of the drafts that belong to the place, embedded now."""
        here = [draft for draft in drafts if (draft.campaign, draft.language, draft.stage, draft.intent) == place]
        vectors = self._vectors(here)
        return [Hit(draft, float(np.dot(unit, vector))) for draft, unit in zip(here, vectors, strict=True)]

    def _bring_up(self, ids: Sequence[str], info: IndexInfo) -> None:
        """Write one batch; scripts that change meanwhile stay behind and come with the next round."""
        with self._engine.connect() as connection:
            states = store.index_state(connection, ids)
        vectors = dict(
            zip([s.id for s in states if s.script], self._vectors([s.script for s in states if s.script]), strict=True)
        )
        versions = {state.id: state.script.version if state.script else None for state in states}
        with writing(self._engine) as connection:
            if store.index_info(connection, lock=True) != info:
                return
            current = [
                state
                for state in store.index_state(connection, ids)
                if versions.get(state.id) == (state.script.version if state.script else None)
            ]
            live = [state.script for state in current if state.script is not None]
            self._put(live, [vectors[script.id] for script in live], info)
            leaving: dict[str, list[str]] = {}
            for state in current:
                place = _place(state.script, info.tag) if state.script else None
                if state.indexed_in and state.indexed_in != place and state.indexed_in.endswith(f".{info.tag}"):
                    leaving.setdefault(state.indexed_in, []).append(state.id)
            for name, gone in leaving.items():
                self._index.delete(name, gone)
            store.mark_indexed(
                connection,
                [
                    (state.id, state.script.version, _place(state.script, info.tag))
                    if state.script
                    else (state.id, None, None)
                    for state in current
                ],
            )

    def _put(self, scripts: Sequence[Script], vectors: Sequence[NDArray[np.float32]], info: IndexInfo) -> None:
        places: dict[str, list[Entry]] = {}
        for script, vector in zip(scripts, vectors, strict=True):
            entry = Entry(script.id, _document(script), script.model_dump_json(), vector)
            places.setdefault(_place(script, info.tag), []).append(entry)
        for name, entries in places.items():
            self._index.upsert(name, entries, info.embedder)

    def _vectors(self, scripts: Sequence[Script]) -> list[NDArray[np.float32]]:
        """Return the scripts' vectors, those embedded ahead included."""
        ahead, documents = self._ahead, [_document(script) for script in scripts]
        missing = [document for document in documents if document not in ahead]
        fresh = iter(self.embedder.passage(missing) if missing else ())
        return [ahead[document] if document in ahead else next(fresh) for document in documents]

    def _first_index(self) -> IndexInfo:
        fresh = self._new_info()
        self._index.mark(fresh.tag)
        with writing(self._engine) as connection:
            other = store.index_info(connection, lock=True)
            if other is None:
                store.set_index(connection, fresh)
        return other or fresh

    def _new_info(self) -> IndexInfo:
        return IndexInfo(secrets.token_hex(4), self.embedder.name, self.embedder.dimension)

    def _read_info(self) -> IndexInfo | None:
        with self._engine.connect() as connection:
            return store.index_info(connection)

    def _check_embedder(self, info: IndexInfo) -> None:
        if info.embedder != self.embedder.name:
            raise BadInput(
                f"The script index was built with embedding model {info.embedder!r}, but {self.embedder.name!r} is in use; "
                f"{_REINDEX}, or set SALESMAN_EMBEDDER back"
            )


_REINDEX = "rebuild it with `salesman scripts reindex`"


def _place(script: Script, tag: str) -> str:
    return collection_name(script.campaign, script.language, script.stage, script.intent, tag)


def _hit(found: Found) -> Hit:
    return Hit(Script.model_validate_json(found.payload), found.score)


def _document(script: Script) -> str:
    return "\n".join(script.situation)


def _today() -> date:
    return datetime.now().astimezone().date()
