"""The reward model: trained on pairs, measured on held-out ones, and read as a reward."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast
from trl import RewardConfig

from evaluation.outcome.base import MINILM
from graph.errors import BadInput
from graph.settings import Settings
from tests.training.tiny import tiny_tokenizer
from tests.training.tiny_runs import on_tiny, tiny_recipe, tiny_row, unmoved, weights
from training.recipes import read_recipe
from training.reward_model import RewardRecipe, accuracy, train_reward_model
from training.rewards.preference import FILE, LIMIT, PreferenceReward, reliability, tokens_of
from training.rewards.registry import build_rewards
from training.run_file import ADAPTER, MODEL

# TRL's own defaults use names that transformers has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
CONFIGS = Path(__file__).parents[2] / "training" / "configs"
SYSTEM = {"role": "system", "content": "Sell tea."}


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def row(at: int, split: str, pool: str = "marks") -> dict[str, Any]:
    """A pair of which the better reply says yes and the worse one no."""
    pair = {"chosen": said(f"<think>a thought</think>Yes, {at}."), "rejected": said(f"No, {at}.")}
    return tiny_row(at, f"Tea {at}?", dialogue=f"{split}{at // 2}", split=split, pool=pool, **pair)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    rows = [row(at, "train", ("marks", "rules")[at % 2]) for at in range(8)]
    rows += [row(at, "dev", ("marks", "rules")[at % 2]) for at in range(12)]
    keys = {"learning_rate": 0.02, "max_length": 64, "max_steps": 12, "save_steps": 6, "logging_steps": 4}
    return tiny_recipe(tmp_path, rows, **keys)


def test_full_training_moves_every_parameter_and_tells_held_out_pairs_apart(tmp_path: Path, recipe: Path) -> None:
    run = train_reward_model(recipe, ["--lora_r", "0", "--bf16=false"], Settings())
    after = weights(run.folder / MODEL)
    assert unmoved(weights(tmp_path / "base"), after) == []
    assert "score.weight" in after
    found = run.about["accuracy"]
    assert set(found) == {"all", "marks", "rules"}
    assert found["all"]["value"] == 1.0
    assert (found["all"]["n"], found["all"]["clusters"]) == (12, 6)
    assert 0 < found["all"]["low"] < found["all"]["high"] <= 1.0
    assert run.about["rows"] == {"marks": 4, "rules": 4}


def test_with_lora_the_adapter_and_the_head_learn_and_it_is_read_as_a_reward(tmp_path: Path, recipe: Path) -> None:
    run = train_reward_model(recipe, ["--lora_r", "4", "--lora_target_modules", "all-linear"], Settings())
    saved = weights(run.folder / ADAPTER)
    assert all(bool(value.any()) for name, value in saved.items()), "lora_B begins at 0"
    assert any("score" in name for name in saved)
    [reward], _ = build_rewards({"preference": 1.0}, Settings(), reward_model=run.folder)
    prompt = [SYSTEM, {"role": "user", "content": "Tea 9?"}]
    good, thoughtful, bad = reward(
        prompts=[prompt] * 3, completions=[said("Yes, 9."), said("<think>x</think>Yes, 9."), said("No, 9.")]
    )
    assert good == pytest.approx(thoughtful, abs=1e-4), "thoughts are not read"
    assert -LIMIT <= bad < 0 < good <= LIMIT
    assert reward(prompts=[prompt], completions=[said("<think>Yes, 9.</think>")]) == [-LIMIT], "nothing was said"
    elsewhere = [{"role": "system", "content": "Sell coffee."}, prompt[1]]
    assert reward(prompts=[elsewhere], completions=[said("Yes, 9.")])[0] == pytest.approx(good, abs=1e-4)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("reward_model*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_read(path: Path) -> None:
    recipe, of_trl, _ = read_recipe(path, [], RewardRecipe, RewardConfig)
    assert len(recipe.rows) == 2, "to learn from, and to measure on"
    assert of_trl.max_length <= 512 or recipe.model != MINILM, "an encoder's window"


def test_the_tiny_recipe_moves_every_trainable_parameter(tmp_path: Path, recipe: Path) -> None:
    found = []
    for steps in ("1", "4"):
        more = ["--output_dir", str(tmp_path / steps), "--max_steps", steps, "--bf16=false", "--warmup_steps", "0"]
        run = train_reward_model(CONFIGS / "reward_model_tiny.yaml", [*on_tiny(tmp_path), *more], Settings())
        found.append(weights(run.folder / MODEL))
    assert unmoved(*found) == []


def test_a_run_that_ended_before_it_was_measured_is_measured_and_a_measured_one_is_left_alone(
    tmp_path: Path, recipe: Path
) -> None:
    run = train_reward_model(recipe, [], Settings())
    whole = run.about["accuracy"]
    (run.folder / FILE).unlink()
    del run.about["accuracy"]
    run.write()
    assert train_reward_model(recipe, [], Settings()).about["accuracy"] == whole
    stamp = (run.folder / FILE).stat().st_mtime_ns
    train_reward_model(recipe, [], Settings())
    assert (run.folder / FILE).stat().st_mtime_ns == stamp


def test_an_encoder_learns_too(tmp_path: Path, recipe: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "yes", "no", "tea", ",", ".", "?", *map(str, range(10))]
    base = tmp_path / "encoder"
    base.mkdir()
    (base / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(base / "vocab.txt")).save_pretrained(base)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=64, num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(base)
    run = train_reward_model(recipe, ["--model", str(base), "--lora_r", "0", "--bf16=false"], Settings())
    assert run.about["accuracy"]["all"]["value"] == 1.0
    reward = PreferenceReward(run.folder, Settings())
    endless = reward(prompts=[row(1, "dev")["prompt"]], completions=["Yes. " * 200])
    assert len(endless) == 1, "what is too long is cut, not refused"
    yes, no = reward(prompts=[row(1, "dev")["prompt"]] * 2, completions=["Yes.", "No."])
    assert yes is not None
    assert no is not None
    assert yes > 0 > no


def test_accuracy_counts_ties_as_wrong_and_dialogues_not_pairs() -> None:
    rows = [row(at, "dev", pool) for at, pool in enumerate(["marks", "marks", "rules", "rules"])]
    found = accuracy(rows, [1.0, 0.0, 2.0, -1.0])
    assert {pool: (one.value, one.n, one.clusters) for pool, one in found.items()} == {
        "all": (0.5, 4, 2),
        "marks": (0.5, 2, 1),
        "rules": (0.5, 2, 1),
    }


def test_a_long_talk_loses_its_beginning_and_never_the_reply() -> None:
    tokenizer = tiny_tokenizer()
    prompt = [SYSTEM, {"role": "user", "content": "x" * 200 + "end"}]
    ids = tokens_of(tokenizer, prompt, "Yes.", 60)
    text = tokenizer.decode(ids)
    assert len(ids) == 60
    assert "end<|im_end|>" in text
    assert text.endswith("Yes.<|im_end|>\n")
    assert "Sell tea" not in tokenizer.decode(tokens_of(tokenizer, prompt, "Yes.", 500))


BAD = [
    (["--adapter", "x"], "goes on from no adapter"),
    (["--without", "marks", "rules"], "0 pairs to learn from and 0 of the split 'dev'"),
]


@pytest.mark.parametrize(("arguments", "told"), BAD)
def test_bad_recipes_are_told(arguments: list[str], told: str, recipe: Path) -> None:
    with pytest.raises(BadInput, match=told):
        train_reward_model(recipe, arguments, Settings())


def test_the_scale_stands_beside_the_weights(tmp_path: Path, recipe: Path) -> None:
    run = train_reward_model(recipe, [], Settings())
    scale = json.loads((run.folder / FILE).read_text())
    assert scale["most_tokens"] == 64
    assert scale["deviation"] > 0
    assert scale["reliability"] == reliability(run.about["accuracy"]["all"]["low"])
    reward = PreferenceReward(run.folder, Settings())
    pairs = [row(at, "dev") for at in range(6)]
    scores = [
        score
        for side in ("chosen", "rejected")
        for score in reward(prompts=[pair["prompt"] for pair in pairs], completions=[pair[side] for pair in pairs])
    ]
    assert sum(score or 0.0 for score in scores) / len(scores) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(("accuracy", "believed"), [(None, 0.0), (0.4, 0.0), (0.5, 0.0), (0.75, 0.5), (1.0, 1.0)])
def test_a_reward_model_is_believed_as_far_as_it_beats_chance(accuracy: float | None, believed: float) -> None:
    assert reliability(accuracy) == believed
