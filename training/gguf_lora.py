"""A LoRA adapter of PEFT's as the file that llama.cpp loads: the same matrices under GGUF's names.

llama.cpp adds `alpha / rank · B·A·x` to what a weight gives, as PEFT does; rank-stabilised LoRA divides by the rank's root instead, and
that goes into B.

Models of the llama family keep the rows of q and k in another order in GGUF (pairs of a rotation side by side instead of half a head
apart); B's rows are moved alike. Qwen2 and Qwen3 keep theirs.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.errors import BadInput

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PERMUTED = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
"""Layer whose rows are moved in a llama: the field of the model's configuration that counts its heads."""
_KEY = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Family:
    """How GGUF names a kind of model, and whether it keeps the rows of q and k in its own order."""

    arch: str
    permuted: bool


FAMILIES = {
    "qwen2": Family("qwen2", False),
    "qwen3": Family("qwen3", False),
    "llama": Family("llama", True),
    "mistral": Family("llama", True),
}
"""By transformers' `model_type`."""


def write_gguf_adapter(adapter: Path, model_config: Mapping[str, Any], out: Path, *, dtype: str = "float16") -> int:
    """Write a GGUF adapter; an earlier file is replaced whole.

    Args:
        adapter: Folder of a PEFT adapter (`adapter_config.json`, `adapter_model.safetensors`).
        model_config: The base model's `config.json`.
        out: The GGUF file.
        dtype: Of the matrices: `float16` or `float32`.

    Returns:
        Its size in bytes.

    Raises:
        BadInput: No LoRA adapter, one that llama.cpp cannot add (DoRA, biases, whole layers), or a model of another family.
    """
    import gguf

    config = read_adapter_config(adapter)
    more = [name for name in ("use_dora", "lora_bias", "modules_to_save", "alpha_pattern") if config.get(name)]
    if config.get("bias", "none") != "none":
        more.append("bias")
    if more:
        raise BadInput(f"Adapter {adapter} has {', '.join(more)}, which a GGUF adapter cannot hold; train without.")
    family = FAMILIES.get(str(model_config.get("model_type")))
    if family is None:
        raise BadInput(
            f"Models of type '{model_config.get('model_type')}' have no GGUF names here; expected one of {', '.join(FAMILIES)}."
        )
    names = gguf.get_tensor_name_map(_arch(family.arch), int(model_config["num_hidden_layers"]))
    part = out.with_name(f"{out.name}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(part, family.arch)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for module, (a, b) in sorted(_matrices(adapter / WEIGHTS).items()):
        name = names.get_name(f"{module}.weight", try_suffixes=(".weight",))
        if name is None:
            raise BadInput(
                f"Adapter {adapter}: GGUF has no name for layer '{module}'; train the LoRA on linear layers."
            )
        if config.get("use_rslora"):
            b = b * np.float32(np.sqrt(a.shape[0]))
        heads = PERMUTED.get(module.rpartition(".")[2])
        if family.permuted and heads:
            b = permute_rows(b, int(model_config.get(heads) or model_config["num_attention_heads"]))
        writer.add_tensor(f"{name}.lora_a", a.astype(dtype))
        writer.add_tensor(f"{name}.lora_b", b.astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(out)
    return out.stat().st_size


def permute_rows(rows: Floats, heads: int) -> Floats:
    """Put the rows of a q or k matrix into GGUF's order for llamas.

    Args:
        rows: Shape (heads · head size, …), each head's first half of rotations before its second.
        heads: Of q, or of k.

    Returns:
        The same rows, each rotation's two side by side.
    """
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])  # (heads, half, rotation, …)
    return halves.swapaxes(1, 2).reshape(rows.shape)


def read_adapter_config(adapter: Path) -> dict[str, Any]:
    """Read what PEFT says of an adapter.

    Raises:
        BadInput: The folder holds no LoRA adapter.
    """
    if missing := [name for name in (CONFIG, WEIGHTS) if not (adapter / name).is_file()]:
        raise BadInput(f"{adapter} is no PEFT adapter: {' and '.join(missing)} missing.")
    config: dict[str, Any] = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    if config.get("peft_type") != "LORA":
        raise BadInput(f"Adapter {adapter} is of type {config.get('peft_type')}; only LoRA can be exported.")
    return config


def _arch(name: str) -> Any:
    from gguf import MODEL_ARCH, MODEL_ARCH_NAMES

    return next(arch for arch in MODEL_ARCH if MODEL_ARCH_NAMES[arch] == name)


def _matrices(path: Path) -> dict[str, tuple[Floats, Floats]]:
    """Return A (rank, in) and B (out, rank) by the module's name in the model."""
    from safetensors.torch import load_file

    sides: dict[str, dict[str, Floats]] = {}
    for key, tensor in load_file(path).items():
        found = _KEY.match(key)
        if found is None:
            raise BadInput(f"{path}: '{key}' is no LoRA matrix of a linear layer; train the LoRA on linear layers.")
        sides.setdefault(found["module"], {})[found["side"]] = tensor.float().numpy()
    return {module: (both["A"], both["B"]) for module, both in sides.items()}
