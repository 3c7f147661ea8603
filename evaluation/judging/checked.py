"""Whether a judge tells a rubric's gold conversation from its bad one, kept in the home so that reports can say it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from evaluation.kept import keep, kept

FILE = "rubric_checks.json"
Check = Literal["passed", "failed", "unchecked"]
TOLD: dict[Check, str] = {
    "failed": "does not tell its gold conversation from its bad one: do not trust these figures",
    "unchecked": "was not checked: salesman evaluate rubrics --check",
}
"""What is told of a judge that did not pass."""


def keep_checks(home: Path, judge: str, results: Iterable[Mapping[str, Any]]) -> None:
    """Keep what `salesman evaluate rubrics --check` found.

    Args:
        home: `SALESMAN_HOME`.
        judge: Name of the judge's model.
        results: As `separates` returns them.
    """
    keep(home / FILE, {_name(judge, one["rubric"], one["version"], one["language"]): one for one in results})


def check_of(home: Path, judge: str, rubric: str, version: int, languages: Iterable[str]) -> Check:
    """Return what is known of a judge and a rubric in some languages: failed where it fails in one, passed only where in all it passed."""
    known = kept(home / FILE)
    found = [known.get(_name(judge, rubric, version, language)) for language in languages]
    if any(one and not one["separates"] for one in found):
        return "failed"
    return "passed" if found and all(found) else "unchecked"


def _name(judge: str, rubric: str, version: int, language: str) -> str:
    return f"{judge}|{rubric}|{version}|{language}"
