"""Answers of a model to many prompts, such that each depends on its prompt, its seed and the weights, and on no other row.

A token is drawn by the Gumbel-max trick: the greatest of log-probabilities with noise added is a sample of the distribution. The noise
is the row's own, so batches may be cut anywhere, a sampling that was stopped goes on with the same answers, and two models that give
tokens nearly the same chances draw the same ones: less of the difference between them is luck.

Departure from the embedded server: no cut of unlikely tokens (top-k, top-p, min-p); at its temperature hardly any is drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training.prompt_rows import Ids, cache_of, padded
from training.rewards.scoring import PrefixCache

BATCH = 16
"""Prompts that are answered at once: decoding sixteen rows takes hardly longer than four."""


@dataclass(frozen=True)
class Asked:
    """One answer to draw."""

    prompt: Ids
    """At least two tokens."""
    seed: int
    """Of its noise, from 0 on, below 2⁶³."""


def sample(
    model: Any, tokenizer: Any, asked: Sequence[Asked], *, temperature: float, most: int
) -> Iterator[list[tuple[int, str]]]:
    """Yield answers batch by batch, as (place in `asked`, text); those whose prompts are alike stand together.

    Args:
        model: A causal model in evaluation mode, with or without an adapter.
        tokenizer: Its tokenizer.
        asked: What to draw, in any order.
        temperature: Above 0.
        most: Tokens of an answer, at most.
    """
    ends, kept = _ends(model, tokenizer), PrefixCache(keep=BATCH)
    order = sorted(range(len(asked)), key=lambda at: asked[at].prompt)
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        drawn = _drawn(model, kept, [asked[at] for at in places], ends, tokenizer.pad_token_id, temperature, most)
        texts = tokenizer.batch_decode(drawn, skip_special_tokens=True)
        yield list(zip(places, texts, strict=True))


def _ends(model: Any, tokenizer: Any) -> Tensor:
    """Return the tokens that end an answer."""
    found = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(found if isinstance(found, list) else [found])} - {None}
    return torch.tensor(sorted(ends), device=model.device)


@torch.no_grad()
def _drawn(
    model: Any, kept: PrefixCache, asked: Sequence[Asked], ends: Tensor, pad: int, temperature: float, most: int
) -> list[list[int]]:
    """Return the tokens drawn for each row, without the one that ends it."""
    prompts = [one.prompt for one in asked]
    cache = cache_of(kept, model, prompts)
    ids, mask = padded(prompts, pad, model.device)
    noise = [torch.Generator().manual_seed(one.seed) for one in asked]
    found: list[list[int]] = [[] for _ in asked]
    going = list(range(len(asked)))
    last = ids[:, -1:]
    for _ in range(most):
        positions = mask.sum(-1, keepdim=True) - 1
        given = {"attention_mask": mask, "position_ids": positions, "past_key_values": cache}
        logits = model(input_ids=last, use_cache=True, **given).logits[:, -1].float()  # (B, V)
        # The negative logarithm of an exponential variable is a Gumbel one.
        waits = [torch.empty(logits.size(-1)).exponential_(generator=noise[at]) for at in going]
        tokens = (logits / temperature - torch.stack(waits).to(logits.device).log()).argmax(-1)  # (B,)
        stay = ~torch.isin(tokens, ends)
        if not stay.all():
            if not stay.any():
                break
            cache.batch_select_indices(stay.nonzero().squeeze(-1))
            going = [at for at, stays in zip(going, stay.tolist(), strict=True) if stays]
            tokens, mask = tokens[stay], mask[stay]
        for at, token in zip(going, tokens.tolist(), strict=True):
            found[at].append(token)
        last = tokens.unsqueeze(-1)
        mask = torch.cat([mask, torch.ones_like(last)], dim=-1)
    return found
