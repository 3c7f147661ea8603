"""A chat model as classifier of outcomes, without training: zero-shot, and with ten examples; for comparison only."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import openai
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evaluation.outcome.classes import MEANING, ORDER, POINTS, IntentClass
from evaluation.outcome.dialogue import Dialogue
from graph.errors import ModelUnavailable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

SHOTS = 10
SHOT_CHARACTERS = 500
"""Read of an example, its end."""
CHARACTERS = 2_400
"""Read of the call in question, its end: about 512 tokens."""
SECONDS = 120.0
PROMPT = Path(__file__).parent / "prompts" / "outcome.md"
_SCHEMA = {
    "type": "object",
    "properties": {"class": {"type": "string", "enum": list(ORDER)}},
    "required": ["class"],
    "additionalProperties": False,
}
_FORMAT = {"type": "json_schema", "json_schema": {"name": "outcome", "strict": True, "schema": _SCHEMA}}


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    intent: IntentClass = Field(alias="class")


def ask_outcomes(
    model: "BaseChatModel", dialogues: Sequence[Dialogue], examples: Sequence[Dialogue] = ()
) -> list[IntentClass | None]:
    """Ask a chat model for the class of each call.

    Args:
        model: Its server must know `response_format` with a JSON schema.
        dialogues: Calls.
        examples: Calls with a known class that the model is shown first; none is zero-shot.

    Returns:
        The class of each; None where the answer names none.

    Raises:
        ModelUnavailable: The model does not answer.
    """
    classes = "\n".join(f"{name}: {MEANING[name]}" for name in ORDER)
    messages = [("system", PROMPT.read_text(encoding="utf-8").replace("{{classes}}", classes))]
    for shown in examples:
        messages += [("human", shown.text[-SHOT_CHARACTERS:]), ("ai", f'{{"class": "{shown.possible[0]}"}}')]
    return [_ask(model, [*messages, ("human", dialogue.text[-CHARACTERS:])]) for dialogue in dialogues]


def _ask(model: "BaseChatModel", messages: list[tuple[str, str]]) -> IntentClass | None:
    try:
        said = model.invoke(messages, response_format=_FORMAT, max_tokens=20, temperature=0.0, timeout=SECONDS).text
        return _Answer.model_validate_json(said).intent
    except ValidationError:
        return None
    except (openai.OpenAIError, httpx.HTTPError, OSError) as error:
        raise ModelUnavailable(f"The model does not answer ({str(error)[:200]}); try again") from error


def chance_of(answer: IntentClass | None) -> float:
    """Return an answer as a probability of a purchase: only A is one, and the classes' points rank the others.

    A call without an answer stands between B and C, as no purchase; how many there are is told beside the figures.
    """
    return {10: 0.9, 8: 0.4, 6: 0.3, 4: 0.2, 2: 0.1}[POINTS[answer]] if answer else 0.35


def pick_examples(dialogues: Sequence[Dialogue]) -> list[Dialogue]:
    """Return ten calls with a known class, the classes in turn."""
    by_class = [[one for one in dialogues if one.possible == (name,)] for name in ORDER]
    rounds = [group[place] for place in range(SHOTS) for group in by_class if place < len(group)]
    return rounds[:SHOTS]
