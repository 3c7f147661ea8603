"""What the benchmarks share: homes, percentiles, real customer lines, tables."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import yaml

from graph.settings import Settings
from graph.terminal import say
from scripts_library.loading import bundled
from scripts_library.persuasion import read_calls, split_of


@contextmanager
def fresh_home() -> Iterator[Path]:
    """Give a home that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="salesman-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settings_for(home: Path, **changes: object) -> Settings:
    """Return settings with a home of their own."""
    return Settings(**{"home": home, **changes})  # type: ignore[arg-type]


def percentile(values: Sequence[float], share: int) -> float:
    """Return a percentile (1..99) of at least two values."""
    return quantiles(values, n=100, method="inclusive")[share - 1]


def real_calls(count: int, most_lines: int = 12) -> list[list[str]]:
    """Return persuadees' lines of held-out calls (test split), the same ones every time."""
    folder = bundled()["save_the_children"] / "data"
    calls = [call for call in read_calls(folder) if split_of(call.id) == "test"]
    chosen = []
    for call in calls:
        lines = [turn.text for turn in call.turns if turn.role == "customer" and turn.text.strip()]
        if len(lines) >= 6:
            chosen.append(lines[:most_lines])
    return chosen[:count]


def written_calls() -> dict[str, list[str]]:
    """Return the written calls of lantern_local, per language."""
    path = bundled()["lantern_local"] / "demo_customer.yaml"
    return {
        language: lines
        for language, lines in yaml.safe_load(path.read_text("utf-8")).items()
        if language in ("en", "zh")
    }


def table(title: str, rows: Sequence[tuple[str, object]]) -> None:
    """Print a small table."""
    say(f"\n## {title}")
    for name, value in rows:
        say(f"{name:48} {value:.2f}" if isinstance(value, float) else f"{name:48} {value}")
