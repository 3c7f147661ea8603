import json
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from trl import SFTConfig, SFTTrainer

from graph.errors import BadInput
from graph.settings import Settings
from tests.training.tiny_runs import on_tiny, tiny_recipe, tiny_row, unmoved, weights
from training.corpus.rows import write_rows
from training.recipes import read_recipe
from training.run_file import ADAPTER, LOG, MODEL, RUN
from training.sft import SFTRecipe, mixture, train_sft

# TRL's own defaults use names that transformers has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
CONFIGS = Path(__file__).parents[2] / "training" / "configs"
METHODS = ("extraction", "role_play", "prefix")


def row(at: int, method: str = "extraction", split: str = "train") -> dict[str, Any]:
    said = [{"role": "assistant", "content": f"It is {at}."}]
    return tiny_row(at, f"Number {at}? Your reply:", method=method, split=split, completion=said)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    rows = [row(at, METHODS[at % 3]) for at in range(12)]
    return tiny_recipe(tmp_path, rows, per_device_train_batch_size=2, max_steps=4, save_steps=2)


def test_full_fine_tuning_moves_every_parameter_and_records_the_run(tmp_path: Path, recipe: Path) -> None:
    run = train_sft(recipe, ["--lora_r", "0", "--bf16=false"], Settings())
    assert unmoved(weights(tmp_path / "base"), weights(run.folder / MODEL)) == []
    about = json.loads((tmp_path / "out" / RUN).read_text())
    assert about == run.about
    assert (about["trainer"], about["steps"], about["stopped"]) == ("sft", 4, "")
    assert about["rows"] == {"extraction": 4, "role_play": 4, "prefix": 4}
    assert about["data"][0]["rows"] == 12
    assert len(about["base"]["sha256"]) == 64
    assert about["versions"]["trl"]
    assert about["finished"] >= about["started"]
    assert about["metrics"]["train_loss"] > 0
    steps = [json.loads(line)["step"] for line in (tmp_path / "out" / LOG).read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 4]


class Killed(Exception):
    pass


def test_a_run_that_was_killed_goes_on_with_the_same_command_and_ends_as_if_it_had_not_been(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_sft(recipe, ["--output_dir", str(tmp_path / "whole")], Settings())

    def dies(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == 3:
            raise Killed
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        step = SFTTrainer.training_step
        patched.setattr(SFTTrainer, "training_step", dies)
        train_sft(recipe, [], Settings())
    (tmp_path / "out" / "checkpoint-3").mkdir()  # as a kill amid saving leaves it
    assert json.loads((tmp_path / "out" / RUN).read_text())["steps"] == 2
    run = train_sft(recipe, [], Settings())
    assert run.about["steps"] == 4
    steps = [json.loads(line)["step"] for line in (tmp_path / "out" / LOG).read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 4]
    whole, resumed = weights(tmp_path / "whole" / ADAPTER), weights(tmp_path / "out" / ADAPTER)
    assert all(torch.allclose(whole[name], resumed[name], atol=1e-6) for name in whole)
    assert all(value.abs().max() > 0 for value in resumed.values())


def test_a_run_killed_after_its_last_step_only_keeps_its_result_when_it_is_run_again(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = SFTTrainer.save_model

    def dies(self: Any, output_dir: str | None = None, _internal_call: bool = False) -> None:
        if not _internal_call:
            raise Killed
        save(self, output_dir, _internal_call)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(SFTTrainer, "save_model", dies)
        train_sft(recipe, [], Settings())
    run = train_sft(recipe, [], Settings())
    assert run.about["steps"] == 4
    last = weights(tmp_path / "out" / "checkpoint-4")
    assert all(value.equal(last[name]) for name, value in weights(tmp_path / "out" / ADAPTER).items())


def test_a_finished_run_is_left_alone_and_another_recipe_needs_another_folder(tmp_path: Path, recipe: Path) -> None:
    first = train_sft(recipe, ["--max_steps", "1"], Settings())
    assert train_sft(recipe, ["--max_steps", "1"], Settings()).about == first.about
    with pytest.raises(BadInput, match=r"another recipe \(max_steps: 1 there, 2 now\); name another folder"):
        train_sft(recipe, ["--max_steps", "2"], Settings())
    write_rows(tmp_path / "rows.jsonl", [row(at) for at in range(3)])
    with pytest.raises(BadInput, match="another data"):
        train_sft(recipe, ["--max_steps", "1"], Settings())


def test_training_goes_on_from_an_adapter(tmp_path: Path, recipe: Path) -> None:
    train_sft(recipe, ["--max_steps", "1", "--lora_r", "2"], Settings())
    on = ["--adapter", str(tmp_path / "out" / ADAPTER), "--output_dir", str(tmp_path / "on"), "--max_steps", "1"]
    train_sft(recipe, on, Settings())
    config = json.loads((tmp_path / "on" / ADAPTER / "adapter_config.json").read_text())
    assert config["r"] == 2
    assert config["base_model_name_or_path"] == str(tmp_path / "base")
    for folder, told in ((tmp_path, "holds no weights"), (tmp_path / "base", "is no PEFT folder")):
        with pytest.raises(BadInput, match=told):
            train_sft(recipe, ["--adapter", str(folder), "--output_dir", str(tmp_path / "no")], Settings())


def test_what_the_trainer_refuses_is_one_line(recipe: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be trained: Target modules .*nothing.* not found") as caught:
        train_sft(recipe, ["--lora_target_modules", "nothing"], Settings())
    assert "\n" not in str(caught.value)


def test_two_processes_do_not_train_one_run(tmp_path: Path, recipe: Path) -> None:
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / "run.lock"), pytest.raises(BadInput, match="is being trained by another process"):
        train_sft(recipe, [], Settings())
    assert train_sft(recipe, [], Settings()).finished


def test_a_row_of_a_test_dialogue_is_refused(tmp_path: Path, recipe: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(1), row(2, split="test")])
    with pytest.raises(BadInput, match="'d2' is held out for tests"):
        train_sft(recipe, [], Settings())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("mix", "without", "expected", "why"),
    [
        ({}, [], {"extraction": 4, "role_play": 4, "prefix": 4}, "the plain union"),
        ({"prefix": 0.5}, [], {"extraction": 4, "role_play": 4, "prefix": 2}, "half of a set"),
        ({"prefix": 2.25}, [], {"extraction": 4, "role_play": 4, "prefix": 9}, "more than once"),
        ({}, ["extraction"], {"role_play": 4, "prefix": 4}, "an ablation"),
        ({"extraction": 2, "prefix": 0}, ["extraction"], {"role_play": 4}, "without wins"),
    ],
)
def test_sets_are_mixed_as_asked(mix: dict[str, float], without: list[str], expected: dict[str, int], why: str) -> None:
    taken = mixture([row(at, METHODS[at % 3]) for at in range(12)], mix, without, seed=1)
    assert {name: sum(one["method"] == name for one in taken) for name in expected} == expected, why
    assert len(taken) == sum(expected.values())


def test_the_seed_decides_which_rows_of_a_part_are_drawn() -> None:
    rows = [row(at) for at in range(12)]
    ids = [tuple(one["dialogue"] for one in mixture(rows, {"extraction": 0.5}, [], seed)) for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("mix", "without", "message"),
    [
        ({"poetry": 1.0}, [], "Unknown method 'poetry' in mix or without; expected one of imported"),
        ({"prefix": -1.0}, [], "prefix is -1.0; expected 0 or more"),
        ({"extraction": 0.0}, [], "leave no row"),
    ],
)
def test_a_bad_mixture_is_named(mix: dict[str, float], without: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        mixture([row(1)], mix, without, seed=0)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("sft*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_read(path: Path) -> None:
    recipe, trl, _ = read_recipe(path, [], SFTRecipe, SFTConfig)
    assert mixture([row(1)], recipe.mix, recipe.without, seed=0)
    assert trl.max_length >= 1024


def test_the_tiny_recipe_moves_every_trainable_parameter(tmp_path: Path) -> None:
    tiny_recipe(tmp_path, [row(at) for at in range(16)], "llama")
    found = []
    # The first step moves LoRA's second factors alone, as they begin at zero.
    for steps in ("1", "4"):
        more = ["--output_dir", str(tmp_path / steps), "--max_steps", steps]
        run = train_sft(CONFIGS / "sft_tiny.yaml", [*on_tiny(tmp_path), *more], Settings())
        found.append(weights(run.folder / ADAPTER))
    assert len(found[1]) == 16
    assert unmoved(*found) == []
