"""`salesman evaluate outcome` and `outcome-train`."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from graph.errors import BadInput
from graph.settings import get_settings
from graph.terminal import dump, note, say

TRAINING = ("torch", "transformers", "onnx")
Data = Annotated[Path | None, typer.Option(help="Real calls: a folder as persuasion_for_good.")]
Held = Annotated[Path | None, typer.Option("--run", help="Simulated calls: a folder of `salesman evaluate run`.")]
Base = Annotated[str, typer.Option(help="Encoder: all-minilm-l6-v2 (English), a folder, or a name on the hub.")]


def outcome(
    data: Data = None,
    held: Held = None,
    classifier: Annotated[
        Path | None, typer.Option(help="Folder of `outcome-train`; by default the shipped one (English).")
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Ask the judge's chat model too, zero-shot and with ten examples.")
    ] = False,
    cv: Annotated[
        bool, typer.Option("--cv", help="Train anew on five folds, and test against TF-IDF on all calls (minutes).")
    ] = False,
    base: Base = "all-minilm-l6-v2",
    limit: Annotated[int | None, typer.Option(min=2, help="Measure only this many calls.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: the figures of each classifier.")] = False,
) -> None:
    """Measure the classifier of outcomes on calls that it was not trained on."""
    from evaluation.outcome.classifier import SHIPPED, load_classifier
    from evaluation.outcome.measure import measure, read_dialogues

    if data and held:
        raise BadInput(
            "give either --data or --run: one figure over real and simulated calls would say nothing of either"
        )
    dialogues = read_dialogues(data, held)
    if cv:
        _check_training_extra()
        from evaluation.outcome.base import base_encoder
        from evaluation.outcome.figures import compare, figures
        from evaluation.outcome.finetune import Recipe
        from evaluation.outcome.train import cross_validate

        ours, theirs = cross_validate(dialogues, base_encoder(base, get_settings().cache), Recipe(), told=note)
        found: dict[str, Any] = {"classifier": figures(ours), "tfidf": figures(theirs), "paired": compare(ours, theirs)}
    else:
        from evaluation.judging.model import load_judge

        model = load_judge(get_settings()) if baselines else None
        found = measure(dialogues, load_classifier(classifier or SHIPPED), limit, model)
    if as_json:
        dump(found)
        return
    for name in ("classifier", "tfidf", "zero_shot", "ten_shot"):
        if name in found:
            one = found[name]
            low, high = one["auc_ci"]
            say(
                f"{name:11} AUC {one['auc']:.3f} [{low:.3f}, {high:.3f}]  accuracy {one['accuracy']:.3f}  "
                f"macro-F1 {one['macro_f1']:.3f}  ECE {one['calibration']['ece']:.3f}  n {one['n']}"
                + (f"  unanswered {one['unanswered']}" if one.get("unanswered") else "")
            )
    if "paired" in found:
        low, high = found["paired"]["ci"]
        say(f"difference  {found['paired']['difference']:+.3f} [{low:+.3f}, {high:+.3f}]  p {found['paired']['p']:.4f}")
    if found.get("warning"):
        note(found["warning"])


def outcome_train(
    out: Annotated[Path, typer.Option(help="Folder of the new classifier.")],
    data: Data = None,
    held: Held = None,
    base: Base = "all-minilm-l6-v2",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the labelled turns.")] = None,
) -> None:
    """Train a classifier of outcomes on all but the test calls (needs the extra `training`); --data and --run may be joined."""
    _check_training_extra()
    from dataclasses import replace

    from evaluation.outcome.base import base_encoder
    from evaluation.outcome.finetune import Recipe
    from evaluation.outcome.measure import read_dialogues
    from evaluation.outcome.train import train

    known = [dialogue for dialogue in read_dialogues(data, held) if not dialogue.held_out]
    if not known:
        raise BadInput("All of these calls are held out for testing: train on a run with `--scenarios train`.")
    recipe = Recipe() if epochs is None else replace(Recipe(), epochs=epochs)
    train(known, base_encoder(base, get_settings().cache), out, recipe, told=note)
    say(f"{out}: ready; `salesman evaluate outcome --classifier {out}` measures it")


def _check_training_extra() -> None:
    if missing := [name for name in TRAINING if find_spec(name) is None]:
        raise BadInput(f"Training needs {', '.join(missing)}: pip install 'ai-salesman[training]'")
