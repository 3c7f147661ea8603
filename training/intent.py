"""The intent classifier, fine-tuned: a small BERT with context that `understand` can use in place of the linear head.

Departures from SalesLLM's intent classifier (arXiv 2604.07054), which reads a whole call and names one class of its end:
1. A line with what was said before it is read, and its dialogue act is named, as every turn of a call needs.
2. The stage is not read: recorded calls have none, and what moves the stage is this very answer.
3. Rare intents are weighed by logit adjustment (Menon et al., ICLR 2021, eq. 10), which leaves the answer a probability.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from torch.nn import functional
from transformers import AutoConfig, AutoModelForSequenceClassification, Trainer, TrainingArguments

from evaluation.intent import HeldOut, find_campaign, read_held_out
from evaluation.outcome.base import MINILM, base_encoder
from graph.errors import BadInput
from graph.settings import Settings
from nodes.intent_data import campaign_examples
from nodes.intent_encoder import INPUTS, encoder_key
from nodes.intent_features import Example
from scripts_library.persuasion import ANNOTATED, CAMPAIGNS
from serving.embed import load_embedder
from training.intent_compare import compare, serve, told_of
from training.intent_encoder import encoded, export_classifier, pair_tokenizer
from training.recipes import read_recipe
from training.run_file import MODEL, RunFile, conduct

CLASSIFIER = "classifier"
"""In the run's folder: what runs in calls."""
FEWEST = 50
"""Examples below which nothing is trained."""
Told = Callable[[str], None]


@dataclass
class IntentRecipe:
    """Our keys of a recipe for the intent classifier."""

    campaign: str = field(default="save_the_children", metadata={"help": "Whose intents are learnt."})
    data: str = field(
        default="",
        metadata={
            "help": "Labelled lines to test on, as for `salesman evaluate intent`; by default the campaign's recorded calls."
        },
    )
    encoder: str = field(
        default=MINILM,
        metadata={"help": "all-minilm-l6-v2 (English), a folder, or a hub name, e.g. of a multilingual encoder."},
    )
    layers: int = field(default=6, metadata={"help": "Lower layers of the encoder that are used; all of them learn."})
    longest: int = field(default=96, metadata={"help": "Tokens of context and line together; the ends stay."})
    balance: float = field(
        default=0.4, metadata={"help": "How far an intent's frequency is taken out of the answer: 0 none, 1 all."}
    )
    held_back: float = field(default=0.1, metadata={"help": "Share of the calls kept from training, to calibrate by."})
    max_examples: int = field(default=0, metadata={"help": "Use so many of the examples, evenly spread; 0: all."})
    ask_model: int = field(
        default=0, metadata={"help": "Ask the agent's model too, for so many of the test lines; 0: none."}
    )
    serve: bool = field(default=False, metadata={"help": "Use it in this home's calls, if it beats the linear head."})


def train_intent(
    config: Path | None, arguments: Sequence[str], settings: Settings, told: Told = lambda _: None
) -> RunFile:
    """Train a classifier, or go on with the run in the output folder; measure it beside the linear head.

    Args:
        config: Recipe.
        arguments: `--key value` pairs, which win over it.
        settings: Where weights and campaigns lie.
        told: Hears what is done.

    Returns:
        The finished run; `classifier` (its size, and what eight bits cost) and `results` stand in its record.

    Raises:
        BadInput: A bad recipe, unusable data or an encoder unlike BERT.
        ModelUnavailable: The encoder cannot be fetched.
    """
    recipe, of_trainer, given = read_recipe(config, arguments, IntentRecipe, TrainingArguments)
    data = find_campaign(recipe.campaign, settings)
    path = Path(recipe.data) if recipe.data else CAMPAIGNS / recipe.campaign / "data" / ANNOTATED
    if not path.is_file():
        raise BadInput(f"{path} does not exist; name a file of labelled lines to test on by `data`.")
    held_out = read_held_out(path, data)
    train, held_back = divide(held_out.train or campaign_examples(data), recipe.held_back, recipe.max_examples)
    base = base_encoder(recipe.encoder, settings.cache)
    run = RunFile.open(Path(of_trainer.output_dir), "intent", given, [path])
    embedder = load_embedder(settings)
    if not run.finished:
        told(f"{len(train)} examples to learn from, {len(held_back)} held back, {len(held_out.test)} lines to test on")
        _fine_tune(recipe, of_trainer, base, train, held_back, run)
    if "classifier" not in run.about:
        model = AutoModelForSequenceClassification.from_pretrained(run.folder / MODEL, attn_implementation="eager")
        exported = export_classifier(
            model, base / "tokenizer.json", recipe.longest, train, held_back, encoder_key(data), embedder,
            run.folder / CLASSIFIER,
        )  # fmt: skip
        told(f"{exported['bits']} bits, {exported['bytes'] / 2**20:.1f} MiB")
        run.write(classifier=exported)
    if "results" not in run.about:
        told("measuring on the held-out lines, beside the linear head")
        compared = HeldOut(held_out.test, [*train, *held_back])
        run.write(results=compare(run.folder / CLASSIFIER, data, compared, settings, recipe.ask_model))
    for line in told_of(run.about["results"]):
        told(line)
    if recipe.serve and run.about["results"]["beats_head"]:
        told(f"served from the next start on: {serve(run.folder / CLASSIFIER, settings.home)}")
    return run


def divide(examples: Sequence[Example], share: float, most: int) -> tuple[list[Example], list[Example]]:
    """Part examples into those to learn from and those to calibrate by; calls stay whole.

    Args:
        examples: Labelled lines.
        share: Of those to calibrate by, 0–1.
        most: So many are used, evenly spread; 0: all.

    Raises:
        BadInput: Too few, or of one intent only.
    """
    most = min(most or len(examples), len(examples))
    used = [examples[place * len(examples) // most] for place in range(most)]
    calls = sorted({one.group or one.text for one in used}, key=lambda name: hashlib.sha256(name.encode()).digest())
    apart = set(calls[: round(share * len(calls))])
    train = [one for one in used if (one.group or one.text) not in apart]
    held_back = [one for one in used if (one.group or one.text) in apart]
    if len(train) < FEWEST or not held_back or len({one.intent for one in train}) < 2:
        raise BadInput(
            f"{len(train)} examples to learn from and {len(held_back)} to calibrate by are too few; expected at least "
            f"{FEWEST} and 1, of two intents or more."
        )
    known = {one.intent for one in train}
    return train, [one for one in held_back if one.intent in known]


def balanced_loss(counts: Sequence[int], balance: float) -> Callable[..., torch.Tensor]:
    """Return the logit-adjusted cross entropy.

    Args:
        counts: Examples of each intent, in the order of the logits.
        balance: τ, 0–1.

    Source: Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, eq. 10.
    """
    prior = balance * torch.log(torch.tensor(counts, dtype=torch.float32) / sum(counts))

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        return functional.cross_entropy(outputs["logits"].float() + prior.to(labels.device), labels)

    return loss


def _fine_tune(
    recipe: IntentRecipe,
    of_trainer: TrainingArguments,
    base: Path,
    train: Sequence[Example],
    held_back: Sequence[Example],
    run: RunFile,
) -> None:
    counts = Counter(one.intent for one in train)
    intents = sorted(counts)
    torch.manual_seed(of_trainer.seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        base,
        num_labels=len(intents),
        id2label=dict(enumerate(intents)),
        label2id={name: place for place, name in enumerate(intents)},
        num_hidden_layers=min(recipe.layers, AutoConfig.from_pretrained(base).num_hidden_layers),
        attn_implementation="eager",
    )
    model.get_input_embeddings().weight.requires_grad_(False)
    content = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    pairs = pair_tokenizer(content, model.config.type_vocab_size, recipe.longest)
    padding = model.config.pad_token_id

    def collate(rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        width = max(len(row[INPUTS[0]]) for row in rows)
        fill = dict(zip(INPUTS, (padding, 0, 0), strict=True))
        batch = {
            name: torch.tensor([row[name] + [fill[name]] * (width - len(row[name])) for row in rows]) for name in INPUTS
        }
        return batch | {"labels": torch.tensor([row["labels"] for row in rows])}

    def rows_of(examples: Sequence[Example]) -> Dataset:
        read = encoded(pairs, examples)
        return Dataset.from_list(
            [{**row, "labels": intents.index(one.intent)} for row, one in zip(read, examples, strict=True)]
        )

    trainer = Trainer(
        model=model,
        args=of_trainer,
        train_dataset=rows_of(train),
        eval_dataset=rows_of(held_back) if of_trainer.eval_strategy != "no" else None,
        data_collator=collate,
        compute_loss_func=balanced_loss([counts[name] for name in intents], recipe.balance),
    )
    conduct(trainer, run, recipe.encoder)
