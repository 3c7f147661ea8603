from pathlib import Path

import pytest
from trl import GRPOConfig, SFTConfig

from graph.errors import BadInput
from training.recipes import PolicyRecipe, Weights, read_recipe


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_and_pairs_make_our_fields_and_trls(tmp_path: Path) -> None:
    config = write(tmp_path, "short.yaml", "model: tiny\nrows: a.jsonl\nlearning_rate: 1e-4\nbeta: 0.04\n")
    arguments = ["--rows", "b.jsonl", "c.jsonl", "--max-steps=3", "--scale_rewards", "batch", "--seed", "7"]
    ours, trl, given = read_recipe(config, arguments, PolicyRecipe, GRPOConfig)
    assert (ours.model, ours.rows) == ("tiny", ["b.jsonl", "c.jsonl"])
    assert (trl.learning_rate, trl.beta, trl.max_steps, trl.scale_rewards, trl.seed) == (1e-4, 0.04, 3, "batch", 7)
    assert trl.output_dir == "runs/short"
    assert given["max_steps"] == 3
    assert "use_cpu" not in given


def test_one_file_extends_another_and_null_unsets_a_key(tmp_path: Path) -> None:
    write(tmp_path, "whole.yaml", "learning_rate: 1e-4\nmax_steps: 9\nwarmup_steps: 3\nlora_target_modules: [q_proj]\n")
    config = write(tmp_path, "variant.yaml", "base: whole.yaml\nmax_steps: 4\nwarmup_steps: null\n")
    ours, trl, given = read_recipe(config, [], PolicyRecipe, SFTConfig)
    assert (trl.learning_rate, trl.max_steps, trl.warmup_steps) == (1e-4, 4, SFTConfig.warmup_steps)
    assert ours.lora_target_modules == ["q_proj"]
    assert "base" not in given


def test_words_that_yaml_takes_for_booleans_stay_words_on_the_command_line() -> None:
    ours, trl, given = read_recipe(
        None, ["--save_strategy", "no", "--bf16", "no", "--model", "on"], PolicyRecipe, SFTConfig
    )
    assert (trl.save_strategy, trl.bf16, ours.model, given["bf16"]) == ("no", False, "on", "no")


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("lerning_rate: 1", [], r"bad\.yaml: there is no key 'lerning_rate'; did you mean learning_rate\?"),
        ("{}", ["--bta", "1"], r"there is no key 'bta'; did you mean beta\?"),
        ("{}", ["--resume"], r"resume is not used here; the same command goes on by itself"),
        ("reward_weights: [1, 2]", [], r"reward_weights is not used here; write rewards: \{name: weight\}"),
        ("learning_rate: fast", [], r"bad\.yaml: learning_rate: invalid float value: 'fast'"),
        ("dtype: int4", [], r"dtype: invalid choice: 'int4'"),
        ("max_steps: [1, 2]", [], r"are not used .*\['2'\]"),
        ("num_generations: 3\nper_device_train_batch_size: 4", [], r"divisible by"),
        ("- a\n- b", [], r"is no mapping of keys to values"),
        ("a: [", [], r"cannot be read"),
        ("base: bad.yaml", [], r"`base` leads back to"),
        ("base: none.yaml", [], r"none\.yaml cannot be read"),
        ("{}", ["3"], r"Argument '3' belongs to no key; write --key 3"),
    ],
)
def test_a_bad_recipe_gets_one_clear_line(tmp_path: Path, text: str, arguments: list[str], message: str) -> None:
    config = write(tmp_path, "bad.yaml", text)
    with pytest.raises(BadInput, match=message) as caught:
        read_recipe(config, arguments, PolicyRecipe, GRPOConfig)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.yaml cannot be read"):
        read_recipe(tmp_path / "gone.yaml", [], PolicyRecipe, GRPOConfig)


@pytest.mark.parametrize(
    ("gpu", "fast", "given", "dtype", "autocast"),
    [
        (False, True, [], "bfloat16", False),
        (False, False, [], "float32", False),
        (False, True, ["--lora_r", "0"], "float32", True),
        (False, True, ["--dtype", "float32"], "float32", False),
        (False, True, ["--lora_r", "0", "--no_bf16"], "float32", False),
    ],
)
def test_the_machine_decides_what_the_recipe_leaves_open(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, fast: bool, given: list[str], dtype: str, autocast: bool
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": fast})
    arguments = [word if word != "--no_bf16" else "--bf16=false" for word in given]
    ours, trl, _ = read_recipe(None, arguments, PolicyRecipe, SFTConfig)
    assert (ours.dtype, trl.bf16, trl.use_cpu) == (dtype, autocast, True)
    assert trl.report_to == ["tensorboard"]


def test_lora_is_left_out_for_full_fine_tuning_and_where_an_adapter_brings_its_own() -> None:
    lora = PolicyRecipe(lora_r=4, lora_target_modules=["all-linear"]).lora()
    assert lora is not None
    assert (lora.r, lora.target_modules) == (4, "all-linear")
    assert PolicyRecipe(lora_r=0).lora() is None
    assert PolicyRecipe(adapter="folder").lora() is None


def test_weights_are_numbers_by_name() -> None:
    assert Weights("{format: 1, rules: 0.5}") == {"format": 1.0, "rules": 0.5}
    with pytest.raises(ValueError, match="nothing"):
        Weights("nothing")
