"""The buying-intent classifier as it is shipped and run: ONNX Runtime and numpy, no torch.

A classifier is a folder: `encoder.onnx` (int8), `tokenizer.json`, `heads.npz` (the linear layers) and `about.json` (what it was made
of, for which languages, on which calls).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from evaluation.outcome.classes import MEANING, POINTS, IntentClass
from evaluation.outcome.dialogue import Dialogue
from evaluation.outcome.encoder import FILES as ENCODER_FILES
from evaluation.outcome.encoder import OnnxEncoder
from evaluation.outcome.features import ActHead, Floats, Scaling, fit_scaling, stack
from evaluation.outcome.ordinal import Ordinal, Step, choose, fit_ordinal
from evaluation.outcome.words import Words, fit_words
from graph.errors import BadInput

SHIPPED = Path(__file__).parent / "data" / "english"
HEADS, ABOUT = "heads.npz", "about.json"
SIGN = 0.5
"""Probability from which an act counts as seen."""


@dataclass(frozen=True)
class Verdict:
    """What a call came to. signs: acts that were seen, each with its probability and the turn where it was clearest."""

    intent: IntentClass
    probabilities: dict[IntentClass, float]
    signs: tuple[tuple[str, float, int], ...]

    @property
    def points(self) -> int:
        """2..10."""
        return POINTS[self.intent]

    @property
    def reason(self) -> str:
        """The verdict in a line."""
        seen = "; ".join(f"{act} {share:.2f} (turn {turn})" for act, share, turn in self.signs[:4])
        return f"{MEANING[self.intent]} ({self.probabilities[self.intent]:.2f}). Seen: {seen or 'no act for certain'}"


@dataclass(frozen=True)
class Heads:
    """The linear layers of a classifier."""

    acts: ActHead
    scaling: Scaling
    words: Words
    ordinal: Ordinal

    def probabilities(
        self, dialogues: Sequence[Dialogue], vectors: Sequence[Floats]
    ) -> dict[IntentClass, NDArray[np.float64]]:
        """Return the probability of each class of some calls, given their exchanges' vectors; (calls,) each."""
        return self.ordinal.probabilities(np.hstack(blocks_of(dialogues, vectors, self.acts, self.scaling, self.words)))

    def save(self, path: Path) -> None:
        """Write the layers to an `.npz` file."""
        arrays = {
            "act_names": np.array(self.acts.names, dtype=np.str_),
            "act_weight": self.acts.weight,
            "act_bias": self.acts.bias,
            "terms": np.array(self.words.terms, dtype=np.str_),
            "rarity": self.words.rarity,
            "centre": self.scaling.centre,
            "scale": self.scaling.scale,
            "steps": np.array([step.of for step in self.ordinal.steps], dtype=np.str_),
            "step_weight": np.array([step.weight for step in self.ordinal.steps], dtype=np.float32),
            "step_bias": np.array([step.bias for step in self.ordinal.steps], dtype=np.float32),
            "last": np.array(self.ordinal.last),
        }
        np.savez_compressed(path, allow_pickle=False, **cast(dict[str, Any], arrays))


def load_heads(path: Path) -> Heads:
    """Read what `Heads.save` wrote."""
    with np.load(path, allow_pickle=False) as saved:
        acts = ActHead(tuple(map(str, saved["act_names"])), saved["act_weight"], saved["act_bias"])
        questions = zip(saved["steps"], saved["step_weight"], saved["step_bias"], strict=True)
        steps = tuple(Step(cast(IntentClass, str(of)), weight, float(bias)) for of, weight, bias in questions)
        ordinal = Ordinal(steps, cast(IntentClass, str(saved["last"])))
        words = Words(tuple(map(str, saved["terms"])), saved["rarity"])
        return Heads(acts, Scaling(saved["centre"], saved["scale"]), words, ordinal)


def fit_heads(dialogues: Sequence[Dialogue], vectors: Sequence[Floats], acts: ActHead, seed: int = 0) -> Heads:
    """Fit all but the layer of acts.

    Args:
        dialogues: Calls whose class, or part of it, is known.
        vectors: Of each call's exchanges.
        acts: The layer of acts.
        seed: Of the folds that choose regularisations.
    """
    scaling, words = fit_scaling(stack(vectors, acts), vectors[0].shape[1]), fit_words(dialogues)
    blocks = blocks_of(dialogues, vectors, acts, scaling, words)
    return Heads(acts, scaling, words, fit_ordinal(blocks, [dialogue.possible for dialogue in dialogues], seed))


def blocks_of(
    dialogues: Sequence[Dialogue], vectors: Sequence[Floats], acts: ActHead, scaling: Scaling, words: Words
) -> tuple[Floats, Floats]:
    """Return what the encoder made of each call, and its words."""
    return scaling(stack(vectors, acts)), words.features(dialogues)


class IntentClassifier:
    """A classifier that is ready to run.

    Args:
        folder: As `salesman evaluate outcome-train` writes it.

    Raises:
        BadInput: A file is missing.
    """

    def __init__(self, folder: Path) -> None:
        if missing := [name for name in (*ENCODER_FILES, HEADS, ABOUT) if not (folder / name).is_file()]:
            raise BadInput(
                f"{folder} is no outcome classifier: {', '.join(missing)} missing; "
                f"`salesman evaluate outcome-train --out {folder}` makes one"
            )
        self.encoder = OnnxEncoder(folder)
        self.heads = load_heads(folder / HEADS)
        self.about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self._trained_on = frozenset(self.about["trained_on"])

    @property
    def languages(self) -> list[str]:
        """Languages of the calls that it was trained on."""
        return list(self.about["languages"])

    def has_seen(self, dialogue: Dialogue) -> bool:
        """Tell whether it was trained on this call, or on another with the same customer."""
        return fingerprint(dialogue.group) in self._trained_on

    def classify(self, dialogues: Sequence[Dialogue]) -> list[Verdict]:
        """Return the verdict on each call, whatever its language.

        Args:
            dialogues: Calls with at least one word.
        """
        if not dialogues:
            return []
        vectors = self.encoder.vectors(dialogues)
        shares = self.heads.probabilities(dialogues, vectors)
        verdicts = []
        for number, (dialogue, found) in enumerate(zip(dialogues, vectors, strict=True)):
            chances = {name: float(values[number]) for name, values in shares.items()}
            verdicts.append(Verdict(choose(chances), chances, self._signs(dialogue, found)))
        return verdicts

    def _signs(self, dialogue: Dialogue, vectors: Floats) -> tuple[tuple[str, float, int], ...]:
        """Return the customer's acts that were seen, the clearest first."""
        done = self.heads.acts.probabilities(vectors)
        turns = [exchange.turn for exchange in dialogue.exchanges[-len(vectors) :]]
        seen = [
            (name.removeprefix("customer:"), float(done[:, column].max()), turns[int(done[:, column].argmax())])
            for column, name in enumerate(self.heads.acts.names)
            if name.startswith("customer:") and done[:, column].max() >= SIGN
        ]
        return tuple(sorted(seen, key=lambda sign: -sign[1]))


def fingerprint(group: str) -> str:
    """Return what stands for `Dialogue.group` in the list of calls that a classifier was trained on."""
    return hashlib.sha256(group.encode()).hexdigest()[:16]


@lru_cache(maxsize=4)
def load_classifier(folder: Path = SHIPPED) -> IntentClassifier:
    """Return a classifier; the same object every time."""
    return IntentClassifier(folder)


def unsuited(classifier: IntentClassifier, language: str) -> str:
    """Return why a classifier cannot judge calls of a language; empty when it can."""
    if language in classifier.languages:
        return ""
    return (
        f"the outcome classifier was trained on {', '.join(classifier.languages)} calls and knows nothing of {language!r}; "
        "train one (`salesman evaluate outcome-train`)"
    )
