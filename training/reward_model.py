"""The reward model: which of two replies is better, learnt from marked turns, outcomes of calls and the guard's rules.

Departures from REPO (arXiv 2510.04214), which names neither its base model nor its loss:
1. Bradley-Terry on pairs (Ouyang et al., arXiv 2203.02155, eq. 1), as TRL has it; the paper says "pairwise".
2. The pairs' pools are ours: people's marks, outcomes and rules in place of experts, linguists, sellers and paths of the SOP.
3. The system message is not read (see `training.rewards.preference.tokens_of`).
4. Scores are centred and scaled by held-out replies, so that REPO's formula has a zero, and count as far as held-out pairs are told
   right.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from datasets import Dataset  # type: ignore[import-untyped]
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from evaluation.report.statistics import Estimate, mean
from graph.errors import BadInput
from graph.settings import Settings
from training.recipes import PolicyRecipe, built, read_recipe
from training.rewards.format import split_thought
from training.rewards.preference import (
    FILE,
    Scale,
    base_weights,
    load_weights,
    raw_scores,
    reader_of,
    reliability,
    tokens_of,
)
from training.run_file import RunFile, conduct

ALL = "all"
"""Name of all pools together."""


@dataclass
class RewardRecipe(PolicyRecipe):
    """Our keys of a recipe for a reward model; `model` may also be an encoder, all-minilm-l6-v2 or a folder, with `lora_r: 0`."""

    without: list[str] = field(default_factory=list, metadata={"help": "Pools of pairs left out (ablation)."})


def train_reward_model(config: Path | None, arguments: Sequence[str], settings: Settings) -> RunFile:
    """Train a reward model, or go on with the run that lies in the output folder; then measure it on held-out pairs.

    Texts longer than TRL's `max_length` lose their beginning; none is dropped.

    Args:
        config: Recipe.
        arguments: `--key value` pairs, which win over it.
        settings: Where weights lie.

    Returns:
        The finished run; its `about["accuracy"]` has the share of held-out pairs told right, by pool, with 95 % intervals
        (dialogues are drawn).

    Raises:
        BadInput: A bad recipe, bad rows, no held-out pairs or no such model.
    """
    recipe, of_trl, given = read_recipe(config, arguments, RewardRecipe, RewardConfig)
    if recipe.adapter:
        raise BadInput("A reward model goes on from no adapter; leave `adapter` out.")
    train, dev = recipe.read(of_trl.seed, "prompt", "chosen", "rejected", "pool")
    train, dev = ([row for row in rows if row["pool"] not in recipe.without] for rows in (train, dev))
    if not train or not dev:
        raise BadInput(
            f"{len(train)} pairs to learn from and {len(dev)} of the split 'dev' to measure on; neither may be empty."
        )
    run = RunFile.open(Path(of_trl.output_dir), "reward-model", given, map(Path, recipe.rows))
    most = of_trl.max_length or 512
    if not run.finished:
        base = base_weights(recipe.model, settings)
        of_trl.model_init_kwargs = {"dtype": recipe.dtype}
        tokenizer = reader_of(base)
        trainer = built(
            RewardTrainer,
            model=str(base),
            args=of_trl,
            train_dataset=_tokenised(train, tokenizer, most),
            eval_dataset=_tokenised(dev, tokenizer, most) if of_trl.eval_strategy != "no" else None,
            processing_class=tokenizer,
            peft_config=recipe.lora("SEQ_CLS"),
        )
        run.write(rows={pool: sum(row["pool"] == pool for row in train) for pool in _pools(train)})
        conduct(trainer, run, recipe.model)
    if "accuracy" not in run.about:
        _measure(run, dev, most, settings)
    return run


def accuracy(rows: Sequence[Mapping[str, Any]], margins: Sequence[float]) -> dict[str, Estimate]:
    """Return the share of pairs told right, by pool and of all.

    Args:
        rows: Pairs, with `pool` and `dialogue`.
        margins: Score of the better reply less that of the worse one; equal scores count as wrong.
    """
    found: dict[str, Estimate] = {}
    for pool in (ALL, *_pools(rows)):
        told = [
            (margin > 0, row["dialogue"])
            for row, margin in zip(rows, margins, strict=True)
            if pool in (ALL, row["pool"])
        ]
        estimate = mean([float(right) for right, _ in told], [dialogue for _, dialogue in told], share=True)
        if estimate:
            found[pool] = estimate
    return found


def _measure(run: RunFile, dev: Sequence[Mapping[str, Any]], most: int, settings: Settings) -> None:
    """Score held-out replies; keep the accuracy in the record, and the scores' scale beside the weights."""
    model, tokenizer = load_weights(run.folder, settings)
    pairs = _tokenised(dev, tokenizer, most)
    chosen, rejected = (
        raw_scores(model, pairs[side], tokenizer.pad_token_id) for side in ("chosen_ids", "rejected_ids")
    )
    scores = [*chosen, *rejected]
    found = accuracy(dev, [one - other for one, other in zip(chosen, rejected, strict=True)])
    scale: Scale = {
        "most_tokens": most,
        "mean": fmean(scores),
        "deviation": pstdev(scores),
        "reliability": reliability(found[ALL].low),
    }
    (run.folder / FILE).write_text(json.dumps(scale) + "\n", encoding="utf-8")
    run.write(accuracy={pool: asdict(estimate) for pool, estimate in found.items()})


def _tokenised(rows: Sequence[Mapping[str, Any]], tokenizer: Any, most: int) -> Dataset:
    """Return pairs as TRL takes them when they are tokenised already."""
    return Dataset.from_list(
        [
            {
                f"{side}_ids": tokens_of(tokenizer, row["prompt"], split_thought(row[side][-1]["content"]).reply, most)
                for side in ("chosen", "rejected")
            }
            for row in rows
        ]
    )


def _pools(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({row["pool"] for row in rows})
