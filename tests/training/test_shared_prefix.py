from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import set_seed
from trl import GRPOConfig, GRPOTrainer

from graph.errors import BadInput
from tests.training.tiny import Kind, save_tiny, tiny_model
from training.models import load_policy
from training.shared_prefix import SharedPrefixGRPOTrainer

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
SYSTEM = "You sell green tea to people who like it. Be short and honest. "
ASKED = ["How much?", "Is it organic, and where does it come from?", "No.", "Tell me more about the black one!"]


def rows(count: int = 8) -> Dataset:
    return Dataset.from_list(
        [
            {"prompt": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASKED[at % 4]}]}
            for at in range(count)
        ]
    )


def spread(completion_ids: list[list[int]], **_: Any) -> list[float]:
    """A reward that differs within every group."""
    return [sum(ids) % 17 / 17 for ids in completion_ids]


def trainer_of(
    cls: type[GRPOTrainer],
    folder: Path,
    kind: Kind = "qwen2",
    *,
    lora: bool = True,
    own: dict[str, Any] | None = None,
    **keys: Any,
) -> Any:
    base = folder / kind
    if not base.exists():
        save_tiny(base, kind)
    from graph.settings import Settings

    model, tokenizer = load_policy(str(base), Settings(), dtype="float32")
    args = GRPOConfig(
        **{
            "output_dir": str(folder / "out"),
            "per_device_train_batch_size": 4,
            "num_generations": 2,
            "max_completion_length": 6,
            "learning_rate": 0.01,
            "max_steps": 2,
            "logging_steps": 1,
            "save_strategy": "no",
            "gradient_checkpointing": False,
            "use_cpu": True,
            "bf16": False,
            "dataloader_pin_memory": False,
            "report_to": "none",
            "disable_tqdm": True,
            **keys,
        }
    )
    peft = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM")
    return cls(
        model=model,
        reward_funcs=spread,
        args=args,
        train_dataset=rows(),
        processing_class=tokenizer,
        peft_config=peft if lora else None,
        **(own or {}),
    )


def parameters(trainer: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in trainer.model.named_parameters() if value.requires_grad}


def batch(trainer: Any, groups: int = 2) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return ids, mask and the completion's width: prompts of different lengths, completions that end early."""
    texts = [
        trainer.processing_class.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]
        for row in rows(groups)
        for _ in range(2)
    ]
    width, length = max(map(len, texts)), 5
    ids = torch.full((len(texts), width + length), trainer.processing_class.pad_token_id)
    mask = torch.zeros_like(ids)
    generator = torch.Generator().manual_seed(3)
    for at, text in enumerate(texts):
        count = length - at % 3
        ids[at, width - len(text) : width] = torch.tensor(text)
        ids[at, width : width + count] = torch.randint(0, 256, (count,), generator=generator)
        mask[at, width - len(text) : width + count] = 1
    return ids, mask, length


def stir(trainer: Any) -> None:
    """Give LoRA's second factors values, so that the policy differs from its base."""
    torch.manual_seed(5)
    for name, value in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)


@pytest.mark.parametrize(("kind", "lora"), [("qwen2", True), ("qwen2", False), ("llama", True)])
@pytest.mark.parametrize("size", [None, 3])
def test_log_probabilities_and_entropies_equal_trls(tmp_path: Path, kind: Kind, lora: bool, size: int | None) -> None:
    ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path, kind, lora=lora, temperature=0.7)
    stir(ours)
    ids, mask, length = batch(ours)
    found = ours._get_per_token_logps_and_entropies(ours.model, ids, mask, length, size, compute_entropy=True)
    asked = GRPOTrainer._get_per_token_logps_and_entropies(ours, ours.model, ids, mask, length, compute_entropy=True)
    assert torch.allclose(found[0], asked[0], atol=1e-4)
    assert torch.allclose(found[1], asked[1], atol=1e-4)
    assert asked[0].std() > 0.01


@pytest.mark.parametrize(("kind", "lora"), [("qwen2", True), ("qwen2", False), ("llama", True)])
def test_exact_gradients_equal_trls(tmp_path: Path, kind: Kind, lora: bool) -> None:
    ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path, kind, lora=lora, own={"prefix_gradient": True})
    stir(ours)
    ids, mask, length = batch(ours)
    gradients = []
    for cls in (SharedPrefixGRPOTrainer, GRPOTrainer):
        ours.model.zero_grad()
        logps, _, _ = cls._get_per_token_logps_and_entropies(ours, ours.model, ids, mask, length)
        (logps * torch.arange(logps.numel()).view_as(logps)).sum().backward()
        gradients.append({n: p.grad.clone() for n, p in ours.model.named_parameters() if p.grad is not None})
    one, other = gradients
    assert one.keys() == other.keys()
    for name in one:
        assert (one[name] - other[name]).norm() <= 1e-4 * other[name].norm(), name


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
def test_full_fine_tuning_under_bfloat16_autocast_comes_as_near_to_trls_as_bfloat16_can(
    tmp_path: Path, kind: Kind
) -> None:
    ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path, kind, lora=False, own={"prefix_gradient": True}, bf16=True)
    ids, mask, length = batch(ours)
    prompts = [row[kept.bool()].tolist() for row, kept in zip(ids[:, :-length], mask[:, :-length], strict=True)]
    ours._generate_single_turn(prompts, None, {}, 2)
    found = []
    for cls in (SharedPrefixGRPOTrainer, GRPOTrainer):
        ours.model.zero_grad()
        logps, _, _ = cls._get_per_token_logps_and_entropies(ours, ours.model, ids, mask, length)
        (logps * torch.arange(logps.numel()).view_as(logps)).sum().backward()
        found.append((logps.detach(), {n: p.grad.clone() for n, p in ours.model.named_parameters()}))
    (one, of_one), (other, of_other) = found
    assert torch.allclose(one, other, atol=5e-3)
    assert other.std() > 0.01
    for name in of_other:
        assert (of_one[name] - of_other[name]).norm() <= 0.02 * of_other[name].norm(), name


def test_without_the_prompts_gradient_the_log_probabilities_stay_and_the_gradients_differ(tmp_path: Path) -> None:
    gradients = []
    for through in (True, False):
        ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path, own={"prefix_gradient": through})
        stir(ours)
        ids, mask, length = batch(ours)
        logps, _, _ = ours._get_per_token_logps_and_entropies(ours.model, ids, mask, length)
        logps.sum().backward()
        gradients.append((logps.detach(), {n: p.grad for n, p in ours.model.named_parameters() if p.grad is not None}))
    (exact, all_of_it), (stopped, part) = gradients
    assert torch.allclose(exact, stopped, atol=1e-5)
    assert all_of_it.keys() == part.keys()
    assert all(value.abs().max() > 0 for value in part.values())
    assert any((part[name] - all_of_it[name]).norm() > 0.05 * all_of_it[name].norm() for name in part)


@pytest.mark.parametrize(
    ("kind", "lora", "keys", "why"),
    [
        ("qwen2", True, {}, "a group a batch"),
        ("llama", False, {"beta": 0.1}, "full, with TRL's reference model"),
        ("qwen2", True, {"beta": 0.1, "top_p": 0.9, "temperature": 0.8}, "LoRA's reference is the bare base"),
        ("qwen2", True, {"gradient_accumulation_steps": 2, "steps_per_generation": 4}, "older weights' samples"),
        ("qwen2", True, {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}, "micro-batches"),
    ],
)
def test_training_with_exact_gradients_ends_where_trls_ends(
    tmp_path: Path, kind: Kind, lora: bool, keys: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trl.trainer.grpo_trainer.shuffle_sequence_dict", lambda given: given)
    ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path, kind, lora=lora, own={"prefix_gradient": True}, **keys)
    theirs = trainer_of(GRPOTrainer, tmp_path, kind, lora=lora, **keys)
    before = parameters(ours)
    for trainer in (ours, theirs):
        set_seed(1)
        trainer.train()
    one, other = parameters(ours), parameters(theirs)
    for name in one:
        moved = (other[name] - before[name]).norm()
        assert moved > 0, name
        assert (one[name] - other[name]).norm() < 0.02 * moved, f"{name}: {why}"
    rewards = [[line["reward"] for line in t.state.log_history if "reward" in line] for t in (ours, theirs)]
    assert rewards[0] == pytest.approx(rewards[1])


def test_greedy_generation_equals_the_models_own(tmp_path: Path) -> None:
    ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path, "llama", generation_kwargs={"do_sample": False})
    stir(ours)
    prompts = [
        ours.processing_class.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]
        for row in rows(4)
    ]
    found, _ = ours._generate_single_turn(prompts, None, {}, 2)
    alone, _ = GRPOTrainer._generate_single_turn(ours, prompts, None, {}, 2)
    assert found == alone
    assert len({tuple(ids) for ids in found}) > 1


def test_a_completion_ends_with_its_first_end_of_turn(tmp_path: Path) -> None:
    ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path)
    end, pad = ours.processing_class.eos_token_id, ours.processing_class.pad_token_id
    assert ours._ended([5, end, pad, pad]) == [5, end]
    assert ours._ended([5, 6]) == [5, 6]


def test_the_seed_decides_what_is_sampled(tmp_path: Path) -> None:
    drawn = []
    for seed in (1, 1, 2):
        ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path, seed=seed, max_steps=1)
        ours.train()
        drawn.append([str(completion) for completion in ours._logs["completion"]])
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_prompt_is_read_once_for_its_group_and_what_prompts_share_only_once(tmp_path: Path) -> None:
    keys = {"max_steps": 2, "per_device_train_batch_size": 2, "steps_per_generation": 2, "shuffle_dataset": False}
    ours = trainer_of(SharedPrefixGRPOTrainer, tmp_path, **keys)
    tokenizer = ours.processing_class
    ours.train()
    one, other = (
        len(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]) for row in rows(2)
    )
    shared = len(tokenizer(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n")["input_ids"])
    # Both prompts for the rollout and the first step; the weights have changed before the second, which is the other's.
    assert ours._kept.read == (one - 1) + (other - 1 - shared) + (other - 1)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"gradient_checkpointing": True}, "does not go with gradient_checkpointing; change that"),
        ({"use_transformers_continuous_batching": True}, "use_transformers_continuous_batching"),
    ],
)
def test_what_cannot_share_prompts_is_refused(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        trainer_of(SharedPrefixGRPOTrainer, tmp_path, **keys)


def test_dropout_is_refused(tmp_path: Path) -> None:
    model, tokenizer = tiny_model()
    args = GRPOConfig(str(tmp_path), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none")
    with pytest.raises(BadInput, match="set lora_dropout to 0"):
        SharedPrefixGRPOTrainer(
            model=model,
            reward_funcs=spread,
            args=args,
            train_dataset=rows(),
            processing_class=tokenizer,
            peft_config=LoraConfig(r=2, lora_dropout=0.1, target_modules=["q_proj"], task_type="CAUSAL_LM"),
        )
