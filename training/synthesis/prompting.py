"""The teacher's prompts: Markdown files beside this module, rendered strictly, and the hash that goes with each dialogue."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from evaluation.customers.persona import PROMPTS as CUSTOMER_PROMPTS
from nodes.prompting import fill
from scripts_library.schema import Language

PROMPTS = Path(__file__).with_name("prompts")
CUSTOMER = ("persona", "turn")
"""Files of the prompted customer (`evaluation.customers.persona`)."""


@cache
def _template(name: str) -> str:
    return (PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()


def render(name: str, **values: str) -> str:
    """Fill a prompt file; inserted text is never scanned again.

    Args:
        name: File name without `.md`, e.g. `prefix.en`.
        **values: One text per `{{placeholder}}`.

    Raises:
        KeyError: A placeholder has no value, or a value has no placeholder; names it.
    """
    return fill(name, _template(name), values)


def templates_hash(names: Iterable[str], language: Language, *, customer: bool = False) -> str:
    """Return a short hash of prompt files: equal files, equal hashes.

    Args:
        names: Of this package's files, without language and ending.
        language: Of the dialogue.
        customer: Whether a prompted customer took part, whose files count too.
    """
    paths = [PROMPTS / f"{name}.{language}.md" for name in names]
    paths += [CUSTOMER_PROMPTS / f"{name}.{language}.md" for name in CUSTOMER if customer]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes() + b"\x00")
    return digest.hexdigest()[:16]
