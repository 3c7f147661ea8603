"""Dialogues as rows: TeleBot's input {system}{profile}{strategy}{session} (Eq. 1) is the prompt that the graph serves.

An expert's answer that the guard would block is no reference, one with personal data is not to be learnt by heart, and one that a call
would have answered with a fixed line is no task: all are left out and counted.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from graph.errors import BadInput
from graph.settings import Settings
from graph.starting import check_start
from nodes.resources import get_resources
from nodes.speak import ThoughtFilter
from training.corpus.guarded import state_json
from training.corpus.lines import refuse
from training.corpus.prompts import Served, walk
from training.corpus.rows import Message, PromptRow, SFTRow
from training.corpus.schema import Dialogue


@dataclass
class Tally:
    """What became of the experts' answers to customers, of the dialogues that were read so far."""

    dialogues: int = 0
    answers: int = 0
    fixed: int = 0
    """Answers where a call would have said a line of the campaign, or had ended."""
    blocked: int = 0
    """Answers that the guard would block."""
    personal: int = 0
    """Other answers that hold a contact or number of a person, which nobody should learn by heart."""
    rules: Counter[str] = field(default_factory=Counter)
    """Rule → answers that it would block; one answer may break several."""


def served_turns(
    dialogues: Sequence[Dialogue], settings: Settings, tally: Tally, seed: int | None = None
) -> Iterator[Served]:
    """Yield the turns on which the served model would have been asked, whether the guard would block the expert's answer or not.

    Args:
        dialogues: All of campaigns of the library.
        settings: Those that are served.
        tally: Counts along, a dialogue at a time.
        seed: Draws the turns of all dialogues in random order; None: in the order of the dialogues.

    Raises:
        BadInput: Campaigns do not know a dialogue's language, profile or strategy; all faults at once, a line each.
    """
    _refuse_unknown(dialogues, settings)
    if seed is None:
        for dialogue in dialogues:
            yield from _counted(dialogue, settings, tally)
        return
    places = [(dialogue, at) for dialogue in dialogues for at in _answers(dialogue)]
    random.Random(seed).shuffle(places)
    walked: dict[str, dict[int, Served]] = {}
    for dialogue, at in places:
        if dialogue.id not in walked:
            walked[dialogue.id] = {served.at: served for served in _counted(dialogue, settings, tally)}
        if served := walked[dialogue.id].get(at):
            yield served


def _refuse_unknown(dialogues: Sequence[Dialogue], settings: Settings) -> None:
    faults = []
    for dialogue in dialogues:
        try:
            campaign = get_resources(settings).campaign(dialogue.campaign).campaign
            check_start(campaign, dialogue.language, dialogue.profile, dialogue.strategy)
        except BadInput as error:
            faults.append(f"dialogue '{dialogue.id}': {error}")
    refuse("Corpus", faults)


def _answers(dialogue: Dialogue) -> list[int]:
    return [at for at, turn in enumerate(dialogue.turns) if at and turn.role == "agent"]


def _counted(dialogue: Dialogue, settings: Settings, tally: Tally) -> list[Served]:
    found = list(walk(dialogue, settings))
    answers = len(_answers(dialogue))
    tally.dialogues += 1
    tally.answers += answers
    tally.fixed += answers - len(found)
    for served in found:
        tally.blocked += bool(served.hits)
        tally.personal += not served.hits and not served.learnable
        tally.rules.update({hit["name"] for hit in served.hits})
    return found


def sft_rows(turns: Iterable[Served], *, think: bool = False) -> Iterator[SFTRow]:
    """Yield a row for each of the experts' answers that may be learnt (`Served.learnable`).

    Args:
        turns: See `served_turns`.
        think: Answers with a thought are `<think>…</think>reply`, and their prompts ask for it; the others stay as they are, so that
            no prompt asks for what its completion lacks.
    """
    for served in turns:
        if served.learnable:
            thought = served.thought if think else ""
            completion = spoken(served.reply, thought)
            yield cast(SFTRow, {**common(served, think=bool(thought)), "completion": completion})


def prompt_rows(turns: Iterable[Served], *, think: bool = False) -> Iterator[PromptRow]:
    """Yield a row for each turn to which the expert's answer may be a reference (`Served.learnable`).

    Args:
        turns: See `served_turns`.
        think: Every prompt asks for a thought.
    """
    for served in turns:
        if served.learnable:
            reference = {"reference": served.reply, "state": state_json(served.state)}
            yield cast(PromptRow, {**common(served, think=think), **reference})


def common(served: Served, *, think: bool) -> dict[str, Any]:
    """Return the columns that every kind of row has."""
    dialogue = served.dialogue
    return {
        "dialogue": dialogue.id,
        "turn": served.at,
        "campaign": dialogue.campaign,
        "language": dialogue.language,
        "stage": served.state["stage"],
        "intent": served.state["understood"]["intent"],
        "split": dialogue.split,
        "method": dialogue.source.method,
        "prompt": served.prompt(think=think),
    }


def spoken(reply: str, thought: str = "") -> list[Message]:
    """Return a reply as a completion; with a thought, in the markers that the served graph reads."""
    before = f"{ThoughtFilter.OPEN}{thought}{ThoughtFilter.CLOSE}" if thought else ""
    return [{"role": "assistant", "content": before + reply}]
