"""A fine-tuned intent classifier beside the linear head, and the model by option, on the same held-out lines."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from evaluation.intent import HeldOut, Measured, answers, bootstrap_interval, macro_f1, measure, summarise
from graph.settings import Settings
from nodes.intent_encoder import EncoderIntentModel, own_folder, read_about
from scripts_library.loading import CampaignData
from serving.embed import load_embedder

Figure = Callable[[Sequence[Measured]], float]


@dataclass(frozen=True)
class Both(Measured):
    """A line with the encoder's answer and another's."""

    other: Measured


def compare(
    folder: Path, data: CampaignData, held_out: HeldOut, settings: Settings, ask_model: int = 0
) -> dict[str, Any]:
    """Measure a classifier, the linear head trained on the same examples, and perhaps the model.

    Args:
        folder: The fine-tuned classifier.
        data: The campaign.
        held_out: Lines to test on, and what both have learnt from.
        settings: Name the embedder and the model.
        ask_model: Test lines for which the model is asked; 0: none.

    Returns:
        `encoder`, `head` and perhaps `model`: the figures of `evaluation.intent.summarise`, accuracy and macro-F1 also with 95 %
        intervals, calls drawn; `less_head` and perhaps `less_model`: the encoder's less the other's, on the lines that both
        answered; `beats_head`: accuracy surely higher, and macro-F1 not lower.
    """
    classifier = EncoderIntentModel(folder, load_embedder(settings))
    encoder = answers(classifier, held_out.test)
    head, threshold = measure(data, held_out, "classifier", settings)
    found: dict[str, Any] = {
        "encoder": _figures(encoder, classifier.threshold),
        "head": _figures(head, threshold),
        "less_head": _less(encoder, head),
    }
    if ask_model:
        asked, threshold = measure(data, held_out, "model", settings, ask_model)
        line_of = {id(one.line): one for one in encoder}
        found["model"] = _figures(asked, threshold)
        found["less_model"] = _less([line_of[id(one.line)] for one in asked], asked)
    less = found["less_head"]
    found["beats_head"] = less["accuracy"]["low"] > 0 and less["macro_f1"]["value"] >= 0
    return found


def told_of(results: dict[str, Any]) -> list[str]:
    """Return what `compare` found, as lines to print."""
    lines = []
    for who in ("encoder", "head", "model"):
        if one := results.get(who):
            (low, high), (least, most) = one["accuracy_interval"], one["macro_f1_interval"]
            lines.append(
                f"{who}: accuracy {one['accuracy']:.3f} ({low:.3f} to {high:.3f}), macro-F1 {one['macro_f1']:.3f} "
                f"({least:.3f} to {most:.3f}), {one['ms']:.1f} ms a line, n={one['n']}"
            )
    for other in ("head", "model"):
        if less := results.get(f"less_{other}"):
            figures = (
                f"{name} {one['value']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f})"
                for name, one in zip(("accuracy", "macro-F1"), (less["accuracy"], less["macro_f1"]), strict=True)
            )
            lines.append(f"encoder less {other}: {', '.join(figures)}")
    return [*lines, f"{'surely' if results['beats_head'] else 'not surely'} better than the linear head"]


def serve(folder: Path, home: Path) -> Path:
    """Put a classifier where calls of this home find it, whole or not at all.

    Args:
        folder: The classifier.
        home: Of the program's files.

    Returns:
        Where it lies; its campaign's classifier there before is replaced.
    """
    target = own_folder(read_about(folder).key, home)
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(folder, part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return target


def _figures(measured: Sequence[Measured], threshold: float) -> dict[str, Any]:
    intervals = {
        f"{name}_interval": [round(end, 4) for end in bootstrap_interval(measured, figure)]
        for name, figure in (("accuracy", _accuracy), ("macro_f1", macro_f1))
    }
    return {**summarise(measured, threshold), **intervals}


def _less(encoder: Sequence[Measured], other: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Return the encoder's figures less the other's on the same lines, with intervals."""
    both = [
        Both(one.line, one.language, one.predicted, one.confidence, one.ms, theirs)
        for one, theirs in zip(encoder, other, strict=True)
    ]
    found = {}
    for name, figure in (("accuracy", _accuracy), ("macro_f1", macro_f1)):
        difference = _difference(figure)
        low, high = bootstrap_interval(both, difference)
        found[name] = {"value": round(difference(both), 4), "low": round(low, 4), "high": round(high, 4)}
    return found


def _difference(figure: Figure) -> Figure:
    return lambda both: figure(both) - figure([one.other for one in cast(Sequence[Both], both)])


def _accuracy(measured: Sequence[Measured]) -> float:
    return sum(one.predicted == one.line.intent for one in measured) / len(measured)
