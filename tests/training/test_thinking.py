import pytest
import torch

from tests.training.tiny import tiny_tokenizer
from training.thinking import opening, token_advantages

MARKER = len("<think>") - 1
"""Tokens of the marker by the tiny tokenizer: a token a byte, but for `th`."""


@pytest.mark.parametrize(
    ("text", "count", "why"),
    [
        ("<think>He asks.</think>Yes.", MARKER, "a thought"),
        ("<think>and on", MARKER, "one that never closes"),
        (" \n<think>He asks.", MARKER + 2, "space before it belongs to it"),
        ("Yes. <think>He asks.</think>", 0, "a thought that comes late"),
        ("<thin", 0, "cut off in the marker"),
        ("<b>", 0, "another tag"),
        ("", 0, "nothing"),
    ],
)
def test_the_tokens_that_begin_a_thought_are_counted(text: str, count: int, why: str) -> None:
    tokenizer = tiny_tokenizer()
    assert opening(tokenizer(text)["input_ids"], tokenizer) == count, why


def test_a_token_that_reaches_into_the_thought_begins_it() -> None:
    class Coarse:
        def decode(self, ids: list[int]) -> str:
            return "".join(["<think", ">He", " asks"][at] for at in ids)

    assert opening([0, 1, 2], Coarse()) == 2


def test_where_a_group_is_parted_the_marker_learns_from_the_whole_and_the_rest_from_its_half() -> None:
    rewards = torch.tensor([[1.0, 3.0, -8.0, -8.5], [2.0, 4.0, 5.0, 6.0]])
    whole = (rewards - rewards.mean(1, keepdim=True)) / rewards.std(1, keepdim=True)
    found = token_advantages(whole.view(-1), torch.tensor([2, 1, 0, 0, 1, 1, 1, 1]), 3, group=4, scaled=True)
    z = 2**-0.5
    expected = [[whole[0, 0], whole[0, 0], -z], [whole[0, 1], z, z], [z] * 3, [-z] * 3]
    assert torch.allclose(found[:4], torch.tensor(expected), atol=2e-3)
    assert torch.equal(found[4:], whole[1].unsqueeze(1).expand(4, 3)), "a group of one kind stays as it is"


def test_unscaled_a_half_loses_its_mean_alone() -> None:
    found = token_advantages(torch.tensor([3.0, 1.0, -4.0]), torch.tensor([1, 1, 0]), 2, group=3, scaled=False)
    assert found.tolist() == [[3.0, 1.0], [1.0, -1.0], [0.0, 0.0]]


def test_a_half_without_spread_or_of_one_gets_nothing_and_what_could_not_be_scored_counts_for_none() -> None:
    nan = float("nan")
    whole = torch.tensor([0.9, 0.9, -1.8, 0.5, -0.5, nan])
    found = token_advantages(whole, torch.tensor([1, 1, 0, 1, 1, 1]), 2, group=3, scaled=True)
    assert torch.allclose(found[:3], torch.tensor([[0.9, 0.0], [0.9, 0.0], [0.0, 0.0]]), atol=1e-6)
    assert found[3:].tolist() == [[0.5, 0.5], [-0.5, -0.5], [0.0, 0.0]]
    parted = token_advantages(torch.tensor([1.0, -1.0, nan, 0.0]), torch.tensor([1, 1, 1, 0]), 2, group=4, scaled=False)
    assert parted[:, 1].tolist() == [1.0, -1.0, 0.0, 0.0]
