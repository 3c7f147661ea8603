"""The local intent classifier: one linear head over embeddings, with calibrated confidence.

A line is classified whole, from one embedding, which retrieval uses again. One head serves both languages, better than
one each would. It has seen single sentences and whole turns of several sentences; a whole turn counts as its weightiest
sentence (`KIND_PRIORITY`). Reading a stored head takes milliseconds and predicting needs NumPy alone; scikit-learn is
imported only to train.
"""

import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nodes.intent_features import EMBEDDED, Embed, Example, build_features, last_sentence
from scripts_library.schema import IntentKind

if TYPE_CHECKING:
    from nodes.intent_encoder import EncoderIntentModel
    from scripts_library.loading import CampaignData
    from serving.embed import Embedder

KIND_PRIORITY: tuple[IntentKind, ...] = (
    "opt_out", "handoff", "refusal", "objection", "agreement", "question", "interest", "information", "off_topic",
    "goodbye", "smalltalk",
)  # fmt: skip
"""Which sentence of a turn decides what the turn is: the first kind here; among equals, the last said."""


@dataclass(frozen=True)
class Prediction:
    """What a line means.

    confidence: chance that `intent` is right, 0–1, calibrated on lines that the head had not seen.
    candidates: every intent with its share, best first; the shares sum to 1. vector: the line's query embedding, (d,).
    """

    intent: str
    confidence: float
    candidates: list[tuple[str, float]]
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """What cross-validation said about lines that the head had not seen.

    temperature: divides the logits. threshold: confidence below which the model is asked. ece: expected calibration
    error, accuracy, below: share of the lines below the threshold; all 0–1.
    """

    temperature: float = 1.0
    threshold: float = 0.0
    ece: float = 0.0
    accuracy: float = 0.0
    below: float = 0.0


@dataclass(frozen=True)
class Head:
    """The trained numbers: `softmax((z @ weights.T + bias) / temperature)`, z = standardised features, unknown = 0.

    mean, scale: (features,). weights: (intents, features). bias: (intents,).
    """

    intents: tuple[str, ...]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    calibration: Calibration = Calibration()

    def shares(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return every intent's share for features (n, features); shape (n, intents)."""
        standard = np.nan_to_num((features - self.mean) * self.scale)
        logits = (standard @ self.weights.T + self.bias) / self.calibration.temperature
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
        return shares


class IntentModel:
    """Says what a customer's line means.

    Example:
        >>> model = load_intent_model(campaign_data, embedder, settings.home)  # doctest: +SKIP
        >>> model.predict("How much is it?", "We open storefronts.").intent  # doctest: +SKIP
        'price_question'
    """

    def __init__(self, head: Head, embedder: "Embedder") -> None:
        self.head = head
        self._embedder = embedder

    @classmethod
    def train(cls, examples: Sequence[Example], embedder: "Embedder", seed: int = 0) -> "IntentModel":
        """Train a head (needs scikit-learn).

        Args:
            examples: Labelled lines with at least two intents.
            embedder: Makes their vectors.
            seed: Decides how single examples are divided for calibration.

        Raises:
            BadInput: Fewer than two intents have examples.
        """
        from nodes.intent_training import fit_head

        return cls(fit_head(examples, embedder.query, embedder.dimension, seed), embedder)

    @property
    def threshold(self) -> float:
        """Confidence below which the model should be asked: at most 5 % of unseen lines lie below."""
        return self.head.calibration.threshold

    def predict(
        self,
        text: str,
        previous_agent_text: str = "",
        *,
        previous_customer_text: str = "",
        turn: int = 0,
    ) -> Prediction:
        """Classify one line of one or more sentences.

        Args:
            text: The customer's line.
            previous_agent_text: What the agent said just before; empty when unknown.
            previous_customer_text: The customer's line before that.
            turn: 1 for the first line of the call; 0 when unknown.
        """
        line = Example(text, turn=turn)
        if self._uses_context():
            line = replace(line, previous_agent_text=previous_agent_text, previous_customer_text=previous_customer_text)
        vector = self._embedder.query([text])[0]
        shares = self.head.shares(build_features([line], self._embedder.query, self._embedder.dimension))[0]
        order = np.argsort(-shares, kind="stable")
        candidates = [(self.head.intents[place], float(shares[place])) for place in order]
        return Prediction(candidates[0][0], candidates[0][1], candidates, vector)

    def prepare(self, agent_text: str) -> None:
        """Embed the context of the next line ahead of it, so that the customer does not wait for it.

        Args:
            agent_text: The agent's reply, as it will be given as `previous_agent_text`.
        """
        sentence = last_sentence(agent_text)
        if sentence and self._uses_context():
            self._embedder.query([sentence])

    def _uses_context(self) -> bool:
        size = self._embedder.dimension
        """Say whether the head learnt from calls; one that did not has no use for context."""
        return bool(np.any(self.head.scale[size : EMBEDDED * size]))


def save_head(head: Head, path: Path, key: str) -> None:
    """Write a head to a `.npz` file, whole or not at all.

    Args:
        head: The head.
        path: The file; its folder is made.
        key: What it was trained from (`head_key`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez_compressed(
            file,
            key=np.array(key),
            intents=np.array(head.intents),
            mean=head.mean,
            scale=head.scale,
            weights=head.weights.astype(np.float16),
            bias=head.bias,
            calibration=np.array(astuple(head.calibration)),
        )
    part.replace(path)


def read_head(path: Path, key: str) -> Head | None:
    """Read a head; None when the file is absent, damaged, or was trained from something else.

    Args:
        path: The file.
        key: What it must have been trained from.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            return Head(
                intents=tuple(str(name) for name in stored["intents"]),
                mean=stored["mean"],
                scale=stored["scale"],
                weights=stored["weights"].astype(np.float32),
                bias=stored["bias"],
                calibration=Calibration(*(float(number) for number in stored["calibration"])),
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def head_path(key: str, home: Path) -> Path:
    """Return where a head that was trained in a home lies."""
    return home / "intent" / f"{key[:24]}.npz"


def shipped_head(campaign: str) -> Path:
    """Return where the head of a campaign that ships with the project lies."""
    from scripts_library.loading import CAMPAIGNS

    return CAMPAIGNS / campaign / "intent_head.npz"


def load_intent_model(data: "CampaignData", embedder: "Embedder", home: Path) -> "IntentModel | EncoderIntentModel":
    """Return a campaign's classifier: a fine-tuned one, or the stored head that fits the examples, or a newly trained one.

    Args:
        data: The campaign; its intents' examples, and labelled calls if it ships any, are what is learnt from.
        embedder: Makes the vectors; another one means another head.
        home: Folder of what the program writes; a new head is stored there.

    Raises:
        BadInput: Fewer than two intents have examples.
    """
    from nodes.intent_data import head_key
    from nodes.intent_encoder import EncoderIntentModel, find_encoder

    if folder := find_encoder(data, home):
        return EncoderIntentModel(folder, embedder)
    key = head_key(data, embedder.name)
    own = head_path(key, home)
    for path in (own, shipped_head(data.campaign.name)):
        head = read_head(path, key)
        if head is not None:
            return IntentModel(head, embedder)
    return train_intent_model(data, embedder, home, own)


def train_intent_model(data: "CampaignData", embedder: "Embedder", home: Path, path: Path) -> IntentModel:
    """Train a campaign's classifier and store its head.

    Args:
        data: The campaign.
        embedder: Makes the vectors.
        home: Keeps vectors between trainings, so that an edited example costs one embedding.
        path: Where the head goes.

    Raises:
        BadInput: Fewer than two intents have examples.
    """
    from nodes.intent_data import campaign_examples, head_key, remembering
    from nodes.intent_training import fit_head

    embed: Embed = remembering(embedder, home)
    head = fit_head(campaign_examples(data), embed, embedder.dimension)
    save_head(head, path, head_key(data, embedder.name))
    return IntentModel(head, embedder)


def weightiest(intents: Iterable[str], kinds: dict[str, IntentKind]) -> str:
    """Return which of a turn's sentences' intents is the turn's (`KIND_PRIORITY`).

    Args:
        intents: Intents in the order said, at least one.
        kinds: Intent → kind, for all of them.
    """
    best = ""
    for intent in intents:
        if not best or KIND_PRIORITY.index(kinds[intent]) <= KIND_PRIORITY.index(kinds[best]):
            best = intent
    return best
