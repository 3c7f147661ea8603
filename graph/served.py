"""Which LoRA adapter is served: the one that was promoted last in this home, else one that ships and passed the gate.

`promotions.jsonl` in the home is only ever added to: a line for each promotion and each step back, whole or not at all. What it adds up
to is what is served, so no second file can disagree with it. This module imports nothing of the project but errors.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph.errors import BadInput

PROMOTIONS = "promotions.jsonl"
SHIPPED = Path(__file__).parents[1] / "training" / "adapters"
ADAPTER, ABOUT = "adapter.gguf", "run.json"


@dataclass(frozen=True)
class Served:
    """How a model is served by default."""

    adapter: str = ""
    """Path of a GGUF adapter; empty: the model alone."""
    think: bool = False
    """Whether it was trained, and passed the gate, thinking before it speaks."""


def served(home: Path, model: str, shipped: Path = SHIPPED) -> Served:
    """Return how a model is served.

    Args:
        home: Of the program's files.
        model: Name of the embedded server's model; an adapter fits no other.
        shipped: Folder of the adapters that ship, a folder each, as `salesman train ship` writes it: `gate` in its `run.json` decides.

    Raises:
        BadInput: The record of promotions is damaged.
    """
    if standing := promoted(home, model):
        return Served(str(home / standing[-1]["adapter"]), standing[-1]["think"])
    return shipping(model, shipped)


def shipping(model: str, shipped: Path = SHIPPED, *, without: str = "") -> Served:
    """Return how a model is served where nothing was promoted: with the adapter that passed the gate last of those that ship.

    Args:
        model: Name of the embedded server's model.
        shipped: Folder of the adapters that ship.
        without: Name of one to leave out.
    """
    newest, found = "", Served()
    for about in sorted(shipped.glob(f"*/{ABOUT}")):
        run = json.loads(about.read_text(encoding="utf-8"))
        gate = run.get("gate", {})
        if gate.get("passed") and run["base"]["name"] == model and gate["at"] > newest and about.parent.name != without:
            newest, found = gate["at"], Served(str(about.with_name(ADAPTER)), gate["think"])
    return found


def promoted(home: Path, model: str) -> list[dict[str, Any]]:
    """Return a model's promotions that stand, the served one last.

    Args:
        home: Of the program's files.
        model: Name of the embedded server's model.

    Raises:
        BadInput: A line is no record. A last line without an end is what a killed process left, and does not count.
    """
    path, standing = home / PROMOTIONS, list[dict[str, Any]]()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        if not line.endswith("\n"):
            break
        try:
            record = json.loads(line)
            if record["model"] == model:
                if record["action"] == "rollback":
                    standing.pop()
                else:
                    standing.append(record)
        except (ValueError, LookupError, TypeError) as error:
            raise BadInput(
                f"{path}, line {number}: no record of a promotion ({type(error).__name__}); mend or remove the line."
            ) from error
    return standing


def sha256_of(adapter: Path) -> str:
    """Return an adapter's SHA-256, by which runs and promotions know it.

    Raises:
        BadInput: No such file.
    """
    if not adapter.is_file():
        raise BadInput(f"Adapter {adapter} does not exist; expected a GGUF file.")
    with adapter.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
