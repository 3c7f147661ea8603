"""The two Bayesian terms equal plain forward passes, with full fine-tuning and with LoRA."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.utils import DistributedType
from datasets import Dataset
from peft import LoraConfig
from trl import GRPOConfig, GRPOTrainer

from graph.errors import BadInput
from tests.training.tiny import END, Kind, save_tiny, tiny_tokenizer
from training.rewards.bayesian import FLOOR, BayesianLikelihood, BayesianPrior, find_thought
from training.rewards.scoring import PrefixCache

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # PEFT asks by the old name.

PROMPT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "I am worried."}]
OTHER = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "How much is it?"}]
THOUGHT = "<think>calm her</think>"


def encode(text: str) -> list[int]:
    return list(tiny_tokenizer()(text, add_special_tokens=False)["input_ids"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each kind."""
    return {kind: save_tiny(tmp_path_factory.mktemp(kind), kind) for kind in ("qwen2", "llama")}


def trainer_of(folder: Path, out: Path, *, lora: bool, beta: float = 0.0, padding: str = "left") -> Any:
    """Build a trainer whose policy is no longer what it was: what is trained was moved."""
    args = GRPOConfig(
        output_dir=str(out), use_cpu=True, bf16=False, per_device_train_batch_size=2, num_generations=2, beta=beta,
        report_to="none", activation_checkpointing=True,
    )  # fmt: skip
    peft = LoraConfig(r=4, lora_dropout=0.5, target_modules="all-linear") if lora else None
    tokenizer = tiny_tokenizer()
    tokenizer.padding_side = padding
    rows = Dataset.from_list([{"prompt": PROMPT}])
    return GRPOTrainer(str(folder), lambda **_: [0.0], args, rows, processing_class=tokenizer, peft_config=peft)


def move(trainer: Any) -> None:
    """Change what is trained, as a step would."""
    with torch.no_grad():
        torch.manual_seed(1)
        for parameter in trainer.model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn_like(parameter)


def plain(model: Any, prompt: list[dict[str, str]], given: str, target: str) -> float:
    """Score by one forward pass over one text, without any sharing."""
    tokenizer = tiny_tokenizer()
    start = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
    before, scored = [*start, *encode(given)], encode(target)
    model.eval()
    with torch.no_grad():
        chances = model(input_ids=torch.tensor([before + scored])).logits[0].log_softmax(-1)
    return float(torch.stack([chances[len(before) + at - 1, token] for at, token in enumerate(scored)]).mean())


COMPLETIONS = [
    THOUGHT + "I hear you." + END,
    "<think>price</think>",
    "Hello." + END,
    "<think>on and",
    "<think></think>Hi",
]
PROMPTS = [PROMPT, PROMPT, PROMPT, OTHER, OTHER]
REFERENCES = ["That is fair.", "That is fair.", "That is fair.", "It is free.", "It is free."]


def score(reward: Any) -> list[float]:
    ids = [encode(text) for text in COMPLETIONS]
    return list(reward(prompts=PROMPTS, completion_ids=ids, reference=REFERENCES, completions=COMPLETIONS))


@pytest.mark.parametrize("kind", ["qwen2", "llama"])
@pytest.mark.parametrize(("lora", "beta"), [(False, 0.0), (False, 0.1), (True, 0.0)])
def test_both_terms_equal_plain_forward_passes_and_the_prior_stays_with_the_reference(
    kind: Kind, lora: bool, beta: float, folder: dict[str, Path], tmp_path: Path
) -> None:
    trainer = trainer_of(folder[kind], tmp_path, lora=lora, beta=beta, padding="left" if lora else "right")
    prior, likelihood = BayesianPrior(), BayesianLikelihood()
    prior.bind(trainer)
    likelihood.bind(trainer)
    before = score(prior)
    move(trainer)
    trainer.model.train()

    assert score(prior) == pytest.approx(before, abs=1e-6), "the reference is frozen"
    found = score(likelihood)
    assert trainer.model.training, "the policy trains on with dropout"

    reference = trainer_of(folder[kind], tmp_path, lora=False).model
    policy = trainer.model
    assert before[:2] == pytest.approx(
        [plain(reference, PROMPT, "", THOUGHT), plain(reference, PROMPT, "", "<think>price</think>")], abs=1e-4
    )
    assert found[:2] == pytest.approx(
        [plain(policy, PROMPT, one, "That is fair.") for one in (THOUGHT, "<think>price</think>")], abs=1e-4
    )
    assert abs(found[0] - plain(reference, PROMPT, THOUGHT, "That is fair.")) > 1e-3, "the policy has moved away"
    assert before[2:] == found[2:] == [FLOOR] * 3, "no thought, none that closes, an empty one"


def test_the_reference_of_an_adapter_that_was_trained_before_is_that_adapter(
    folder: dict[str, Path], tmp_path: Path
) -> None:
    trainer = trainer_of(folder["qwen2"], tmp_path, lora=True)
    move(trainer)
    began = plain(trainer.model, PROMPT, "", THOUGHT)
    prior = BayesianPrior()
    prior.bind(trainer)
    move(trainer)
    assert score(prior)[0] == pytest.approx(began, abs=1e-4)
    base = trainer_of(folder["qwen2"], tmp_path, lora=False).model
    assert abs(plain(trainer.model, PROMPT, "", THOUGHT) - began) > 1e-3, "the policy has moved on"
    assert abs(plain(base, PROMPT, "", THOUGHT) - began) > 1e-3, "and it did not begin as the base"
    assert not any(weight.requires_grad for name, weight in trainer.model.named_parameters() if ".ref." in name)


def test_prompts_that_the_trainer_has_read_for_sampling_are_not_read_again(
    folder: dict[str, Path], tmp_path: Path
) -> None:
    trainer = trainer_of(folder["qwen2"], tmp_path, lora=False)
    likelihood = BayesianLikelihood()
    likelihood.bind(trainer)
    alone = score(likelihood)
    trainer.prefixes = PrefixCache()
    assert score(likelihood) == alone
    read = trainer.prefixes.read
    assert score(likelihood) == alone
    assert trainer.prefixes.read == read > 0


@pytest.mark.parametrize("lora", [True, False])
def test_while_training_the_priors_stay_and_the_likelihoods_follow_the_policy(
    lora: bool, folder: dict[str, Path], tmp_path: Path
) -> None:
    """Completions are given: thoughts of two kinds, so that the group has something to learn."""

    class Given(GRPOTrainer):  # type: ignore[misc]
        def _generate_single_turn(self, prompt_ids: Any, *_: Any, **__: Any) -> Any:
            return [encode(COMPLETIONS[at % 2]) for at in range(len(prompt_ids))], None

    args = GRPOConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, per_device_train_batch_size=2, num_generations=2, beta=0.0,
        report_to="none", max_steps=3, logging_steps=1, learning_rate=0.05, reward_weights=[1.0, 1.0], disable_tqdm=True,
        lr_scheduler_type="constant", save_strategy="no",
    )  # fmt: skip
    rows = Dataset.from_list([{"prompt": PROMPT, "reference": "That is fair."}] * 4)
    peft = LoraConfig(r=4, target_modules="all-linear") if lora else None
    rewards = [BayesianPrior(), BayesianLikelihood()]
    trainer = Given(str(folder["llama"]), rewards, args, rows, processing_class=tiny_tokenizer(), peft_config=peft)
    for reward in rewards:
        reward.bind(trainer)
    trainer.train()
    logs = trainer.state.log_history[:3]
    reference = trainer_of(folder["llama"], tmp_path, lora=False).model
    expected = sum(plain(reference, PROMPT, "", one) for one in (THOUGHT, "<think>price</think>")) / 2
    assert [log["rewards/bayesian_prior/mean"] for log in logs] == pytest.approx([expected] * 3, abs=1e-4)
    assert [log["bayesian_prior/thoughts"] for log in logs] == [1.0] * 3
    likelihoods = [log["rewards/bayesian_likelihood/mean"] for log in logs]
    assert abs(likelihoods[0] - likelihoods[2]) > 1e-3


def test_the_policy_is_never_scored_in_the_references_place(folder: dict[str, Path], tmp_path: Path) -> None:
    trainer = trainer_of(folder["qwen2"], tmp_path, lora=False)
    prior = BayesianPrior()
    with pytest.raises(BadInput, match="bound to no trainer"):
        score(prior)
    prior.bind(trainer)
    prior._frozen = None
    with pytest.raises(BadInput, match="no frozen reference"):
        score(prior)


def test_sharded_weights_are_refused(folder: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(folder["qwen2"], tmp_path, lora=False)
    monkeypatch.setattr(type(trainer.accelerator), "distributed_type", DistributedType.FSDP)
    with pytest.raises(BadInput, match="bayesian_likelihood scores with whole weights"):
        BayesianLikelihood().bind(trainer)


def test_a_token_that_reaches_from_the_marker_into_the_reply_is_cut() -> None:
    class Words:
        """A tokenizer whose token 2 is the marker's end and the reply's beginning at once."""

        signs = ("<think>hm</", "think", ">Hi", " you", "think>")

        def decode(self, ids: list[int]) -> str:
            return "".join(self.signs[one] for one in ids)

        def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
            return {"input_ids": [100 + len(text)]}

    found = find_thought([0, 1, 2, 3], Words())
    assert found is not None
    assert found.sampled == (0, 1, 2)
    assert found.closed == (0, 1, 101)
    whole = find_thought([0, 4, 3], Words())
    assert whole is not None
    assert whole.sampled == whole.closed == (0, 4)


@pytest.mark.parametrize(("lora", "beta"), [(True, 0.0), (False, 0.1), (False, 0.0)])
def test_nor_are_those_that_were_read_under_the_reference_unless_the_frozen_copy_is_another(
    lora: bool, beta: float, folder: dict[str, Path], tmp_path: Path
) -> None:
    trainer = trainer_of(folder["qwen2"], tmp_path, lora=lora, beta=beta)
    trainer.reference_prefixes = PrefixCache()
    prior = BayesianPrior()
    prior.bind(trainer)
    before = score(prior)
    read = trainer.reference_prefixes.read
    assert score(prior) == before
    assert trainer.reference_prefixes.read == read
    assert (read > 0) == (lora or beta > 0)
