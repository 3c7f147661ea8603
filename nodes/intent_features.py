"""What the intent classifier sees of a customer's line: embeddings of the line and its context, and a few plain numbers."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guardrails.sentences import split_sentences

CODE_VERSION = 2
"""Raise it when features or training change: every stored head is then trained again."""
EMBEDDED = 3
"""Embeddings per line: the line, the agent's last sentence, the customer's line before."""
BLOCK_WEIGHTS = (0.30, 0.25, 0.15, 0.30)
"""Weight of each standardised block (three embeddings, then the plain numbers); the penalty acts on what is heavier last."""
_TOKEN = re.compile(r"[\u3400-\u9fff]|[A-Za-z']+|\d+")
_CARDINAL = re.compile(r"\d|[一二两三四五六七八九十百千万]+[块元点号个]")

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to vectors (n, dimension)."""


@dataclass(frozen=True)
class Example:
    """A customer's line with its context.

    turn: 1 for the customer's first line of the call, 0 when unknown. group: what must not be torn apart when examples
    are divided (the call); empty when the example stands alone. Empty texts are unknown context.
    """

    text: str
    intent: str = ""
    previous_agent_text: str = ""
    previous_customer_text: str = ""
    turn: int = 0
    group: str = ""


def last_sentence(text: str) -> str:
    """Return the last sentence of what the agent said: mostly what the customer answers."""
    sentences = split_sentences(text)
    return sentences[-1] if sentences else ""


def context_of_line(example: Example) -> tuple[str, str, str]:
    """Return the texts of an example that are embedded, in the order of the blocks; empty = unknown."""
    return example.text, last_sentence(example.previous_agent_text), example.previous_customer_text


def build_features(examples: Sequence[Example], embed: Embed, dimension: int) -> NDArray[np.float64]:
    """Lay out features; NaN where the context is unknown.

    Args:
        examples: Lines, at least one.
        embed: Turns texts into vectors; called once with every distinct text.
        dimension: Components of a vector.

    Returns:
        Shape (n, 3 · dimension + 7).
    """
    texts = [context_of_line(example) for example in examples]
    distinct = list(dict.fromkeys(text for row in texts for text in row if text))
    place = {text: number for number, text in enumerate(distinct)}
    vectors = embed(distinct) if distinct else np.zeros((0, dimension), dtype=np.float32)
    features = np.full((len(examples), EMBEDDED * dimension + len(_numbers(Example("")))), np.nan)
    for row, (example, parts) in enumerate(zip(examples, texts, strict=True)):
        for block, text in enumerate(parts):
            if text:
                features[row, block * dimension : (block + 1) * dimension] = vectors[place[text]]
        features[row, EMBEDDED * dimension :] = _numbers(example)
    return features


def block_weights(dimension: int) -> NDArray[np.float64]:
    """Return the weight of every feature column."""
    sizes = (*[dimension] * EMBEDDED, len(_numbers(Example(""))))
    return np.repeat(BLOCK_WEIGHTS, sizes)


def _numbers(example: Example) -> list[float]:
    """Length, question, exclamation, digits, place in the call, first line, whether the agent had asked."""
    text, agent = example.text, example.previous_agent_text
    nan = float("nan")
    return [
        float(np.log1p(len(_TOKEN.findall(text)))),
        float("?" in text or "？" in text),
        float("!" in text or "！" in text),
        float(bool(_CARDINAL.search(text))),
        float(min(example.turn, 12)) if example.turn else nan,
        float(example.turn == 1) if example.turn else nan,
        float("?" in agent or "？" in agent) if agent else nan,
    ]
