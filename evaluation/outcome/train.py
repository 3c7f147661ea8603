"""Train a classifier of outcomes: fine-tune a BERT on dialogue acts, export it, fit the questions on what it says of each call.

Departures from SalesLLM's classifier (arXiv 2604.07054):
1. The encoder learns dialogue acts, not the class: some hundreds of calls with an outcome are too few to teach it the class.
2. Classes are asked for one after the other (`ordinal.py`), so that calls of which only a part is known count too.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.outcome.classifier import ABOUT, HEADS, fingerprint, fit_heads
from evaluation.outcome.dialogue import Dialogue
from evaluation.outcome.export import export
from evaluation.outcome.figures import Answers, Numbers, Truths, auc
from evaluation.outcome.finetune import Encoder, Recipe, learn_acts, prepare, vectors_of
from evaluation.outcome.tokens import Pairs
from evaluation.outcome.words import tfidf_chances
from graph.errors import BadInput

FEWEST = 60
"""Calls below which nothing is trained."""
Told = Callable[[str], None]


def train(dialogues: Sequence[Dialogue], base: Path, out: Path, recipe: Recipe, told: Told = lambda _: None) -> None:
    """Train on calls and write a classifier's folder.

    Args:
        dialogues: Calls whose class, or part of it, is known.
        base: Folder of the published encoder.
        out: Where the classifier goes.
        recipe: How the encoder is trained.
        told: Hears what is done next.

    Raises:
        BadInput: Too few calls, or only one class among them.
    """
    known = _usable(dialogues)
    pairs, encoder = Pairs(base / "tokenizer.json"), Encoder(base, recipe.kept, recipe.learning)
    told(f"{len(known)} calls; running the lower layers")
    prepared = prepare(encoder, pairs, known)
    told("fine-tuning the upper layers on dialogue acts")
    tuned, acts = learn_acts(encoder, pairs, prepared, range(len(known)), recipe)
    told("exporting")
    out.mkdir(parents=True, exist_ok=True)
    export(tuned, base / "tokenizer.json", (dialogue.text for dialogue in known), out)
    vectors = vectors_of(tuned, pairs, prepared, len(known))
    heads = fit_heads(known, vectors, acts, recipe.seed)
    if not heads.ordinal.steps:
        raise BadInput("Too few calls of any class but one; train on more calls")
    heads.save(out / HEADS)
    _write_about(out, base, known, recipe, [*(step.of for step in heads.ordinal.steps), heads.ordinal.last])


def cross_validate(
    dialogues: Sequence[Dialogue], base: Path, recipe: Recipe, folds: int = 5, told: Told = lambda _: None
) -> tuple[Answers, Answers]:
    """Answer every call by a classifier that has not seen it, and by TF-IDF with logistic regression, on the same folds.

    Args:
        dialogues: Calls of which is known whether they are a purchase.
        base: Folder of the published encoder.
        recipe: How it is trained; its seed also draws the folds.
        folds: So many.
        told: Hears the two AUCs after each fold.

    Returns:
        Answers of the classifier and of TF-IDF, to the same calls.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # type: ignore[import-untyped]

    known = _usable(dialogues)
    truth = np.array([dialogue.possible == ("A",) for dialogue in known])
    pairs, encoder = Pairs(base / "tokenizer.json"), Encoder(base, recipe.kept, recipe.learning)
    prepared = prepare(encoder, pairs, known)
    ours, theirs = np.zeros(len(known)), np.zeros(len(known))
    groups = [dialogue.group for dialogue in known]
    if len(set(groups)) == len(groups):
        splits = StratifiedKFold(folds, shuffle=True, random_state=recipe.seed).split(truth, truth)
    else:
        splits = StratifiedGroupKFold(folds, shuffle=True, random_state=recipe.seed).split(truth, truth, groups)
    for number, (train_rows, test_rows) in enumerate(splits, start=1):
        tuned, acts = learn_acts(encoder, pairs, prepared, list(train_rows), recipe)
        vectors = vectors_of(tuned, pairs, prepared, len(known))
        learnt = [known[row] for row in train_rows]
        heads = fit_heads(learnt, [vectors[row] for row in train_rows], acts, recipe.seed)
        held_out = [known[row] for row in test_rows]
        ours[test_rows] = heads.probabilities(held_out, [vectors[row] for row in test_rows])["A"]
        theirs[test_rows] = tfidf_chances(learnt, held_out)
        told(f"fold {number} of {folds}: {_shown(truth, ours, test_rows)} against {_shown(truth, theirs, test_rows)}")
    return Answers(truth, ours, tuple(groups)), Answers(truth, theirs, tuple(groups))


def _shown(truth: Truths, chance: Numbers, rows: NDArray[np.int64]) -> str:
    return f"{auc(Answers(truth[rows], chance[rows])):.3f}"


def _usable(dialogues: Sequence[Dialogue]) -> list[Dialogue]:
    known = [dialogue for dialogue in dialogues if dialogue.possible and dialogue.exchanges]
    if len(known) < FEWEST:
        raise BadInput(f"{len(known)} calls with an outcome are too few to train on; expected at least {FEWEST}")
    return known


def _write_about(out: Path, base: Path, known: Sequence[Dialogue], recipe: Recipe, classes: Sequence[str]) -> None:
    about = {
        "base": base.name,
        "languages": sorted({dialogue.language for dialogue in known}),
        "classes": list(classes),
        "recipe": asdict(recipe),
        "versions": {name: version(name) for name in ("torch", "transformers", "onnxruntime", "scikit-learn")},
        "trained_on": sorted({fingerprint(dialogue.group) for dialogue in known}),
    }
    (out / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
