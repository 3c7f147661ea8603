"""Scores of a reward model that `salesman train reward-model` made, and the one way in which it reads a reply."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from trl.trainer.reward_trainer import suppress_seqcls_warning
from typing_extensions import TypedDict

from evaluation.outcome.base import MINILM, base_encoder
from graph.errors import BadInput
from graph.settings import Settings
from training.models import weights_of
from training.rewards.format import Completion, spoken_of
from training.run_file import ADAPTER, MODEL

FILE = "reward.json"
LIMIT = 5.0
"""Standard deviations beyond which a score is cut: further out, a reward model guesses."""


class Scale(TypedDict):
    """What stands in a reward model's folder beside its weights."""

    most_tokens: int
    """Longest text; what is longer loses its beginning."""
    mean: float
    """Of the scores of held-out replies, good and bad alike."""
    deviation: float
    """Their standard deviation."""
    reliability: float
    """How surely the model tells held-out pairs right, 0 (it may as well guess) to 1; see `reliability`."""


def reliability(accuracy: float | None) -> float:
    """Return how much of a reward model's score is to be believed, 0 to 1: Somers' D of its held-out pairs.

    Args:
        accuracy: Share of held-out pairs that it surely tells right, the lower end of the interval; None where that is not known.
    """
    return 0.0 if accuracy is None else max(0.0, 2 * accuracy - 1)


def tokens_of(tokenizer: Any, prompt: Sequence[dict[str, str]], reply: str, most: int) -> list[int]:
    """Return what a reward model reads: the talk without the system message, and the reply last.

    The system message is the same for good and bad replies of a call, and would fill an encoder's window.

    Args:
        tokenizer: Of `reader_of`; with a chat template (causal models), or without (encoders: the talk and the reply as a pair).
        prompt: As in rows.
        reply: Without a thought.
        most: Tokens. The talk loses its beginning; a reply loses its own only where it takes more than half of them.

    Returns:
        Token ids, at most `most`.
    """
    talk = [dict(message) for message in prompt if message["role"] != "system"]
    if tokenizer.chat_template:
        said = [*talk, {"role": "assistant", "content": reply}]
        ids = tokenizer.apply_chat_template(said, tokenize=True, return_dict=True)["input_ids"]
        return list(ids[-most:])
    before = "\n".join(message["content"] for message in talk)
    return list(tokenizer(before, reply, truncation="longest_first", max_length=most)["input_ids"])


class PreferenceReward:
    """Score a reply by a trained reward model, in standard deviations from its mean over held-out replies, times its reliability.

    A model that was hardly trained, or on too few pairs, guesses, and a policy would learn to please its guesses. So scores are shrunk
    towards the mean, by how surely the model tells held-out pairs right: one that does no better than chance says nothing.

    Range: -5 to 5, mostly -2 to 2 times the reliability; above 0: better than the replies that the model was tested on; -5 without a
    reply, which it has never seen.

    Source: the reward model of REPO (arXiv 2510.04214), which does not say how its scores are centred; Bradley-Terry leaves their
    zero open, and REPO's formula needs one. The shrinking is Kelley's (Fundamentals of Statistics, 1947) with Somers' D for the
    reliability, and ours.

    Args:
        folder: A run of `salesman train reward-model`.
        settings: Where the base model's weights lie.
        batch: Replies that are scored at once.

    Raises:
        BadInput: The folder holds no reward model.
    """

    __name__ = "preference"

    def __init__(self, folder: Path, settings: Settings, *, batch: int = 8) -> None:
        self.batch = batch
        self.model, self.tokenizer, self.scale = load_reward_model(folder, settings)

    def bind(self, trainer: Any) -> None:
        """Move to where the trainer's policy is."""
        self.model.to(trainer.accelerator.device)

    def __call__(
        self, prompts: Sequence[list[dict[str, str]]], completions: Sequence[Completion], **_: Any
    ) -> list[float | None]:
        """Return each reply's score."""
        replies = [spoken.reply for spoken in spoken_of(completions)]
        texts = [
            tokens_of(self.tokenizer, prompt, reply, self.scale["most_tokens"])
            for prompt, reply in zip(prompts, replies, strict=True)
        ]
        raw = raw_scores(self.model, texts, self.tokenizer.pad_token_id, batch=self.batch)
        mean, deviation = self.scale["mean"], max(self.scale["deviation"], 1e-6)
        scores = [max(-LIMIT, min(LIMIT, (score - mean) / deviation)) for score in raw]
        believed = self.scale["reliability"]
        return [believed * score if reply else -LIMIT for score, reply in zip(scores, replies, strict=True)]


def raw_scores(model: Any, texts: Sequence[list[int]], pad: int, *, batch: int = 8) -> list[float]:
    """Return a reward model's scores, without dropout.

    Args:
        model: With one output.
        texts: Token ids; see `tokens_of`.
        pad: The padding token.
        batch: Texts at once.
    """
    scores: list[float] = []
    was = model.training
    model.eval()
    with torch.no_grad():
        for start in range(0, len(texts), batch):
            part = [torch.tensor(ids) for ids in texts[start : start + batch]]
            ids = torch.nn.utils.rnn.pad_sequence(part, batch_first=True, padding_value=pad)
            mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(one) for one in part], batch_first=True)
            logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
            scores += logits[:, 0].float().tolist()
    model.train(was)
    return scores


def load_reward_model(folder: Path, settings: Settings) -> tuple[Any, Any, Scale]:
    """Load a reward model, its tokenizer and its scale.

    Raises:
        BadInput: The folder holds none, or one that was not measured yet.
    """
    path = folder / FILE
    if not path.is_file():
        raise BadInput(f"Folder {folder} holds no reward model ({FILE}); make one with `salesman train reward-model`.")
    scale: Scale = json.loads(path.read_text(encoding="utf-8"))
    return *load_weights(folder, settings), scale


def load_weights(folder: Path, settings: Settings) -> tuple[Any, Any]:
    """Load what `salesman train reward-model` trained: all weights, or a LoRA on its base.

    Returns:
        The model in float32 and evaluation mode, without gradients, and its tokenizer.
    """
    weights: Path | str = folder / MODEL
    adapter = (folder / ADAPTER).is_dir()
    if adapter:
        weights = base_weights(PeftConfig.from_pretrained(str(folder / ADAPTER)).base_model_name_or_path, settings)
    with suppress_seqcls_warning():
        model = AutoModelForSequenceClassification.from_pretrained(weights, num_labels=1, dtype=torch.float32)
    if adapter:
        model = PeftModel.from_pretrained(model, folder / ADAPTER)
    tokenizer = reader_of(folder / (ADAPTER if adapter else MODEL))
    model.config.pad_token_id = tokenizer.pad_token_id
    return model.eval().requires_grad_(False), tokenizer


def reader_of(weights: Path | str) -> Any:
    """Load a reward model's tokenizer; the score is read at the end, so it pads there, and cuts the beginning."""
    return AutoTokenizer.from_pretrained(weights, padding_side="right", truncation_side="left")


def base_weights(name: str, settings: Settings) -> Path | str:
    """Return what a reward model is made from: an encoder's folder for `all-minilm-l6-v2`, else as `weights_of` does."""
    return base_encoder(name, settings.cache) if name == MINILM else weights_of(name, settings)
