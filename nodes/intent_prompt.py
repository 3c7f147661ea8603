"""Ask the chat model what a customer's line means: a short prompt, and an answer bound to a JSON schema."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, ValidationError

from graph.records import Tokens
from nodes.prompting import as_data, render
from nodes.speak import Answer, speak
from scripts_library.schema import Intent, Language

MODEL_CONFIDENCE = 0.28
"""Confidence of a model's answer: a schema answer carries none, and the default model is right on about 0.28 of held-out lines."""


class _Chosen(BaseModel):
    """The answer's one shape."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    intent: str


@dataclass(frozen=True)
class ModelIntent:
    """The model's reading of a line."""

    intent: str
    confidence: float
    tokens: Tokens


def intent_schema(intents: Sequence[Intent]) -> dict[str, object]:
    """Return the JSON schema of the answer: one field, one of the intents' names."""
    return {
        "type": "object",
        "properties": {"intent": {"type": "string", "enum": [intent.name for intent in intents]}},
        "required": ["intent"],
        "additionalProperties": False,
    }


def parse_intent(text: str, intents: Sequence[Intent]) -> str | None:
    """Return the intent that an answer names; None for anything but `{"intent": <a name of the campaign>}`."""
    try:
        chosen = _Chosen.model_validate(json.loads(text)).intent
    except (ValueError, ValidationError):
        return None
    return chosen if any(intent.name == chosen for intent in intents) else None


def ask_model(
    model: BaseChatModel, text: str, previous: str, intents: Sequence[Intent], language: Language, timeout: float
) -> ModelIntent | None:
    """Ask the model for a line's intent.

    Args:
        model: The chat model; its server must know `response_format` with a JSON schema (llama.cpp and vLLM do).
        text: The customer's line; given as data, never as an instruction.
        previous: What the agent said before; may be empty.
        intents: The campaign's intents; their labels are in the prompt.
        language: Language of the prompt.
        timeout: Seconds within which the answer must be whole.

    Returns:
        The intent; None when the model is down, slow, or answers anything else. Never raises for trouble of the model.
    """
    listed = "\n".join(f"- {intent.name}: {_label(intent, language)}" for intent in intents)
    prompt = [
        SystemMessage(render(f"intent.{language}", intents=listed)),
        HumanMessage(json.dumps({"agent": as_data(previous), "customer": as_data(text)}, ensure_ascii=False)),
    ]
    schema = {
        "type": "json_schema",
        "json_schema": {"name": "intent", "strict": True, "schema": intent_schema(intents)},
    }
    bound = cast(BaseChatModel, model.bind(response_format=schema))
    answer = Answer()
    said = "".join(speak(bound, prompt, timeout, answer))
    intent = None if answer.error else parse_intent(said, intents)
    return ModelIntent(intent, MODEL_CONFIDENCE, answer.tokens) if intent else None


def _label(intent: Intent, language: Language) -> str:
    order: tuple[Literal["en", "zh"], ...] = (language, "en", "zh")
    return next(intent.label[name] for name in order if name in intent.label)
