import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from graph.errors import BadInput
from training.commands import CONFIGS, app, recipe_file

ABOUT = {"steps": 3, "seconds": 2.0, "finished": "2026-11-21T20:00:00+00:00", "stopped": ""}


def test_pairs_are_handed_to_the_recipe_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def trained(config: Path, arguments: list[str], settings: Any) -> Any:
        seen.extend((config, arguments))
        return SimpleNamespace(folder=Path("runs/x"), about=ABOUT)

    monkeypatch.setattr("training.sft.train_sft", trained)
    pairs = ["--learning_rate", "1e-4", "--rows", "a.jsonl", "b.jsonl", "--max-steps=3", "--packing"]
    result = CliRunner().invoke(app, ["sft", "--config", "sft_cpu", *pairs])
    assert result.exit_code == 0, result.output
    assert seen == [CONFIGS / "sft_cpu.yaml", pairs]
    assert result.output == "runs/x: 3 steps, 2 s, finished 2026-11-21T20:00:00+00:00\n"


def test_a_run_that_a_monitor_stopped_says_why_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = SimpleNamespace(folder=Path("runs/x"), about={**ABOUT, "stopped": "entropy: too low"})
    monkeypatch.setattr("training.grpo.train_grpo", lambda *_: stopped)
    result = CliRunner().invoke(app, ["grpo", "--config", "grpo_cpu"])
    assert result.exit_code == 1
    assert "stopped: entropy: too low" in result.output


def test_a_recipe_is_a_file_or_a_shipped_name(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.touch()
    assert recipe_file(str(own)) == own
    assert recipe_file("grpo_tiny") == CONFIGS / "grpo_tiny.yaml"
    with pytest.raises(BadInput, match=r"Recipe grpo_huge does not exist; .* grpo, grpo_cpu"):
        recipe_file("grpo_huge")


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from typer.testing import CliRunner
from training.commands import app
result = CliRunner().invoke(app, sys.argv[1:])
print(result.output, repr(result.exception))
"""


def without_torch(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_help_needs_no_torch() -> None:
    told = without_torch("--help")
    made_of = "corpus synthesise sft reward-model grpo dpo customer intent probes export promote"
    assert [name for name in made_of.split() if name not in told] == []


def test_without_the_extra_a_command_says_how_to_get_it() -> None:
    told = without_torch("grpo", "--config", "grpo_cpu")
    assert "BadInput('Training needs the package torch; install the extra `training`: make train-env.')" in told


def test_what_else_is_missing_is_a_fault_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "training.sft", None)
    result = CliRunner().invoke(app, ["sft", "--config", "sft_cpu"])
    assert isinstance(result.exception, ModuleNotFoundError)
