"""A base model and trained ones on the same held-out turns: what each says, what that is worth, and how sure the difference is.

Every model answers every turn with the same noise (see `sampling.py`), at the served temperature and length; the reply alone is
scored, without the thought before it, as the customer hears it (see `figures.py`).
"""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.runs.store import locked
from graph.errors import BadInput
from graph.settings import Settings
from nodes.speak import TEMPERATURE
from training.answers import Row, Told, Variant, answers_of, ratings_of
from training.corpus.rows import asks_thought, read_rows
from training.figures import Scorer, Values, correct, difference, estimates, load_scorer
from training.rewards.registry import MAKERS
from training.run_file import ADAPTER, MODEL, RUN

COLUMNS = ("turn", "campaign", "language", "intent", "prompt", "reference", "state")
BASE = "base"


def variants_of(runs: Sequence[str], model: str = "") -> list[Variant]:
    """Return the base model and the results of training runs.

    Args:
        runs: Folders of training runs, each `FOLDER` or `LABEL=FOLDER`; the label is the folder's name by default.
        model: The base model; by default the one that all runs were trained from.

    Raises:
        BadInput: No such run, one without a result, a label that is the base's, or runs of several base models and none named.
    """
    found, bases = [], []
    for run in runs:
        label, _, folder = run.rpartition("=")
        path = Path(folder)
        if not (path / RUN).is_file() or not any((path / name).is_dir() for name in (ADAPTER, MODEL)):
            raise BadInput(f"{folder} is no finished training run: it lacks {RUN}, or both {ADAPTER}/ and {MODEL}/.")
        name = json.loads((path / RUN).read_text(encoding="utf-8"))["base"]["name"]
        bases.append(name)
        of_lora = (name, str(path / ADAPTER)) if (path / ADAPTER).is_dir() else (str(path / MODEL), "")
        found.append(Variant(label or path.resolve().name, *of_lora))
    if any(variant.label == BASE for variant in found):
        raise BadInput(f"'{BASE}' is the base model's label; give the run another one: LABEL=FOLDER.")
    if not model and len(set(bases)) != 1:
        told = f"the runs were trained from {', '.join(dict.fromkeys(bases))}" if bases else "no run is given"
        raise BadInput(f"Which model is the base is not clear, as {told}; name it by --model.")
    return [Variant(BASE, model or bases[0]), *found]


def read_held_out(files: Sequence[Path], limit: int = 0) -> list[Row]:
    """Read rows of test dialogues.

    Args:
        files: Prompt rows; all ask for a thought, or none does.
        limit: So many, drawn at random, always the same ones; 0: all.

    Raises:
        BadInput: Broken rows, rows of another split, a turn that stands there twice, or rows of both kinds.
    """
    rows = [row for file in files for row in read_rows(file, *COLUMNS, held_out=True)]
    turns = set(map(_turn, rows))
    if len(turns) < len(rows):
        raise BadInput(f"{len(rows) - len(turns)} of {len(rows)} rows are of a turn that stands there already.")
    if len(set(map(asks_thought, rows))) > 1:
        raise BadInput("Some prompts ask for a thought and some do not; measure them apart.")
    if 0 < limit < len(rows):
        return random.Random(0).sample(rows, limit)
    return rows


def same_turns(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Return the other rows of the same turns, in the order of the first ones.

    Raises:
        BadInput: A turn has no other row.
    """
    known = {_turn(row): row for row in others}
    lacking = sum(_turn(row) not in known for row in rows)
    if lacking:
        raise BadInput(f"--base-rows lacks {lacking} of {len(rows)} turns; make both files of the same turns.")
    return [known[_turn(row)] for row in rows]


def _turn(row: Row) -> tuple[str, int]:
    return row["dialogue"], row["turn"]


def measure(
    rows: Sequence[Row],
    variants: Sequence[Variant],
    out: Path,
    settings: Settings,
    *,
    base_rows: Sequence[Row] = (),
    samples: int = 1,
    judge: bool = False,
    against: str = BASE,
    scorer: Scorer | None = None,
    told: Told = lambda _: None,
) -> dict[str, Any]:
    """Ask models and score what they say.

    Args:
        rows: See `read_held_out`.
        variants: See `variants_of`.
        out: Folder of the answers, which may hold those of other measurings.
        settings: Where weights lie, and which campaigns, embedder and judge there are.
        base_rows: What the first one is asked instead, in the order of `rows`; see `same_turns`.
        samples: Answers of each model to each row.
        judge: Whether the judge rates each reply, too.
        against: Label of what the others are compared with, e.g. of a run with all rewards in an ablation.
        scorer: Scores answers; by default the settings' own.
        told: Hears how far it is.

    Returns:
        `figures` and `differences`, an entry a label and figure each; `failed`: by label, replies that the judge failed on; and what
        was measured.

    Raises:
        BadInput: A model that cannot be loaded, a label that is not there or cannot be paired, or a folder in which another process
            measures.
    """
    _check_pairs([variant.label for variant in variants], against)
    out.mkdir(parents=True, exist_ok=True)
    asked = [base_rows or rows, *[rows] * (len(variants) - 1)]
    with locked(out, "measure"):
        answers = [
            answers_of(variant, own, samples, out, settings, told) for variant, own in zip(variants, asked, strict=True)
        ]
        scorer = scorer or load_scorer(settings)
        scores = [_scored(scorer, own, [one.text for one in of]) for own, of in zip(asked, answers, strict=True)]
        if judge:
            reward: Any = MAKERS["judge"](settings, None)
            ratings = ratings_of(answers, reward, settings.judge, out, told)
            scores = [{**of, "judge": rated} for of, rated in zip(scores, ratings, strict=True)]
    return {
        "rows": len(rows),
        "dialogues": len({row["dialogue"] for row in rows}),
        "samples": samples,
        "temperature": TEMPERATURE,
        "variants": [{**vars(one), "thought": asks_thought(own[0])} for one, own in zip(variants, asked, strict=True)],
        "against": against,
        **_compared(
            [variant.label for variant in variants], scores, [row["dialogue"] for row in rows] * samples, against
        ),
    }


def _scored(scorer: Scorer, rows: Sequence[Row], texts: Sequence[str]) -> dict[str, Values]:
    """Score the answers of each seed among themselves, and return them in the answers' order."""
    size = len(rows)
    seeds = [scorer(rows, texts[start : start + size]) for start in range(0, len(texts), size)]
    return {name: [value for one in seeds for value in one[name]] for name in seeds[0]}


def _check_pairs(labels: Sequence[str], against: str) -> None:
    """Refuse labels that cannot be paired with what they are compared with: run by run, or where one side has one run, with that one."""
    seeds = Counter(labels)
    if against not in seeds:
        raise BadInput(f"--against {against}: there is no such label; expected one of {', '.join(seeds)}.")
    other = [
        f"{label} has {count}"
        for label, count in seeds.items()
        if 1 not in (count, seeds[against]) and count != seeds[against]
    ]
    if other:
        raise BadInput(f"--against {against} has {seeds[against]} runs, and {', '.join(other)}; give as many of each.")


def _compared(
    labels: Sequence[str], scores: Sequence[dict[str, Values]], dialogues: Sequence[str], against: str
) -> dict[str, Any]:
    figures, differences, failed = [], [], {}
    bases = [values for of, values in zip(labels, scores, strict=True) if of == against]
    for label in dict.fromkeys(labels):
        own = [values for of, values in zip(labels, scores, strict=True) if of == label]
        values = {name: [value for one in own for value in one[name]] for name in own[0]}
        everyone = [*dialogues] * len(own)
        figures += [{"figure": name, "label": label, **of} for name, of in estimates(values, everyone).items()]
        if label != against:
            pairs = [(bases[at % len(bases)], own[at % len(own)]) for at in range(max(len(bases), len(own)))]
            before, after = (
                {name: [value for pair in pairs for value in pair[side][name]] for name in own[0]} for side in (0, 1)
            )
            found = difference(before, after, [*dialogues] * len(pairs))
            differences += [{"figure": name, "label": label, **of} for name, of in found.items()]
        failed[label] = sum(value is None for value in values.get("judge", ()))
    correct(differences)
    return {"figures": figures, "differences": differences, "failed": failed}
