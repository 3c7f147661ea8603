"""The map of the README, read from the code; pages (`page.py`, `page_*.py`) stand on top of everything."""

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TIERS = ["guardrails", "serving", "scripts_library", "nodes", "graph", "evaluation", "training", "ui"]
PLAIN = {
    "graph.errors",
    "graph.served",
    "graph.settings",
    "graph.records",
    "graph.state",
    "graph.context",
    "graph.terminal",
}
FILES = [path for tier in TIERS for path in sorted((ROOT / tier).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_only_towards_the_foundation(path: Path) -> None:
    page = path.name.startswith("page")
    own = len(TIERS) if page else TIERS.index(path.relative_to(ROOT).parts[0])
    for module in imported(path):
        top = module.split(".")[0]
        assert page or not module.split(".")[-1].startswith("page"), f"{path.name} imports the page {module}"
        if top in TIERS and module not in PLAIN:
            assert TIERS.index(top) <= own, f"{path.name} imports {module}"
        assert top not in ("cli", "app"), f"{path.name} imports {module}"


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_plain_modules_import_only_plain_modules(name: str) -> None:
    path = ROOT / (name.replace(".", "/") + ".py")
    assert {module for module in imported(path) if module.split(".")[0] in TIERS} <= PLAIN


def test_no_source_file_is_long() -> None:
    long = {str(path): count for path in FILES if (count := len(path.read_text("utf-8").splitlines())) > 450}
    assert not long


def test_no_installed_distribution_claims_one_of_our_names() -> None:
    claimed = packages_distributions()
    assert {
        name: claimed[name] for name in (*TIERS, "cli", "app") if set(claimed.get(name, [])) - {"ai-salesman"}
    } == {}
