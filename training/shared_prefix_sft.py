"""Supervised fine-tuning that reads what prompts share once a micro-batch, and scores replies alone.

Rows of one campaign share most of their system message, and only replies have a loss; TRL reads every row whole, and on a CPU it multiplies
all of its tokens by the vocabulary.

Departure from supervised fine-tuning: without `prefix_gradient`, no gradient runs through the prompts' keys and values, which makes a
step cheaper still; with it, the gradient is the exact one.
"""

from typing import Any

import torch
from torch import Tensor
from trl.trainer.sft_trainer import SFTTrainer

from training.prompt_rows import cache_of, check_sharing, prompts_of, rest_of
from training.rewards.scoring import PrefixCache


class SharedPrefixSFTTrainer(SFTTrainer):
    """TRL's trainer with prompts read apart.

    Args:
        args: As for `SFTTrainer`; the rows are prompts with completions.
        prefix_gradient: Take the gradient through the prompt as well.
        kwargs: As for `SFTTrainer`.

    Raises:
        BadInput: The run is of a kind that cannot share prompts.
    """

    def __init__(self, *args: Any, prefix_gradient: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_sharing(self)
        self.prefix_gradient = prefix_gradient

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Return TRL's loss of the same rows."""
        ids, mask, before = _parted(inputs["input_ids"], inputs["attention_mask"], inputs["labels"])
        prompts = prompts_of(ids[:, :before], mask[:, :before])
        with self.accelerator.autocast(), torch.set_grad_enabled(torch.is_grad_enabled() and self.prefix_gradient):
            cache = cache_of(PrefixCache(keep=len(prompts)), model, prompts, before)
        return super().compute_loss(model, rest_of(ids, mask, before, cache), *args, **kwargs)  # type: ignore[no-untyped-call]


def _parted(ids: Tensor, mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, int]:
    """Lay rows out anew, prompts padded on the left and replies on the right.

    Args:
        ids: (B, S), padded on either side.
        mask: (B, S).
        labels: (B, S), -100 outside of replies.

    Returns:
        The rows (B, P + T), their mask, and P.
    """
    rows = [row[kept] for row, kept in zip(ids, mask.bool(), strict=True)]
    scored = [row[kept] != -100 for row, kept in zip(labels, mask.bool(), strict=True)]
    # A row whose reply was cut off by `max_length` is all prompt.
    starts = [int(of.int().argmax()) if of.any() else len(of) for of in scored]
    before = max(starts)
    width = before + max(len(row) - start for row, start in zip(rows, starts, strict=True))
    laid = torch.zeros((len(rows), max(width, before + 1)), dtype=ids.dtype, device=ids.device)
    shown = torch.zeros_like(laid)
    for at, (row, start) in enumerate(zip(rows, starts, strict=True)):
        place = slice(before - start, before - start + len(row))
        laid[at, place], shown[at, place] = row, 1
    return laid, shown, before
