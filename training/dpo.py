"""Direct preference optimisation on pairs of replies: REPO's baseline, and CustomerLM's second stage.

Departures from REPO's baseline (arXiv 2510.04214), of which only ten epochs and LoRA (r 64) are known:
1. Pools of pairs can be left out (`without`).
2. The reference of a run that goes on from an adapter is a frozen copy of that adapter, as TRL has it.

Source: Rafailov et al., Direct Preference Optimization, arXiv 2305.18290, eq. 7.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset  # type: ignore[import-untyped]
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from graph.errors import BadInput
from graph.settings import Settings
from training.models import load_policy
from training.recipes import PolicyRecipe, built, read_recipe
from training.run_file import RunFile, conduct


@dataclass
class DPORecipe(PolicyRecipe):
    """Our keys of a recipe for DPO."""

    without: list[str] = field(default_factory=list, metadata={"help": "Pools of pairs left out (ablation)."})


def train_dpo(config: Path | None, arguments: Sequence[str], settings: Settings) -> RunFile:
    """Train on pairs, or go on with the run that lies in the output folder.

    Args:
        config: Recipe.
        arguments: `--key value` pairs, which win over it.
        settings: Where weights lie.

    Returns:
        The finished run.

    Raises:
        BadInput: A bad recipe, bad rows or no such model.
    """
    recipe, of_trl, given = read_recipe(config, arguments, DPORecipe, DPOConfig)
    train, dev = recipe.read(of_trl.seed, "prompt", "chosen", "rejected", "pool")
    train, dev = ([row for row in rows if row["pool"] not in recipe.without] for rows in (train, dev))
    if not train:
        raise BadInput(f"`without` ({', '.join(recipe.without)}) leaves no pair to train on.")
    run = RunFile.open(Path(of_trl.output_dir), "dpo", given, map(Path, recipe.rows))
    if run.finished:
        return run
    model, tokenizer = load_policy(recipe.model, settings, dtype=recipe.dtype, adapter=recipe.adapter)
    run.write(rows={pool: sum(row["pool"] == pool for row in train) for pool in sorted({row["pool"] for row in train})})
    trainer = built(
        DPOTrainer,
        model=model,
        args=of_trl,
        train_dataset=_dataset(train),
        eval_dataset=_dataset(dev) if dev and of_trl.eval_strategy != "no" else None,
        processing_class=tokenizer,
        peft_config=recipe.lora(),
    )
    conduct(trainer, run, recipe.model)
    return run


def _dataset(rows: Sequence[Mapping[str, Any]]) -> Dataset:
    return Dataset.from_list([{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in rows])
