"""A fine-tuned encoder becomes the classifier that `nodes/intent_encoder.py` runs: fewer words, eight bits, calibrated."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from torch import nn

from evaluation.outcome.export import pruned, quantise, rows_of, write_onnx
from evaluation.outcome.tokens import SPECIAL
from graph.errors import BadInput
from nodes.intent_encoder import ABOUT, INPUTS, MODEL, TOKENIZER, EncoderIntentModel, texts_of
from nodes.intent_features import Example
from nodes.intent_model import Calibration
from nodes.intent_training import calibrate
from serving.embed import Embedder

LOSS = 0.01
"""Accuracy on held-back lines that eight bits may cost; what loses more is kept in 32."""
Rows = list[dict[str, list[int]]]


class Logits(nn.Module):
    """A classifier of transformers' as ONNX wants it: arrays in, an array out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Return the logits, (texts, intents)."""
        logits: torch.Tensor = self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
        return logits


def pair_tokenizer(content: dict[str, Any], sides: int, longest: int) -> Tokenizer:
    """Return a tokenizer of pairs of texts; of what is too long, the ends stay.

    Args:
        content: Of a `tokenizer.json`.
        sides: Token types that the encoder knows: 2 for BERT, 1 for RoBERTa and its kin.
        longest: Tokens of a pair at most.

    Raises:
        BadInput: It has not the marks of a BERT-like one.
    """
    tokenizer = Tokenizer.from_str(json.dumps({**content, "post_processor": None, "truncation": None, "padding": None}))
    for first, between, _ in SPECIAL:
        numbers = [(name, tokenizer.token_to_id(name)) for name in (first, between)]
        if all(number is not None for _, number in numbers):
            second = min(1, sides - 1)
            tokenizer.post_processor = TemplateProcessing(
                single=f"{first} $A {between}",
                pair=f"{first} $A:0 {between}:0 $B:{second} {between}:{second}",
                special_tokens=numbers,
            )
            tokenizer.enable_truncation(longest, direction="left")
            return tokenizer
    raise BadInput(
        f"The tokenizer has neither {' nor '.join('/'.join(names) for names in SPECIAL)}; give a BERT-like one."
    )


def encoded(tokenizer: Tokenizer, examples: Iterable[Example]) -> Rows:
    """Return what the encoder reads of each example."""
    found = tokenizer.encode_batch([texts_of(example) for example in examples])
    return [dict(zip(INPUTS, (one.ids, one.attention_mask, one.type_ids), strict=True)) for one in found]


def export_classifier(
    model: Any,
    tokenizer: Path,
    longest: int,
    train: Sequence[Example],
    held_back: Sequence[Example],
    key: str,
    embedder: Embedder,
    out: Path,
) -> dict[str, Any]:
    """Write a classifier's folder; an earlier one is replaced whole.

    Args:
        model: Fine-tuned; its configuration names the intents.
        tokenizer: The encoder's `tokenizer.json`.
        longest: Tokens of a pair at most.
        train: What it was trained on; the tokens that it needs are kept.
        held_back: Lines that it has not seen, by which it is calibrated.
        key: What it was trained from (`nodes.intent_encoder.encoder_key`).
        embedder: Of the campaign.
        out: The folder.

    Returns:
        `bits` (8 or 32), `bytes` of the folder, and `accuracy_32` and `accuracy_8` on the lines held back (0–1).
    """
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    texts = [text for example in train for text in texts_of(example)]
    content, kept = pruned(json.loads(tokenizer.read_text(encoding="utf-8")), tokenizer, texts)
    pairs = pair_tokenizer(content, model.config.type_vocab_size, longest)
    pairs.save(str(part / TOKENIZER))
    model = model.cpu().float().eval()
    if kept:
        model.set_input_embeddings(rows_of(model.get_input_embeddings(), kept))
    read = encoded(pairs, [Example("yes", previous_agent_text="well"), Example("no", previous_agent_text="well")])
    example = tuple(torch.tensor([row[name] for row in read]) for name in INPUTS)
    intents = tuple(model.config.id2label[place] for place in range(model.config.num_labels))
    labels, names = np.array([one.intent for one in held_back]), np.array(intents)
    _write_about(part, intents, Calibration(), key)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / MODEL
        write_onnx(Logits(model), example, INPUTS, "logits", whole)
        shutil.copyfile(whole, part / MODEL)
        exact = _logits(part, held_back, embedder)
        quantise(whole, part / MODEL)
        logits = _logits(part, held_back, embedder)
        accuracies = [float(np.mean(names[found.argmax(axis=1)] == labels)) for found in (exact, logits)]
        bits = 8
        if accuracies[1] < accuracies[0] - LOSS:
            bits, logits = 32, exact
            shutil.copyfile(whole, part / MODEL)
    _write_about(part, intents, calibrate(logits.astype(np.float64), labels, names), key)
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)
    size = sum(path.stat().st_size for path in out.iterdir())
    return {"bits": bits, "bytes": size, "accuracy_32": accuracies[0], "accuracy_8": accuracies[1]}


def _logits(folder: Path, examples: Sequence[Example], embedder: Embedder) -> NDArray[np.float32]:
    classifier = EncoderIntentModel(folder, embedder)
    return np.stack([classifier.logits(example) for example in examples])


def _write_about(folder: Path, intents: Sequence[str], calibration: Calibration, key: str) -> None:
    told = {"intents": list(intents), "calibration": asdict(calibration), "key": key}
    (folder / ABOUT).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
