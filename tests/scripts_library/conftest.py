"""A small campaign, an embedding model without weights, and a library in a folder of the test's own."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.settings import Settings
from scripts_library.library import Library, open_library
from scripts_library.schema import Script

CAMPAIGN = """
name: tea_club
title: {en: "Tea club", zh: "茶叶会"}
languages: [en, zh]
agent:
  name: {en: "Mei", zh: "小梅"}
  organisation: {en: "Tea Club", zh: "茶叶会"}
  disclosure: {en: "I'm an AI assistant of {organisation}.", zh: "我是{organisation}的AI助手。"}
goal: {en: "Sell a tea box.", zh: "卖一盒茶。"}
currency: USD
facts:
  - id: price
    text: {en: "A box costs $20.", zh: "一盒20美元。"}
  - id: delivery
    text: {en: "It comes in 3 days.", zh: "3天送到。"}
forbidden:
  - id: health
    reason: Tea heals nothing.
    patterns: {en: ["\\\\bcures?\\\\b"], zh: ["治病"]}
profile:
  - name: customer
    label: {en: "Name", zh: "姓名"}
strategies:
  - id: honest
    level: tactic
    text: {en: "Be honest.", zh: "实话实说。"}
slots:
  - name: boxes
    kind: quantity
    label: {en: "Boxes", zh: "盒数"}
    minimum: 1
    maximum: 9
sop:
  stages:
    opening: {goal: {en: "Greet.", zh: "问好。"}, fallback: {en: ["Hello."], zh: ["您好。"]}}
    analysis: {goal: {en: "Ask.", zh: "询问。"}, exit_slots: [boxes], fallback: {en: ["Do you drink tea?"], zh: ["您喝茶吗？"]}}
    objection: {goal: {en: "Answer.", zh: "回答。"}, fallback: {en: ["I see."], zh: ["明白。"]}}
    close: {goal: {en: "Agree.", zh: "约定。"}, exit_intents: [agrees], fallback: {en: ["Shall we?"], zh: ["可以吗？"]}}
  moves:
    opening: [analysis, objection]
    analysis: [objection, close]
    objection: [analysis, close]
    close: [objection]
  close_requires: [boxes]
lines:
  greeting: {en: ["Hello {customer}, {agent} here."], zh: ["{customer}您好，我是{agent}。"]}
  opt_out: {en: ["We will not call again."], zh: ["我们不再来电。"]}
  handoff: {en: ["A person will call."], zh: ["有人会联系您。"]}
  holding: {en: ["One moment."], zh: ["请稍等。"]}
  farewell: {en: ["Goodbye."], zh: ["再见。"]}
  off_topic: {en: ["Back to tea."], zh: ["说回茶吧。"]}
max_chars: {en: 200, zh: 100}
"""
INTENTS = """
- name: too_expensive
  kind: objection
  stage: objection
  label: {en: "Too expensive", zh: "太贵"}
  examples: {en: ["Too much money."], zh: ["太贵了。"]}
- name: agrees
  kind: agreement
  stage: close
  label: {en: "Agrees", zh: "同意"}
  examples: {en: ["Fine."], zh: ["好的。"]}
"""
SCRIPTS = """
- id: price-1
  stage: objection
  intent: too_expensive
  language: en
  title: Price per cup
  situation: ["That is too expensive.", "Twenty dollars?"]
  outline: [Acknowledge, Give the price]
  say: ["{fact.price} That is a month of tea."]
  facts: [price]
- id: price-zh
  stage: objection
  intent: too_expensive
  language: zh
  title: 每杯的价格
  situation: [太贵了, 二十美元？]
  outline: [表示理解, 说明价格]
  say: ["{fact.price}够喝一个月。"]
- id: general-1
  stage: objection
  intent: any
  language: en
  title: Listen
  situation: ["I am not sure."]
  outline: [Ask what holds them back]
  say: ["What holds you back, {customer}?"]
- id: draft-1
  stage: objection
  intent: too_expensive
  language: en
  title: Not yet approved
  situation: ["Too expensive!"]
  outline: [Nothing]
  say: ["Buy two."]
  status: draft
"""


class HashEmbedder:
    """Vectors drawn from a hash of the text: equal texts have equal vectors, others are far apart."""

    def __init__(self, name: str = "hash", dimension: int = 16) -> None:
        self.name = name
        self.dimension = dimension

    def query(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.passage(texts)

    def passage(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [np.random.default_rng(self._seed(text)).normal(size=self.dimension) for text in texts]
        vectors = np.array(rows, dtype=np.float32).reshape(len(rows), self.dimension)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _seed(self, text: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.name}{text}".encode()).digest()[:8], "big")


def write_campaign(folder: Path, **files: str) -> Path:
    """Write the tea club, or other texts for `campaign`, `intents` and `scripts`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"campaign": CAMPAIGN, "intents": INTENTS, "scripts": SCRIPTS, **files}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def make_script(script_id: str = "new-1", **fields: Any) -> Script:
    """Return a script that fits the tea club."""
    data = {
        "id": script_id,
        "campaign": "tea_club",
        "stage": "objection",
        "intent": "too_expensive",
        "language": "en",
        "title": f"Title of {script_id}",
        "situation": [f"situation of {script_id}"],
        "outline": ["Answer"],
        "say": ["{fact.price}"],
    }
    return Script.model_validate(data | fields)


def find(library: Library, text: str = "too expensive", intent: str = "too_expensive", **options: Any) -> list[str]:
    """Search in the tea club's English objections and return ids, best first."""
    vector = HashEmbedder().query([text])[0]
    return [hit.script.id for hit in library.search("tea_club", "en", "objection", intent, vector, **options).hits]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_campaign(tmp_path / "tea_club")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", _env_file=None)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the tea club in it, made once."""
    folder = write_campaign(tmp_path_factory.mktemp("loaded") / "tea_club")
    home = folder.parent / "home"
    open_library(Settings(home=home, _env_file=None), HashEmbedder(), campaigns={"tea_club": folder}).close()
    return home


@pytest.fixture
def opened(settings: Settings, folder: Path, loaded: Path) -> Iterator[Callable[..., Library]]:
    """Open the test's library, as often as wanted; all are closed at the end."""
    if not settings.chroma_url and not settings.home.exists():
        shutil.copytree(loaded, settings.home)
    with ExitStack() as stack:

        def again(**options: Any) -> Library:
            defaults: dict[str, Any] = {"embedder": HashEmbedder(), "campaigns": {"tea_club": folder}}
            return stack.enter_context(open_library(settings, **(defaults | options)))

        yield again


@pytest.fixture
def library(opened: Callable[..., Library]) -> Library:
    return opened()
