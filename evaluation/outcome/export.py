"""Write a fine-tuned encoder as a small ONNX file: a smaller vocabulary, and weights of eight bits."""

import copy
import json
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evaluation.outcome.encoder import ENCODER, INPUTS, OUTPUT, TOKENIZER
from evaluation.outcome.finetune import Encoder
from evaluation.outcome.tokens import Pairs

COMMON = 16_000
"""BERT's vocabulary is ordered by frequency: so many of its first tokens stay, whatever the calls say."""


def export(encoder: Encoder, tokenizer: Path, texts: Iterable[str], folder: Path) -> None:
    """Write `encoder.onnx` and `tokenizer.json`.

    Args:
        encoder: Fine-tuned.
        tokenizer: Its `tokenizer.json`.
        texts: What the encoder was trained on; the tokens that they need are kept.
        folder: Where to.
    """
    smaller, kept = pruned(json.loads(tokenizer.read_text(encoding="utf-8")), tokenizer, texts)
    smaller["post_processor"] = None
    (folder / TOKENIZER).write_text(json.dumps(smaller, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    encoder = copy.deepcopy(encoder).eval()
    if kept:
        encoder.embeddings.word_embeddings = rows_of(encoder.embeddings.word_embeddings, kept)
    batch = Pairs(folder / TOKENIZER).batch([([5, 6, 7], [8, 9]), ([5], [6, 7])])
    example = tuple(torch.from_numpy(array) for array in (batch.ids, batch.mask, batch.agent, batch.customer))
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole.onnx"
        write_onnx(encoder, example, INPUTS, OUTPUT, whole)
        quantise(whole, folder / ENCODER)


def write_onnx(
    module: nn.Module, example: tuple[torch.Tensor, ...], inputs: Sequence[str], output: str, out: Path
) -> None:
    """Write a module as ONNX, for any number of texts and tokens.

    Args:
        module: Gives an array whose first axis is the texts.
        example: Its inputs, (texts, tokens) each.
        inputs: Their names.
        output: Name of what it gives.
        out: The file.
    """
    axes = {**{name: {0: "texts", 1: "tokens"} for name in inputs}, output: {0: "texts"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(out),
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )


def quantise(whole: Path, out: Path) -> None:
    """Write an ONNX file anew with weights of eight bits."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_dynamic(whole, out, weight_type=QuantType.QInt8, per_channel=True)


def rows_of(words: nn.Embedding, kept: list[int]) -> nn.Embedding:
    """Return an embedding of some rows of another."""
    smaller = nn.Embedding(len(kept), words.embedding_dim)
    smaller.weight = nn.Parameter(words.weight.detach()[kept], requires_grad=False)
    return smaller


def pruned(data: dict[str, Any], tokenizer: Path, texts: Iterable[str]) -> tuple[dict[str, Any], list[int]]:
    """Return a tokenizer with fewer words and the old ids that it keeps, in order; all, where it is no WordPiece."""
    if data["model"]["type"] != "WordPiece":
        return data, []
    from tokenizers import Tokenizer

    reader = Tokenizer.from_file(str(tokenizer))
    seen = {token for text in texts for token in reader.encode(text, add_special_tokens=False).ids}
    seen |= {special["id"] for special in data["added_tokens"]}
    old = sorted(data["model"]["vocab"].items(), key=lambda item: item[1])
    kept = [
        (token, number)
        for token, number in old
        if number in seen or (not token.startswith("[unused") and (number < COMMON or _is_letter(token)))
    ]
    renamed = {number: place for place, (_, number) in enumerate(kept)}
    data["model"]["vocab"] = {token: place for place, (token, _) in enumerate(kept)}
    data["added_tokens"] = [special | {"id": renamed[special["id"]]} for special in data["added_tokens"]]
    return data, [number for _, number in kept]


def _is_letter(token: str) -> bool:
    """Tell whether a token is one ASCII character: with all of these, every English word can still be spelt."""
    plain = token.removeprefix("##")
    return len(plain) == 1 and plain.isascii()
