"""DPO: pairs move the policy towards the better reply, and every trained parameter."""

import json
from pathlib import Path
from typing import Any

import pytest
from trl import DPOConfig

from graph.errors import BadInput
from graph.settings import Settings
from tests.training.test_reward_model import row
from tests.training.tiny_runs import on_tiny, tiny_recipe, unmoved, weights
from training.dpo import DPORecipe, train_dpo
from training.recipes import read_recipe
from training.run_file import ADAPTER, LOG, MODEL

# TRL's own defaults use names that transformers has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
CONFIGS = Path(__file__).parents[2] / "training" / "configs"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    rows = [row(at, "train", ("marks", "rules")[at % 2]) for at in range(8)]
    return tiny_recipe(tmp_path, rows, max_length=256, max_steps=6, save_steps=3)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("dpo*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_read(path: Path) -> None:
    recipe, of_trl, _ = read_recipe(path, [], DPORecipe, DPOConfig)
    assert of_trl.max_length >= 1024, "TRL cuts the end, which is the reply"
    assert recipe.rows


def test_the_tiny_recipe_moves_every_trainable_parameter(tmp_path: Path, recipe: Path) -> None:
    found = []
    # The first step moves LoRA's second factors alone, as they begin at zero.
    for steps in ("1", "3"):
        more = ["--output_dir", str(tmp_path / steps), "--max_steps", steps, "--warmup_steps", "0"]
        run = train_dpo(CONFIGS / "dpo_tiny.yaml", [*on_tiny(tmp_path), *more], Settings())
        found.append(weights(run.folder / ADAPTER))
    assert unmoved(*found) == []


def logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_full_fine_tuning_moves_every_parameter_and_tells_the_pairs_apart(tmp_path: Path, recipe: Path) -> None:
    run = train_dpo(recipe, ["--lora_r", "0", "--bf16=false"], Settings())
    assert unmoved(weights(tmp_path / "base"), weights(run.folder / MODEL)) == []
    margins = [line["rewards/margins"] for line in logged(run.folder) if "rewards/margins" in line]
    assert margins[0] == pytest.approx(0.0, abs=1e-6), "the policy begins as its reference"
    assert margins[-1] > 0.1
    assert run.about["rows"] == {"marks": 4, "rules": 4}


def test_with_lora_the_adapter_learns_and_a_second_run_goes_on_from_it(tmp_path: Path, recipe: Path) -> None:
    first = train_dpo(recipe, ["--lora_r", "4", "--lora_target_modules", "all-linear"], Settings())
    adapter = first.folder / ADAPTER
    learnt = weights(adapter)
    assert all(bool(value.any()) for value in learnt.values()), "lora_B begins at 0"
    second = train_dpo(recipe, ["--adapter", str(adapter), "--output_dir", str(tmp_path / "second")], Settings())
    further = weights(second.folder / ADAPTER)
    assert set(further) == set(learnt)
    assert unmoved(learnt, further) == []
    margins = [line["rewards/margins"] for line in logged(second.folder) if "rewards/margins" in line]
    assert margins[0] == pytest.approx(0.0, abs=1e-5), "the reference is the adapter, not the base"


def test_a_pool_can_be_left_out_but_not_all(recipe: Path) -> None:
    assert train_dpo(recipe, ["--without", "rules"], Settings()).about["rows"] == {"marks": 4}
    with pytest.raises(BadInput, match="leaves no pair"):
        train_dpo(recipe, ["--without", "rules", "marks"], Settings())
