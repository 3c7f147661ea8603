"""Read scenarios: the bundled ones with their splits, own YAML files, and SalesLLM's JSONL."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from evaluation.scenarios.campaign_check import check_scenario
from evaluation.scenarios.salesllm import read_salesllm
from evaluation.scenarios.scenario_set import Finding, ScenarioSet
from evaluation.scenarios.schema import Scenario, Split
from graph.errors import BadInput
from graph.settings import Settings
from nodes.resources import get_resources
from scripts_library.loading import CampaignData, bundled, field_name, join_errors, load_campaign, schema_problems
from scripts_library.problem import Problem
from scripts_library.schema import Language
from scripts_library.yaml_lines import Document, read_yaml

DATA = Path(__file__).parent / "data"
SPLITS = DATA / "splits.yaml"
_WRITTEN = "_written"


@cache
def bundled_campaigns() -> Mapping[str, CampaignData]:
    """Return the campaigns that ship with the project, by name."""
    return {name: load_campaign(folder) for name, folder in bundled().items()}


def bundled_files() -> dict[tuple[str, Language], list[Path]]:
    """Return the files of the bundled scenarios: campaign and language → the generated ones, then the written ones."""
    files: dict[tuple[str, Language], list[Path]] = {}
    for name, data in bundled_campaigns().items():
        for language in data.campaign.languages:
            paths = [DATA / f"{name}_{language}{kind}.yaml" for kind in ("", _WRITTEN)]
            files[name, language] = [path for path in paths if path.is_file()]
    return files


def load_scenarios(campaign: str, language: Language) -> list[Scenario]:
    """Return the bundled scenarios of a campaign in one language, the generated ones first.

    Raises:
        BadInput: There are none, or a file has errors (all of them are named).
    """
    files = bundled_files()
    if not files.get((campaign, language)):
        known = ", ".join(f"{name} {tongue}" for (name, tongue), paths in files.items() if paths)
        raise BadInput(f"No bundled scenarios for campaign {campaign!r} in {language!r}; there are: {known}")
    return [scenario for path in files[campaign, language] for scenario in _bundled(path)]


@cache
def _bundled(path: Path) -> tuple[Scenario, ...]:
    return load_scenario_file(path).scenarios


def bundled_scenarios() -> list[Scenario]:
    """Return every bundled scenario."""
    return [scenario for name, language in bundled_files() for scenario in load_scenarios(name, language)]


def split_ids(split: Split) -> list[str]:
    """Return the ids of one split of the bundled scenarios; every one of them is in exactly one split.

    Raises:
        BadInput: The split is unknown or its file is broken.
    """
    splits = read_yaml(SPLITS).data
    if split not in get_args(Split):
        raise BadInput(f"Unknown split {split!r}; expected one of {', '.join(get_args(Split))}")
    ids = splits.get(split) if isinstance(splits, dict) else None
    if not isinstance(ids, list):
        raise BadInput(f"{SPLITS}:1: {split}: no list of ids – run `python -m evaluation.scenarios.generate`")
    return [str(name) for name in ids]


def load_split(split: Split) -> ScenarioSet:
    """Return the bundled scenarios of one split, in the order of its ids.

    Raises:
        BadInput: The split is unknown, or an id is of no bundled scenario.
    """
    scenarios = {scenario.id: scenario for scenario in bundled_scenarios()}
    ids = split_ids(split)
    missing = [name for name in ids if name not in scenarios]
    if missing:
        raise BadInput(f"{SPLITS}:1: {split}: no such scenario ({', '.join(missing)}) – correct the id or remove it")
    return ScenarioSet(tuple(scenarios[name] for name in ids))


def load_scenario_file(path: Path, settings: Settings | None = None) -> ScenarioSet:
    """Read a file of scenarios that is to be run.

    Args:
        path: Own YAML (`.yaml`, `.yml`: a list of scenarios) or SalesLLM's JSONL (`.jsonl`).
        settings: Name the library whose campaigns own scenarios may name beside the bundled ones; it is opened only if one
            does. None: the bundled ones alone.

    Returns:
        Its scenarios. SalesLLM's broken rows are left out and named: they are others' data.

    Raises:
        BadInput: An own file has errors: one line per error, all at once: `file:line: field: message (value) – way out`;
            or the file, or the library, cannot be read.
    """
    found = examine_file(path, settings)
    if found.broken and path.suffix != ".jsonl":
        raise BadInput(join_errors(f"Scenarios {path}", [reason for row in found.broken for reason in row.reasons]))
    return found


def examine_file(path: Path, settings: Settings | None = None) -> ScenarioSet:
    """Read a file of scenarios and keep what is wrong with each row beside those that can run.

    Args:
        path: As for `load_scenario_file`.
        settings: As for `load_scenario_file`.

    Raises:
        BadInput: The file as a whole, or the library, cannot be read.
    """
    if path.suffix == ".jsonl":
        return read_salesllm(path)
    if path.suffix not in (".yaml", ".yml"):
        raise BadInput(
            f"{path} ends with {path.suffix or 'nothing'!r}; expected .yaml, .yml (own) or .jsonl (SalesLLM)"
        )
    document = read_yaml(path)
    if not isinstance(document.data, list) or not document.data:
        raise BadInput(f"{path}:1: file: no list of scenarios – begin each scenario with `- id:`")
    return _own(document, document.data, _known(document.data, settings))


def _known(rows: list[object], settings: Settings | None) -> Mapping[str, CampaignData]:
    """Return the bundled campaigns, with the library's where a row names one that is not bundled."""
    shipped = bundled_campaigns()
    named = [row.get("campaign") for row in rows if isinstance(row, dict)]
    if settings is None or all(name in shipped for name in named if isinstance(name, str)):
        return shipped
    library = get_resources(settings).library
    return {**{name: library.campaign(name) for name in library.campaigns()}, **shipped}


def _own(document: Document, rows: list[object], campaigns: Mapping[str, CampaignData]) -> ScenarioSet:
    scenarios: list[Scenario] = []
    broken: list[Finding] = []
    lines: dict[str, int] = {}
    for index, row in enumerate(rows):
        data: dict[str, Any] = dict(row) if isinstance(row, dict) else {}
        name, line = data.get("id"), document.line((index,))
        problems = list(check_scenario(data, campaigns))
        if isinstance(name, str) and name in lines:
            problems.append(Problem(("id",), "id used twice", name, f"it is in line {lines[name]}; rename one"))
        lines.setdefault(str(name), line)
        try:
            scenario = Scenario.model_validate(_numbered(data) if data else row)
        except ValidationError as error:
            problems += schema_problems(error)
        if problems:
            reasons = _reasons(document, index, problems)
            broken.append(Finding(name if isinstance(name, str) else f"line {line}", reasons))
        else:
            scenarios.append(scenario)
    return ScenarioSet(tuple(scenarios), broken=tuple(broken))


def _numbered(row: dict[str, Any]) -> dict[str, Any]:
    """Files hold texts only; pydantic turns them into numbers everywhere but inside a `Literal`."""
    products = row.get("products")
    return row | {"products": int(products)} if isinstance(products, str) and products.isdecimal() else row


def _reasons(document: Document, index: int, problems: list[Problem]) -> list[str]:
    found = [(document.line((index, *problem.loc)), problem) for problem in problems]
    found.sort(key=lambda item: item[0])
    return [
        f"{document.path}:{line}: {field_name(document.data, (index, *problem.loc))}: {problem.text()}"
        for line, problem in found
    ]
