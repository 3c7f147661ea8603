"""Figures of the instruments themselves, kept in the home where reports find them: a JSON file a kind of figure, the newest of each name."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts_library.locks import one_process


def keep(path: Path, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Write figures, all of them or nothing; what stands under other names stays.

    Args:
        path: The file.
        figures: By name; each is given `at`, the time (ISO 8601).
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_process(path.with_suffix(".lock")):
        known = kept(path) | {name: {**found, "at": at} for name, found in figures.items()}
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(known, ensure_ascii=False, indent=1), encoding="utf-8")
        part.replace(path)


def kept(path: Path) -> dict[str, Any]:
    """Return what was kept, by name; empty where nothing was, or the file cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
