"""Lines of real customers with what the agent had said before them, and the vectors to find them by.

The vectors for the default embedder ship with the project; `python -m evaluation.customers.real_lines` makes them anew.
Source of the calls: Wang et al., "Persuasion for Good", ACL 2019, arXiv 1906.06725; the train split only.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.settings import Settings, get_settings
from graph.terminal import note
from nodes.intent_data import remembering
from scripts_library.persuasion import CAMPAIGNS, read_calls, split_of
from serving.embed import Vectors, load_embedder

CAMPAIGN = "save_the_children"
SHIPPED = Path(__file__).parent / "data" / "real_replies.npz"
BLOCK = 256
"""Replies embedded between two words to whoever waits."""

Progress = Callable[[int, int], None]
"""Is told how many replies are embedded, and of how many."""


@dataclass(frozen=True)
class RealLine:
    """What a real customer said.

    reply: what the agent had said just before; empty at the start. position: 0-based place among the customer's lines of
    its call. last: whether the customer said nothing after it.
    """

    reply: str
    text: str
    position: int
    last: bool


@lru_cache
def real_lines() -> tuple[RealLine, ...]:
    """Return the customers' lines of the train split, in the order of the calls."""
    found = []
    for call in read_calls(CAMPAIGNS / CAMPAIGN / "data"):
        if split_of(call.id) == "train":
            spoken = [place for place, turn in enumerate(call.turns) if turn.role == "customer"]
            for position, place in enumerate(spoken):
                reply = call.turns[place - 1].text if place else ""
                found.append(RealLine(reply, call.turns[place].text, position, place == spoken[-1]))
    return tuple(found)


def reply_vectors(settings: Settings, progress: Progress | None = None) -> Vectors:
    """Return the vector of each line's `reply`.

    They are read from the shipped file where it was made with the settings' embedder; otherwise they are computed once
    and kept in the home.

    Args:
        settings: Decide embedder and home.
        progress: Told after every block of replies that had to be embedded.

    Returns:
        Shape (lines, dimension), rows of length 1.
    """
    embedder = load_embedder(settings)
    shipped = _read_shipped(_key(embedder.name))
    if shipped is not None:
        return shipped
    embed = remembering(embedder, settings.home)
    texts = [line.reply for line in real_lines()]
    blocks = []
    for start in range(0, len(texts), BLOCK):
        blocks.append(embed(texts[start : start + BLOCK]))
        if progress:
            progress(min(start + BLOCK, len(texts)), len(texts))
    return np.concatenate(blocks)


def _key(embedder: str) -> str:
    texts = "\n".join([embedder, *(line.reply for line in real_lines())])
    return hashlib.sha256(texts.encode()).hexdigest()


def _read_shipped(key: str) -> Vectors | None:
    if not SHIPPED.is_file():
        return None
    with np.load(SHIPPED, allow_pickle=False) as stored:
        return _unit(stored["vectors"].astype(np.float32)) if str(stored["key"]) == key else None


def _unit(vectors: NDArray[np.float32]) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def ship(vectors: Vectors, embedder: str, path: Path = SHIPPED) -> None:
    """Write the file that ships: whole numbers of -127..127, each row to its own scale."""
    small = np.round(vectors / np.abs(vectors).max(axis=1, keepdims=True) * 127).astype(np.int8)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez_compressed(file, key=np.array(_key(embedder)), vectors=small)
    part.replace(path)


def main() -> None:
    """Embed every reply and write the file that ships."""
    settings = get_settings()
    SHIPPED.unlink(missing_ok=True)
    vectors = reply_vectors(settings, lambda done, of: note(f"{done} of {of} replies embedded"))
    ship(vectors, load_embedder(settings).name)


if __name__ == "__main__":
    main()
