"""Rows of a batch whose prompts are read apart, once each: what trainers that share prompts have in common."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from graph.errors import BadInput
from training.rewards.scoring import PrefixCache
from training.shared_attention import shared_cache

Ids = tuple[int, ...]


def check_sharing(trainer: Any) -> None:
    """Refuse a run that cannot share prompts.

    Raises:
        BadInput: It has several processes, another way of generation, gradient checkpointing, dropout or windowed attention.
    """
    args = trainer.args
    dropout = any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in trainer.model.modules())
    layers = getattr(trainer.model.config, "layer_types", None) or ["full_attention"]
    wrong = {
        "several processes": trainer.accelerator.num_processes > 1,
        "use_vllm": getattr(args, "use_vllm", False),
        "use_transformers_continuous_batching": getattr(args, "use_transformers_continuous_batching", False),
        "gradient_checkpointing": args.gradient_checkpointing,
        "dropout (set lora_dropout to 0)": dropout,
        f"attention of the kind {layers[0]}": set(layers) != {"full_attention"},
    }
    found = [name for name, here in wrong.items() if here]
    if found:
        raise BadInput(
            f"share_prefix does not go with {' and '.join(found)}; change that, or set share_prefix to false."
        )


def prompts_of(ids: Tensor, mask: Tensor) -> list[Ids]:
    """Return the tokens of each row (B, P) that the mask (B, P) keeps."""
    return [tuple(row[kept].tolist()) for row, kept in zip(ids, mask.bool(), strict=True)]


def padded(prompts: Sequence[Ids], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return prompts padded on the left (B, P), and their mask."""
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return ids, mask


def cache_of(kept: PrefixCache, model: Any, prompts: Sequence[Ids], width: int = 0) -> Cache:
    """Return the states of prompts, without each one's last token, for rows whose prompts the caller pads on the left.

    Args:
        kept: Where states of distinct prompts lie or are put.
        model: That reads them.
        prompts: Of the rows; where some repeat, one after the other, they share their states.
        width: Tokens to which prompts are padded; by default those of the longest one.
    """
    width = (width or max(map(len, prompts))) - 1
    runs = [(kept.states(model, prompt[:-1]), len(list(rows))) for prompt, rows in groupby(prompts)]
    return shared_cache(model, runs, width)


def rest_of(ids: Tensor, mask: Tensor, before: int, cache: Cache) -> dict[str, Any]:
    """Return what TRL's fused head takes to score the rest of rows whose prompts were read.

    The prompt's last token is read again with each row: from it the first token of the rest is predicted.

    Args:
        ids: (B, P + T), prompts padded on the left, the rest on the right.
        mask: (B, P + T), 1 for tokens that are none of padding.
        before: P.
        cache: States of the prompts, see `cache_of`.
    """
    return {
        "input_ids": ids[:, before - 1 : -1],
        "attention_mask": mask[:, :-1],
        "position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, before - 1 : -1],
        "past_key_values": cache,
        "shift_labels": ids[:, before:].masked_fill(mask[:, before:] == 0, -100),
    }
