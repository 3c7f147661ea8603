"""Attention for decoding on a CPU: heads that share keys and values are multiplied together.

While one token a row is decoded, torch's kernel for grouped queries takes each head alone, and in bfloat16 it is slow at that.
transformers has a faster way, and takes it only where there is a mask; so one that hides nothing is given. Measured with the 0.5B
model, 16 rows of 800 tokens, on one busy core: 1.33 s a token before, 0.43 s so.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "sdpa_packed"


def packed_attention(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **given: Any
) -> tuple[Tensor, None]:
    """Attend as transformers' `sdpa` does.

    Args:
        module: The layer.
        query: (B, H, T, d).
        key: (B, H / groups, S, d).
        value: As `key`.
        attention_mask: (B, 1, T, S), true where a token may look; None: everywhere before it.
        given: As for `sdpa`.

    Returns:
        (B, T, H, d), and None.
    """
    if attention_mask is None and query.size(2) == 1:
        attention_mask = torch.ones((query.size(0), 1, 1, key.size(2)), dtype=torch.bool, device=query.device)
    found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **given)
    return found


AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


def pack_attention(model: Any) -> None:
    """Let a model on a CPU that attends by `sdpa` do so packed."""
    if model.device.type == "cpu" and model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(NAME)
