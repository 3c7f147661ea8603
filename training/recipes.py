"""Recipes: YAML files and `--key value` pairs, read by TRL's own parser into our fields and TRL's configuration.

A recipe may extend another file by `base: FILE`; its own keys replace that file's, and a key set to null is unset. What a recipe
leaves open and the machine decides (CPU or GPU, number format) is filled in by `machine_defaults`. Paths are of the current folder;
a run goes to `runs/<name of the recipe>`, so that one recipe can name the result of another.
"""

import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from random import Random
from typing import Any, Literal, NoReturn

import torch
import yaml
from peft import LoraConfig
from trl.scripts.utils import TrlParser

from graph.errors import BadInput
from training.corpus.rows import read_rows

INSTEAD = {
    "resume": "the same command goes on by itself",
    "resume_from_checkpoint": "the same command goes on by itself",
    "reward_weights": "write rewards: {name: weight}",
    "model_init_kwargs": "write dtype",
    "use_peft": "write lora_r, 0 for full fine-tuning",
    "model_name_or_path": "write model",
}
"""Keys that TRL's own scripts have, and what is done here."""
WORDS = frozenset({"no", "off", "yes", "on"})
"""On the command line these stay what they are, as in `--save_strategy no`; to YAML they are false and true."""
Given = dict[str, Any]
"""What a person wrote: keys as in YAML."""


class Weights(dict[str, float]):
    """Numbers by name; on the command line as `'{name: 0.5}'`."""

    def __init__(self, given: str = "{}") -> None:
        values = yaml.safe_load(given)
        if not isinstance(values, dict):
            raise ValueError(given)
        super().__init__({str(name): float(value) for name, value in values.items()})


@dataclass
class PolicyRecipe:
    """What every trainer of a language model reads beside TRL's own keys."""

    model: str = field(
        default="qwen2.5-coder-0.5b-instruct", metadata={"help": "A name of the catalogue, a folder or a hub name."}
    )
    adapter: str = field(default="", metadata={"help": "PEFT folder to go on from; its LoRA shape replaces `lora_*`."})
    rows: list[str] = field(default_factory=list, metadata={"help": "Files of rows (JSON lines)."})
    max_rows: int = field(default=0, metadata={"help": "Train on so many rows, drawn by the seed; 0: all."})
    dtype: Literal["float32", "bfloat16"] = field(default="float32", metadata={"help": "Of the weights in memory."})
    lora_r: int = field(default=16, metadata={"help": "Rank of LoRA; 0: all weights are trained."})
    lora_alpha: int = field(default=32, metadata={"help": "LoRA's output is scaled by lora_alpha / lora_r."})
    lora_dropout: float = field(default=0.0, metadata={"help": "On LoRA's input."})
    lora_target_modules: list[str] = field(
        default_factory=lambda: ["q_proj", "k_proj", "v_proj", "o_proj"],
        metadata={"help": "Modules with LoRA; `all-linear` for all but the head."},
    )

    def read(self, seed: int, *columns: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the rows to train on, and those of the development split.

        Args:
            seed: Draws `max_rows`.
            columns: Those that every row must have.

        Raises:
            BadInput: No file named, a broken one, a row of a test dialogue, or nothing to train on.
        """
        if not self.rows:
            raise BadInput("No rows to train on; name their files by `rows`.")
        found = [row for path in self.rows for row in read_rows(Path(path), *columns)]
        train = [row for row in found if row["split"] == "train"]
        if not train:
            raise BadInput(f"Rows {', '.join(self.rows)} hold none of the split 'train'.")
        if 0 < self.max_rows < len(train):
            train = [train[at] for at in sorted(Random(seed).sample(range(len(train)), self.max_rows))]
        return train, [row for row in found if row["split"] == "dev"]

    def lora(self, task: str = "CAUSAL_LM") -> LoraConfig | None:
        """Return PEFT's configuration; None for full fine-tuning, or where an adapter brings its own.

        Args:
            task: PEFT's task type.
        """
        if self.lora_r == 0 or self.adapter:
            return None
        modules = self.lora_target_modules
        return LoraConfig(
            r=self.lora_r,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.lora_dropout,
            target_modules="all-linear" if modules == ["all-linear"] else modules,
            task_type=task,
        )


@dataclass
class SharingRecipe(PolicyRecipe):
    """Keys of trainers that can read each prompt once; see `shared_prefix.py` and `shared_prefix_sft.py`."""

    share_prefix: bool = field(default=False, metadata={"help": "Read what rows share once."})
    prefix_gradient: bool = field(default=False, metadata={"help": "With share_prefix: the exact gradient."})


def read_recipe(config: Path | None, arguments: Sequence[str], *kinds: type) -> tuple[Any, Any, Given]:
    """Read a recipe.

    Args:
        config: A YAML file; None when everything stands in the arguments.
        arguments: `--key value …` pairs; they win over the file.
        kinds: Two dataclasses: ours, and TRL's configuration.

    Returns:
        An instance of each of the two, and what was given.

    Raises:
        BadInput: No such file, no YAML mapping, an unknown key or a value that the key cannot have; one line.
    """
    where = f"Recipe {config}" if config else "Arguments"
    given = {**(_read(config) if config else {}), **_pairs(arguments)}
    given = {key: value for key, value in given.items() if value is not None}
    known = sorted({entry.name for kind in kinds for entry in fields(kind) if entry.init})
    for key in given:
        if key in INSTEAD:
            raise BadInput(f"{where}: {key} is not used here; {INSTEAD[key]}.")
        if key not in known:
            near = get_close_matches(key, known, n=1)
            raise BadInput(f"{where}: there is no key '{key}'{f'; did you mean {near[0]}?' if near else '.'}")
    filled = {**machine_defaults(given, known), **given}
    filled.setdefault("output_dir", f"runs/{config.stem if config else 'run'}")
    parser = _Parser(list[Any](kinds), allow_abbrev=False)
    parser.where = where
    words = [word for key, value in filled.items() for word in _words(key, value)]
    try:
        with warnings.catch_warnings():
            # TRL's own defaults use names that transformers has deprecated.
            warnings.simplefilter("ignore", FutureWarning)
            ours, theirs = parser.parse_args_into_dataclasses(words, look_for_args_file=False)
    except (ValueError, TypeError, ImportError) as error:
        raise BadInput(f"{where}: {' '.join(str(error).split())}") from error
    return ours, theirs, given


def built(make: Callable[..., Any], **given: Any) -> Any:
    """Build a trainer.

    Args:
        make: Its class.
        given: Its arguments.

    Raises:
        BadInput: It refuses what the recipe asks for.
    """
    try:
        return make(**given)
    except ModuleNotFoundError:
        raise
    except (ValueError, ImportError) as error:
        raise BadInput(f"The recipe cannot be trained: {' '.join(str(error).split())}") from error


def machine_defaults(given: Mapping[str, Any], known: Sequence[str]) -> Given:
    """Return what this machine decides, for keys that the trainer has.

    On a CPU the weights of a LoRA run are bfloat16 where the CPU computes in it. Full fine-tuning keeps its weights in float32, as
    small steps are lost in bfloat16, and computes in bfloat16 (`bf16`: autocast).

    Args:
        given: The recipe so far.
        known: Keys of the trainer.
    """
    gpu = torch.cuda.is_available()
    fast = torch.cuda.is_bf16_supported() if gpu else _cpu_has_bfloat16()
    full = given.get("lora_r") == 0 and not given.get("adapter")
    defaults = {
        "use_cpu": not gpu,
        "bf16": fast and (gpu or full),
        "dtype": "bfloat16" if fast and not full else "float32",
        "dataloader_pin_memory": gpu,
        "report_to": "tensorboard",
    }
    return {key: value for key, value in defaults.items() if key in known}


def _cpu_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def _read(config: Path, seen: tuple[Path, ...] = ()) -> Given:
    if config in seen:
        raise BadInput(f"Recipe {seen[0]}: `base` leads back to {config}.")
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"Recipe {config} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise BadInput(f"Recipe {config} is no mapping of keys to values.")
    base = content.pop("base", None)
    return {**(_read(config.parent / str(base), (*seen, config)) if base else {}), **content}


def _pairs(arguments: Sequence[str]) -> Given:
    found: dict[str, list[str]] = {}
    key = ""
    for word in arguments:
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            key = name.replace("-", "_")
            found[key] = [value] if "=" in word else []
        elif key:
            found[key].append(word)
        else:
            raise BadInput(f"Argument '{word}' belongs to no key; write --key {word}.")
    return {key: _value(words) for key, words in found.items()}


def _value(words: Sequence[str]) -> Any:
    if not words:
        return True
    values = [_plain(word) for word in words]
    return values[0] if len(values) == 1 else values


def _plain(word: str) -> Any:
    if word in WORDS:
        return word
    try:
        return yaml.safe_load(word)
    except yaml.YAMLError:
        return word


def _words(key: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [f"--{key}", *map(str, value)]
    return [f"--{key}={json.dumps(value) if isinstance(value, dict) else value}"]


class _Parser(TrlParser):
    """TRL's parser, telling one line instead of its whole usage."""

    where = ""

    def error(self, message: str) -> NoReturn:
        told = re.sub(r"argument --(\w+)[^:]*", r"\1", message)
        raise BadInput(f"{self.where}: {told}")
