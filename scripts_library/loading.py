"""Load a campaign folder: three YAML files, checked together, every error at once with file, line and field."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from graph.errors import BadInput
from scripts_library import schema
from scripts_library.checks import Known, check_campaign, check_intents, check_scripts, suggest
from scripts_library.problem import Problem
from scripts_library.schema import Campaign, Intent, Script
from scripts_library.yaml_lines import Document, Loc, read_yaml

FILES = ("campaign.yaml", "intents.yaml", "scripts.yaml")
CAMPAIGNS = Path(__file__).parent / "campaigns"
_FIELDS = {
    name
    for model in vars(schema).values()
    if isinstance(model, type) and issubclass(model, BaseModel)
    for name in model.model_fields
}
_T = TypeVar("_T")


@dataclass(frozen=True)
class CampaignData:
    """A campaign with its intents, and with the scripts of its folder (none when it comes from the library)."""

    campaign: Campaign
    intents: tuple[Intent, ...]
    scripts: tuple[Script, ...] = ()


def bundled() -> dict[str, Path]:
    """Return the campaigns that ship with the project: name → folder."""
    return {folder.name: folder for folder in sorted(CAMPAIGNS.iterdir()) if (folder / FILES[0]).is_file()}


def fingerprint(folder: Path) -> str:
    """Return a hash of the folder's three files: it changes when one of them does."""
    digest = hashlib.sha256()
    for name in FILES:
        path = folder / name
        digest.update(path.read_bytes() if path.is_file() else b"")
        digest.update(b"\0")
    return digest.hexdigest()


def load_campaign(folder: Path) -> CampaignData:
    """Read and check a campaign folder.

    A script in a folder is approved: it is `published` unless its file says `status: draft` or `archived`. Its
    `campaign` may be left out.

    Args:
        folder: Holds `campaign.yaml`, `intents.yaml` (a list) and `scripts.yaml` (a list).

    Returns:
        The campaign, its intents and its scripts.

    Raises:
        BadInput: One line per error, all errors at once: `file:line: field: message (value) – way out`.
    """
    errors: list[str] = []
    documents: list[Document | None] = []
    for name in FILES:
        try:
            documents.append(read_yaml(folder / name))
        except BadInput as error:
            errors.append(str(error))
            documents.append(None)
    settings, intents, scripts = documents
    name = _name(settings)
    for script in scripts.data if scripts is not None and isinstance(scripts.data, list) else []:
        if isinstance(script, dict):
            script.setdefault("campaign", name)
            script.setdefault("status", "published")

    parsed_campaign = _parse(settings, TypeAdapter(Campaign), errors)
    parsed_intents = _parse(intents, TypeAdapter(list[Intent]), errors)
    parsed_scripts = _parse(scripts, TypeAdapter(list[Script]), errors)
    if settings is not None and intents is not None:
        known = Known.of(settings.data, intents.data)
        errors += _report(settings, check_campaign(settings.data, known))
        errors += _report(intents, check_intents(intents.data, known))
        errors += _report(scripts, check_scripts(scripts.data, known)) if scripts is not None else []
    if errors or parsed_campaign is None or parsed_intents is None or parsed_scripts is None:
        raise BadInput(join_errors(f"Campaign folder {folder}", errors))
    return CampaignData(parsed_campaign, tuple(parsed_intents), tuple(parsed_scripts))


def join_errors(what: str, errors: Sequence[str]) -> str:
    """Return one message for all errors of a file or folder; repeated ones are named once."""
    lines = list(dict.fromkeys(errors))
    count = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
    return f"{what}: {count}, nothing was changed:\n" + "\n".join(lines)


def schema_problems(error: ValidationError) -> list[Problem]:
    """Return what pydantic found, in the words of this project."""
    return [_problem(detail) for detail in error.errors(include_url=False)]


def _name(document: Document | None) -> str:
    data = document.data if document is not None else None
    return str(data.get("name", "unknown")) if isinstance(data, dict) else "unknown"


def _parse(document: Document | None, adapter: TypeAdapter[_T], errors: list[str]) -> _T | None:
    if document is None:
        return None
    try:
        return adapter.validate_python(document.data)
    except ValidationError as error:
        errors += _report(document, schema_problems(error))
        return None


def _report(document: Document, problems: Iterable[Problem]) -> list[str]:
    found = [(document.line(problem.loc), problem) for problem in problems]
    found.sort(key=lambda item: item[0])
    return [f"{document.path}:{line}: {field_name(document.data, item.loc)}: {item.text()}" for line, item in found]


def field_name(data: object, loc: Loc) -> str:
    """Return a way such as ``facts[price].text.en``, with ids instead of numbers where the data have them."""
    shown = ""
    for part in loc:
        if isinstance(part, int):
            data = data[part] if isinstance(data, list) and part < len(data) else None
            name = (data.get("id") or data.get("name")) if isinstance(data, dict) else None
            shown += f"[{name if isinstance(name, str) else part}]"
        else:
            data = data.get(part) if isinstance(data, dict) else None
            shown += f".{part}" if shown else part
    return shown or "file"


def _problem(detail: ErrorDetails) -> Problem:
    loc: Loc = tuple(part for part in detail["loc"] if part != "[key]")
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    last = str(loc[-1]) if loc else "file"
    shown = value if isinstance(value, str) else type(value).__name__ if isinstance(value, (dict, list)) else str(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    if kind == "extra_forbidden":
        near = suggest(last, _FIELDS)
        return Problem(loc, "unknown field", last, near if near.startswith("did") else "remove it")
    if kind == "missing":
        return Problem(loc, "missing", "", f"add `{last}:`")
    return Problem(loc, detail["msg"][0].lower() + detail["msg"][1:], shown, _way_out(kind, context))


def _way_out(kind: str, context: dict[str, Any]) -> str:
    ways = {
        "string_pattern_mismatch": "use lower-case letters, digits, _ and -, beginning with a letter",
        "string_too_short": "write something",
        "string_too_long": f"shorten it to {context.get('max_length')} characters",
        "too_short": f"give at least {context.get('min_length')}",
        "string_type": "write a text",
        "list_type": "write a list, each item after `- `",
        "dict_type": "write `key: value` lines",
        "model_type": "write `key: value` lines",
        "literal_error": f"one of {context.get('expected')}",
        "date_from_datetime_parsing": "write YYYY-MM-DD",
        "date_parsing": "write YYYY-MM-DD",
        "datetime_parsing": "write YYYY-MM-DDTHH:MM:SSZ",
    }
    return ways.get(kind, "correct it")
