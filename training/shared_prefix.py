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

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import DynamicCache
from trl.models.utils import unwrap_model_for_generation
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import split_tensor_dict

from graph.errors import BadInput
from training.packed_attention import pack_attention
from training.rewards.scoring import PrefixCache, States

Ids = tuple[int, ...]


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
        _check(self)
        policy: Any = self.accelerator.unwrap_model(self.model)
        pack_attention(policy.get_base_model() if isinstance(policy, PeftModel) else policy)
        self.prefix_gradient = prefix_gradient
        distinct = self.args.generation_batch_size // self.num_generations  # type: ignore[attr-defined]
        self._kept, self._kept_at = PrefixCache(keep=distinct), -1
        self._of_reference = PrefixCache(keep=distinct)

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
        ids, mask = _padded(prompts, self._tokenizer.pad_token_id, self.accelerator.device)
        with torch.no_grad(), self._unwrapped() as model:
            drawn = model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=_cache(self.prefixes, model, prompts),
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
        prompts = _prompts(input_ids[:, :before], attention_mask[:, :before])
        through = self.prefix_gradient and torch.is_grad_enabled()
        kept = PrefixCache(keep=len(prompts)) if through else self._prefixes_of(model)
        found = []
        for at in range(0, len(prompts), batch_size or len(prompts)):
            rows = slice(at, at + (batch_size or len(prompts)))
            ids, mask = input_ids[rows], attention_mask[rows]
            with self.accelerator.autocast():
                with torch.set_grad_enabled(through):
                    cache = _cache(kept, model, prompts[rows], before)
                # The prompt's last token is read again with each row: from it the first token is drawn.
                found.append(
                    model(
                        input_ids=ids[:, before - 1 : -1],
                        attention_mask=mask[:, :-1],
                        position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, before - 1 : -1],
                        past_key_values=cache,
                        shift_labels=ids[:, before:].masked_fill(mask[:, before:] == 0, -100),
                        fused_lm_head=True,
                    )
                )
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
            self._of_reference.clear()
        return self._of_reference

    def _unwrapped(self) -> AbstractContextManager[Any]:
        manager: AbstractContextManager[Any] = unwrap_model_for_generation(
            self.model_wrapped, self.accelerator, generation_kwargs=self.generation_kwargs
        )
        return manager

    def _ended(self, ids: list[int]) -> list[int]:
        """Return a completion up to and including its end-of-turn token."""
        end = next((at for at, token in enumerate(ids) if token in self.eos_token_ids), len(ids))
        return ids[: end + 1]


def _check(trainer: Any) -> None:
    args = trainer.args
    dropout = any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in trainer.model.modules())
    layers = getattr(trainer.model.config, "layer_types", None) or ["full_attention"]
    wrong = {
        "several processes": trainer.accelerator.num_processes > 1,
        "use_vllm": args.use_vllm,
        "use_transformers_continuous_batching": args.use_transformers_continuous_batching,
        "gradient_checkpointing": args.gradient_checkpointing,
        "dropout (set lora_dropout to 0)": dropout,
        f"attention of the kind {layers[0]}": set(layers) != {"full_attention"},
    }
    found = [name for name, here in wrong.items() if here]
    if found:
        raise BadInput(
            f"share_prefix does not go with {' and '.join(found)}; change that, or set share_prefix to false."
        )


def _prompts(ids: Tensor, mask: Tensor) -> list[Ids]:
    return [tuple(row[kept].tolist()) for row, kept in zip(ids, mask.bool(), strict=True)]


def _padded(prompts: Sequence[Ids], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return prompts padded on the left (B, P), and their mask."""
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return ids, mask


def _cache(kept: PrefixCache, model: Any, prompts: Sequence[Ids], width: int = 0) -> DynamicCache:
    """Return the states of prompts, without each one's last token, in rows padded on the left.

    Args:
        kept: Where states of distinct prompts lie or are put.
        model: That reads them.
        prompts: Of the rows; may repeat.
        width: Tokens to which prompts are padded; by default those of the longest one.
    """
    width = (width or max(map(len, prompts))) - 1
    states = {prompt: _wide(kept.states(model, prompt[:-1]), width) for prompt in dict.fromkeys(prompts)}
    layers = zip(*(states[prompt] for prompt in prompts), strict=True)
    return DynamicCache([(torch.cat([k for k, _ in layer]), torch.cat([v for _, v in layer])) for layer in layers])


def _wide(states: States, width: int) -> States:
    """Put zeros before keys and values, up to so many tokens; the mask hides them."""
    missing = width - states[0][0].size(-2)
    if missing == 0:
        return states
    pad = (0, 0, missing, 0)
    return tuple((torch.nn.functional.pad(k, pad), torch.nn.functional.pad(v, pad)) for k, v in states)
