"""Training for real, of a tiny encoder made up on the spot: it learns, is exported, and is read back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.outcome.classes import IntentClass
from evaluation.outcome.classifier import IntentClassifier
from evaluation.outcome.dialogue import Dialogue, Exchange
from evaluation.outcome.figures import auc
from graph.errors import BadInput

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
ANSWERS: dict[IntentClass, tuple[str, str]] = {
    "A": ("yes i buy it", "customer:agree"),
    "B": ("maybe later", "customer:delay"),
    "C": ("no i do not want it", "customer:refuse"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    pytest.importorskip("torch")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny")
    words = [
        "agent",
        "customer",
        ":",
        "yes",
        "i",
        "buy",
        "it",
        "maybe",
        "later",
        "no",
        "do",
        "not",
        "want",
        "hello",
        "would",
        "you",
        "like",
        "a",
        "lamp",
        "thing",
        "well",
    ]
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    return folder


def calls(count: int = 90) -> list[Dialogue]:
    source, made = np.random.default_rng(0), []
    for number in range(count):
        name = tuple(ANSWERS)[number % 3]
        said, act = ANSWERS[name]
        filler = " ".join(source.choice(["well", "a", "thing", "lamp"], 3))
        first = Exchange("hello", filler, 1, frozenset({"customer:filler"}))
        made.append(
            Dialogue(f"c{number}", "en", (first, Exchange("would you like it", said, 2, frozenset({act}))), (name,))
        )
    return made


def test_training_writes_a_classifier_that_tells_the_classes_apart(base: Path, tmp_path: Path) -> None:
    from evaluation.outcome.finetune import Recipe
    from evaluation.outcome.train import train

    train(calls(), base, tmp_path / "out", Recipe(kept=2, epochs=8))
    classifier = IntentClassifier(tmp_path / "out")
    verdicts = classifier.classify(calls(30))
    assert (
        np.mean([verdict.intent == call.possible[0] for verdict, call in zip(verdicts, calls(30), strict=True)]) > 0.9
    )
    assert classifier.languages == ["en"] and classifier.about["classes"] == ["A", "B", "C"]
    assert classifier.has_seen(calls()[0]) and not classifier.has_seen(Dialogue("c90", "en", ()))


def test_the_upper_layer_learns_and_the_lower_ones_stay(base: Path) -> None:
    from evaluation.outcome.finetune import Encoder, Recipe, learn_acts, prepare
    from evaluation.outcome.tokens import Pairs

    encoder, pairs = Encoder(base, 3, 1), Pairs(base / "tokenizer.json")
    prepared = prepare(encoder, pairs, calls())
    tuned, acts = learn_acts(encoder, pairs, prepared, range(90), Recipe(kept=3, epochs=1))
    before, after = encoder.state_dict(), tuned.state_dict()
    moved = {name.split(".")[0] for name in before if not bool((before[name] == after[name]).all())}
    assert moved == {"upper"}
    assert acts.names == ("customer:agree", "customer:delay", "customer:filler", "customer:refuse")


def test_calls_outside_the_training_rows_teach_no_act(base: Path) -> None:
    from evaluation.outcome.finetune import Encoder, Recipe, learn_acts, prepare
    from evaluation.outcome.tokens import Pairs

    encoder, pairs = Encoder(base, 2, 1), Pairs(base / "tokenizer.json")
    refusals = [number for number in range(90) if number % 3 == 2]
    _, acts = learn_acts(encoder, pairs, prepare(encoder, pairs, calls()), refusals, Recipe(kept=2, epochs=1))
    assert acts.names == ("customer:filler", "customer:refuse")


def test_cross_validation_answers_every_call_once_by_both_classifiers(base: Path) -> None:
    from evaluation.outcome.finetune import Recipe
    from evaluation.outcome.train import cross_validate

    told: list[str] = []
    ours, theirs = cross_validate(calls(), base, Recipe(kept=2, epochs=4), folds=3, told=told.append)
    assert len(told) == 3 and ((ours.chance > 0) & (ours.chance < 1)).all()
    assert auc(ours) > 0.95 and auc(theirs) > 0.95


def test_calls_with_the_same_customer_are_never_on_both_sides_of_a_fold(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evaluation.outcome import train as training
    from evaluation.outcome.finetune import Recipe

    seen: list[tuple[set[str], set[str]]] = []

    def watch(learnt: list[Dialogue], held_out: list[Dialogue]) -> np.ndarray:  # type: ignore[type-arg]
        seen.append(({call.group for call in learnt}, {call.group for call in held_out}))
        return np.full(len(held_out), 0.5)

    monkeypatch.setattr(training, "tfidf_chances", watch)
    shared = [replace(call, scenario=f"s{number // 9}") for number, call in enumerate(calls())]
    training.cross_validate(shared, base, Recipe(kept=2, epochs=1), folds=3)
    assert len(seen) == 3 and not any(learnt & held_out for learnt, held_out in seen)


def test_too_few_calls_are_refused(base: Path, tmp_path: Path) -> None:
    from evaluation.outcome.finetune import Recipe
    from evaluation.outcome.train import train

    with pytest.raises(BadInput, match="12 calls with an outcome are too few"):
        train(calls(12), base, tmp_path, Recipe())
