"""The fine-tuned intent classifier learns, is exported as it was trained, and is served only where it is better."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoModelForSequenceClassification, BertConfig, BertModel

from evaluation.intent import HeldOut, Measured, find_campaign
from graph.errors import BadInput
from graph.settings import Settings, get_settings
from nodes.intent_encoder import EncoderIntentModel, encoder_key, find_encoder, read_about, texts_of
from nodes.intent_features import Example
from nodes.intent_model import load_intent_model
from serving.embed import load_embedder
from training import intent_compare, intent_encoder
from training.intent import CLASSIFIER, balanced_loss, divide, train_intent
from training.intent_compare import compare, serve, told_of
from training.intent_encoder import encoded, export_classifier, pair_tokenizer
from training.run_file import RUN

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
WORDS = [
    "yes",
    "i",
    "buy",
    "it",
    "no",
    "not",
    "do",
    "want",
    "how",
    "much",
    "is",
    "the",
    "price",
    "well",
    "hello",
    "you",
    "like",
    "lamp",
    ".",
    "?",
    "/",
]
LINES = {
    "agree": ["yes i buy it", "i want it", "yes i do", "yes i like the lamp"],
    "refuse": ["no i do not", "i do not want it", "no", "not the lamp no"],
    "price_question": ["how much is it", "how much is the lamp ?", "the price ?", "is the price much ?"],
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers, and a tokenizer that knows a few words."""
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled lines of the campaign `lantern_local` that are none of its examples."""
    path = tmp_path_factory.mktemp("lines") / "lines.csv"
    data = find_campaign("lantern_local", get_settings())
    rows = [
        ("en", intent.name, f"well, {line} you know") for intent in data.intents for line in intent.examples["en"][:2]
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("language", "intent", "text"), *rows])
    return path


def toys(repeated: int) -> list[Example]:
    """Return lines whose words tell their intent, each a call of its own."""
    return [
        Example(line, intent, "would you like a lamp ?", turn=1 + number % 3, group=f"{intent}-{place}-{number}")
        for number in range(repeated)
        for intent, said in LINES.items()
        for place, line in enumerate(said)
    ]


def run_tiny(base: Path, lines: Path, out: Path, *more: str) -> dict[str, Any]:
    given = ["--campaign", "lantern_local", "--data", str(lines), "--encoder", str(base), "--output_dir", str(out)]
    told: list[str] = []
    run = train_intent(
        CONFIGS / "intent_tiny.yaml", [*given, "--report_to", "none", *more], get_settings(), told.append
    )
    assert told[-1].endswith("better than the linear head")
    return run.about


def test_a_run_learns_exports_measures_and_is_not_done_twice(base: Path, lines: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    about = run_tiny(base, lines, out)
    assert about["trainer"] == "intent"
    results = about["results"]
    assert results["encoder"]["n"] == results["head"]["n"] == len(lines.read_text().splitlines()) - 1
    for who in ("encoder", "head"):
        low, high = results[who]["accuracy_interval"]
        assert low <= results[who]["accuracy"] <= high
    less = results["encoder"]["accuracy"] - results["head"]["accuracy"]
    assert results["less_head"]["accuracy"]["value"] == pytest.approx(less, abs=1e-3)
    assert about["classifier"]["bytes"] == sum(path.stat().st_size for path in (out / CLASSIFIER).iterdir())
    before = (out / RUN).read_bytes()
    assert run_tiny(base, lines, out) == json.loads(before)
    assert (out / RUN).read_bytes() == before


def test_every_parameter_that_learns_moves_and_no_other(base: Path, lines: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run_tiny(base, lines, out, "--learning_rate", "0.01", "--warmup_steps", "0", "--layers", "2")
    after = dict(AutoModelForSequenceClassification.from_pretrained(out / "model").bert.named_parameters())
    before = dict(AutoModelForSequenceClassification.from_pretrained(base, num_labels=2).bert.named_parameters())
    still = {
        name for name, weight in after.items() if torch.equal(weight, before[name]) and not name.startswith("pooler")
    }
    # A bias of keys moves every score of a query alike, so softmax leaves it without a gradient.
    assert {name for name in still if not name.endswith("self.key.bias")} == {"embeddings.word_embeddings.weight"}


def fine_tuned(base: Path, steps: int, examples: Sequence[Example]) -> Any:
    """Return a classifier that was trained on examples by plain steps."""
    intents = sorted({one.intent for one in examples})
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=len(intents), id2label=dict(enumerate(intents)), attn_implementation="eager"
    )
    tokenizer = pair_tokenizer(json.loads((base / "tokenizer.json").read_text()), 2, 32)
    loss_of = balanced_loss([sum(one.intent == name for one in examples) for name in intents], 0.4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(steps):
        one = examples[step * 7 % len(examples)]
        (row,) = encoded(tokenizer, [one])
        given = model(**{name: torch.tensor([numbers]) for name, numbers in row.items()})
        loss_of(given, torch.tensor([intents.index(one.intent)])).backward()
        if step % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
    return model.eval()


def exported(model: Any, base: Path, out: Path, examples: Sequence[Example], key: str = "") -> dict[str, Any]:
    return export_classifier(
        model, base / "tokenizer.json", 32, examples, examples, key, load_embedder(get_settings()), out
    )


def test_a_trained_classifier_names_the_intents_of_lines_it_has_learnt_in_eight_bits(
    base: Path, tmp_path: Path
) -> None:
    examples = toys(2)
    told = exported(fine_tuned(base, 320, examples), base, tmp_path / "made", examples)
    model = EncoderIntentModel(tmp_path / "made", load_embedder(get_settings()))
    guess = model.predict("how much is the lamp ?", "would you like a lamp ?", turn=2)
    assert guess.intent == "price_question"
    assert guess.confidence > 0.8
    assert sum(share for _, share in guess.candidates) == pytest.approx(1)
    assert guess.candidates[0] == (guess.intent, guess.confidence)
    assert {name for name, _ in guess.candidates} == set(LINES)
    assert guess.vector.shape == (load_embedder(get_settings()).dimension,)
    assert (told["bits"], told["accuracy_8"]) == (8, 1.0)
    assert 0 < model.threshold <= 1


def test_thirty_two_bits_give_the_models_own_numbers(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intent_encoder, "LOSS", -2.0)
    examples = toys(1)
    model = fine_tuned(base, 8, examples)
    rows = encoded(pair_tokenizer(json.loads((base / "tokenizer.json").read_text()), 2, 32), examples)
    with torch.no_grad():
        expected = [model(**{name: torch.tensor([row[name]]) for name in row}).logits[0].numpy() for row in rows]
    told = exported(model, base, tmp_path / "made", examples)
    assert told["bits"] == 32
    classifier = EncoderIntentModel(tmp_path / "made", load_embedder(get_settings()))
    found = [classifier.logits(one) for one in examples]
    np.testing.assert_allclose(np.stack(found), np.stack(expected), atol=1e-4)


def test_of_a_long_pair_the_ends_stay_and_the_sides_are_told_apart(base: Path) -> None:
    tokenizer = pair_tokenizer(json.loads((base / "tokenizer.json").read_text()), 2, 10)
    read = tokenizer.encode("hello " * 20 + "would you like it", "no " * 20 + "i do not")
    assert len(read.ids) == 10
    assert read.tokens[0] == "[CLS]"
    assert read.tokens[-4:] == ["i", "do", "not", "[SEP]"]
    first = read.tokens.index("[SEP]")
    assert read.tokens[first - 2 : first] == ["like", "it"]
    assert read.type_ids == [0] * (first + 1) + [1] * (10 - first - 1)


def test_an_encoder_without_sides_reads_pairs_too(base: Path) -> None:
    tokenizer = pair_tokenizer(json.loads((base / "tokenizer.json").read_text()), 1, 10)
    assert set(tokenizer.encode("yes", "no").type_ids) == {0}


def test_the_context_is_read_before_the_line_and_the_turn_with_it() -> None:
    example = Example("no", "", previous_agent_text="Shall we?", previous_customer_text="Who are you?", turn=20)
    assert texts_of(example) == ("Who are you? / Shall we?", "12. no")
    assert texts_of(Example("no")) == ("", "no")


@pytest.mark.parametrize("balance", [0.0, 0.4, 1.0])
def test_the_loss_takes_frequency_out_as_far_as_asked(balance: float) -> None:
    logits, counts = [0.3, -0.2], [90, 10]
    adjusted = [score + balance * math.log(count / 100) for score, count in zip(logits, counts, strict=True)]
    expected = math.log(sum(math.exp(score) for score in adjusted)) - adjusted[1]
    found = balanced_loss(counts, balance)({"logits": torch.tensor([logits])}, torch.tensor([1]))
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_calls_stay_whole_when_examples_are_divided() -> None:
    examples = [
        Example("yes", "agree" if number % 2 else "refuse", group=f"call-{number % 40}") for number in range(400)
    ]
    train, held_back = divide(examples, 0.2, 0)
    assert {one.group for one in train} & {one.group for one in held_back} == set()
    assert len(train) + len(held_back) == 400
    assert len({one.group for one in held_back}) == 8  # of 40


@pytest.mark.parametrize("examples", [toys(1), [Example("yes", "agree", group=str(number)) for number in range(200)]])
def test_too_little_to_learn_from_is_refused(examples: list[Example]) -> None:
    with pytest.raises(BadInput, match="too few"):
        divide(examples, 0.2, 0)


def answers(right: int, group: str = "") -> list[Measured]:
    """Return forty answers of which the first so many are right."""
    return [
        Measured(
            Example("x", "agree", group=group or str(place)), "en", "agree" if place < right else "refuse", 0.9, 1.0
        )
        for place in range(40)
    ]


@pytest.mark.parametrize(("encoder", "head", "beats"), [(36, 20, True), (21, 20, False), (20, 36, False)])
def test_it_beats_the_head_only_where_it_is_surely_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: int, head: int, beats: bool
) -> None:
    monkeypatch.setattr(intent_compare, "EncoderIntentModel", lambda *_: SimpleNamespace(threshold=0.5))
    monkeypatch.setattr(intent_compare, "answers", lambda *_: answers(encoder))
    monkeypatch.setattr(intent_compare, "measure", lambda *_: (answers(head), 0.5))
    found = compare(tmp_path, find_campaign("lantern_local", get_settings()), HeldOut([], []), get_settings())
    assert found["beats_head"] is beats
    assert found["less_head"]["accuracy"]["value"] == pytest.approx((encoder - head) / 40)
    (difference,) = [line for line in told_of(found) if line.startswith("encoder less head: ")]
    assert f"accuracy {(encoder - head) / 40:+.3f} (" in difference
    assert found["less_head"]["accuracy"]["low"] <= (encoder - head) / 40 <= found["less_head"]["accuracy"]["high"]


def made_for(key: str, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "about.json").write_text(json.dumps({"intents": ["agree"], "calibration": {}, "key": key}))
    return folder


def test_a_home_serves_the_classifier_that_fits_its_campaign(tmp_path: Path) -> None:
    data = find_campaign("lantern_local", get_settings())
    home = get_settings().home
    assert find_encoder(data, home) is None
    serve(made_for("another campaign's", tmp_path / "other"), home)
    assert find_encoder(data, home) is None
    served = serve(made_for(encoder_key(data), tmp_path / "made"), home)
    assert find_encoder(data, home) == served
    assert read_about(served).key == encoder_key(data)
    again = made_for(encoder_key(data), tmp_path / "again")
    (again / "new").touch()
    assert (serve(again, home) / "new").exists()


def test_calls_use_the_served_classifier(base: Path, tmp_path: Path) -> None:
    data, examples, settings = find_campaign("lantern_local", get_settings()), toys(1), get_settings()
    exported(fine_tuned(base, 8, examples), base, tmp_path / "made", examples, encoder_key(data))
    serve(tmp_path / "made", settings.home)
    model = load_intent_model(data, load_embedder(settings), settings.home)
    assert isinstance(model, EncoderIntentModel)
    assert model.predict("no").intent in LINES


def test_a_missing_file_of_lines_is_told(base: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="name a file of labelled lines"):
        run_tiny(base, tmp_path / "none.csv", tmp_path / "run")


def test_a_campaign_without_recorded_calls_needs_lines(base: Path, tmp_path: Path) -> None:
    settings: Settings = get_settings()
    given = ["--campaign", "lantern_local", "--output_dir", str(tmp_path / "run")]
    with pytest.raises(BadInput, match="does not exist; name a file of labelled lines"):
        train_intent(CONFIGS / "intent_tiny.yaml", given, settings)
