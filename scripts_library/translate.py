"""Translate a script."""

from typing import Any


def translate(*given: Any) -> Any:
    """Translate."""
