"""Do the patterns of a campaign's forbidden claims do what their writer meant? Plain data, as in the files."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrails.claims import claims_in_reply
from guardrails.context import Forbidden
from guardrails.patterns import endless, pattern_fault
from scripts_library.problem import Problem
from scripts_library.yaml_lines import Loc

_SIGNS = "escape signs such as ( [ * + ? with \\, or write the words alone"


def check_claims(claims: Sequence[object]) -> list[Problem]:
    """Check patterns and test lines of forbidden claims.

    Every pattern must be a regular expression that answers fast; a published claim must have one, must catch all of its
    `must_match` lines and none of its `must_not_match` lines, in whichever language they are.
    """
    said = [claim for claim in claims if isinstance(claim, Mapping)]
    faults = {pattern: pattern_fault(pattern) for claim in said for _, pattern in _patterns(claim)}
    slow = endless(tuple(sorted(pattern for pattern, fault in faults.items() if not fault)))
    faults |= dict.fromkeys(slow, "may take for ever on some lines")
    problems: list[Problem] = []
    for index, claim in enumerate(claims):
        if isinstance(claim, Mapping):
            problems += _check_claim(("forbidden", index), claim, faults)
    return problems


def _check_claim(loc: Loc, claim: Mapping[str, Any], faults: Mapping[str, str]) -> Iterator[Problem]:
    patterns = list(_patterns(claim))
    broken = [(place, pattern) for place, pattern in patterns if faults[pattern]]
    for place, pattern in broken:
        slow = "take" in faults[pattern] or "longer" in faults[pattern]
        yield Problem((*loc, *place), faults[pattern], _short(pattern), "write a plainer one" if slow else _SIGNS)
    if broken or claim.get("status") == "draft":
        return
    if not patterns:
        yield Problem((*loc, "patterns"), "nothing to look for", "", "write a pattern, or make it a draft")
        return
    rules = [Forbidden("", "", pattern) for _, pattern in patterns]
    for field, caught, message, way_out in (
        ("must_match", True, "the patterns miss a line that they must catch", "widen a pattern, or remove the line"),
        ("must_not_match", False, "the patterns catch a line that they must let pass", "narrow it, or remove the line"),
    ):
        lines = claim.get(field)
        for index, line in enumerate(lines if isinstance(lines, list) else []):
            if isinstance(line, str) and line.strip() and bool(claims_in_reply(line, rules)) is not caught:
                yield Problem((*loc, field, index), message, _short(line), way_out)


def _patterns(claim: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    said = claim.get("patterns")
    for language, patterns in said.items() if isinstance(said, Mapping) else ():
        for index, pattern in enumerate(patterns if isinstance(patterns, list) else []):
            if isinstance(pattern, str):
                yield ("patterns", language, index), pattern


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "…"
