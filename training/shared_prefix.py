"""GRPO that reads each prompt once: its completions share the prompt's keys and values, when they are sampled and in the loss.

TRL repeats a prompt for every completion, in generation and in the loss. Prompts here are some 750 tokens and completions some 30, most
prompts share their system message, and so on a CPU nearly all of a step would be spent on reading the same text again.

Departures from GRPO (DeepSeekMath, arXiv 2402.03300), and from TRL:
1. The loss takes no gradient through the prompt's keys and values, only through those of the completion: the policy learns how to
   answer from what it makes of the prompt, not how to read the prompt. `prefix_gradient` takes the exact gradient, and reads each
   prompt once more for it.
2. Prompts that were read for sampling are not read again for the loss as long as the weights are the same.
3. Where one generation serves several steps, a group's completions stay together; TRL shuffles them over the steps, and each step
   would read the prompts of all groups.

One process, generation by transformers, no dropout, no gradient checkpointing.
"""

from contextlib import AbstractContextManager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from trl.models.utils import unwrap_model_for_generation
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from training.prompt_rows import cache_of, check_sharing, padded, prompts_of, rest_of
from training.rewards.scoring import PrefixCache


class SharedPrefixGRPOTrainer(GRPOTrainer):
    """TRL's trainer with its two costly methods replaced.

    Args:
        args: As for `GRPOTrainer`.
        prefix_gradient: Take the gradient through the prompt as well, as TRL does.
        kwargs: As for `GRPOTrainer`.

    Raises:
        BadInput: The run is of a kind that cannot share prompts.
    """

    def __init__(self, *args: Any, prefix_gradient: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check_sharing(self)
        self.prefix_gradient = prefix_gradient
        distinct = self.args.generation_batch_size // self.num_generations  # type: ignore[attr-defined]
        # Twice: a prompt as it is, and begun with a thought (see grpo.py).
        self._kept, self._kept_at = PrefixCache(keep=2 * distinct), -1
        self.reference_prefixes = PrefixCache(keep=distinct)
        """States of prompts, each without its last token, under the reference model."""

    @property
    def prefixes(self) -> PrefixCache:
        """States of prompts, each without its last token, under the policy's present weights."""
        if self._kept_at != self.state.global_step:
            self._kept.clear()
            self._kept_at = self.state.global_step
        return self._kept

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """Return the completions of this step; TRL's method without its shuffling."""
        if not self.model.training:  # type: ignore[union-attr]
            prepared: dict[str, Any] = super()._prepare_inputs(generation_batch)
            return prepared
        parts = self.args.steps_per_generation  # type: ignore[attr-defined]
        if self._step % (parts * self.num_iterations) == 0 or self._buffered_inputs is None:
            made = split_tensor_dict(self._generate_and_score_completions(generation_batch), parts)
            self._buffered_inputs = made  # type: ignore[assignment]
        found: dict[str, Any] = self._buffered_inputs[self._step % parts]  # type: ignore[index]
        return found

    def _generate_single_turn(
        self,
        prompt_ids: list[list[int]],
        images: Any,
        multimodal_fields: Any,
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], None]:
        prompts = [tuple(ids) for ids in prompt_ids]
        ids, mask = padded(prompts, self._tokenizer.pad_token_id, self.accelerator.device)
        with torch.no_grad(), self._unwrapped() as model:
            drawn = model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache_of(self.prefixes, model, prompts),
                generation_config=self.generation_config,
            )
        return [self._ended(row) for row in drawn[:, ids.size(1) :].tolist()], None

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **_: Any,
    ) -> tuple[Tensor, Tensor | None, None]:
        """Return log-probabilities (B, T) and entropies (B, T) of the last T tokens of (B, P + T) ones."""
        before = input_ids.size(1) - logits_to_keep
        prompts = prompts_of(input_ids[:, :before], attention_mask[:, :before])
        through = self.prefix_gradient and torch.is_grad_enabled()
        kept = PrefixCache(keep=len(prompts)) if through else self._prefixes_of(model)
        found = []
        for at in range(0, len(prompts), batch_size or len(prompts)):
            rows = slice(at, at + (batch_size or len(prompts)))
            ids, mask = input_ids[rows], attention_mask[rows]
            with self.accelerator.autocast():
                with torch.set_grad_enabled(through):
                    cache = cache_of(kept, model, prompts[rows], before)
                found.append(model(**rest_of(ids, mask, before, cache), fused_lm_head=True))
        logps = torch.cat([output.log_probs for output in found])
        return logps, torch.cat([output.entropy for output in found]) if compute_entropy else None, None

    def _prefixes_of(self, model: Any) -> PrefixCache:
        """Return the states that belong to the policy, or to the reference model, whichever is asked."""
        policy = self.accelerator.unwrap_model(self.model)
        switched = isinstance(policy, PeftModel) and not (
            policy.active_adapter == "default" and policy.get_model_status().enabled is True
        )
        if model is not self.ref_model and not switched:
            return self.prefixes
        if self.args.sync_ref_model:  # type: ignore[attr-defined]
            self.reference_prefixes.clear()
        return self.reference_prefixes

    def _unwrapped(self) -> AbstractContextManager[Any]:
        manager: AbstractContextManager[Any] = unwrap_model_for_generation(
            self.model_wrapped, self.accelerator, generation_kwargs=self.generation_kwargs
        )
        return manager

    def _ended(self, ids: list[int]) -> list[int]:
        """Return a completion up to and including its end-of-turn token."""
        end = next((at for at, token in enumerate(ids) if token in self.eos_token_ids), len(ids))
        return ids[: end + 1]
