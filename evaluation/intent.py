"""How well customers' intents are understood: accuracy, macro-F1, coverage and time on lines held out from training."""

import csv
import io
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from graph.errors import BadInput
from graph.settings import Settings
from nodes.intent_data import act_example, act_examples, campaign_examples, kinds_of, remembering
from nodes.intent_features import Example
from nodes.intent_model import IntentModel, load_intent_model
from scripts_library.loading import CampaignData, bundled, load_campaign
from scripts_library.persuasion import read_acts, split_of
from scripts_library.schema import Language

if TYPE_CHECKING:
    from nodes.intent_encoder import EncoderIntentModel
    from serving.embed import Embedder

Way = Literal["classifier", "model"]
COLUMNS = ("language", "intent", "text")
ACT_COLUMNS = ("B2", "B4", "Turn", "Unit", "ee_label_1")
MODEL_SECONDS = 30.0
"""Longest wait for one answer of the model when it is measured alone."""


@dataclass(frozen=True)
class Measured:
    """A held-out line and what was made of it; empty `predicted`: no answer. ms: what the answer took."""

    line: Example
    language: Language
    predicted: str
    confidence: float
    ms: float


@dataclass(frozen=True)
class HeldOut:
    """Lines to test on, and the examples to train on; without examples the campaign's own classifier is tested."""

    test: list[tuple[Language, Example]]
    train: list[Example] | None


def evaluate_intent(
    campaign: str, data: Path, way: Way, settings: Settings, limit: int | None = None
) -> dict[str, dict[str, float | int]]:
    """Measure the classifier or the model on held-out lines.

    Args:
        campaign: Name of a campaign of the library, or of a bundled one.
        data: `annotated_dialog.csv` (the classifier is then trained on its train and dev dialogues alone and tested on
            the others, all labels unmerged), or CSV, JSONL or YAML of language, intent, text and perhaps previous (the
            campaign's classifier is then tested on the file).
        way: `classifier`, or `model`: the chat model with a JSON schema.
        settings: Name the models and the home.
        limit: Measure only this many lines, spread evenly over the file.

    Returns:
        `{way: {"accuracy", "macro_f1", "coverage", "ms", "n", "labels"}}`: accuracy and macro-F1 over the labels of the
        tested lines (0–1); coverage: share of lines answered with enough confidence; ms: median per line, embeddings
        included; n: lines; labels: distinct labels among them.

    Raises:
        BadInput: The campaign or the file is unusable; one line per fault, all at once.
    """
    known = find_campaign(campaign, settings)
    measured, threshold = measure(known, read_held_out(data, known), way, settings, limit)
    return {way: summarise(measured, threshold)}


def find_campaign(name: str, settings: Settings) -> CampaignData:
    """Return a bundled campaign by name, or one of the library.

    Raises:
        BadInput: There is none of this name.
    """
    folders = bundled()
    if name in folders:
        return load_campaign(folders[name])
    from scripts_library.library import open_library
    from serving.embed import load_embedder

    library = open_library(settings, load_embedder(settings))
    try:
        return library.campaign(name)
    finally:
        library.close()


def measure(
    data: CampaignData,
    held_out: HeldOut,
    way: Way,
    settings: Settings,
    limit: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[list[Measured], float]:
    """Answer the held-out lines, one at a time.

    Args:
        data: The campaign.
        held_out: What is tested on.
        way: Who is measured.
        settings: Name the models and the home.
        limit: Measure only this many lines.
        progress: Told (done, total) before each line of the classifier's.

    Returns:
        The lines with their answers, and the confidence below which a line is not covered.
    """
    lines = spread(held_out.test, limit)
    if way == "model":
        return _ask_model(data, lines, settings), 0.0
    from serving.embed import load_embedder

    embedder = load_embedder(settings)
    model = (
        load_intent_model(data, embedder, settings.home)
        if held_out.train is None
        else train_on(held_out.train, embedder, settings.home)
    )
    return answers(model, lines, progress), model.threshold


def answers(
    model: "IntentModel | EncoderIntentModel",
    lines: Sequence[tuple[Language, Example]],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Measured]:
    """Let a classifier answer lines one at a time, as in calls.

    Args:
        model: The classifier.
        lines: Labelled lines with their languages.
        progress: Told (done, total) before each line.
    """
    measured = []
    for number, (language, line) in enumerate(lines):
        progress(number, len(lines))
        started = time.perf_counter()
        guess = model.predict(
            line.text,
            line.previous_agent_text,
            previous_customer_text=line.previous_customer_text,
            turn=line.turn,
        )
        took = (time.perf_counter() - started) * 1000
        measured.append(Measured(line, language, guess.intent, guess.confidence, took))
    return measured


def train_on(examples: Sequence[Example], embedder: "Embedder", home: Path) -> IntentModel:
    """Train a classifier that is not stored; vectors of its examples are kept in the home."""
    from nodes.intent_training import fit_head

    return IntentModel(fit_head(examples, remembering(embedder, home), embedder.dimension), embedder)


def _ask_model(data: CampaignData, lines: Iterable[tuple[Language, Example]], settings: Settings) -> list[Measured]:
    from nodes.intent_prompt import ask_model
    from serving.chat import load_chat_model

    model = load_chat_model(settings)
    measured = []
    for language, line in lines:
        started = time.perf_counter()
        answer = ask_model(model, line.text, line.previous_agent_text, data.intents, language, MODEL_SECONDS)
        took = (time.perf_counter() - started) * 1000
        measured.append(
            Measured(line, language, answer.intent if answer else "", answer.confidence if answer else -1.0, took)
        )
    return measured


def spread(lines: list[tuple[Language, Example]], limit: int | None) -> list[tuple[Language, Example]]:
    """Return at most `limit` lines, evenly spaced, so that few lines still hold many labels."""
    if limit is None or limit >= len(lines):
        return lines
    return [lines[place * len(lines) // limit] for place in range(limit)]


def summarise(measured: Sequence[Measured], threshold: float) -> dict[str, float | int]:
    """Return the figures that `evaluate_intent` prints.

    Args:
        measured: At least one line.
        threshold: Confidence from which a line counts as covered.
    """
    labels = {one.line.intent for one in measured}
    return {
        "accuracy": round(sum(one.predicted == one.line.intent for one in measured) / len(measured), 4),
        "macro_f1": round(macro_f1(measured), 4),
        "coverage": round(sum(one.confidence >= threshold for one in measured) / len(measured), 4),
        "ms": round(statistics.median(one.ms for one in measured), 2),
        "n": len(measured),
        "labels": len(labels),
    }


def macro_f1(measured: Sequence[Measured]) -> float:
    """Return the mean F1 over the labels that the tested lines have (0–1).

    Args:
        measured: At least one line.
    """
    labels = {one.line.intent for one in measured}
    scores = []
    for label in labels:
        hits = sum(one.predicted == label == one.line.intent for one in measured)
        said = sum(one.predicted == label for one in measured)
        meant = sum(one.line.intent == label for one in measured)
        scores.append(2 * hits / (said + meant))
    return sum(scores) / len(scores)


def read_held_out(path: Path, data: CampaignData) -> HeldOut:
    """Read labelled lines.

    Args:
        path: See `evaluate_intent`.
        data: The campaign, whose intents are the labels allowed and whose examples must not be tested on.

    Raises:
        BadInput: Unreadable, empty, a column missing, an unknown label or language, or a line that is an example.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); give a UTF-8 file of labelled lines") from error
    if path.suffix.lower() == ".csv" and set(ACT_COLUMNS) <= set(next(csv.reader(io.StringIO(text)), [])):
        return _recorded(path, data)
    rows = list(_rows(path, text))
    kinds = kinds_of(data.intents)
    taken = {_plain(example.text) for example in campaign_examples(data)}
    test: list[tuple[Language, Example]] = []
    errors: list[str] = []
    for number, row in rows:
        language, line = _line(row)
        empty = [name for name in COLUMNS if not str(row.get(name) or "").strip()]
        if empty:
            errors.append(f"{path}:{number}: {', '.join(empty)} is empty; fill it in")
        elif language is None or language not in data.campaign.languages:
            errors.append(f"{path}:{number}: language {row['language']!r}; expected {_or(data.campaign.languages)}")
        elif line.intent not in kinds:
            errors.append(f"{path}:{number}: unknown intent {line.intent!r}; expected {_or(kinds)}")
        elif _plain(line.text) in taken:
            errors.append(f"{path}:{number}: {line.text!r} is among the training examples; test on other lines")
        else:
            test.append((language, line))
    if errors:
        raise BadInput("\n".join(errors))
    if not test:
        raise BadInput(f"{path}: holds no line; expected {', '.join(COLUMNS)} with a line each")
    return HeldOut(test, None)


def _recorded(path: Path, data: CampaignData) -> HeldOut:
    acts = [act for act in read_acts(path) if act.role == "customer"]
    kinds = kinds_of(data.intents)
    unknown = sorted({act.label for act in acts} - set(kinds))
    if unknown:
        raise BadInput(
            f"{path}: labels {', '.join(unknown)} are no intents of campaign {data.campaign.name}; expected {_or(kinds)}"
        )
    train = act_examples((act for act in acts if split_of(act.dialogue) != "test"), kinds)
    test = [act_example(act) for act in acts if split_of(act.dialogue) == "test"]
    if not train or not test:
        raise BadInput(f"{path}: {len(acts)} labelled customer sentences are too few to train and test on")
    return HeldOut([("en", line) for line in test], train)


def _rows(path: Path, text: str) -> Iterable[tuple[int, dict[str, Any]]]:
    """Yield rows with their line numbers (CSV, JSONL) or places (YAML)."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        table = csv.DictReader(io.StringIO(text))
        try:
            yield from ((table.line_num, _has_columns(path, table.line_num, row)) for row in table)
        except csv.Error as error:
            raise BadInput(f"{path}:{table.line_num}: no valid CSV ({error})") from error
    elif suffix in (".jsonl", ".ndjson"):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    yield number, _has_columns(path, number, json.loads(line))
                except json.JSONDecodeError as error:
                    raise BadInput(f"{path}:{number}: no valid JSON ({error})") from error
    elif suffix in (".yaml", ".yml"):
        try:
            items = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise BadInput(f"{path}: no valid YAML ({' '.join(str(error).split())})") from error
        if items is not None and not isinstance(items, list):
            raise BadInput(f"{path}: expected a list of items with {', '.join(COLUMNS)}")
        yield from ((number, _has_columns(path, number, item)) for number, item in enumerate(items or [], start=1))
    else:
        raise BadInput(f"{path}: {suffix or 'no suffix'} is unknown; expected .csv, .jsonl or .yaml")


def _has_columns(path: Path, number: int, row: object) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise BadInput(f"{path}:{number}: expected an object with {', '.join(COLUMNS)}")
    missing = [name for name in COLUMNS if name not in row]
    if missing:
        found = ", ".join(str(name) for name in row) or "none"
        raise BadInput(f"{path}:{number}: columns {', '.join(missing)} are missing (found: {found})")
    return row


def _line(row: dict[str, Any]) -> tuple[Language | None, Example]:
    name = str(row.get("language") or "").strip().lower()
    language: Language | None = "en" if name == "en" else "zh" if name == "zh" else None
    text, intent = str(row.get("text") or "").strip(), str(row.get("intent") or "").strip()
    return language, Example(text, intent, previous_agent_text=str(row.get("previous") or "").strip())


def _plain(text: str) -> str:
    """Return a text without case, punctuation and spaces, to find the same line again."""
    return "".join(character for character in text.lower() if character.isalnum())


def _or(names: Iterable[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def bootstrap_interval(
    measured: Sequence[Measured], figure: Callable[[Sequence[Measured]], float], rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of a figure, drawing whole calls (single lines where there are no calls).

    Args:
        measured: At least one line.
        figure: E.g. `macro_f1`.
        rounds: Resamples.
        seed: Of the draw.
    """
    import numpy as np

    groups: dict[str, list[Measured]] = {}
    for number, one in enumerate(measured):
        groups.setdefault(one.line.group or str(number), []).append(one)
    drawn, units = np.random.default_rng(seed), list(groups.values())
    values = []
    for _ in range(rounds):
        picked = drawn.integers(0, len(units), len(units))
        values.append(figure([one for place in picked for one in units[place]]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
