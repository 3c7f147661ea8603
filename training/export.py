"""What a trained run becomes to be served: whole weights or an adapter for vLLM, a GGUF adapter for the embedded server."""

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from graph.errors import BadInput
from graph.settings import Settings
from training.gguf_lora import CONFIG, WEIGHTS, read_adapter_config, write_gguf_adapter
from training.models import load_policy, weights_of
from training.run_file import ADAPTER, MODEL

Form = Literal["merged", "peft", "gguf"]
Dtype = Literal["float16", "bfloat16", "float32"]
PLACES: dict[Form, str] = {"merged": "merged", "peft": "peft", "gguf": "adapter.gguf"}
"""Where an export goes in the run's folder."""


def export(
    run: Path, form: Form, settings: Settings, *, out: Path | None = None, base: str = "", dtype: Dtype = "float16"
) -> tuple[Path, int]:
    """Write a run's result in a form that a server loads; an earlier export is replaced whole.

    Args:
        run: Folder of a training run.
        form: `merged`: safetensors with the adapter added in, for vLLM. `peft`: the adapter for vLLM's LoRA loading. `gguf`: the
            adapter for the embedded server.
        settings: Where weights lie.
        out: Folder, or GGUF file; by default `PLACES` in the run's folder.
        base: Model that was trained, as for `weights_of`; by default what the adapter itself names.
        dtype: Of the numbers written.

    Returns:
        Where it lies, and its size in bytes.

    Raises:
        BadInput: No result in the run, or one that has no such form.
    """
    target, adapter = out or run / PLACES[form], run / ADAPTER
    if form == "gguf" and dtype == "bfloat16":
        raise BadInput("An adapter as GGUF is written in float16 or float32; leave --dtype away.")
    _check(target, form)
    if not adapter.is_dir():
        if not (run / MODEL).is_dir():
            raise BadInput(
                f"{run} holds neither {ADAPTER}/ nor {MODEL}/; give the folder of a training run that finished."
            )
        if form != "merged":
            raise BadInput(f"{run} trained all weights, so there is no adapter; export it with --to merged.")
        return _saved(load_policy(str(run / MODEL), settings, dtype="float32"), target, dtype)
    config = read_adapter_config(adapter)
    name = base or str(config.get("base_model_name_or_path") or "")
    if form == "peft":
        return _peft(adapter, config, target, dtype)
    if form == "gguf":
        return target, write_gguf_adapter(adapter, _model_config(name, settings), target, dtype=dtype)
    model, tokenizer = load_policy(name, settings, dtype="float32", adapter=str(adapter))
    return _saved((model.merge_and_unload(), tokenizer), target, dtype)


def _check(target: Path, form: Form) -> None:
    """Refuse to replace what no export has written."""
    if form == "gguf":
        foreign = target.is_dir()
    else:
        earlier = any((target / name).is_file() for name in (CONFIG, "config.json"))
        foreign = target.is_file() or (target.is_dir() and any(target.iterdir()) and not earlier)
    if foreign:
        raise BadInput(f"{target} holds something else than an earlier export; give another --out.")


def _model_config(name: str, settings: Settings) -> dict[str, Any]:
    from transformers import AutoConfig

    try:
        config: dict[str, Any] = AutoConfig.from_pretrained(weights_of(name, settings)).to_dict()
    except OSError as error:
        raise BadInput(f"Model '{name}' cannot be read: {str(error).splitlines()[0]}; name it by --base.") from error
    return config


def _saved(policy: tuple[Any, Any], target: Path, dtype: Dtype) -> tuple[Path, int]:
    import torch

    model, tokenizer = policy
    part = _fresh(target)
    model.to(getattr(torch, dtype)).save_pretrained(part)
    tokenizer.save_pretrained(part)
    return _finish(part, target)


def _peft(adapter: Path, config: dict[str, Any], target: Path, dtype: Dtype) -> tuple[Path, int]:
    import torch
    from safetensors.torch import load_file, save_file

    part = _fresh(target)
    part.mkdir(parents=True)
    numbers = {name: tensor.to(getattr(torch, dtype)) for name, tensor in load_file(adapter / WEIGHTS).items()}
    save_file(numbers, part / WEIGHTS, metadata={"format": "pt"})
    (part / CONFIG).write_text(json.dumps(config | {"inference_mode": True}, indent=2) + "\n", encoding="utf-8")
    return _finish(part, target)


def _fresh(target: Path) -> Path:
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    return part


def _finish(part: Path, target: Path) -> tuple[Path, int]:
    if target.exists():
        shutil.rmtree(target)
    part.rename(target)
    return target, sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
