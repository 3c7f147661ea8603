"""The fields of a script's form, explained; one line each for what is a list."""

from collections.abc import Mapping, MutableMapping
from datetime import date
from typing import Any

import streamlit as st
from pydantic import ValidationError

from scripts_library.checks import Known, check_script
from scripts_library.loading import CampaignData, schema_problems
from scripts_library.page_state import intents_of, stages
from scripts_library.problem import Problem
from scripts_library.schema import Language, Script
from ui.faults import fault
from ui.text import plain
from ui.why import named
from ui.words import t

FIELDS = ("title", "stage", "intent", "situation", "outline", "say", "avoid", "facts", "valid_until")
_LISTS = ("situation", "outline", "say", "avoid")


def load_fields(slot: str, begun: Script | Mapping[str, Any]) -> None:
    """Fill a form's fields, unless they hold what was typed; what was typed survives a change of page."""
    held = st.session_state.get(f"_{slot}_typed")
    said = held or (begun.model_dump() if isinstance(begun, Script) else begun)
    for name in FIELDS:
        key = f"{slot}_{name}"
        if key not in st.session_state:
            value = said.get(name)
            st.session_state[key] = (
                "\n".join(value or []) if name in _LISTS else _empty(name) if value is None else value
            )


def _empty(name: str) -> Any:
    return {"title": "", "stage": "objection", "intent": "any", "facts": []}.get(name)


def fields(slot: str, data: CampaignData, language: str, state: MutableMapping[Any, Any]) -> None:
    """Show the form; `typed` reads it."""
    facts = {fact.id: f"{fact.id}: {plain(fact.text.get(language, ''))}" for fact in data.campaign.facts}  # type: ignore[call-overload]
    state[f"{slot}_facts"] = [name for name in state[f"{slot}_facts"] if name in facts]
    st.text_input(t("desk.field_title"), key=f"{slot}_title", help=t("desk.help_title"), max_chars=600)
    left, right = st.columns(2)
    left.selectbox(
        t("desk.field_stage"),
        list(stages()),
        format_func=stages().__getitem__,
        key=f"{slot}_stage",
        help=t("desk.help_stage"),
    )
    intents = intents_of(data)
    if state[f"{slot}_intent"] not in intents:
        intents[state[f"{slot}_intent"]] = plain(state[f"{slot}_intent"])
    right.selectbox(
        t("desk.field_intent"),
        list(intents),
        format_func=intents.__getitem__,
        key=f"{slot}_intent",
        help=t("desk.help_intent"),
    )
    for name in _LISTS:
        st.text_area(t(f"desk.field_{name}"), key=f"{slot}_{name}", help=t(f"desk.help_{name}"), height="content")
        if name == "say":
            _placeholders(data, language)
    left, right = st.columns([3, 1])
    left.multiselect(
        t("desk.field_facts"),
        list(facts),
        format_func=facts.__getitem__,
        key=f"{slot}_facts",
        help=t("desk.help_facts"),
        placeholder=t("desk.no_facts"),
    )
    right.date_input(
        t("desk.field_valid_until"), key=f"{slot}_valid_until", help=t("desk.help_valid_until"), format="YYYY-MM-DD"
    )
    state[f"_{slot}_typed"] = typed(slot)


def typed(slot: str) -> dict[str, Any]:
    """Return what the form says, as fields of a script."""
    state = st.session_state
    if f"{slot}_title" not in state:
        return dict(state.get(f"_{slot}_typed", {}))
    said: dict[str, Any] = {}
    for name in FIELDS:
        value = state[f"{slot}_{name}"]
        if name in _LISTS:
            value = [line.strip() for line in str(value).splitlines() if line.strip()]
        said[name] = value.strip() if name == "title" else value
    return said


def faults(slot: str, begun: Script | Mapping[str, Any], data: CampaignData) -> list[str]:
    """Return what is wrong with what the form says, one line a fault, in words."""
    fixed = begun.model_dump(mode="json") if isinstance(begun, Script) else dict(begun)
    said = fixed | typed(slot)
    problems: list[Problem] = []
    try:
        Script.model_validate(said)
    except ValidationError as error:
        problems += schema_problems(error)
    known = Known.of(data.campaign.model_dump(mode="json"), [intent.model_dump(mode="json") for intent in data.intents])
    if isinstance(said.get("valid_until"), date):
        said["valid_until"] = said["valid_until"].isoformat()
    problems += check_script(said, known)
    return [_fault(problem) for problem in problems]


def _fault(problem: Problem) -> str:
    name = str(problem.loc[0]) if problem.loc else "title"
    where = t(f"desk.field_{name}") if name in FIELDS else plain(name)
    line = problem.loc[1] if len(problem.loc) > 1 else None
    at = f" ({t('desk.line', n=line + 1)})" if isinstance(line, int) else ""
    return f"{where}{at}: {plain(fault(problem.text()))}"


def _placeholders(data: CampaignData, language: str) -> None:
    """List what a line may be filled with."""
    spoken: Language = language  # type: ignore[assignment]
    with st.expander(t("desk.placeholders"), icon=":material/data_object:"):
        st.caption(t("desk.placeholders_help"))
        rows = [(field.name, named(field.label)) for field in data.campaign.profile]
        rows += [(slot.name, named(slot.label)) for slot in data.campaign.slots]
        rows += [(f"fact.{fact.id}", fact.text[spoken]) for fact in data.campaign.facts]
        rows += [
            ("agent", data.campaign.agent.name[spoken]),
            ("organisation", data.campaign.agent.organisation[spoken]),
        ]
        st.dataframe(
            [{t("desk.column_placeholder"): f"{{{name}}}", t("desk.column_meaning"): text} for name, text in rows],
            hide_index=True,
            width="stretch",
        )
