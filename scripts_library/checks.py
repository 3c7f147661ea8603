"""What no single field can know: do the names, placeholders, languages and stages of a campaign fit together?

The checks read plain data (as in the files), so that one wrong field hides no other error; a missing or misshapen
value is skipped here, because the schema has named it already.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from scripts_library.claim_checks import check_claims
from scripts_library.problem import Problem
from scripts_library.schema import ANY_INTENT, STAGES, Campaign, Intent, Language
from scripts_library.yaml_lines import Loc

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_FIXED = frozenset({"agent", "organisation"})
_FACT = "fact."


@dataclass(frozen=True)
class Known:
    """The names that the rest of a campaign may use."""

    campaign: str
    languages: tuple[str, ...]
    facts: frozenset[str]
    slots: frozenset[str]
    profile: frozenset[str]
    intents: frozenset[str]
    max_chars: Mapping[str, int]

    @classmethod
    def of(cls, campaign: object, intents: object) -> "Known":
        """Collect the names from the plain data of `campaign.yaml` and `intents.yaml`."""
        data = _map(campaign)
        limits = {key: int(value) for key, value in _map(data.get("max_chars")).items() if str(value).isdigit()}
        return cls(
            campaign=str(data.get("name", "")),
            languages=tuple(_strings(data.get("languages"))),
            facts=frozenset(_names(data.get("facts"), "id")),
            slots=frozenset(_names(data.get("slots"), "name")),
            profile=frozenset(_names(data.get("profile"), "name")),
            intents=frozenset(_names(intents, "name")),
            max_chars=limits,
        )


def check_script(data: Mapping[str, Any], known: Known) -> list[Problem]:
    """Check one script (plain data) against its campaign."""
    problems: list[Problem] = []
    if known.campaign and isinstance(data.get("campaign"), str) and data["campaign"] != known.campaign:
        problems.append(Problem(("campaign",), "not this campaign", data["campaign"], f"write {known.campaign}"))
    language = data.get("language")
    if isinstance(language, str) and known.languages and language not in known.languages:
        problems.append(
            Problem(("language",), "language that the campaign does not speak", language, _choice(known.languages))
        )
    problems += _unknown(("intent",), "intent", [data.get("intent")], {*known.intents, ANY_INTENT})
    problems += _unknown(("facts",), "fact", _list(data.get("facts")), known.facts)
    for index, line in enumerate(_list(data.get("say"))):
        problems += _check_line(("say", index), line, language, known)
    return problems


def check_campaign(campaign: object, known: Known) -> list[Problem]:
    """Check the plain data of `campaign.yaml`."""
    data = _map(campaign)
    problems = _languages(Campaign, data, known.languages, ())
    for field, key in (
        ("facts", "id"),
        ("forbidden", "id"),
        ("rubric", "id"),
        ("strategies", "id"),
        ("profile", "name"),
        ("slots", "name"),
    ):
        problems += _twice(data.get(field), key, (field,))
    problems += _fillable(data, known)
    problems += check_claims(_list(data.get("forbidden")))
    for index, line in enumerate(_list(data.get("rubric"))):
        if not any(_map(_map(line).get("text")).values()):
            problems.append(Problem(("rubric", index, "text"), "no text", "", "write it in one language at least"))
    for index, slot in enumerate(_list(data.get("slots"))):
        problems += _check_slot(("slots", index), _map(slot), known)
    problems += _check_sop(_map(data.get("sop")), known)
    return problems


def check_intents(intents: object, known: Known) -> list[Problem]:
    """Check the plain data of `intents.yaml`."""
    problems = _twice(intents, "name", ())
    for index, intent in enumerate(_list(intents)):
        problems += _languages(Intent, _map(intent), known.languages, (index,))
        if _map(intent).get("name") == ANY_INTENT:
            problems.append(
                Problem(
                    (index, "name"),
                    "reserved name",
                    ANY_INTENT,
                    "it means a stage's general scripts; rename the intent",
                )
            )
    return problems


def check_scripts(scripts: object, known: Known) -> list[Problem]:
    """Check the plain data of `scripts.yaml`."""
    problems = _twice(scripts, "id", ())
    for index, script in enumerate(_list(scripts)):
        for problem in check_script(_map(script), known):
            problems.append(Problem((index, *problem.loc), problem.message, problem.value, problem.way_out))
    return problems


def suggest(word: str, words: Iterable[str]) -> str:
    """Return the way out for an unknown word: the nearest known one, or all of them."""
    known = sorted(words)
    near = get_close_matches(word, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return _choice(known) if known else "declare it first"


def _check_sop(sop: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    plans, moves = _map(sop.get("stages")), _map(sop.get("moves"))
    if plans:
        for stage in STAGES:
            if stage not in plans:
                yield Problem(
                    ("sop", "stages"), "stage without a plan", stage, f"add `{stage}:` with goal and fallback"
                )
    for name, plan in plans.items():
        here = ("sop", "stages", name)
        yield from _unknown((*here, "exit_slots"), "slot", _list(_map(plan).get("exit_slots")), known.slots)
        yield from _unknown((*here, "exit_intents"), "intent", _list(_map(plan).get("exit_intents")), known.intents)
    yield from _unknown(("sop", "close_requires"), "slot", _list(sop.get("close_requires")), known.slots)
    if not moves:
        return
    reached, edge = {"opening"}, ["opening"]
    while edge:
        for target in _strings(moves.get(edge.pop())):
            if target not in reached:
                reached.add(target)
                edge.append(target)
    for missed in STAGES:
        if missed not in reached:
            yield Problem(("sop", "moves"), "stage that no move reaches from opening", missed, "add a move to it")


def _check_slot(loc: Loc, slot: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    kind = slot.get("kind")
    if kind == "choice" and not slot.get("values"):
        yield Problem(loc, "a choice without values", str(slot.get("name")), "add `values:` with keywords per language")
    if kind == "intent" and not slot.get("intents"):
        yield Problem(
            loc, "a slot of kind intent without intents", str(slot.get("name")), "add `intents:` (intent: value)"
        )
    yield from _unknown((*loc, "intents"), "intent", list(_map(slot.get("intents"))), known.intents)
    try:
        low, high = float(slot["minimum"]), float(slot["maximum"])
    except (KeyError, TypeError, ValueError):
        return
    if low > high:
        yield Problem((*loc, "minimum"), "minimum above maximum", f"{low:g} > {high:g}", "swap them")


def _fillable(data: Mapping[str, Any], known: Known) -> Iterator[Problem]:
    """Check every approved line of the campaign itself."""
    texts: list[tuple[Loc, object]] = [(("agent", "disclosure"), _map(data.get("agent")).get("disclosure"))]
    texts += [(("lines", name), lines) for name, lines in _map(data.get("lines")).items()]
    stages = _map(_map(data.get("sop")).get("stages"))
    texts += [(("sop", "stages", stage, "fallback"), _map(plan).get("fallback")) for stage, plan in stages.items()]
    texts += [(("slots", index, "ask"), _map(slot).get("ask")) for index, slot in enumerate(_list(data.get("slots")))]
    for loc, text in texts:
        for language, said in _map(text).items():
            if isinstance(said, str):
                yield from _check_line((*loc, language), said, language, known)
            for index, line in enumerate(_list(said)):
                yield from _check_line((*loc, language, index), line, language, known)
    for index, fact in enumerate(_list(data.get("facts"))):
        for language, text in _map(_map(fact).get("text")).items():
            if isinstance(text, str) and ("{" in text or "}" in text):
                yield Problem(
                    ("facts", index, "text", language), "a fact is not filled in", text, "write it without { }"
                )


def _check_line(loc: Loc, line: object, language: object, known: Known) -> Iterator[Problem]:
    if not isinstance(line, str):
        return
    for name in _PLACEHOLDER.findall(line):
        if name.startswith(_FACT):
            yield from _unknown(loc, "fact in a placeholder", [name[len(_FACT) :]], known.facts)
        elif name not in known.profile | known.slots | _FIXED:
            way_out = suggest(name, [*known.profile, *known.slots, *_FIXED, *(_FACT + fact for fact in known.facts)])
            yield Problem(loc, "placeholder that can never be filled", f"{{{name}}}", way_out)
    if set("{}") & set(_PLACEHOLDER.sub("", line)):
        yield Problem(loc, "single brace", _short(line), "write placeholders as {name}, and no other { or }")
    limit = known.max_chars.get(str(language))
    if limit is not None and len(line) > limit:
        yield Problem(
            loc, f"{len(line)} characters, longer than max_chars", str(limit), "shorten the line or raise max_chars"
        )


def _languages(model: type[BaseModel], data: Mapping[str, Any], languages: tuple[str, ...], loc: Loc) -> list[Problem]:
    """Find every per-language field of a model that lacks a declared language."""
    problems: list[Problem] = []
    for name, field in model.model_fields.items():
        if data.get(name) is not None:
            problems += _spoken(field.annotation, data[name], languages, (*loc, name))
    return problems


def _spoken(kind: Any, data: object, languages: tuple[str, ...], loc: Loc) -> list[Problem]:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return [problem for arg in args if arg is not type(None) for problem in _spoken(arg, data, languages, loc)]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _languages(kind, _map(data), languages, loc)
    if origin is list:
        return [p for i, item in enumerate(_list(data)) for p in _spoken(args[0], item, languages, (*loc, i))]
    if origin is not dict or not isinstance(data, Mapping):
        return []
    if args[0] is not Language:
        return [problem for key, item in data.items() for problem in _spoken(args[1], item, languages, (*loc, key))]
    if loc[-1] in ("promises", "internal_terms", "patterns") or loc[0] == "rubric":
        return []
    return [
        Problem(loc, "nothing in a language that the campaign speaks", language, f"add `{language}:`")
        for language in languages
        if language in get_args(Language) and data.get(language) in (None, [])
    ]


def _unknown(loc: Loc, kind: str, names: Iterable[object], known: Iterable[str]) -> Iterator[Problem]:
    for name in names:
        if isinstance(name, str) and name not in known:
            yield Problem(loc, f"unknown {kind}", name, suggest(name, known))


def _twice(items: object, key: str, loc: Loc) -> list[Problem]:
    seen: set[str] = set()
    problems: list[Problem] = []
    for index, item in enumerate(_list(items)):
        name = _map(item).get(key)
        if isinstance(name, str) and name in seen:
            problems.append(Problem((*loc, index, key), f"{key} used twice", name, "rename or remove one"))
        seen.add(str(name))
    return problems


def _names(items: object, key: str) -> Iterator[str]:
    return (name for item in _list(items) if isinstance(name := _map(item).get(key), str))


def _strings(value: object) -> list[str]:
    return [item for item in _list(value) if isinstance(item, str)]


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _choice(words: Iterable[str]) -> str:
    shown = list(words)
    return "one of " + ", ".join(shown[:12]) + (", …" if len(shown) > 12 else "")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
