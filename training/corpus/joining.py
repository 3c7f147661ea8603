"""Turns of noisy sources made into turns of a dialogue."""

from collections.abc import Iterable
from itertools import groupby

from scripts_library.persuasion import clean
from training.corpus.schema import DialogueTurn


def joined(turns: Iterable[DialogueTurn]) -> list[DialogueTurn]:
    """Drop turns without speech, and join what one side said in a row.

    Joined turns keep the last stage, intent and proposal that is told, all thoughts, and all scripts.
    """
    spoken = [turn.model_copy(update={"text": text}) for turn in turns if (text := clean(turn.text))]
    return [_one(list(group)) for _, group in groupby(spoken, key=lambda turn: turn.role)]


def _one(parts: list[DialogueTurn]) -> DialogueTurn:
    told = {
        name: next((value for part in reversed(parts) if (value := getattr(part, name))), "")
        for name in ("stage", "intent", "proposed")
    }
    return DialogueTurn(
        role=parts[0].role,
        text=" ".join(dict.fromkeys(part.text for part in parts)),
        thought=" ".join(part.thought for part in parts if part.thought),
        scripts=list(dict.fromkeys(name for part in parts for name in part.scripts)),
        **told,
    )
