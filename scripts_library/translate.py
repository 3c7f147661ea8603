"""Put a script into its campaign's other language by the chat model: a draft, for a person to check.

Line by line: small models merge, repeat or forget the lines of a whole script, and translate single ones better and as fast.
Still a model loses things. A line whose translation lost a placeholder or a number, came back in the wrong language or grew too
long is left out, so that what is in the draft can at least be filled in and states the same figures.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import httpx
import openai
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from graph.errors import BadInput, ModelUnavailable
from guardrails.quantities import Quantity, find_quantities, is_supported
from scripts_library.loading import CampaignData
from scripts_library.progress import Progress, unwatched
from scripts_library.schema import Language, Script

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

FIELDS = ("situation", "outline", "say", "avoid")
"""What is translated, beside the title."""
NAMES: dict[Language, str] = {"en": "English", "zh": "Simplified Chinese"}
SECONDS = 120.0
"""Longest silence of the model."""
MAX_TOKENS = 400
_PROMPT = Path(__file__).parent / "prompts" / "translate.md"
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_CJK = re.compile(r"[\u3400-\u9fff]")
_LEFT_OVER = re.compile(r"(?<![A-Za-z])[a-z]{4,}")
"""An English word that is no name, in Chinese."""
_ONE = {
    ("count", 1.0, ""),
    *(("duration", hours, "hour") for hours in (1.0, 24.0, 168.0)),
    *(("duration", months, "month") for months in (1.0, 12.0)),
}
_SCHEMA = {
    "type": "object",
    "properties": {"translation": {"type": "string"}},
    "required": ["translation"],
    "additionalProperties": False,
}
_FORMAT = {"type": "json_schema", "json_schema": {"name": "line", "strict": True, "schema": _SCHEMA}}


class Shelf(Protocol):
    """What translating needs of the library."""

    def campaign(self, name: str) -> CampaignData:
        """Return a campaign."""
        ...

    def get(self, script_id: str) -> Script:
        """Return a script's latest version."""
        ...

    def heads(self, campaign: str | None = None) -> Sequence[Any]:
        """Return where every script stands."""
        ...

    def add(self, script: Script, author: str) -> Script:
        """Add a script."""
        ...


class _Answer(BaseModel):
    """The model's answer for one line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    translation: Annotated[str, StringConstraints(strip_whitespace=True)]


def translate(
    library: Shelf,
    script_id: str,
    language: str,
    model: "BaseChatModel",
    author: str,
    progress: Progress = unwatched,
) -> Script:
    """Add a draft that says in another language what the latest version of a script says.

    Args:
        library: Holds the script, and takes the draft.
        script_id: The script.
        language: What to translate into; one that the campaign speaks.
        model: The chat model; its server must know `response_format` with a JSON schema.
        author: Who asked for it.
        progress: Told how far it is.

    Returns:
        The draft: a new script, whose source names the one that was translated, and the model.

    Raises:
        BadInput: No such script, no such language, or the model's answer holds nothing that can be used.
        ModelUnavailable: The model does not answer.
        Cancelled: `progress` raised it; nothing was changed.
    """
    script = library.get(script_id)
    campaign = library.campaign(script.campaign).campaign
    others = [spoken for spoken in campaign.languages if spoken != script.language]
    target = next((spoken for spoken in others if spoken == language), None)
    if target is None:
        raise BadInput(
            f"Script {script_id!r} is in {NAMES[script.language]} and cannot be translated into {language!r}; "
            f"its campaign also speaks {', '.join(others) or 'nothing else'}"
        )
    lines = [(field, line) for field in FIELDS for line in getattr(script, field)]
    kept: dict[str, list[str]] = {field: [] for field in FIELDS}
    progress(0, len(lines) + 1)
    title = _line(script.title, target, model) or script.title
    for number, (field, line) in enumerate(lines, 1):
        progress(number, len(lines) + 1)
        new = _line(line, target, model)
        if new and (field != "say" or len(new) <= campaign.max_chars[target]):
            kept[field].append(new)
    progress(len(lines) + 1, len(lines) + 1)
    if lost := [field for field in ("say", "situation", "outline") if not kept[field]]:
        raise BadInput(
            f"Script {script_id!r}: the translation was not saved, because no line of {', '.join(lost)} kept its "
            "placeholders, numbers and language; try again, use a larger model, or translate it by hand"
        )
    name = getattr(model, "model_name", None) or model._llm_type
    taken = {head.script.id for head in library.heads()}
    draft = script.model_copy(
        update={
            **kept,
            "title": title,
            "id": _free_id(f"{script.id}-{target}", taken),
            "language": target,
            "status": "draft",
            "source": f"translated from {script.id} v{script.version} by {name}: check before publishing"[:300],
        }
    )
    return library.add(Script.model_validate(draft.model_dump()), author)


def survives(old: str, new: str, language: Language) -> bool:
    """Tell whether a translation is in its language, no speech of its own, and kept the line's placeholders and numbers.

    Args:
        old: The line.
        new: Its translation.
        language: What it was translated into.
    """
    if (
        not new
        or len(new) > 8 * len(old) + 40
        or Counter(_PLACEHOLDER.findall(old)) != Counter(_PLACEHOLDER.findall(new))
    ):
        return False
    words = _PLACEHOLDER.sub("", new)
    if "{" in words or "}" in words or bool(_CJK.search(words)) != (language == "zh"):
        return False
    if language == "zh" and _LEFT_OVER.search(words):
        return False
    before, after = _figures(old), _figures(new)
    return all(is_supported(one, after) for one in before) and all(is_supported(one, before) for one in after)


def _figures(line: str) -> list[Quantity]:
    """Return a line's numbers, but for "one" and "a month": they are words more often than numbers."""
    found = [item.quantity for item in find_quantities(_PLACEHOLDER.sub("", line))]
    return [item for item in found if (item.kind, item.value, item.unit.removesuffix("bare")) not in _ONE]


def _line(line: str, language: Language, model: "BaseChatModel") -> str:
    """Return one line's translation; empty when the model's answer cannot be used."""
    system = _PROMPT.read_text(encoding="utf-8").replace("{{language}}", NAMES[language])
    try:
        said = model.invoke(
            [("system", system), ("human", line)],
            response_format=_FORMAT,
            max_tokens=MAX_TOKENS,
            temperature=0.0,
            timeout=SECONDS,
        ).text
        new = _Answer.model_validate_json(said).translation
    except ValidationError:
        return ""
    except (openai.OpenAIError, httpx.HTTPError, OSError) as error:
        raise ModelUnavailable(
            f"Nothing was translated: the model does not answer ({str(error)[:200]}); try again"
        ) from error
    return new if survives(line, new, language) else ""


def _free_id(wanted: str, taken: set[str]) -> str:
    """Return an id that is not taken yet."""
    names = [wanted[-100:], *(f"{wanted[-96:]}-{n}" for n in range(2, len(taken) + 3))]
    return next(free for name in names if (free := name.lstrip("-._")) not in taken)
