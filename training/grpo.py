"""Group relative policy optimisation on turns of real calls, straight on the base model or after supervised fine-tuning.

Departures from AI-Salesman (arXiv 2511.12133), which trains Qwen2.5-7B by GRPO and gives no hyper-parameter:
1. LoRA by default, and a KL term so small (`beta: 0.001`) that it is there to be logged and watched, not to hold anything: the Bayesian
   prior already holds the thought to the reference model.
2. Rewards beside R_bayes are ours (`training/rewards`), as the paper does not name its others; their weights stand in the recipe.
3. TRL's loss `dapo` (a mean over all tokens of a batch) is the default, not GRPO's mean of means, which favours long losers.
4. Group z-scores (`scale_rewards: group`) as in the paper; TRL adds 1e-4 to the deviation. Where some completions of a group think and
   others do not, the tokens that begin the thought have the score over the group, all others the one over their own half
   (`thinking.py`): else an advantage would say little but whether there was a thought at all.
5. A share of each group's completions (`hinted`) is begun with the marker that opens a thought. The 0.5B base model, asked to think,
   begins a thought once in some 200,000 replies (measured: log P of the marker is about -12 to -14), so sampling alone never finds
   one; begun for it, it mostly finishes one. The marker's tokens were not sampled, but are in the loss as if they had been: where a
   thought pays, the model learns to begin it by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from torch import Tensor
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from graph.errors import BadInput
from graph.settings import Settings
from training.models import load_policy
from training.monitors import DIVERSITY, CollapseMonitor, ReplyDiversity
from training.recipes import SharingRecipe, Weights, built, read_recipe
from training.rewards.format import OPEN
from training.rewards.registry import build_rewards
from training.run_file import RunFile, conduct
from training.shared_prefix import SharedPrefixGRPOTrainer
from training.thinking import opening, token_advantages

COLUMNS = ("prompt", "reference", "state", "campaign", "language", "stage", "intent")
"""Of a row; the rewards are given all of them."""
BEGUN = "completions/begun_unasked"
"""Logged: share of the completions without a hint that begin with a thought all the same."""


@dataclass
class GRPORecipe(SharingRecipe):
    """Our keys of a recipe for GRPO."""

    rewards: Weights = field(default_factory=Weights, metadata={"help": "Weight by name of a reward."})
    combine: Literal["sum", "repo"] = field(default="sum", metadata={"help": "How rewards become one."})
    reward_model: str = field(default="", metadata={"help": "Folder of the reward model, for `preference`."})
    think: bool = field(default=False, metadata={"help": "The model thinks first; the prompts must ask for it."})
    hinted: float = field(
        default=0.0, metadata={"help": "With think: share of each group's completions that are begun with a thought."}
    )
    stop: Weights = field(default_factory=Weights, metadata={"help": "Limits of the collapse monitors."})
    patience: int = field(default=5, metadata={"help": "Logged steps beyond a limit that stop the run."})


class ThinkingGRPOTrainer(GRPOTrainer):
    """TRL's trainer for a policy that may think first; it logs how far replies to different customers differ.

    Args:
        args: As for `GRPOTrainer`.
        think: Whether thoughts are wanted: what begins them then has an advantage of its own.
        hinted: Share of each group's completions that are begun with the opening marker, 0 to 1.
        kwargs: As for `GRPOTrainer`.
    """

    def __init__(self, *args: Any, think: bool = False, hinted: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._diversity = ReplyDiversity()
        self._marker: list[int] = self._tokenizer(OPEN, add_special_tokens=False)["input_ids"]
        self._think = think
        self._group: int = self.args.num_generations  # type: ignore[attr-defined]
        self._hinted = round(hinted * self._group)

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        made: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if self._think and self.model.training:  # type: ignore[union-attr]
            made["advantages"] = token_advantages(
                made["advantages"].masked_fill(self._unscored, torch.nan),
                torch.tensor(self._openings, device=made["advantages"].device),
                made["completion_ids"].size(1),
                group=self._group,
                scaled=self.scale_rewards == "group" and self.multi_objective_aggregation == "sum_then_normalize",
            )
        return made

    def _generate_single_turn(
        self, prompt_ids: Any, images: Any, multimodal_fields: Any, num_generations: int, has_tool_images: bool = False
    ) -> Any:
        hinted = self._hinted if self.model.training else 0  # type: ignore[union-attr]
        begun = [self._marker if at % num_generations < hinted else [] for at in range(len(prompt_ids))]
        asked = [[*prompt, *start] for prompt, start in zip(prompt_ids, begun, strict=True)]
        more = (images, multimodal_fields, num_generations, has_tool_images)
        found, logprobs = super()._generate_single_turn(asked, *more)  # type: ignore[no-untyped-call]
        completions = zip(begun, found, strict=True)
        return [[*start, *ids][: self.max_completion_length] for start, ids in completions], logprobs

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Tensor:
        texts = [completion[0]["content"] for completion in completions]
        self._log_metric(DIVERSITY, self._diversity.observe(prompts, texts))
        if self._think:
            self._openings = [opening(ids, self._tokenizer) for ids in completion_ids_list]
            unasked = [begun for at, begun in enumerate(self._openings) if at % self._group >= self._hinted]
            if unasked:
                self._log_metric(BEGUN, sum(map(bool, unasked)) / len(unasked))
        rewards: Tensor = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        first = self.accelerator.process_index * len(prompts)
        self._unscored = rewards[first : first + len(prompts)].isnan().all(dim=1)
        return rewards


class ThinkingSharedPrefixGRPOTrainer(ThinkingGRPOTrainer, SharedPrefixGRPOTrainer):
    """The same, reading each prompt once."""


def train_grpo(config: Path | None, arguments: Sequence[str], settings: Settings) -> RunFile:
    """Train by GRPO, or go on with the run that lies in the output folder.

    Args:
        config: Recipe.
        arguments: `--key value` pairs, which win over it.
        settings: Where weights and runs lie, and which campaigns, embedder and judge the rewards use.

    Returns:
        The finished run; its `about["stopped"]` says why a monitor ended it.

    Raises:
        BadInput: A bad recipe, bad rows, an unknown reward or no such model.
    """
    recipe, arguments_of_trl, given = read_recipe(config, arguments, GRPORecipe, GRPOConfig)
    monitor = CollapseMonitor(recipe.stop, recipe.patience)
    train, _ = recipe.read(arguments_of_trl.seed, *COLUMNS)
    _check(recipe, arguments_of_trl, train)
    rewards, arguments_of_trl.reward_weights = build_rewards(
        recipe.rewards,
        settings.model_copy(update={"think": recipe.think}),
        combine=recipe.combine,
        reward_model=Path(recipe.reward_model) if recipe.reward_model else None,
    )
    run = RunFile.open(Path(arguments_of_trl.output_dir), "grpo", given, map(Path, recipe.rows))
    if run.finished:
        return run
    model, tokenizer = load_policy(recipe.model, settings, dtype=recipe.dtype, adapter=recipe.adapter)
    cls: Any = ThinkingGRPOTrainer
    if recipe.share_prefix:
        cls = partial(ThinkingSharedPrefixGRPOTrainer, prefix_gradient=recipe.prefix_gradient)
    trainer = built(
        cls,
        model=model,
        reward_funcs=rewards,
        args=arguments_of_trl,
        train_dataset=Dataset.from_list([{name: row[name] for name in COLUMNS} for row in train]),
        processing_class=tokenizer,
        callbacks=[monitor],
        peft_config=recipe.lora(),
        think=recipe.think,
        hinted=recipe.hinted,
    )
    for reward in rewards:
        if hasattr(reward, "bind"):
            reward.bind(trainer)
    conduct(trainer, run, recipe.model, monitor)
    return run


def _check(recipe: GRPORecipe, arguments: Any, rows: Sequence[dict[str, Any]]) -> None:
    needed = arguments.generation_batch_size // arguments.num_generations
    if len(rows) < needed:
        raise BadInput(f"{len(rows)} rows are too few: one generation takes {needed} prompts.")
    if not 0 <= recipe.hinted <= 1 or (recipe.hinted and (not recipe.think or arguments.use_vllm)):
        raise BadInput(f"hinted is {recipe.hinted}; expected 0 to 1, and above 0 only with think and without use_vllm.")
    whole = arguments.per_device_train_batch_size * arguments.steps_per_generation % arguments.num_generations == 0
    if recipe.think and not whole:
        raise BadInput(
            f"With think, groups of {arguments.num_generations} may not be parted between processes; choose num_generations to "
            "divide per_device_train_batch_size * steps_per_generation."
        )
    asking = sum(OPEN in row["prompt"][-1]["content"] for row in rows)
    if recipe.think and asking < len(rows):
        raise BadInput(
            f"think: true, but {len(rows) - asking} of {len(rows)} prompts ask for no thought; make them by `corpus rows --think`."
        )
    if asking and not recipe.think:
        raise BadInput(f"{asking} of {len(rows)} prompts ask for a thought; set think: true, or make rows without.")
