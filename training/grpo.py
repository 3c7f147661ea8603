"""Group relative policy optimisation on turns of real calls, straight on the base model or after supervised fine-tuning.

Departures from AI-Salesman (arXiv 2511.12133), which trains Qwen2.5-7B by GRPO and gives no hyper-parameter:
1. LoRA by default, and no KL term: the Bayesian prior already holds the thought to the reference model.
2. Rewards beside R_bayes are ours (`training/rewards`), as the paper does not name its others; their weights stand in the recipe.
3. TRL's loss `dapo` (a mean over all tokens of a batch) is the default, not GRPO's mean of means, which favours long losers.
4. Group z-scores (`scale_rewards: group`) as in the paper; TRL adds 1e-4 to the deviation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from datasets import Dataset  # type: ignore[import-untyped]
from torch import Tensor
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from graph.errors import BadInput
from graph.settings import Settings
from nodes.speak import ThoughtFilter
from training.models import load_policy
from training.monitors import DIVERSITY, CollapseMonitor, ReplyDiversity
from training.recipes import SharingRecipe, Weights, built, read_recipe
from training.rewards.registry import build_rewards
from training.run_file import RunFile, conduct
from training.shared_prefix import SharedPrefixGRPOTrainer

COLUMNS = ("prompt", "reference", "state", "campaign", "language", "stage", "intent")
"""Of a row; the rewards are given all of them."""


@dataclass
class GRPORecipe(SharingRecipe):
    """Our keys of a recipe for GRPO."""

    rewards: Weights = field(default_factory=Weights, metadata={"help": "Weight by name of a reward."})
    combine: Literal["sum", "repo"] = field(default="sum", metadata={"help": "How rewards become one."})
    reward_model: str = field(default="", metadata={"help": "Folder of the reward model, for `preference`."})
    think: bool = field(default=False, metadata={"help": "The model thinks first; the prompts must ask for it."})
    stop: Weights = field(default_factory=Weights, metadata={"help": "Limits of the collapse monitors."})
    patience: int = field(default=5, metadata={"help": "Logged steps beyond a limit that stop the run."})


class _Watched(GRPOTrainer):
    """TRL's trainer, logging how far replies to different customers differ."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._diversity = ReplyDiversity()

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Tensor:
        texts = [completion[0]["content"] for completion in completions]
        self._log_metric(DIVERSITY, self._diversity.observe(prompts, texts))
        rewards: Tensor = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        return rewards


class _WatchedSharedPrefix(_Watched, SharedPrefixGRPOTrainer):
    pass


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
    cls: Any = _Watched
    if recipe.share_prefix:
        cls = partial(_WatchedSharedPrefix, prefix_gradient=recipe.prefix_gradient)
    trainer = built(
        cls,
        model=model,
        reward_funcs=rewards,
        args=arguments_of_trl,
        train_dataset=Dataset.from_list([{name: row[name] for name in COLUMNS} for row in train]),
        processing_class=tokenizer,
        callbacks=[monitor],
        peft_config=recipe.lora(),
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
    asking = sum(ThoughtFilter.OPEN in row["prompt"][-1]["content"] for row in rows)
    if recipe.think and asking < len(rows):
        raise BadInput(
            f"think: true, but {len(rows) - asking} of {len(rows)} prompts ask for no thought; make them by `corpus rows --think`."
        )
    if asking and not recipe.think:
        raise BadInput(f"{asking} of {len(rows)} prompts ask for a thought; set think: true, or make rows without.")
