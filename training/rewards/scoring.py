"""Log-probabilities of given tokens after given contexts, at the cost of the tokens that differ.

Completions of one group share their prompt, and prompts of one campaign share most of their system message. So keys and values
of prompts are kept, and a new prompt is read only from where it parts from the nearest one that was read before.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from training.shared_attention import States, shared_cache


@dataclass(frozen=True, slots=True)
class Item:
    """One text to score, as token ids."""

    prompt: tuple[int, ...]
    """What it shares with others; at least one token."""
    given: tuple[int, ...]
    """What follows and is not scored; may be empty."""
    target: tuple[int, ...]
    """What is scored; at least one token."""


class PrefixCache:
    """States of the prompts last read, of one model whose weights stay as they are.

    Args:
        keep: So many prompts. One of 800 tokens takes some 20 MB of a 0.5B model in float32.
    """

    def __init__(self, keep: int = 4) -> None:
        self.keep = keep
        self.read = 0
        """Tokens that were read so far, not found."""
        self._held: OrderedDict[tuple[int, ...], States] = OrderedDict()

    def clear(self) -> None:
        """Forget everything: the weights have changed."""
        self._held.clear()

    def states(self, model: Any, ids: tuple[int, ...]) -> States:
        """Return a prompt's states, reading only what no held prompt begins with."""
        if ids not in self._held and ids:
            nearest = max(self._held, key=lambda held: _shared(held, ids), default=())
            known = _shared(nearest, ids)
            begun = tuple((k[:, :, :known], v[:, :, :known]) for k, v in self._held[nearest]) if known else ()
            self._held[ids] = _extended(model, begun, ids[known:]) if known < len(ids) else begun
            self.read += len(ids) - known
        if ids in self._held:
            self._held.move_to_end(ids)
        while len(self._held) > self.keep:
            self._held.popitem(last=False)
        return self._held.get(ids, ())


def mean_logprobs(model: Any, items: Sequence[Item], prefixes: PrefixCache, *, batch: int = 8) -> list[float]:
    """Return the mean log-probability of each item's target tokens, in nats a token.

    Args:
        model: A causal model in evaluation mode.
        items: What to score; those with one prompt should stand together, as TRL hands groups over.
        prefixes: Of this model and its present weights.
        batch: Items that go through the model at once; they share a prompt.

    Returns:
        A number at most 0 for each item.
    """
    with torch.no_grad():
        return [value for group in _groups(items, batch) for value in _scored(model, group, prefixes)]


def _groups(items: Sequence[Item], batch: int) -> Iterator[list[Item]]:
    group: list[Item] = []
    for item in items:
        if group and (item.prompt != group[0].prompt or len(group) == batch):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _scored(model: Any, group: list[Item], prefixes: PrefixCache) -> list[float]:
    prompt = group[0].prompt
    states = prefixes.states(model, prompt[:-1])
    # The prompt's last token is read again with each row: its logits are those of the first token after the prompt.
    rows = [(*prompt[-1:], *item.given, *item.target) for item in group]
    width, before = max(map(len, rows)), len(prompt) - 1
    ids = torch.zeros((len(rows), width), dtype=torch.long)  # (B, S), padded on the left
    mask = torch.zeros((len(rows), before + width), dtype=torch.long)
    mask[:, :before] = 1
    for at, row in enumerate(rows):
        ids[at, width - len(row) :] = torch.tensor(row)
        mask[at, before + width - len(row) :] = 1
    device = model.device
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, before:]
    cache = shared_cache(model, [(states, len(rows))], before)
    logits = model(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        position_ids=positions.to(device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=max(len(item.target) for item in group) + 1,
    ).logits
    return [_mean(logits[at, -len(item.target) - 1 : -1], item.target) for at, item in enumerate(group)]


def _mean(logits: Tensor, target: tuple[int, ...]) -> float:
    """Return the mean log-probability of tokens; logits (T, V)."""
    wide = logits.float()
    chosen = wide.gather(-1, torch.tensor(target, device=wide.device).unsqueeze(-1)).squeeze(-1)
    return float((chosen - wide.logsumexp(-1)).mean())


def _extended(model: Any, begun: States, ids: tuple[int, ...]) -> States:
    """Read tokens after those whose states are known, and return the states of all."""
    # Without a config a cache keeps all positions of every layer, also where the model attends to a window only.
    cache = DynamicCache(list(begun))
    before = begun[0][0].shape[-2] if begun else 0
    device = model.device
    model(
        input_ids=torch.tensor([ids], device=device),
        attention_mask=torch.ones((1, before + len(ids)), dtype=torch.long, device=device),
        position_ids=torch.arange(before, before + len(ids), device=device).unsqueeze(0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return tuple((keys, values) for keys, values, _ in cache)


def _shared(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Return how many tokens two texts begin with in common."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
