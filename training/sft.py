"""Supervised fine-tuning on replies: prompts as the served graph sends them, the loss on the reply alone.

Departures from TeleBot (AI-Salesman's companion on data), which trains on the plain union of its three sets:
1. Each set can be taken in part or several times (`mix`) or left out (`without`), as its paper gives no ratio and ablates by leaving out.
2. Prompts are those of the served graph with its outline, not the paper's Eq. 1, so that training and serving see the same text.
3. LoRA by default; the paper names neither the base model nor any hyper-parameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, get_args

from datasets import Dataset  # type: ignore[import-untyped]
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from graph.errors import BadInput
from graph.settings import Settings
from training.corpus.schema import Method
from training.models import load_policy
from training.recipes import SharingRecipe, Weights, built, read_recipe
from training.run_file import RunFile, conduct
from training.shared_prefix_sft import SharedPrefixSFTTrainer


@dataclass
class SFTRecipe(SharingRecipe):
    """Our keys of a recipe for supervised fine-tuning."""

    mix: Weights = field(
        default_factory=Weights,
        metadata={"help": "How many times rows of a method are taken: 0.5 half of them, 2 each twice; others once."},
    )
    without: list[str] = field(default_factory=list, metadata={"help": "Methods left out (ablation)."})


def train_sft(config: Path | None, arguments: Sequence[str], settings: Settings) -> RunFile:
    """Train by supervised fine-tuning, or go on with the run that lies in the output folder.

    Args:
        config: Recipe.
        arguments: `--key value` pairs, which win over it.
        settings: Where weights and runs lie.

    Returns:
        The finished run.

    Raises:
        BadInput: A bad recipe, bad rows or no such model.
    """
    recipe, arguments_of_trl, given = read_recipe(config, arguments, SFTRecipe, SFTConfig)
    train, dev = recipe.read(arguments_of_trl.seed, "prompt", "completion", "method")
    train = mixture(train, recipe.mix, recipe.without, arguments_of_trl.seed)
    run = RunFile.open(Path(arguments_of_trl.output_dir), "sft", given, map(Path, recipe.rows))
    if run.finished:
        return run
    model, tokenizer = load_policy(recipe.model, settings, dtype=recipe.dtype, adapter=recipe.adapter)
    run.write(rows={method: sum(row["method"] == method for row in train) for method in {r["method"] for r in train}})
    cls: Any = SFTTrainer
    if recipe.share_prefix:
        cls = partial(SharedPrefixSFTTrainer, prefix_gradient=recipe.prefix_gradient)
    trainer = built(
        cls,
        model=model,
        args=arguments_of_trl,
        train_dataset=_dataset(train),
        eval_dataset=_dataset(dev) if dev and arguments_of_trl.eval_strategy != "no" else None,
        processing_class=tokenizer,
        peft_config=recipe.lora(),
    )
    conduct(trainer, run, recipe.model)
    return run


def mixture(
    rows: Sequence[Mapping[str, Any]], mix: Mapping[str, float], without: Sequence[str], seed: int
) -> list[Mapping[str, Any]]:
    """Take rows of each method as many times as asked.

    Args:
        rows: With their `method`.
        mix: Times by method, 0 or more; the fraction is drawn. Methods not named are taken once.
        without: Methods left out.
        seed: Draws.

    Returns:
        The rows, shuffled.

    Raises:
        BadInput: An unknown method, a negative number, or nothing is left.

    Example:
        >>> rows = [{"method": "prefix", "dialogue": name} for name in "abcd"]
        >>> len(mixture(rows, {"prefix": 1.5}, [], seed=0))
        6
    """
    unknown = sorted({*mix, *without} - set(get_args(Method)))
    if unknown:
        raise BadInput(
            f"Unknown method '{unknown[0]}' in mix or without; expected one of {', '.join(get_args(Method))}."
        )
    wrong = [name for name, times in mix.items() if times < 0]
    if wrong:
        raise BadInput(f"mix: {wrong[0]} is {mix[wrong[0]]}; expected 0 or more.")
    draw = Random(seed)
    taken: list[Mapping[str, Any]] = []
    for method in get_args(Method):
        of_it = [row for row in rows if row["method"] == method]
        times = 0.0 if method in without else mix.get(method, 1.0)
        taken += of_it * int(times) + draw.sample(of_it, round(len(of_it) * (times % 1)))
    if not taken:
        raise BadInput("mix and without leave no row to train on.")
    draw.shuffle(taken)
    return taken


def _dataset(rows: Sequence[Mapping[str, Any]]) -> Dataset:
    return Dataset.from_list([{"prompt": row["prompt"], "completion": row["completion"]} for row in rows])
