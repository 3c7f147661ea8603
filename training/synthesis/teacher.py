"""Ask the teacher: an answer by a JSON schema, read strictly, or one spoken line.

Nothing that it sends is believed: an answer that is cut off is read as far as it is whole, and one that cannot be used is
asked for once more with another seed. A small teacher's second sample is as good as its answer to a complaint, and the
server has read the prompt already.
"""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import openai

from graph.errors import ModelUnavailable
from nodes.speak import MODEL_TROUBLE, ThoughtFilter

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

SECONDS = 180.0
"""Longest silence of the teacher."""
TRIES = 2
TEMPERATURE = 0.8
_CUTS = 12
"""So many closing braces are tried, from the end, to find where a cut answer was last whole."""
T = TypeVar("T")


class Refused(Exception):
    """The teacher's answer cannot be used; says why. A dialogue that ends so is not asked for again."""


class Teacher:
    """A chat model that writes dialogues.

    Args:
        load: Returns the model, the same one every time while its server lives; not called before something is asked.
            The server should know `response_format` with a JSON schema, but is not trusted to keep to it.
        name: Of the model, kept with each dialogue.
    """

    def __init__(self, load: "Callable[[], BaseChatModel]", name: str) -> None:
        self.name = name
        self._load = load

    def ask(
        self,
        prompt: "Sequence[BaseMessage]",
        schema: dict[str, Any],
        read: Callable[[dict[str, Any]], T],
        *,
        tokens: int,
        seed: int,
    ) -> T:
        """Ask for an answer by a schema.

        Args:
            prompt: Messages as sent.
            schema: JSON schema of the answer, an object.
            read: Turns the answer into what is wanted; a `Refused` of it has the question asked again.
            tokens: Longest answer.
            seed: Of the sampling; a second try adds one.

        Raises:
            Refused: No answer could be used.
            ModelUnavailable: The teacher's server does not answer.
        """
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        refused = Refused()
        for attempt in range(TRIES):
            said = self._invoke(prompt, tokens, seed + attempt, response_format=form)
            try:
                return read(read_object(said))
            except Refused as error:
                refused = error
        raise refused

    def say(self, prompt: "Sequence[BaseMessage]", *, tokens: int, seed: int) -> str:
        """Return one answer as it was spoken, without thoughts.

        Raises:
            ModelUnavailable: The teacher's server does not answer.
        """
        return self._invoke(prompt, tokens, seed)

    def _invoke(self, prompt: "Sequence[BaseMessage]", tokens: int, seed: int, **options: Any) -> str:
        try:
            said = (
                self._load()
                .invoke(
                    list(prompt),
                    max_tokens=tokens,
                    temperature=TEMPERATURE,
                    seed=seed % 2**31,
                    timeout=SECONDS,
                    **options,
                )
                .text
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise ModelUnavailable(
                f"The teacher {self.name} refuses ({_short(error)}); check SALESMAN_JUDGE, SALESMAN_JUDGE_BASE_URL and its key."
            ) from error
        except MODEL_TROUBLE as error:
            raise ModelUnavailable(
                f"The teacher {self.name} does not answer ({_short(error)}); start its server again."
            ) from error
        thoughts = ThoughtFilter()
        return (thoughts.feed(said) + thoughts.flush()).strip()


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def read_object(said: str) -> dict[str, Any]:
    """Read a JSON object from an answer; of one that was cut off, what was whole.

    Args:
        said: May stand in a code fence, have words before it, and end anywhere in its last list.

    Raises:
        Refused: There is no object in it.

    Example:
        >>> read_object('{"turns": [{"a": 1}, {"a": 2}, {"a":')
        {'turns': [{'a': 1}, {'a': 2}]}
    """
    body = said[said.find("{") :] if "{" in said else ""
    ends = [place for place, character in enumerate(body) if character == "}"][-_CUTS:]
    for end in reversed(ends):
        for closing in ("", "]}"):
            try:
                found = json.loads(body[: end + 1] + closing)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    raise Refused("no JSON object" if said else "an empty answer")


def object_of(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has all these properties and no other."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def text_of(characters: int) -> dict[str, Any]:
    """Return the schema of a text of at least one and at most so many characters."""
    return {"type": "string", "minLength": 1, "maxLength": characters}
