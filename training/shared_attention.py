"""Attention of rows that share prompts: a prompt's keys and values lie there once, and are read once for all its rows.

transformers' cache holds them once for each row, copies them at every token that is decoded, and its kernel reads each copy. Here the
queries of all rows with one prompt are multiplied with its keys in one product, those of the rest row by row, and one softmax is taken
over both. Source: the shared-prefix attention of Hydragen (arXiv 2402.05099, section 3.1), with the softmax taken whole, not in parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import AttentionInterface, Cache, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "sdpa_shared"

States = tuple[tuple[Tensor, Tensor], ...]
"""Keys and values of each layer, (1, heads, tokens, width)."""


@dataclass(frozen=True, slots=True)
class Parted:
    """Keys, or values, of one layer."""

    prompts: Sequence[Tensor]
    """Of each prompt, (1, H_kv, P, d)."""
    rows: Sequence[int]
    """Of each prompt; they stand together."""
    rest: Tensor
    """What follows in each row, (B, H_kv, S, d)."""


class SharedLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's states of rows that stand together by their prompts.

    Args:
        prompts: Keys and values of each prompt, (1, H_kv, P, d).
        rows: How many rows each prompt has.
        width: Tokens to which the caller pads prompts; positions and masks count that many before what follows.
    """

    def __init__(self, prompts: Sequence[tuple[Tensor, Tensor]], rows: Sequence[int], width: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.prompts, self.rows, self.width = prompts, rows, width

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> Any:
        """Add the states of tokens, and return those of all: keys and values, each `Parted`, which `attend` alone can read."""
        keys, values = super().update(key_states, value_states)
        prompt_keys, prompt_values = zip(*self.prompts, strict=True)
        return Parted(prompt_keys, self.rows, keys), Parted(prompt_values, self.rows, values)

    def get_seq_length(self) -> int:
        """Return the tokens of a row so far, those of padding included."""
        return self.width + int(super().get_seq_length())

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows alone, in their order."""
        super().batch_select_indices(indices)
        ends = torch.tensor(list(accumulate(self.rows)), device=indices.device)
        kept = torch.bucketize(indices, ends, right=True).bincount(minlength=len(self.rows)).tolist()
        left = [(states, rows) for states, rows in zip(self.prompts, kept, strict=True) if rows]
        self.prompts, self.rows = [states for states, _ in left], [rows for _, rows in left]


def shared_cache(model: Any, prompts: Sequence[tuple[States, int]], width: int) -> Cache:
    """Return a cache of prompts that were read, for a model that is to go on from them.

    Args:
        model: A causal model whose layers all attend to everything before; from now on it attends as `attend` does.
        prompts: States of each prompt, and how many rows have it; rows of one prompt stand together.
        width: As for `SharedLayer`.
    """
    bare: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    if bare.config._attn_implementation != NAME:
        bare.set_attn_implementation(NAME)
    states, rows = zip(*prompts, strict=True)
    if not any(states):  # Prompts of one token: nothing was read before the rows.
        return DynamicCache()
    return Cache(layers=[SharedLayer(layer, rows, width) for layer in zip(*states, strict=True)])


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Any,
    value: Any,
    attention_mask: Tensor | None,
    **given: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers' `sdpa` does, to prompts that rows share too.

    Args:
        module: The layer.
        query: (B, H, T, d).
        key: (B, H_kv, S, d), or `Parted`.
        value: As `key`.
        attention_mask: (B, 1, T, W + S), true where a token may look; None: everywhere before it. Where keys are parted, its first W
            columns say where prompts were padded, and are not read: here no prompt is.
        given: As for `sdpa`.

    Returns:
        (B, T, H, d), and None.
    """
    if not isinstance(key, Parted):
        found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **given)
        return found
    tokens, rest = query.size(2), key.rest.size(2)
    if attention_mask is None:
        mask = torch.ones((1, 1, tokens, rest), dtype=torch.bool, device=query.device).tril(rest - tokens)
    else:
        mask = attention_mask[..., -rest:]
    query = query * given["scaling"]
    parts = [
        torch.split(part, list(key.rows)) for part in (query, key.rest, value.rest, mask.expand(len(query), -1, -1, -1))
    ]
    runs = zip(key.prompts, value.prompts, *parts, strict=True)
    return torch.cat([_attend(*run) for run in runs]).transpose(1, 2), None


def _attend(
    prompt_keys: Tensor, prompt_values: Tensor, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor
) -> Tensor:
    """Attend in rows that share one prompt.

    Args:
        prompt_keys: (1, H_kv, P, d).
        prompt_values: As `prompt_keys`.
        query: (B, H, T, d), scaled.
        keys: (B, H_kv, S, d).
        values: As `keys`.
        mask: (B, 1, T, S).

    Returns:
        (B, H, T, d).
    """
    batch, heads, tokens, width = query.shape
    kinds, before = keys.size(1), prompt_keys.size(2)
    packed = query.reshape(batch, kinds, -1, width)  # (B, H_kv, H / H_kv · T, d): heads that share keys stand together
    flat = packed.transpose(0, 1).reshape(kinds, -1, width)  # (H_kv, B · H / H_kv · T, d)
    on_prompt = flat @ prompt_keys[0].to(flat.dtype).transpose(1, 2)  # (H_kv, B · H / H_kv · T, P)
    hidden = ~mask.repeat(1, 1, heads // kinds, 1)  # (B, 1, H / H_kv · T, S)
    on_rest = (packed @ keys.transpose(2, 3)).masked_fill(hidden, -torch.inf)
    scores = torch.cat([on_prompt.view(kinds, batch, -1, before), on_rest.transpose(0, 1)], dim=-1)
    chances = scores.softmax(-1, dtype=torch.float32).to(values.dtype)
    of_prompt = chances[..., :before].reshape(kinds, -1, before) @ prompt_values[0].to(values.dtype)
    of_rest = chances[..., before:].transpose(0, 1) @ values
    return (of_prompt.view(kinds, batch, -1, width).transpose(0, 1) + of_rest).reshape(batch, heads, tokens, width)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
