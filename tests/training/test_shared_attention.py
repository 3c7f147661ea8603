from typing import Any

import pytest
import torch

from tests.training.tiny import Kind, tiny_model
from training.prompt_rows import cache_of, padded
from training.rewards.scoring import PrefixCache
from training.shared_attention import NAME, Parted, attend

PROMPTS = [(5, 6, 7, 8)] * 2 + [(5, 6, 9, 10, 11, 12, 13)] * 3
GIVEN = torch.tensor([[20, 21, 22], [23, 24, 25], [20, 21, 22], [26, 27, 28], [29, 30, 31]])


def plain(model: Any, rows: list[tuple[int, ...]]) -> list[torch.Tensor]:
    """The logits of each row's last three tokens, each row read alone."""
    return [model(torch.tensor([row])).logits[0, -3:] for row in rows]


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
@pytest.mark.parametrize("at_once", [3, 1])
def test_rows_that_share_prompts_have_the_logits_of_rows_read_alone(kind: Kind, at_once: int) -> None:
    model = tiny_model(kind)[0].eval()
    wanted = plain(model, [(*prompt, *given) for prompt, given in zip(PROMPTS, GIVEN.tolist(), strict=True)])
    cache = cache_of(PrefixCache(), model, PROMPTS)
    ids, mask = padded(PROMPTS, 0, model.device)
    model(ids[:, -1:], attention_mask=mask, position_ids=mask.sum(-1, keepdim=True) - 1, past_key_values=cache)
    found = []
    for tokens in GIVEN.split(at_once, dim=1):
        mask = torch.cat([mask, torch.ones_like(tokens)], dim=-1)
        positions = (mask.cumsum(-1) - 1)[:, -at_once:]
        found.append(model(tokens, attention_mask=mask, position_ids=positions, past_key_values=cache).logits)
    assert model.config._attn_implementation == NAME
    assert torch.allclose(torch.cat(found, dim=1), torch.stack(wanted), atol=1e-5)


def test_rows_that_are_dropped_leave_the_others_as_they_were() -> None:
    model = tiny_model()[0].eval()
    cache = cache_of(PrefixCache(), model, PROMPTS)
    ids, mask = padded(PROMPTS, 0, model.device)
    model(ids[:, -1:], attention_mask=mask, position_ids=mask.sum(-1, keepdim=True) - 1, past_key_values=cache)
    stay = torch.tensor([2, 4])
    cache.batch_select_indices(stay)
    mask = torch.cat([mask[stay], torch.ones((2, 3), dtype=mask.dtype)], dim=-1)
    positions = (mask.cumsum(-1) - 1)[:, -3:]
    found = model(GIVEN[stay], attention_mask=mask, position_ids=positions, past_key_values=cache).logits
    wanted = plain(model, [(*PROMPTS[at], *GIVEN[at].tolist()) for at in stay.tolist()])
    assert torch.allclose(found, torch.stack(wanted), atol=1e-5)


def test_a_prompt_is_held_once_however_many_rows_have_it() -> None:
    model = tiny_model()[0].eval()
    kept = PrefixCache()
    cache = cache_of(kept, model, [PROMPTS[0]] * 50)
    (keys, values), *_ = kept.states(model, PROMPTS[0][:-1])
    (held,) = cache.layers[0].prompts
    assert held[0].data_ptr() == keys.data_ptr()
    assert held[1].data_ptr() == values.data_ptr()
    assert cache.layers[0].rows == (50,)


def test_without_a_mask_tokens_look_at_the_prompt_and_at_what_came_before_them() -> None:
    torch.manual_seed(0)
    query, rest, prompt = torch.randn(2, 4, 3, 8), torch.randn(2, 2, 5, 8), torch.randn(1, 2, 6, 8)
    given = {"scaling": 8**-0.5, "dropout": 0.0}
    layer = torch.nn.Module()
    layer.num_key_value_groups = 2  # type: ignore[assignment]
    parted = Parted((prompt,), (2,), rest)
    found, _ = attend(layer, query, parted, parted, None, **given)
    whole = torch.cat([prompt.expand(2, -1, -1, -1), rest], dim=2)
    mask = torch.ones(3, 11, dtype=torch.bool).tril(8).expand(2, 1, -1, -1)
    wanted, _ = attend(layer, query, whole, whole, mask, **given)
    assert torch.allclose(found, wanted, atol=1e-5)
