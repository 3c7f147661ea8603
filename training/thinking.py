"""Whether a completion begins with a thought, and which of its tokens are to learn from that.

A reward that needs a thought (R_bayes) parts a group in two: those that think and those that do not. Normalised over the whole group,
nearly all of an advantage then says that a thought pays, to every token of it, and hardly anything says which thought is the better one.
So where a group is parted, the tokens that begin the thought keep the advantage over the whole group (does it pay to think?), and every
other token has the advantage over its own half (is this thought, this reply, better than others of its kind?).

The halves are those that begin with a thought and those that do not, whether the beginning was sampled or given (`hinted`, see
`grpo.py`): what comes after it is compared with what else came after it. Groups of one kind keep TRL's advantages as they are.

Source: ours; AI-Salesman (arXiv 2511.12133) trains a model that always thinks.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from trl.trainer.utils import nanstd

from training.rewards.format import OPEN

EPSILON = 1e-4
"""Added to a standard deviation, as TRL does."""


def opening(ids: Sequence[int], tokenizer: Any) -> int:
    """Return how many of a completion's tokens begin its thought: those up to the end of the marker; 0 where none is begun.

    Args:
        ids: The completion.
        tokenizer: The policy's.
    """
    for count in range(1, len(ids) + 1):
        text = str(tokenizer.decode(ids[:count])).lstrip()
        if text.startswith(OPEN):
            return count
        if not OPEN.startswith(text):
            return 0
    return 0


def token_advantages(advantages: Tensor, openings: Tensor, width: int, *, group: int, scaled: bool) -> Tensor:
    """Return an advantage for each token.

    Args:
        advantages: (B,), over whole groups, which stand together; NaN for a completion that nothing could score.
        openings: (B,), see `opening`.
        width: T, tokens to which completions are padded.
        group: Completions of a group.
        scaled: Whether advantages are divided by the deviation within a group, as in GRPO; else a half's mean alone is taken off.

    Returns:
        (B, T); 0 where nothing could be scored, and in a half without any spread.

    Example:
        >>> token_advantages(torch.tensor([1.0, 0.8, -0.8, -1.0]), torch.tensor([1, 1, 0, 0]), 2, group=4, scaled=False)
        tensor([[ 1.0000,  0.1000],
                [ 0.8000, -0.1000],
                [ 0.1000,  0.1000],
                [-0.1000, -0.1000]])
    """
    whole, thinks = advantages.view(-1, group), openings.view(-1, group) > 0
    parted = thinks.any(1, keepdim=True) & ~thinks.all(1, keepdim=True)
    own = whole
    for half in (thinks, ~thinks):
        among = whole.masked_fill(~half, torch.nan)
        within = among - among.nanmean(1, keepdim=True)
        if scaled:
            within = within / (nanstd(among, dim=1, keepdim=True) + EPSILON)
        own = torch.where(parted & half, within, own)
    begins = torch.arange(width, device=openings.device) < openings.unsqueeze(1)  # (B, T)
    return torch.where(begins, advantages.unsqueeze(1), own.reshape(-1, 1)).nan_to_num()
