"""The shape of a completion: one short thought in its markers, then the reply.

Every reward reads completions through `split_thought`, so that all of them mean the same by thought and reply.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nodes.speak import ThoughtFilter

OPEN, CLOSE = ThoughtFilter.OPEN, ThoughtFilter.CLOSE
MOST_CHARACTERS = 300
"""Of a thought: two sentences. A longer one is late, and a place to put everything."""
SOUND, MISSHAPEN, NONE = 1.0, 0.5, 0.0
ENDS = tuple(".!?…。！？")
"""What a finished sentence ends with, before quotation marks and brackets."""

Completion = str | Sequence[dict[str, Any]]
"""As TRL hands it over: text, or the one message of a conversation."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A completion, parted."""

    thought: str
    reply: str
    """What the customer would hear, as the served graph reads it."""
    sound: bool
    """Whether it is exactly one closed thought of 1 to `MOST_CHARACTERS` characters, then a finished reply."""

    @property
    def finished(self) -> bool:
        """Whether the reply ends as a sentence does; one that ran on until it was cut does not."""
        return self.reply.rstrip("\"'”’」』）) ").endswith(ENDS)


def split_thought(text: str) -> Spoken:
    """Part a completion as the served graph does, and say whether its shape is right.

    Example:
        >>> split_thought("<think>Worried; calm first.</think>I hear you.")
        Spoken(thought='Worried; calm first.', reply='I hear you.', sound=True)
        >>> split_thought("<think>and on and on").sound
        False
    """
    thoughts = ThoughtFilter()
    reply = (thoughts.feed(text) + thoughts.flush()).strip()
    thought = thoughts.thought.strip()
    once = text.count(OPEN) == 1 and text.count(CLOSE) == 1
    first = text.lstrip().startswith(OPEN)
    spoken = Spoken(thought, reply, sound=False)
    sound = once and first and 0 < len(thought) <= MOST_CHARACTERS and spoken.finished
    return replace(spoken, sound=sound)


def text_of(completion: Completion) -> str:
    """Return a completion's text."""
    return completion if isinstance(completion, str) else str(completion[-1]["content"])


def spoken_of(completions: Sequence[Completion]) -> list[Spoken]:
    """Part each completion of a batch."""
    return [split_thought(text_of(completion)) for completion in completions]


class FormatReward:
    """Score a completion's shape.

    Range: 0 to 1. With thoughts: 1 for a sound one; 0.5 for a closed thought and a reply that stand wrong (words before the
    thought, several thoughts, an empty or an overlong one, a reply that was cut off); 0 without a thought, with one that never
    closes, or without a reply. Without thoughts: 1 for a finished reply without markers, else 0: a policy whose replies are cut at
    a limit otherwise learns to run on, as was seen. The step in the middle gives a base model, which rarely gets it all right,
    something to climb.

    Source: the format reward of R1-style training (arXiv 2501.12948, section 2.2.2); that AI-Salesman has one is not said.

    Args:
        think: Whether the model is to think first.
    """

    __name__ = "format"

    def __init__(self, *, think: bool = True) -> None:
        self.think = think

    def __call__(self, completions: Sequence[Completion], **_: Any) -> list[float | None]:
        """Return each completion's score."""
        return [self.score(text_of(completion)) for completion in completions]

    def score(self, text: str) -> float:
        """Return one text's score."""
        spoken = split_thought(text)
        if not spoken.reply:
            return NONE
        if not self.think:
            return SOUND if spoken.finished and OPEN not in text and CLOSE not in text else NONE
        if spoken.sound:
            return SOUND
        opened = text.find(OPEN)
        return MISSHAPEN if 0 <= opened < text.find(CLOSE) else NONE
