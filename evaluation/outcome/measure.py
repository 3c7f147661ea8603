"""Measure classifiers of outcomes on calls whose outcome is known: the shipped one, TF-IDF, and a chat model that is asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.outcome.asked import ask_outcomes, chance_of, pick_examples
from evaluation.outcome.classes import IntentClass
from evaluation.outcome.classifier import IntentClassifier, Verdict, unsuited
from evaluation.outcome.dialogue import Dialogue, read_donations
from evaluation.outcome.figures import Answers, Truths, compare, figures
from evaluation.outcome.words import tfidf_chances
from graph.errors import BadInput
from graph.intervals import ENOUGH, Share
from scripts_library.persuasion import CAMPAIGNS

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

FEWEST = 2
"""Calls of either outcome without which there is no interval."""
TAUGHT = CAMPAIGNS / "save_the_children" / "data"
"""The calls that the shipped classifier was trained on are among these."""


def measure(
    dialogues: Sequence[Dialogue],
    classifier: IntentClassifier,
    limit: int | None = None,
    model: "BaseChatModel | None" = None,
) -> dict[str, Any]:
    """Measure on those calls that the classifier has never seen.

    Args:
        dialogues: Calls; those in a language that the classifier does not know are left out, and counted.
        classifier: What is measured.
        limit: Measure only so many, spread evenly.
        model: A chat model that is asked too, zero-shot and with ten examples.

    Returns:
        `{"classifier": {"auc", "auc_ci", "accuracy", …}, "tfidf": {…}, "paired": {…}, "classes": {…}, "held_out", "seen", "left_out", "warning"}`,
        and with a model `{"zero_shot": {…}, "ten_shot": {…}}`, the latter where there are calls that the classifier learnt from.

    Raises:
        BadInput: No call is left, only one side is, or the classifier does not know the language.
    """
    reasons = {dialogue.language: unsuited(classifier, dialogue.language) for dialogue in dialogues}
    if reasons and all(reasons.values()):
        raise BadInput("\n".join(reasons.values()))
    known = [one for one in dialogues if one.possible and one.exchanges and not reasons[one.language]]
    left_out = len(dialogues) - len(known)
    held_out = [one for one in known if not classifier.has_seen(one)]
    seen = len(known) - len(held_out)
    held_out = _spread(held_out, limit)
    truth = np.array([one.possible == ("A",) for one in held_out], dtype=np.bool_)
    if min(truth.sum(), (~truth).sum()) < FEWEST:
        raise BadInput(
            f"{len(held_out)} calls that the classifier was not trained on, {int(truth.sum())} of them a purchase: "
            f"too few to measure; give at least {FEWEST} calls of either outcome"
        )
    verdicts = classifier.classify(held_out)
    groups = tuple(one.group for one in held_out)
    ours = Answers(truth, np.array([verdict.probabilities["A"] for verdict in verdicts]), groups)
    found: dict[str, Any] = {"classifier": figures(ours), "classes": _classes(held_out, verdicts)}
    taught = _taught(known, classifier)
    if taught:
        theirs = Answers(truth, tfidf_chances(taught, held_out), groups)
        found |= {"tfidf": figures(theirs), "paired": compare(ours, theirs)}
    if model is not None:
        found["zero_shot"] = _of_model(truth, groups, ask_outcomes(model, held_out, []))
        if examples := pick_examples(taught):
            found["ten_shot"] = _of_model(truth, groups, ask_outcomes(model, held_out, examples))
    few = f"only {len(held_out)} calls are held out; the figures say little" if len(held_out) < ENOUGH else ""
    return {**found, "held_out": len(held_out), "seen": seen, "left_out": left_out, "warning": few}


def _of_model(truth: Truths, groups: tuple[str, ...], answers: Sequence[IntentClass | None]) -> dict[str, Any]:
    measured = figures(Answers(truth, np.array([chance_of(answer) for answer in answers]), groups))
    return {**measured, "unanswered": sum(answer is None for answer in answers)}


def _classes(dialogues: Sequence[Dialogue], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Count verdicts against the classes of those calls whose class is known for certain."""
    pairs = [
        (one.possible[0], verdict.intent)
        for one, verdict in zip(dialogues, verdicts, strict=True)
        if len(one.possible) == 1
    ]
    right = Share(sum(true == said for true, said in pairs), len(pairs))
    confusion: dict[str, dict[str, int]] = {}
    for true, said in pairs:
        row = confusion.setdefault(true, {})
        row[said] = row.get(said, 0) + 1
    return {
        "macro_f1": round(_macro_f1(pairs), 4),
        "accuracy": round(right.value or 0.0, 4),
        "accuracy_ci": [round(end, 4) for end in right.interval],
        "n": len(pairs),
        "confusion": confusion,
    }


def _macro_f1(pairs: Sequence[tuple[IntentClass, IntentClass]]) -> float:
    """Return the mean F1 over the classes that the calls have."""
    scores = []
    for name in {true for true, _ in pairs}:
        right = sum(true == said == name for true, said in pairs)
        either = sum((true == name) + (said == name) for true, said in pairs)
        scores.append(2 * right / either)
    return sum(scores) / len(scores) if scores else 0.0


def _taught(known: Sequence[Dialogue], classifier: IntentClassifier) -> list[Dialogue]:
    """Return the calls that the classifier learnt from, of those at hand and those that the product brings; TF-IDF learns from the same."""
    everywhere = (
        {one.id: one for one in (*read_donations(TAUGHT), *known)}
        if TAUGHT.is_dir()
        else {one.id: one for one in known}
    )
    taught = [one for one in everywhere.values() if classifier.has_seen(one) and one.possible]
    bought = sum(one.possible == ("A",) for one in taught)
    return taught if 0 < bought < len(taught) else []


def _spread(dialogues: list[Dialogue], limit: int | None) -> list[Dialogue]:
    if limit is None or limit >= len(dialogues):
        return dialogues
    return [dialogues[place * len(dialogues) // limit] for place in range(limit)]


def read_dialogues(data: Path | None, run: Path | None) -> list[Dialogue]:
    """Read real calls, those of a run, or both, the real ones first.

    Raises:
        BadInput: Neither is given, or no call of the run has a known outcome.
    """
    if data is None and run is None:
        raise BadInput("give --data (a folder like persuasion_for_good) or --run (a folder of `salesman evaluate run`)")
    return [*(read_donations(data) if data else []), *(_of_run(run) if run else [])]


def _of_run(run: Path) -> list[Dialogue]:
    from evaluation.outcome.dialogue import read_results
    from evaluation.runs.store import read_run

    dialogues = read_results(read_run(run).results)
    if not dialogues:
        raise BadInput(f"{run}: no finished call whose customer says what it decided; hold calls with the rule buyer")
    return dialogues
