"""The fine-tuned classifier of intents: a small BERT that reads the line beside what was said before it, by ONNX Runtime alone.

It answers like the linear head of `intent_model.py`, and `salesman train intent` makes it. A classifier is a folder: `intent.onnx`,
`tokenizer.json` (pairs of texts, cut to what was trained) and `about.json` (intents, calibration, what it was trained from).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from nodes.intent_data import head_key
from nodes.intent_features import Example
from nodes.intent_model import Calibration, Prediction
from scripts_library.persuasion import CAMPAIGNS

if TYPE_CHECKING:
    from scripts_library.loading import CampaignData
    from serving.embed import Embedder

MODEL, TOKENIZER, ABOUT = "intent.onnx", "tokenizer.json", "about.json"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
LAST_TURN = 12
"""Later turns count as this one."""


def texts_of(example: Example) -> tuple[str, str]:
    """Return what the classifier reads: the context (what the customer and then the agent said before), and the line with its turn."""
    context = " / ".join(filter(None, (example.previous_customer_text, example.previous_agent_text)))
    turn = f"{min(example.turn, LAST_TURN)}. " if example.turn else ""
    return context, f"{turn}{example.text}"


@dataclass(frozen=True)
class Known:
    """What `about.json` says of a classifier: intents in the order of its answers, calibration, and what it was trained from."""

    intents: tuple[str, ...]
    calibration: Calibration
    key: str


def find_encoder(data: "CampaignData", home: Path) -> Path | None:
    """Return the folder of a campaign's fine-tuned classifier: one made in this home, or one that ships; None where none fits.

    Args:
        data: The campaign; a classifier of other intents or examples does not fit it.
        home: Folder of what the program writes.
    """
    key = encoder_key(data)
    for folder in (own_folder(key, home), CAMPAIGNS / data.campaign.name / "intent_encoder"):
        if (folder / ABOUT).is_file() and read_about(folder).key == key:
            return folder
    return None


def encoder_key(data: "CampaignData") -> str:
    """Return a hash of what a campaign's classifier depends on."""
    return head_key(data, "encoder")


def own_folder(key: str, home: Path) -> Path:
    """Return where a classifier that was made in a home lies."""
    return home / "intent" / f"encoder-{key[:24]}"


class EncoderIntentModel:
    """Says what a customer's line means.

    Args:
        folder: As `salesman train intent` writes it.
        embedder: Makes the line's vector, which retrieval uses.
    """

    def __init__(self, folder: Path, embedder: "Embedder") -> None:
        from onnxruntime import InferenceSession, SessionOptions  # type: ignore[import-untyped]

        options = SessionOptions()
        options.intra_op_num_threads = 1
        self._session = InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._embedder = embedder
        self.about = read_about(folder)

    @property
    def threshold(self) -> float:
        """Confidence below which the model should be asked: at most 5 % of unseen lines lie below."""
        return self.about.calibration.threshold

    def predict(
        self,
        text: str,
        previous_agent_text: str = "",
        *,
        previous_customer_text: str = "",
        turn: int = 0,
    ) -> Prediction:
        """Classify one line, as `IntentModel.predict` does."""
        logits = self.logits(Example(text, "", previous_agent_text, previous_customer_text, turn))
        raised = np.exp((logits - logits.max()) / self.about.calibration.temperature)
        shares = raised / raised.sum()
        order = np.argsort(-shares, kind="stable")
        candidates = [(self.about.intents[place], float(shares[place])) for place in order]
        return Prediction(candidates[0][0], candidates[0][1], candidates, self._embedder.query([text])[0])

    def logits(self, example: Example) -> NDArray[np.float32]:
        """Return the classifier's answer before calibration, (intents,)."""
        read = self._tokenizer.encode(*texts_of(example))
        fed = {
            name: np.array([row], np.int64)
            for name, row in zip(INPUTS, (read.ids, read.attention_mask, read.type_ids), strict=True)
        }
        logits: NDArray[np.float32] = self._session.run(None, fed)[0][0]
        return logits

    def prepare(self, agent_text: str) -> None:
        """Do nothing: the context is read together with the line."""


def read_about(folder: Path) -> Known:
    """Read what a classifier's folder says of it."""
    told = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    return Known(tuple(told["intents"]), Calibration(**told["calibration"]), told["key"])
