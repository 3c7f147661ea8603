"""The retrieved buyer: says what real people said in `persuasion_for_good` when an agent had said something alike.

It plays no scenario: persona, propensity and questions are those of whoever said the line. It has no labels to give
either, since the intent classifier learnt from the same lines.
"""

import re
from functools import lru_cache
from random import Random

import numpy as np

from evaluation.customers.protocol import Note
from evaluation.customers.real_lines import CAMPAIGN, RealLine, real_lines, reply_vectors
from evaluation.scenarios.schema import Scenario
from graph.errors import BadInput
from graph.records import ConversationRecord
from graph.settings import Settings
from serving.embed import Vectors, load_embedder

NEAREST = 5
"""The next line is drawn among this many."""
APART = 2
"""How many lines earlier or later in its own call a line may have come; the first line is always a first line."""
USUAL_LENGTH = 10
"""Lines of most customers; later ones are looked for where calls end."""
_NOISE = re.compile(r"[\W_]+")


class RetrievedBuyer:
    """A customer of real lines: a pure function of scenario id, seed and the words of the record.

    Args:
        scenario: Gives the campaign, the first line if it has one, and the longest call.
        seed: Draws among the nearest lines.
        settings: Decide the embedder, and where vectors are kept.

    Raises:
        BadInput: Another campaign or language than the recorded calls'.
    """

    name = "retrieved"

    def __init__(self, scenario: Scenario, seed: int, settings: Settings) -> None:
        if scenario.campaign != CAMPAIGN or scenario.language != "en":
            raise BadInput(
                f"Scenario {scenario.id}: the retrieved customer knows only {CAMPAIGN} in 'en', not {scenario.campaign} "
                f"in '{scenario.language}'; use rule or persona there."
            )
        self._scenario, self._seed, self._settings = scenario, seed, settings

    def next_line(self, record: ConversationRecord) -> str | None:
        """Return the next line; None after a line that ended its own call, after the scenario's limit, and in ended calls."""
        said: list[str] = []
        before = [""]
        for turn in record["turns"]:
            if turn.get("customer"):
                said.append(turn["customer"])
                before.append(turn.get("reply", ""))
            else:
                before[-1] = turn.get("reply", "")
        if record["ended"] or len(said) >= self._scenario.max_turns:
            return None
        if said and self._choose(before[-2], said[:-1]).last:
            return None
        return self._choose(before[-1], said).text

    def notes(self, record: ConversationRecord) -> list[Note]:
        """Return nothing: what a real person meant is not known."""
        return []

    def _choose(self, reply: str, said: list[str]) -> RealLine:
        """Draw the line that follows those said, among the nearest that were not."""
        place = min(len(said), USUAL_LENGTH - 1)
        if not said and self._scenario.opening:
            return RealLine("", self._scenario.opening, 0, last=False)
        apart = APART if place else 0
        lines, vectors = _around(self._settings, place - apart, place + apart)
        # einsum stays in this thread: the threads of a matrix product starve on busy cores (14 ms a line, not 1).
        near = np.einsum("ij,j->i", vectors, load_embedder(self._settings).query([reply])[0])
        used = {_plain(line) for line in said}
        found: list[RealLine] = []
        for index in np.argsort(-near, kind="stable"):
            line = lines[index]
            if _plain(line.text) not in used:
                found.append(line)
                used.add(_plain(line.text))
                if len(found) == NEAREST:
                    break
        return Random(f"{self._scenario.id}|{self._seed}|{len(said)}").choice(found)


@lru_cache(maxsize=32)
def _around(settings: Settings, first: int, last: int) -> tuple[list[RealLine], Vectors]:
    """Return the lines between two places of their calls, and the vectors of what the agent had said before them."""
    vectors = _vectors(settings)
    chosen = [index for index, line in enumerate(real_lines()) if first <= line.position <= last]
    return [real_lines()[index] for index in chosen], vectors[chosen]


@lru_cache(maxsize=2)
def _vectors(settings: Settings) -> Vectors:
    return reply_vectors(settings)


@lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    return _NOISE.sub("", text.lower())
