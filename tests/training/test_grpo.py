import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file
from trl import GRPOConfig, GRPOTrainer

from graph.errors import BadInput
from graph.settings import Settings
from tests.training.tiny import save_tiny
from training.corpus.rows import write_rows
from training.grpo import GRPORecipe, _check, train_grpo
from training.models import load_policy
from training.monitors import LIMITS, CollapseMonitor
from training.recipes import read_recipe
from training.rewards.registry import MAKERS
from training.run_file import ADAPTER, LOG, MODEL, RUN

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
ASK = "Begin with <think>one short sentence</think>, then say your words. Your reply:"


def row(at: int, ask: str = "Your reply:") -> dict[str, Any]:
    return {
        "dialogue": f"d{at}",
        "turn": 1,
        "campaign": "tea",
        "language": "en",
        "stage": "opening",
        "intent": "question",
        "split": "train",
        "method": "imported",
        "prompt": [{"role": "system", "content": "Sell tea."}, {"role": "user", "content": f"Number {at}? {ask}"}],
        "reference": f"It is {at}.",
        "state": "{}",
    }


class Spread:
    """A reward that differs within every group, and remembers what it was bound to."""

    __name__ = "spread"
    bound: Any = None
    ids: ClassVar[list[list[int]]] = []

    def bind(self, trainer: Any) -> None:
        Spread.bound = trainer

    def __call__(self, completion_ids: list[list[int]], reference: list[str], **_: Any) -> list[float]:
        assert all(text.startswith("It is") for text in reference)
        Spread.ids = completion_ids
        return [sum(ids) % 17 / 17 for ids in completion_ids]


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.grpo.build_rewards", lambda *_, **__: ([Spread()], [1.0]))


@pytest.fixture
def recipe(tmp_path: Path, spread: None) -> Path:
    write_rows(tmp_path / "rows.jsonl", [row(at) for at in range(8)])
    config = tmp_path / "grpo.yaml"
    config.write_text(
        f"""
model: {save_tiny(tmp_path / "base")}
rows: {tmp_path / "rows.jsonl"}
output_dir: {tmp_path / "out"}
rewards: {{format: 1.0}}
dtype: float32
share_prefix: true
learning_rate: 0.01
per_device_train_batch_size: 4
num_generations: 2
max_completion_length: 12
max_steps: 4
save_steps: 2
logging_steps: 1
gradient_checkpointing: false
report_to: none
disable_tqdm: true
"""
    )
    return config


@pytest.mark.parametrize("share", ["true", "false"])
def test_every_trainable_parameter_moves_and_the_run_is_recorded(tmp_path: Path, recipe: Path, share: str) -> None:
    arguments = ["--lora_r", "0", "--bf16=false", "--share_prefix", share, "--max_steps", "3"]
    run = train_grpo(recipe, arguments, Settings())
    before, after = (
        load_file(tmp_path / "base/model.safetensors"),
        load_file(tmp_path / "out" / MODEL / "model.safetensors"),
    )
    assert [name for name, value in after.items() if value.equal(before[name])] == []
    assert (run.about["trainer"], run.about["steps"], run.about["stopped"]) == ("grpo", 3, "")
    metrics = run.about["metrics"]
    assert {"rewards/spread/mean", "frac_reward_zero_std", "entropy", "completions/diversity"} <= metrics.keys()
    assert 0 < metrics["completions/diversity"] <= 1
    assert Spread.bound.state.global_step == 3


@pytest.mark.parametrize("share", ["true", "false"])
@pytest.mark.parametrize(("hinted", "begun"), [("0.5", [True, False]), ("1.0", [True, True]), ("0", [False, False])])
def test_a_share_of_each_group_is_begun_with_a_thought(
    tmp_path: Path, recipe: Path, share: str, hinted: str, begun: list[bool]
) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(at, ASK) for at in range(8)])
    train_grpo(recipe, ["--think", "--hinted", hinted, "--share_prefix", share, "--max_steps", "2"], Settings())
    said = [completion[0]["content"] for completion in Spread.bound._logs["completion"]]
    assert [text.startswith("<think>") for text in said] == begun * 2
    assert {len(ids) for ids in Spread.ids} <= set(range(1, 13))


def test_a_hint_teaches_to_begin_a_thought(tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def thinks(completions: list[Any], **_: Any) -> list[float]:
        return [float(one[0]["content"].startswith("<think>")) for one in completions]

    monkeypatch.setattr("training.grpo.build_rewards", lambda *_, **__: ([thinks], [1.0]))
    write_rows(tmp_path / "rows.jsonl", [row(at, ASK) for at in range(8)])
    chances = []
    for steps in ("1", "8"):
        arguments = ["--think", "--hinted", "0.5", "--max_steps", steps, "--output_dir", str(tmp_path / steps)]
        train_grpo(recipe, [*arguments, "--lora_r", "0", "--bf16=false"], Settings())
        model, tokenizer = load_policy(str(tmp_path / steps / MODEL), Settings(), dtype="float32")
        prompt = tokenizer.apply_chat_template(row(1, ASK)["prompt"], add_generation_prompt=True)["input_ids"]
        marker = tokenizer("<think>")["input_ids"]
        logits = model(torch.tensor([prompt + marker])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        chances.append(logits.gather(-1, torch.tensor(marker)[:, None]).sum().item())
    assert chances[1] > chances[0] + 1


@pytest.mark.parametrize("share", ["true", "false"])
def test_among_those_that_think_the_better_thought_learns_and_the_marker_learns_that_it_pays(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    given: list[Any] = []

    def floor_without_a_thought(completions: list[Any], **_: Any) -> list[float]:
        texts = [one[0]["content"] for one in completions]
        return [sum(map(ord, text)) % 7 / 7 if text.startswith("<think>") else -8.0 for text in texts]

    def noted(self: Any, model: Any, inputs: dict[str, Any]) -> Any:
        given.append(inputs["advantages"])
        return loss(self, model, inputs)

    loss = GRPOTrainer._compute_loss
    monkeypatch.setattr(GRPOTrainer, "_compute_loss", noted)
    monkeypatch.setattr("training.grpo.build_rewards", lambda *_, **__: ([floor_without_a_thought], [1.0]))
    write_rows(tmp_path / "rows.jsonl", [row(at, ASK) for at in range(8)])
    arguments = ["--think", "--hinted", "0.5", "--num_generations", "4", "--share_prefix", share, "--max_steps", "1"]
    train_grpo(recipe, [*arguments, "--seed", "3"], Settings())
    [advantages] = given
    marker = len("<think>") - 1
    hinted, others = (advantages[advantages[:, 0] > 0.5], advantages[advantages[:, 0] < 0.5])
    assert (len(hinted), len(others)) == (2, 2)
    assert (hinted[:, :marker].std(dim=1) < 1e-6).all()
    assert hinted[:, marker:].mean(dim=0).abs().max() < 1e-3, "among thoughts it counts which is better"
    assert hinted[:, marker].abs().max() > 0.5
    assert others.abs().max() < 1e-3, "these do not differ"


class Killed(Exception):
    pass


def test_a_run_that_was_killed_goes_on_with_the_same_command(
    tmp_path: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_grpo(recipe, ["--output_dir", str(tmp_path / "whole")], Settings())
    step = GRPOTrainer.training_step

    def dies(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == 3:
            raise Killed
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(GRPOTrainer, "training_step", dies)
        train_grpo(recipe, [], Settings())
    run = train_grpo(recipe, [], Settings())
    assert run.about["steps"] == 4
    lines = [json.loads(line) for line in (tmp_path / "out" / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 4]
    whole, resumed = (load_file(tmp_path / name / ADAPTER / "adapter_model.safetensors") for name in ("whole", "out"))
    assert all(value.allclose(resumed[name], atol=1e-5) for name, value in whole.items())


def test_a_monitor_stops_the_run_keeps_what_it_has_and_says_why(tmp_path: Path, recipe: Path) -> None:
    run = train_grpo(recipe, ["--stop", "{short: 100}", "--patience", "2"], Settings())
    assert run.about["steps"] == 2
    assert run.about["stopped"].startswith(
        "short: mean length of a completion, in tokens was below 100 in 2 logged steps"
    )
    assert json.loads((tmp_path / "out" / RUN).read_text())["stopped"] == run.about["stopped"]
    assert (tmp_path / "out" / ADAPTER / "adapter_model.safetensors").is_file()
    assert train_grpo(recipe, ["--stop", "{short: 100}", "--patience", "2"], Settings()).about == run.about


def test_training_goes_on_from_an_adapter_that_fine_tuning_made(tmp_path: Path, recipe: Path) -> None:
    train_grpo(recipe, ["--max_steps", "2"], Settings())
    on = ["--adapter", str(tmp_path / "out" / ADAPTER), "--output_dir", str(tmp_path / "on"), "--max_steps", "2"]
    train_grpo(recipe, [*on, "--beta", "0.1"], Settings())
    files = sorted(path.name for path in (tmp_path / "on" / ADAPTER).iterdir())
    assert "ref" not in files
    first, second = (load_file(tmp_path / name / ADAPTER / "adapter_model.safetensors") for name in ("out", "on"))
    assert first.keys() == second.keys()
    assert all(not value.equal(second[name]) for name, value in first.items())
    [kept] = json.loads((tmp_path / "on" / RUN).read_text())["weights"].values()
    assert (kept["folder"], len(kept["sha256"])) == (str(tmp_path / "out" / ADAPTER), 64)
    save_file(
        {name: value + 1 for name, value in first.items()}, tmp_path / "out" / ADAPTER / "adapter_model.safetensors"
    )
    with pytest.raises(BadInput, match=r"was made with another weights \(adapter: .* there, .* now\)"):
        train_grpo(recipe, [*on, "--beta", "0.1"], Settings())


def test_an_adapter_that_is_not_there_is_named_before_anything_is_written(tmp_path: Path, recipe: Path) -> None:
    with pytest.raises(
        BadInput, match=r"adapter: .*gone holds no weights \(\*\.safetensors\); name the result of a fin"
    ):
        train_grpo(recipe, ["--adapter", str(tmp_path / "gone")], Settings())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("ask", "arguments", "message"),
    [
        (ASK, [], r"8 of 8 prompts ask for a thought; set think: true"),
        (
            "Your reply:",
            ["--think"],
            r"think: true, but 8 of 8 prompts ask for no thought; make them by `corpus rows --think`",
        ),
        (
            "Your reply:",
            ["--per_device_train_batch_size", "20"],
            r"8 rows are too few: one generation takes 10 prompts",
        ),
        (ASK, ["--think", "--hinted", "2"], r"hinted is 2\.0; expected 0 to 1"),
        ("Your reply:", ["--hinted", "0.5"], "above 0 only with think"),
        ("Your reply:", ["--stop", "{luck: 1}"], "there is no limit 'luck'"),
    ],
)
def test_rows_that_do_not_fit_the_recipe_are_refused_before_anything_is_written(
    tmp_path: Path, recipe: Path, ask: str, arguments: list[str], message: str
) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(at, ask) for at in range(8)])
    with pytest.raises(BadInput, match=message):
        train_grpo(recipe, arguments, Settings())
    assert not (tmp_path / "out").exists()


def test_groups_that_processes_would_part_are_refused_where_thoughts_are_compared() -> None:
    trl = SimpleNamespace(
        generation_batch_size=8,
        num_generations=8,
        per_device_train_batch_size=4,
        steps_per_generation=1,
        use_vllm=False,
    )
    with pytest.raises(BadInput, match="groups of 8 may not be parted between processes"):
        _check(GRPORecipe(think=True), trl, [row(at, ASK) for at in range(2)])
    _check(GRPORecipe(think=False), trl, [row(at) for at in range(2)])


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("grpo*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_read_and_their_rewards_are_known(path: Path) -> None:
    recipe, trl, _ = read_recipe(path, [], GRPORecipe, GRPOConfig)
    assert recipe.rewards.keys() <= MAKERS.keys()
    assert recipe.rewards
    CollapseMonitor(recipe.stop, recipe.patience)
    assert trl.scale_rewards == "group"
    assert recipe.share_prefix == ("cpu" in path.stem or "tiny" in path.stem) != trl.use_vllm


@pytest.mark.parametrize(
    ("name", "other", "differs"),
    [
        ("grpo_cpu_without_bayes", "grpo_cpu", {"rewards"}),
        ("grpo_cpu_only_bayes", "grpo_cpu", {"rewards"}),
        ("grpo_cpu_after_sft", "grpo_cpu_spoken", {"adapter"}),
        ("grpo_cpu_135m", "grpo_cpu_spoken", {"model"}),
        ("grpo_cpu_sum", "grpo_cpu_spoken", {"rewards", "reward_model"}),
        ("grpo_cpu_repo", "grpo_cpu_sum", {"combine"}),
        (
            "grpo_cpu_spoken",
            "grpo_cpu_without_bayes",
            {"rows", "think", "hinted", "max_completion_length", "max_steps", "save_steps"},
        ),
    ],
)
def test_recipes_that_are_compared_differ_in_one_thing(name: str, other: str, differs: set[str]) -> None:
    one, base = (read_recipe(CONFIGS / f"{file}.yaml", [], GRPORecipe, GRPOConfig)[2] for file in (name, other))
    assert {key for key in one.keys() | base.keys() if one.get(key) != base.get(key)} == differs


def test_the_ablation_leaves_out_r_bayes_and_the_reward_model_is_added_to_what_is_left() -> None:
    def rewards(name: str) -> dict[str, float]:
        return dict(read_recipe(CONFIGS / f"{name}.yaml", [], GRPORecipe, GRPOConfig)[0].rewards)

    whole, without, only = (rewards(f"grpo_cpu{end}") for end in ("", "_without_bayes", "_only_bayes"))
    assert whole == without | only
    assert set(only) == {"bayesian_prior", "bayesian_likelihood"}
    assert rewards("grpo_cpu_sum") == without | {"preference": 1.0}


def test_every_limit_of_a_shipped_recipe_reads_what_its_run_logs(tmp_path: Path, recipe: Path) -> None:
    stop, beta = (
        read_recipe(CONFIGS / "grpo_cpu.yaml", [], GRPORecipe, GRPOConfig)[2][key] for key in ("stop", "beta")
    )
    run = train_grpo(recipe, ["--max_steps", "2", "--beta", str(beta)], Settings())
    assert {LIMITS[name].metric for name in stop} <= run.about["metrics"].keys()
    assert run.about["metrics"]["kl"] > 0


def test_the_tiny_recipe_moves_every_trainable_parameter(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(at, ASK) for at in range(8)])
    own = {"model": save_tiny(tmp_path / "base", "llama"), "rows": tmp_path / "rows.jsonl", "report_to": "none"}
    pairs = [word for key, value in own.items() for word in (f"--{key}", str(value))]
    found = []
    # The first step moves LoRA's second factors alone, as they begin at zero.
    for steps in (1, 4):
        out = tmp_path / str(steps)
        train_grpo(
            CONFIGS / "grpo_tiny.yaml", [*pairs, "--output_dir", str(out), "--max_steps", str(steps)], Settings()
        )
        found.append(load_file(out / ADAPTER / "adapter_model.safetensors"))
    before, after = found
    assert len(after) == 16
    assert [name for name, value in after.items() if value.equal(before[name]) or not value.abs().max() > 0] == []
