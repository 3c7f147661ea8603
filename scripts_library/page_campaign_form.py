"""The forms for one fact, one forbidden claim, one rubric line: what they hold, and what is wrong with it, in words."""

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from graph.incidents import pattern_of
from guardrails.quantities import allowed_quantities
from scripts_library.campaign_edits import Entry
from scripts_library.problem import Problem
from scripts_library.schema import Fact, ForbiddenClaim, Language, RubricLine
from ui import faults
from ui.text import plain
from ui.words import t

SEVERITIES = ("high", "medium", "low")
STATUSES = ("published", "draft")
_NEW = {"forbidden": "rule", "rubric": "line"}
_FAULTS = {"unknown fact in a placeholder": "spoken", "list should have at least": "last_fact"}
"""How a problem's message begins → words for it that hold in these forms alone."""


def begun(part: str, entry: Entry | None, languages: Sequence[Language]) -> dict[str, Any]:
    """Return what a form holds before anybody has typed: an entry's fields, or empty ones."""
    held: dict[str, Any] = {}
    if part in ("facts", "rubric"):
        texts = entry.text if isinstance(entry, Fact | RubricLine) else {}
        held |= {f"text_{language}": texts.get(language, "") for language in languages}
    if part == "facts":
        held |= {"id": entry.id if entry else "", "valid_until": entry.valid_until if isinstance(entry, Fact) else None}
    if part == "forbidden":
        claim = entry if isinstance(entry, ForbiddenClaim) else None
        for language in languages:
            held[f"words_{language}"] = "\n".join(claim.patterns.get(language, []) if claim else [])
        held |= {"reason": claim.reason if claim else "", "severity": claim.severity if claim else "high"}
        held["patterns"] = claim is not None
        held["must_match"] = "\n".join(claim.must_match if claim else [])
        held["must_not_match"] = "\n".join(claim.must_not_match if claim else [])
    if part != "facts":
        held["status"] = entry.status if isinstance(entry, ForbiddenClaim | RubricLine) else "draft"
    return held


def draw(part: str, typed: dict[str, Any], languages: Sequence[Language], *, new: bool) -> dict[str, Any]:
    """Show a form with what was typed so far; return what it says now."""
    for name, value in typed.items():
        st.session_state.setdefault(f"entry_{name}", value)
    if part == "facts":
        _fact(languages, new=new)
    elif part == "forbidden":
        _claim(languages)
    else:
        _texts("rubric", languages)
        _status("rubric")
    return {name: st.session_state[f"entry_{name}"] for name in typed}


def entry_of(part: str, typed: dict[str, Any], entry: Entry | None, others: Sequence[str]) -> dict[str, Any]:
    """Return what a form says as an entry's plain data; a new claim or rubric line gets the first free name.

    Args:
        part: `facts`, `forbidden` or `rubric`.
        typed: What the form says.
        entry: The entry that is edited; None for a new one.
        others: Ids that are or were taken.
    """
    made: dict[str, Any] = entry.model_dump(mode="json") if entry else {}
    if part == "facts":
        until = typed["valid_until"]
        made |= {"id": typed["id"].strip(), "valid_until": until.isoformat() if until else None}
    elif entry is None:
        made["id"] = next(name for n in range(1, len(others) + 2) if (name := f"{_NEW[part]}-{n}") not in others)
    if part in ("facts", "rubric"):
        made["text"] = _by_language("text", typed)
    if part == "forbidden":
        words = {language: _lines(text) for language, text in _by_language("words", typed).items()}
        if not typed["patterns"]:
            words = {language: [pattern_of(line) for line in lines] for language, lines in words.items()}
        made |= {"patterns": words, "reason": typed["reason"].strip(), "severity": typed["severity"]}
        made |= {"must_match": _lines(typed["must_match"]), "must_not_match": _lines(typed["must_not_match"])}
    if part != "facts":
        made["status"] = typed["status"]
    return made


def said(entry: Entry | None, field: str) -> str:
    """Return a field of an entry as people read it; a dash where there is nothing."""
    if entry is None:
        return "–"
    value = entry.model_dump(mode="json").get(field)
    if isinstance(value, dict):
        parts = [
            (t(f"common.language_{key}"), "\n".join(text) if isinstance(text, list) else text)
            for key, text in value.items()
        ]
        return "\n".join(f"{language}: {text}" for language, text in parts if text) or "–"
    if field in ("severity", "status"):
        return t(f"campaign.{field}_{value}")
    return "\n".join(value) or "–" if isinstance(value, list) else str(value or "–")


def fields_of(part: str) -> tuple[str, ...]:
    """Return the fields of a part's entries that people edit."""
    fields = {
        "facts": ("text", "valid_until"),
        "forbidden": ("reason", "patterns", "severity", "status", "must_match", "must_not_match"),
    }
    return fields.get(part, ("text", "status"))


def fault(problem: Problem) -> str:
    """Return a problem in words: where in the form, and what to do."""
    place = [part for part in problem.loc if isinstance(part, str)][1:]
    names = [
        t(f"campaign.field_{part}")
        for part in place
        if part in ("id", "reason", "text", "patterns", "must_match", "must_not_match")
    ]
    names += [t(f"common.language_{part}") for part in place if part in ("en", "zh")]
    where = ", ".join(names)
    key = next((key for begin, key in _FAULTS.items() if problem.message.startswith(begin)), "")
    words = t(f"campaign.fault_{key}", value=problem.value) if key else faults.fault(problem.text())
    return f"{where}: {plain(words)}" if where else plain(words)


def _fact(languages: Sequence[Language], *, new: bool) -> None:
    if new:
        st.text_input(t("campaign.field_id"), key="entry_id", help=t("campaign.help_id"), max_chars=63)
    _texts("facts", languages)
    texts = [text for language in languages if (text := st.session_state[f"entry_text_{language}"].strip())]
    if len({allowed_quantities([text]) for text in texts}) > 1:
        st.warning(t("campaign.numbers_differ"))
    st.date_input(
        t("campaign.field_valid_until"),
        key="entry_valid_until",
        help=t("campaign.help_valid_until"),
        format="YYYY-MM-DD",
    )


def _texts(part: str, languages: Sequence[Language]) -> None:
    for language, column in zip(languages, st.columns(len(languages)), strict=True):
        label = f"{t('campaign.field_text')} ({t(f'common.language_{language}')})"
        column.text_area(label, key=f"entry_text_{language}", help=t(f"campaign.help_text_{part}"), height=90)


def _status(part: str) -> None:
    st.radio(
        t("campaign.field_status"),
        STATUSES,
        format_func=lambda name: t(f"campaign.status_{name}"),
        key="entry_status",
        help=t(f"campaign.help_status_{part}"),
        horizontal=True,
    )


def _claim(languages: Sequence[Language]) -> None:
    st.text_input(t("campaign.field_reason"), key="entry_reason", help=t("campaign.help_reason"), max_chars=600)
    for language, column in zip(languages, st.columns(len(languages)), strict=True):
        label = f"{t('campaign.field_patterns')} ({t(f'common.language_{language}')})"
        column.text_area(label, key=f"entry_words_{language}", help=t("campaign.help_patterns"), height=110)
    st.checkbox(t("campaign.field_expert"), key="entry_patterns", help=t("campaign.help_expert"))
    left, right = st.columns(2)
    left.text_area(
        t("campaign.field_must_match"), key="entry_must_match", help=t("campaign.help_must_match"), height=90
    )
    right.text_area(
        t("campaign.field_must_not_match"),
        key="entry_must_not_match",
        help=t("campaign.help_must_not_match"),
        height=90,
    )
    left, right = st.columns(2)
    left.selectbox(
        t("campaign.field_severity"),
        SEVERITIES,
        format_func=lambda name: t(f"campaign.severity_{name}"),
        key="entry_severity",
        help=t("campaign.help_severity"),
    )
    with right:
        _status("forbidden")


def _by_language(field: str, typed: dict[str, Any]) -> dict[str, str]:
    found = {
        name.removeprefix(f"{field}_"): str(text).strip()
        for name, text in typed.items()
        if re.match(f"{field}_..$", name)
    }
    return {language: text for language, text in found.items() if text}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
