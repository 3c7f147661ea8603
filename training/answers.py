"""Answers of models to held-out turns, and a judge's ratings of them, kept as they are made.

Each is kept by a key of everything that decides it: a measuring that was killed goes on, and a model that is added later is the only
one that is asked.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evaluation.runs.store import append_line, read_lines
from graph.served import sha256_of
from graph.settings import Settings
from nodes.speak import MAX_TOKENS, TEMPERATURE, THINK_TOKENS
from training.corpus.rows import asks_thought
from training.figures import Values
from training.models import ready, weights_of
from training.recipes import machine_defaults
from training.rewards.judge import JudgeReward
from training.sampling import Asked, sample

ANSWERS, JUDGED = "answers.jsonl", "judged.jsonl"
Row = dict[str, Any]
Told = Callable[[str], None]


@dataclass(frozen=True)
class Variant:
    """A model that is measured; several of one label, as of several training seeds, count as one."""

    label: str
    model: str
    """As `training.models.ready` takes it."""
    adapter: str = ""
    """PEFT folder; empty: none."""


@dataclass(frozen=True)
class Answer:
    """What a model said to a row."""

    key: str
    row: Row
    text: str


def answers_of(
    variant: Variant, rows: Sequence[Row], samples: int, out: Path, settings: Settings, told: Told
) -> list[Answer]:
    """Return an answer to every row with seed 0, then to every row with seed 1, …; draw and keep those that are not there.

    Args:
        variant: The model.
        rows: What it is asked; all ask for a thought, or none does.
        samples: Seeds.
        out: Folder of the answers.
        settings: Where weights lie.
        told: Hears how far it is.

    Raises:
        BadInput: The model cannot be loaded.
    """
    dtype = machine_defaults({}, ["dtype"])["dtype"]
    most = MAX_TOKENS + THINK_TOKENS * asks_thought(rows[0])
    by = (_weights(variant, settings), dtype, TEMPERATURE, most)
    units = {
        _hash(by, row["prompt"], row["dialogue"], row["turn"], seed): (row, seed)
        for seed in range(samples)
        for row in rows
    }
    held = {line["key"]: line["text"] for line in read_lines(out / ANSWERS)}
    missing = {key: unit for key, unit in units.items() if key not in held}
    for count, (key, text) in enumerate(_drawn(variant, missing, settings, dtype, most), start=1):
        row, seed = units[key]
        held[key] = text
        where = {"label": variant.label, "dialogue": row["dialogue"], "turn": row["turn"], "seed": seed}
        append_line(out / ANSWERS, {"key": key, **where, "text": text})
        told(f"{variant.label}: {count} of {len(missing)} answers")
    return [Answer(key, row, held[key]) for key, (row, _) in units.items()]


def _drawn(
    variant: Variant, units: dict[str, tuple[Row, int]], settings: Settings, dtype: Any, most: int
) -> Iterator[tuple[str, str]]:
    if not units:
        return
    model, tokenizer = ready(variant.model, settings, dtype=dtype, adapter=variant.adapter)
    keys = list(units)
    asked = [
        Asked(
            tuple(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]),
            int(_hash(row["dialogue"], row["turn"], seed)[:15], 16),
        )
        for row, seed in units.values()
    ]
    for batch in sample(model, tokenizer, asked, temperature=TEMPERATURE, most=most):
        for place, text in batch:
            yield keys[place], text


def ratings_of(
    answers: Sequence[Sequence[Answer]], reward: JudgeReward, name: str, out: Path, told: Told
) -> list[Values]:
    """Return a judge's rating of each answer; what it fails on is None, and asked again the next time.

    Args:
        answers: Of each model.
        reward: The judge.
        name: Of its model.
        out: Folder of the ratings.
        told: Hears how far it is.
    """
    by = (name, reward.rubric.name, reward.rubric.version)
    held = {line["key"]: line["rating"] for line in read_lines(out / JUDGED)}
    every = {_hash(by, answer.key): answer for of in answers for answer in of}
    missing = [key for key in every if key not in held]
    for start in range(0, len(missing), reward.at_once):
        keys = missing[start : start + reward.at_once]
        given = [every[key] for key in keys]
        ratings = asyncio.run(reward([one.text for one in given], [one.row["state"] for one in given]))
        for key, rating in zip(keys, ratings, strict=True):
            if rating is not None:
                held[key] = rating
                append_line(out / JUDGED, {"key": key, "judge": name, "rating": rating})
        told(f"judge: {start + len(keys)} of {len(missing)} replies")
    return [[held.get(_hash(by, answer.key)) for answer in of] for of in answers]


def _weights(variant: Variant, settings: Settings) -> list[str]:
    """Return what identifies a model: hashes of its files; of one that lies in no folder, its name."""
    base = [*Path(weights_of(variant.model, settings)).glob("*.safetensors")]
    adapter = [*Path(variant.adapter).glob("*.safetensors")] if variant.adapter else []
    return [*([] if base else [variant.model]), *(_hashed(file) for files in (base, adapter) for file in sorted(files))]


@cache
def _hashed(file: Path) -> str:
    return sha256_of(file)


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()
