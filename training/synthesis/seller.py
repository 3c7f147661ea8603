"""The seller's side of played calls: its prompt, and a second try for a reply that breaks a rule."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from nodes.prompting import as_data
from training.corpus.schema import DialogueTurn
from training.synthesis.hearing import Hearing
from training.synthesis.prompting import render
from training.synthesis.scene import Scene, Workshop
from training.synthesis.teacher import TRIES, Refused

TOKENS = 90
"""Longest reply; two spoken sentences are about 50."""
T = TypeVar("T")


def conversation(
    shop: Workshop, scene: Scene, turns: Sequence[DialogueTurn], last: str, *, said: str, **values: str
) -> list[BaseMessage]:
    """Return the seller's messages: its part, the call so far, and the customer's last words with what to do.

    Args:
        shop: Gives role and facts.
        scene: Gives the profile and the strategy, which nobody else sees.
        turns: The call so far, without the customer's last words.
        last: Prompt file of the last message.
        said: The customer's last words.
        **values: The file's other placeholders.
    """
    language = shop.language
    told = {"profile": shop.told_profile(scene.profile), "strategy": scene.strategy.text[language]}
    prompt: list[BaseMessage] = [SystemMessage(render(f"seller.{language}", **shop.role, **told))]
    for turn in turns:
        prompt.append(AIMessage(turn.text) if turn.role == "agent" else HumanMessage(as_data(turn.text)))
    return [*prompt, HumanMessage(render(last, said=as_data(said), **values))]


def sound_reply(draw: Callable[[int], T], text: Callable[[T], str], hearing: Hearing, seed: int) -> T:
    """Return a reply, drawn once more where the first one was empty or breaks a rule.

    Args:
        draw: Draws a reply by a seed.
        text: Its words.
        hearing: The call up to here.
        seed: Of the first.

    Returns:
        The first one that breaks no rule, else the last one that is not empty: what is wrong with it is the filters' to say.

    Raises:
        Refused: All were empty.
    """
    held: list[T] = []
    for attempt in range(TRIES):
        reply = draw(seed + 1000 * attempt)
        if text(reply):
            held.append(reply)
            if not hearing.breaches(text(reply)):
                break
    if not held:
        raise Refused("the seller said nothing")
    return held[-1]
