"""Weights to train on: a model of the catalogue (its GGUF file, dequantised once), a folder, or a hub name.

Training starts from the weights that are served: dequantised values are kept in float32, so nothing is rounded twice.
"""

import shutil
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from graph.errors import BadInput
from graph.settings import Settings
from serving.catalogue import BUNDLED, load_catalogue
from serving.download import pull

Dtype = Literal["bfloat16", "float32"]


def weights_of(name: str, settings: Settings, *, catalogue: Path = BUNDLED) -> str:
    """Return what transformers' `from_pretrained` loads: a folder, or a hub name.

    Args:
        name: A name of the catalogue (fetched and dequantised into `settings.cache / "dequantised"` if need be), a folder of transformers' files, or a hub name as `owner/model`.
        settings: Where weights lie.
        catalogue: The catalogue file.

    Raises:
        BadInput: None of the three.
        ModelUnavailable: No source serves the weights.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BadInput(f"Model folder {name} has no config.json; name a folder that `save_pretrained` wrote.")
        return str(folder)
    names = load_catalogue(catalogue)
    if name in names:
        return str(_dequantised(name, settings.cache, catalogue))
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return name
    raise BadInput(
        f"Model '{name}' is no folder and not in the catalogue; expected one of {', '.join(names)}, "
        "a folder, or a hub name as owner/model."
    )


def ready(name: str, settings: Settings, *, dtype: Dtype = "bfloat16", adapter: str = "") -> tuple[Any, Any]:
    """Load a causal model and its tokenizer to ask it: on the GPU, where there is one; else see `load_policy`."""
    import torch

    model, tokenizer = load_policy(name, settings, dtype=dtype, adapter=adapter)
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def load_policy(name: str, settings: Settings, *, dtype: Dtype = "bfloat16", adapter: str = "") -> tuple[Any, Any]:
    """Load a causal model and its tokenizer.

    Args:
        name: As for `weights_of`.
        settings: Where weights lie.
        dtype: Of the weights in memory.
        adapter: PEFT folder of a LoRA to put on it and go on training; empty: none.

    Returns:
        The model in evaluation mode, and its tokenizer, padding on the left.

    Raises:
        BadInput: No such model, or an adapter that does not fit it.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = weights_of(name, settings)
    try:
        model = AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype))
        tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
    except (OSError, ValueError) as error:
        raise BadInput(f"Model '{name}' cannot be loaded: {str(error).splitlines()[0]}") from error
    policy: Any = _with_adapter(model, adapter) if adapter else model
    return policy.eval(), tokenizer


def _with_adapter(model: Any, adapter: str) -> Any:
    from peft import PeftModel

    if not (Path(adapter) / "adapter_config.json").is_file():
        raise BadInput(f"Adapter {adapter} is no PEFT folder; name the `adapter` folder of a finished run.")
    try:
        return PeftModel.from_pretrained(model, adapter, is_trainable=True)
    except (ValueError, RuntimeError) as error:
        raise BadInput(f"Adapter {adapter} does not fit the model: {str(error).splitlines()[0]}") from error


def _dequantised(name: str, cache: Path, catalogue: Path) -> Path:
    gguf = pull(name, cache, catalogue=catalogue)
    target = cache / "dequantised" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f"{name}.lock")):
        if not target.is_dir():
            part = target.with_name(f"{name}.part")
            shutil.rmtree(part, ignore_errors=True)
            _convert(gguf, part)
            part.rename(target)
    return target


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # What is loaded is plain float32, but still says that it is quantised, and would not be saved or trained.
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
