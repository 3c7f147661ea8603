"""AI-Salesman's Bayesian-supervised reasoning reward: is the thought sound, and does it lead to what the expert said?

    R_bayes = log P(thought | context) + log P(reference answer | context, thought)

Departures from the paper (arXiv 2511.12133), which gives the two terms and little else:
1. The prior is taken under the frozen reference model, the likelihood under the policy: under the policy the prior would reward
   whatever the policy says already. The paper does not name the models.
2. Means over tokens, not sums, or the shortest thought would win.
3. Two reward functions with weights of their own, so that each term is logged.
4. A value never falls below `FLOOR`, and a completion without a closed, non-empty thought gets exactly that. `None` would drop the
   term from its sum, and as both terms are negative, not thinking would then pay.
5. The answer's end-of-turn token is not scored: when to stop is a matter of the reply, which this reward does not read.
6. Only the sampled thought learns from it (REINFORCE); no gradient runs through log P(answer | thought).
"""

import json
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.utils import DistributedType  # type: ignore[import-untyped]
from trl.trainer.utils import use_adapter

from graph.errors import BadInput
from training.rewards.format import CLOSE, OPEN
from training.rewards.scoring import Item, PrefixCache, mean_logprobs

FLOOR = -8.0
"""Least value of either term, in nats a token; what real text gets from a model of this size is about -1 to -5."""
REFERENCE, TRAINED = "ref", "default"
"""Adapters by TRL's names: the frozen copy of one that training goes on from, and the one that is trained."""


@dataclass(frozen=True, slots=True)
class Thought:
    """A completion's thought as token ids."""

    sampled: tuple[int, ...]
    """Those that the policy drew, up to and including the one that completes the closing marker."""
    closed: tuple[int, ...]
    """The same text, ending exactly with the marker: the same ids, unless the last one reached into the reply."""


def find_thought(ids: Sequence[int], tokenizer: Any) -> Thought | None:
    """Return a completion's thought; None when there is none, an empty one, or one that never closes.

    Args:
        ids: The completion, with or without its end-of-turn token.
        tokenizer: The policy's.
    """

    def read(count: int) -> str:
        return str(tokenizer.decode(ids[:count]))

    text = read(len(ids))
    if CLOSE not in text or not text.lstrip().startswith(OPEN):
        return None
    if not text[text.index(OPEN) + len(OPEN) : text.index(CLOSE)].strip():
        return None
    count = bisect_left(range(len(ids)), True, key=lambda at: CLOSE in read(at))
    sampled = tuple(ids[:count])
    if read(count).rstrip().endswith(CLOSE):
        return Thought(sampled, sampled)
    rest = text[len(read(count - 1)) : text.index(CLOSE) + len(CLOSE)]
    return Thought(sampled, (*sampled[:-1], *tokenizer(rest, add_special_tokens=False)["input_ids"]))


class _Term(ABC):
    """One term; it scores with a trainer's models, so it is bound to the trainer before training starts.

    Args:
        batch: Completions of one group that are scored at once.
    """

    __name__: str

    def __init__(self, *, batch: int = 8) -> None:
        self.batch = batch
        self.prefixes = PrefixCache()
        self._trainer: Any = None

    def bind(self, trainer: Any) -> None:
        """Take a trainer's models.

        Raises:
            BadInput: The run shards its weights.
        """
        kind = trainer.accelerator.distributed_type
        stage: int = trainer.accelerator.deepspeed_plugin.zero_stage if kind == DistributedType.DEEPSPEED else 0
        if kind == DistributedType.FSDP or stage == 3:
            raise BadInput(
                f"Reward {self.__name__} scores with whole weights, and this run shards them ({kind.value}); "
                "train by DDP or DeepSpeed stage 2 (LoRA saves the memory), or leave the Bayesian rewards out."
            )
        self._trainer = trainer

    def __call__(
        self,
        prompts: Sequence[list[dict[str, str]]],
        completion_ids: Sequence[Sequence[int]],
        reference: Sequence[str],
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float | None]:
        """Return the term for each completion."""
        if self._trainer is None:
            raise BadInput(f"Reward {self.__name__} is bound to no trainer; call `bind(trainer)` before training.")
        tokenizer = self._trainer.processing_class
        thoughts = [find_thought(ids, tokenizer) for ids in completion_ids]
        contexts = self._contexts(prompts)
        items = {
            at: self._item(contexts[at], thought, reference[at])
            for at, thought in enumerate(thoughts)
            if thought is not None
        }
        with self._model() as model, self._trainer.accelerator.autocast():
            scored = mean_logprobs(model, list(items.values()), self.prefixes, batch=self.batch)
        found = dict(zip(items, scored, strict=True))
        if log_metric:
            log_metric(f"{self.__name__}/thoughts", len(found) / len(thoughts))
        return [max(found.get(at, FLOOR), FLOOR) for at in range(len(thoughts))]

    def _contexts(self, prompts: Sequence[list[dict[str, str]]]) -> list[tuple[int, ...]]:
        """Return prompts as the trainer feeds them to the policy; each is tokenised once."""
        trainer = self._trainer
        known: dict[str, tuple[int, ...]] = {}
        keys = [json.dumps(prompt) for prompt in prompts]
        for key, prompt in zip(keys, prompts, strict=True):
            if key not in known:
                known[key] = tuple(
                    trainer.processing_class.apply_chat_template(
                        prompt,
                        chat_template=trainer.chat_template,
                        add_generation_prompt=True,
                        tokenize=True,
                        return_dict=True,
                        **trainer.chat_template_kwargs,
                    )["input_ids"]
                )
        return [known[key] for key in keys]

    @abstractmethod
    def _item(self, context: tuple[int, ...], thought: Thought, reference: str) -> Item:
        """Return what is scored after what."""

    @abstractmethod
    def _model(self) -> Any:
        """Return a context in which the scoring model is ready."""


class BayesianPrior(_Term):
    """Score how likely the thought is to the frozen reference model: log P(thought | context), a mean over its tokens.

    The markers are scored with it. The reference is the policy as it was when the run began:
    with a new LoRA, the model with the adapter switched off; with one that was trained before (SFT), a frozen copy of it, as TRL
    keeps one with `beta` above 0. In full fine-tuning it is TRL's reference where there is one that stays frozen (`beta` above 0,
    not `sync_ref_model`); else an own copy of the weights, at the cost of their memory.

    Range: `FLOOR` to 0; `FLOOR` without a closed thought.

    Source: AI-Salesman (arXiv 2511.12133), first term of R_bayes.
    """

    __name__ = "bayesian_prior"

    def __init__(self, *, batch: int = 8) -> None:
        super().__init__(batch=batch)
        self._frozen: Any = None

    def bind(self, trainer: Any) -> None:
        """Take a trainer's reference model, or keep a copy of its policy as it is now: before anything was trained."""
        super().bind(trainer)
        policy = trainer.accelerator.unwrap_model(trainer.model)
        if hasattr(policy, "peft_config"):
            _keep_adapter(policy)
        else:
            kept = trainer.ref_model is not None and not trainer.args.sync_ref_model
            self._frozen = trainer.ref_model if kept else _copy(policy)
        if self._frozen is None or self._frozen is trainer.ref_model:
            # For the KL term, a trainer that shares prompts has read them under the reference already.
            self.prefixes = getattr(trainer, "reference_prefixes", None) or self.prefixes

    def _item(self, context: tuple[int, ...], thought: Thought, reference: str) -> Item:
        return Item(context, (), thought.sampled)

    @contextmanager
    def _model(self) -> Iterator[Any]:
        if self._frozen is not None:
            with _scoring(self._trainer.accelerator.unwrap_model(self._frozen)) as model:
                yield model
            return
        policy = self._trainer.accelerator.unwrap_model(self._trainer.model)
        if not hasattr(policy, "peft_config"):
            raise BadInput("Reward bayesian_prior has no frozen reference; bind it before training starts.")
        with _scoring(policy) as model, use_adapter(model, REFERENCE if REFERENCE in model.peft_config else None):
            yield model


class BayesianLikelihood(_Term):
    """Score how well the thought explains the expert: log P(reference answer | context, thought), a mean over its tokens.

    The answer is tokenised by itself and follows the thought's closing marker, as a reply does.

    Range: `FLOOR` to 0; `FLOOR` without a closed thought.

    Source: AI-Salesman (arXiv 2511.12133), second term of R_bayes.
    """

    __name__ = "bayesian_likelihood"

    def _item(self, context: tuple[int, ...], thought: Thought, reference: str) -> Item:
        answer = self._trainer.processing_class(reference.strip(), add_special_tokens=False)["input_ids"]
        return Item(context, thought.closed, tuple(answer))

    @contextmanager
    def _model(self) -> Iterator[Any]:
        # A trainer that shares prompts has read them under the present weights already, when it sampled.
        self.prefixes = getattr(self._trainer, "prefixes", None) or PrefixCache()
        with _scoring(self._trainer.accelerator.unwrap_model(self._trainer.model)) as model:
            yield model


@contextmanager
def _scoring(model: Any) -> Iterator[Any]:
    """Switch dropout off while a model scores."""
    was = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was)


def _keep_adapter(policy: Any) -> None:
    """Keep a frozen copy of an adapter that was trained before, where there is none yet."""
    weights = {name: weight for name, weight in policy.named_parameters() if f".{TRAINED}." in name}
    trained = any(bool(weight.any()) for name, weight in weights.items() if "lora_B" in name)
    if trained and REFERENCE not in policy.peft_config:
        policy.add_adapter(REFERENCE, policy.peft_config[TRAINED])
        for name, weight in weights.items():
            policy.get_parameter(name.replace(f".{TRAINED}.", f".{REFERENCE}.")).data.copy_(weight.data)


def _copy(model: Any) -> Any:
    """Return a frozen model with the same weights.

    It is built anew: TRL replaces `forward` by a closure over the policy, which `deepcopy` would carry along, and the copy
    would silently score with the policy's weights.
    """
    with torch.random.fork_rng():
        copy = type(model)(deepcopy(model.config))
    copy.load_state_dict(model.state_dict())
    return copy.to(device=model.device, dtype=model.dtype).requires_grad_(False).eval()
