"""Does a scenario fit its campaign: its intents, slots, profile, strategy and language?

Reads plain data (as in the file), so that one wrong field hides no other error; what is missing or misshapen is skipped
here, because the schema has named it already.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scripts_library.checks import suggest
from scripts_library.loading import CampaignData
from scripts_library.problem import Problem
from scripts_library.yaml_lines import Loc


def check_scenario(row: Mapping[str, Any], campaigns: Mapping[str, CampaignData]) -> Iterator[Problem]:
    """Yield what is wrong between one scenario (plain data) and the campaigns that there are."""
    yield from _check_success(row)
    name = row.get("campaign")
    if not isinstance(name, str):
        return
    if name not in campaigns:
        yield Problem(("campaign",), "unknown campaign", name, suggest(name, campaigns))
        return
    campaign, intents = campaigns[name].campaign, campaigns[name].intents
    yield from _unknown(("language",), "language of the campaign", [row.get("language")], campaign.languages)
    yield from _unknown(("strategy",), "strategy", [row.get("strategy") or None], (s.id for s in campaign.strategies))
    yield from _each(("questions",), "intent", row.get("questions"), [intent.name for intent in intents])
    objections = [intent.name for intent in intents if intent.kind == "objection"]
    yield from _each(("objections",), "intent of kind objection", row.get("objections"), objections)
    slots = [slot.name for slot in campaign.slots]
    for slot in _mapping(row.get("if_asked")):
        yield from _unknown(("if_asked", slot), "slot", [slot], slots)
    yield from _each(("success", "slots"), "slot", _mapping(row.get("success")).get("slots"), slots)
    fields = {field.name: field.values for field in campaign.profile}
    for field, value in _mapping(row.get("profile")).items():
        yield from _unknown(("profile", field), "profile field", [field], fields)
        if fields.get(field):
            yield from _unknown(("profile", field), "value", [value], fields[field])


def _check_success(row: Mapping[str, Any]) -> Iterator[Problem]:
    """A check that nothing could fail, and a criterion that nothing checks, are both mistakes."""
    checks, success = row.get("checks"), _mapping(row.get("success"))
    if not isinstance(checks, list):
        return
    if "slots" in checks and not success.get("slots"):
        yield Problem(("checks",), "check without a criterion", "slots", "add `slots:` to `success:`")
    if success.get("slots") and "slots" not in checks:
        yield Problem(("success", "slots"), "criterion that no check counts", "slots", "add `slots` to `checks:`")


def _each(loc: Loc, kind: str, names: object, known: Iterable[str]) -> Iterator[Problem]:
    words = list(known)
    for index, name in enumerate(names if isinstance(names, list) else []):
        yield from _unknown((*loc, index), kind, [name], words)


def _unknown(loc: Loc, kind: str, names: Iterable[object], known: Iterable[str]) -> Iterator[Problem]:
    words = list(known)
    for name in names:
        if isinstance(name, str) and name not in words:
            yield Problem(loc, f"unknown {kind}", name, suggest(name, words))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
