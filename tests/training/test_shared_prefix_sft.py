from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

from tests.training.tiny import Kind, tiny_model
from training.shared_prefix_sft import SharedPrefixSFTTrainer, _parted

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
SYSTEM = {"role": "system", "content": "You sell green tea to people who like it. Be short and honest."}
SAID = [
    ("How much?", "Two."),
    ("Is it organic, and where from?", "Yes, from Japan."),
    ("No.", "I see."),
    ("Hm.", "Try it!"),
]


def trainer_of(cls: Any, folder: Path, kind: Kind = "qwen2", *, lora: bool = True, **keys: Any) -> Any:
    model, tokenizer = tiny_model(kind)
    own = {name: keys.pop(name) for name in ("prefix_gradient",) if name in keys}
    args = SFTConfig(
        **{
            "output_dir": str(folder),
            "per_device_train_batch_size": 4,
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
    rows = [
        {"prompt": [SYSTEM, {"role": "user", "content": one}], "completion": [{"role": "assistant", "content": other}]}
        for one, other in SAID * 2
    ]
    peft = LoraConfig(r=4, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM")
    return cls(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=peft if lora else None,
        **own,
    )


@pytest.mark.parametrize(
    ("kind", "lora", "keys", "why"),
    [
        ("qwen2", True, {}, "replies of different lengths"),
        ("llama", False, {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}, "micro-batches"),
        ("qwen2", False, {"max_length": 120}, "replies that are cut short or cut off"),
    ],
)
def test_training_with_exact_gradients_ends_where_trls_ends(
    tmp_path: Path, kind: Kind, lora: bool, keys: dict[str, Any], why: str
) -> None:
    ours = trainer_of(SharedPrefixSFTTrainer, tmp_path, kind, lora=lora, prefix_gradient=True, **keys)
    theirs = trainer_of(SFTTrainer, tmp_path, kind, lora=lora, **keys)
    before = {name: value.detach().clone() for name, value in ours.model.named_parameters()}
    for trainer in (ours, theirs):
        trainer.train()
    other = dict(theirs.model.named_parameters())
    for name, one in ours.model.named_parameters():
        assert (one - other[name]).norm() <= 0.02 * (other[name] - before[name]).norm(), f"{name}: {why}"
    lines = [[line for line in trainer.state.log_history if "loss" in line] for trainer in (ours, theirs)]
    for name in ("loss", "grad_norm", "mean_token_accuracy", "entropy"):
        assert [line[name] for line in lines[0]] == pytest.approx([line[name] for line in lines[1]], rel=1e-3), name


def test_without_the_prompts_gradient_the_loss_stays_and_every_parameter_moves(tmp_path: Path) -> None:
    ours = trainer_of(SharedPrefixSFTTrainer, tmp_path, lora=False, max_steps=1)
    theirs = trainer_of(SFTTrainer, tmp_path, lora=False, max_steps=1)
    before = {name: value.clone() for name, value in ours.model.named_parameters()}
    for trainer in (ours, theirs):
        trainer.train()
    first, second = (trainer.state.log_history[0] for trainer in (ours, theirs))
    assert first["loss"] == pytest.approx(second["loss"], rel=1e-4)
    assert first["grad_norm"] != pytest.approx(second["grad_norm"], rel=1e-2)
    assert [name for name, value in ours.model.named_parameters() if value.equal(before[name])] == []


def test_rows_are_laid_out_with_prompts_on_the_left_wherever_they_were_padded() -> None:
    ids = torch.tensor([[1, 2, 3, 4, 0], [0, 0, 5, 6, 7], [8, 9, 0, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [0, 0, 1, 1, 1], [1, 1, 0, 0, 0]])
    labels = torch.tensor([[-100, -100, 3, 4, -100], [-100, -100, -100, -100, 7], [-100] * 5])
    laid, shown, before = _parted(ids, mask, labels)
    assert before == 2
    assert laid.tolist() == [[1, 2, 3, 4], [5, 6, 7, 0], [8, 9, 0, 0]]
    assert shown.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]]
