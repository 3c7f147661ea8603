"""The README's generated parts are current, and its files exist."""

import re
from pathlib import Path

from bench.readme import README, current

ROOT = Path(__file__).parents[1]


def test_generated_parts_are_current() -> None:
    text = README.read_text("utf-8")
    assert text.count("<!-- generated:") == 2
    assert current(text) == text, "run: python -m bench.readme"


def test_every_file_of_the_annotated_tree_exists() -> None:
    tree = README.read_text("utf-8").split("```text\n", 1)[1].split("```", 1)[0]
    named = re.findall(r"^([\w.-]+(?:/[\w.-]+)*/?)\s{2,}", tree, flags=re.MULTILINE)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
