"""Rows, recipes and readings of tiny runs: what the tests of trainers share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file

from tests.training.tiny import Kind, save_tiny
from training.corpus.rows import write_rows
from training.run_file import ADAPTER, MODEL

FILES = {ADAPTER: "adapter_model.safetensors", MODEL: "model.safetensors"}


def tiny_row(at: int, user: str, **more: Any) -> dict[str, Any]:
    """A row of the training split whose prompt ends with a customer's words; `more` is what a trainer learns from."""
    about = {"turn": 1, "campaign": "tea", "language": "en", "stage": "opening", "intent": "question"}
    prompt = [{"role": "system", "content": "Sell tea."}, {"role": "user", "content": user}]
    return {"dialogue": f"d{at}", **about, "split": "train", "method": "role_play", "prompt": prompt, **more}


def tiny_recipe(folder: Path, rows: Iterable[dict[str, Any]], kind: Kind = "qwen2", **keys: Any) -> Path:
    """Write rows and a tiny base model, and a recipe of a few steps over them that writes to `folder / "out"`."""
    write_rows(folder / "rows.jsonl", rows)
    recipe = {
        "model": str(save_tiny(folder / "base", kind)),
        "rows": str(folder / "rows.jsonl"),
        "output_dir": str(folder / "out"),
        "dtype": "float32",
        "learning_rate": 0.01,
        "per_device_train_batch_size": 4,
        "logging_steps": 1,
        "gradient_checkpointing": False,
        "report_to": "none",
        "disable_tqdm": True,
        **keys,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def on_tiny(folder: Path) -> list[str]:
    """The arguments that put a shipped recipe on the model and the rows of `tiny_recipe`."""
    return ["--model", str(folder / "base"), "--rows", str(folder / "rows.jsonl"), "--report_to", "none"]


def weights(folder: Path) -> dict[str, Any]:
    """Read the weights that a run, a checkpoint or `save_tiny` wrote into a folder."""
    return load_file(next(folder / name for name in FILES.values() if (folder / name).is_file()))


def unmoved(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of weights that are what they were; new ones count as long as they are all zero."""
    return [name for name, value in after.items() if not value.any() or (name in before and value.equal(before[name]))]
