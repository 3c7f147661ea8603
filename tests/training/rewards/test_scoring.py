"""Log-probabilities with shared prompts equal those of a plain forward pass."""

from typing import Any

import pytest
import torch

from tests.training.tiny import Kind, tiny_model
from training.rewards.scoring import Item, PrefixCache, mean_logprobs


def plain(model: Any, item: Item) -> float:
    """Score one item by one forward pass over the whole of it."""
    ids = torch.tensor([[*item.prompt, *item.given, *item.target]])
    with torch.no_grad():
        chances = model(input_ids=ids).logits[0].double().log_softmax(-1)
    start = len(item.prompt) + len(item.given)
    return float(torch.stack([chances[start + at - 1, token] for at, token in enumerate(item.target)]).mean())


PROMPT, SISTER = tuple(range(5, 45)), (*range(5, 30), *range(90, 120))
ITEMS = [
    Item(PROMPT, (), (7, 8, 9)),
    Item(PROMPT, (50, 51, 52, 53), (60,)),
    Item(PROMPT, (54,), (61, 62, 63, 64, 65, 66)),
    Item(SISTER, (70, 71), (80, 81)),
    Item((3,), (), (4, 5)),
]


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
@pytest.mark.parametrize("batch", [1, 2, 8])
def test_scores_with_cached_prompts_equal_plain_ones(kind: Kind, batch: int) -> None:
    model = tiny_model(kind)[0].eval()
    found = mean_logprobs(model, ITEMS, PrefixCache(), batch=batch)
    assert found == pytest.approx([plain(model, item) for item in ITEMS], abs=1e-4)
    assert len({round(value, 3) for value in found}) == len(ITEMS)


def test_a_prompt_is_read_once_and_another_one_only_from_where_it_differs() -> None:
    model = tiny_model()[0].eval()
    prefixes = PrefixCache()
    first = mean_logprobs(model, ITEMS[:4], prefixes)
    assert prefixes.read == len(PROMPT) - 1 + len(SISTER) - 1 - 25
    assert mean_logprobs(model, ITEMS[:4], prefixes) == first
    assert prefixes.read == len(PROMPT) - 1 + len(SISTER) - 1 - 25


def test_prompts_that_were_read_long_ago_are_forgotten() -> None:
    model = tiny_model()[0].eval()
    prefixes = PrefixCache(keep=1)
    mean_logprobs(model, [ITEMS[0], Item((90, 91, 92), (), (7,)), ITEMS[0]], prefixes)
    assert prefixes.read == 2 * (len(PROMPT) - 1) + 2
