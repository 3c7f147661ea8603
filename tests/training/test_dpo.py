"""DPO: pairs move the policy towards the better reply, and every trained parameter."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from trl import DPOConfig

from graph.errors import BadInput
from graph.settings import Settings
from tests.training.test_reward_model import row
from tests.training.tiny import save_tiny
from training.corpus.rows import write_rows
from training.dpo import DPORecipe, train_dpo
from training.recipes import read_recipe
from training.run_file import ADAPTER, LOG, MODEL

# TRL's own defaults use names that transformers has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
CONFIGS = Path(__file__).parents[2] / "training" / "configs"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_rows(tmp_path / "rows.jsonl", [row(at, "train", ("marks", "rules")[at % 2]) for at in range(8)])
    config = tmp_path / "dpo.yaml"
    config.write_text(
        f"""
model: {save_tiny(tmp_path / "base")}
rows: {tmp_path / "rows.jsonl"}
output_dir: {tmp_path / "out"}
dtype: float32
max_length: 256
learning_rate: 0.01
per_device_train_batch_size: 4
max_steps: 6
save_steps: 3
logging_steps: 1
gradient_checkpointing: false
report_to: none
disable_tqdm: true
"""
    )
    return config


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("dpo*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_read(path: Path) -> None:
    recipe, of_trl, _ = read_recipe(path, [], DPORecipe, DPOConfig)
    assert of_trl.max_length >= 1024, "TRL cuts the end, which is the reply"
    assert recipe.rows


def test_the_tiny_recipe_moves_every_trainable_parameter(tmp_path: Path, recipe: Path) -> None:
    own = ["--model", str(tmp_path / "base"), "--rows", str(tmp_path / "rows.jsonl"), "--report_to", "none"]
    found = []
    # The first step moves LoRA's second factors alone, as they begin at zero.
    for steps in ("1", "3"):
        more = ["--output_dir", str(tmp_path / steps), "--max_steps", steps, "--warmup_steps", "0"]
        run = train_dpo(CONFIGS / "dpo_tiny.yaml", [*own, *more], Settings())
        found.append(load_file(run.folder / ADAPTER / "adapter_model.safetensors"))
    before, after = found
    assert [name for name, value in after.items() if torch.equal(value, before[name]) or not value.any()] == []


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_full_fine_tuning_moves_every_parameter_and_tells_the_pairs_apart(tmp_path: Path, recipe: Path) -> None:
    run = train_dpo(recipe, ["--lora_r", "0", "--bf16=false"], Settings())
    before, after = (
        load_file(tmp_path / "base" / "model.safetensors"),
        load_file(run.folder / MODEL / "model.safetensors"),
    )
    assert [name for name, value in after.items() if torch.equal(value, before[name])] == []
    margins = [line["rewards/margins"] for line in logged(run.folder) if "rewards/margins" in line]
    assert margins[0] == pytest.approx(0.0, abs=1e-6), "the policy begins as its reference"
    assert margins[-1] > 0.1
    assert run.about["rows"] == {"marks": 4, "rules": 4}


def test_with_lora_the_adapter_learns_and_a_second_run_goes_on_from_it(tmp_path: Path, recipe: Path) -> None:
    first = train_dpo(recipe, ["--lora_r", "4", "--lora_target_modules", "all-linear"], Settings())
    adapter = first.folder / ADAPTER
    learnt = load_file(adapter / "adapter_model.safetensors")
    assert all(bool(value.any()) for value in learnt.values()), "lora_B begins at 0"
    second = train_dpo(recipe, ["--adapter", str(adapter), "--output_dir", str(tmp_path / "second")], Settings())
    further = load_file(second.folder / ADAPTER / "adapter_model.safetensors")
    assert set(further) == set(learnt)
    assert [name for name, value in further.items() if torch.equal(value, learnt[name])] == []
    margins = [line["rewards/margins"] for line in logged(second.folder) if "rewards/margins" in line]
    assert margins[0] == pytest.approx(0.0, abs=1e-5), "the reference is the adapter, not the base"


def test_a_pool_can_be_left_out_but_not_all(recipe: Path) -> None:
    assert train_dpo(recipe, ["--without", "rules"], Settings()).about["rows"] == {"marks": 4}
    with pytest.raises(BadInput, match="leaves no pair"):
        train_dpo(recipe, ["--without", "rules", "marks"], Settings())
