"""Every text that the code asks for is there, in both languages, with the same gaps to fill."""

import re
import string
from pathlib import Path

import pytest

from ui.words import FOLDER, LANGUAGES, words

ROOT = Path(__file__).parents[2]
FILES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SOURCES = [
    path for folder in ("ui", "graph", "scripts_library", "evaluation") for path in (ROOT / folder).glob("*.py")
] + [ROOT / "app.py"]
ASKED = {key for path in SOURCES for key in re.findall(r"""\bt\(\s*["']([\w.]+)["']""", path.read_text("utf-8"))}
STEMS = {stem for path in SOURCES for stem in re.findall(r"""\bt\(\s*f["']([\w.]+)\{""", path.read_text("utf-8"))}


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("file", FILES)
def test_each_text_is_there_in_every_language_with_the_same_gaps(file: str) -> None:
    for name, texts in words(file).items():
        assert set(texts) == set(LANGUAGES), f"{file}.{name}"
        assert all(text.strip() for text in texts.values()), f"{file}.{name}"
        assert gaps(texts["en"]) == gaps(texts["zh"]), f"{file}.{name}"


def test_each_text_that_the_code_asks_for_exists() -> None:
    known = {f"{file}.{name}" for file in FILES for name in words(file)}
    assert known >= ASKED, sorted(ASKED - known)
    assert not {stem for stem in STEMS if not any(key.startswith(stem) for key in known)}


def test_no_text_is_left_over() -> None:
    known = {f"{file}.{name}" for file in FILES for name in words(file)}
    source = "\n".join(path.read_text("utf-8") for path in SOURCES)
    unused = {
        key for key in known - ASKED if not any(key.startswith(stem) for stem in STEMS) and f'"{key}"' not in source
    }
    assert not unused, sorted(unused)
