"""What the parts of the calls page share: words for times and people, lines shown once, the way back."""

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from graph.errors import BadInput
from graph.records import ConversationRecord
from scripts_library.loading import CampaignData
from ui.shared import calls
from ui.text import plain
from ui.why import intent_name, named, slot_name, stage_name
from ui.words import t

_NOTICE = "_calls_notice"


def notice(key: str, *, fine: bool = True) -> None:
    """Show a line of `calls.yaml` when the page has run again."""
    st.session_state[_NOTICE] = (key, fine)


def show_notice() -> None:
    """Show the line that `notice` left, once."""
    if held := st.session_state.pop(_NOTICE, None):
        key, fine = held
        (st.success if fine else st.warning)(t(f"calls.{key}"))


def go(**parameters: str) -> None:
    """Change the address to other parameters of this page; the interface's language stays."""
    kept = {name: value for name, value in st.query_params.items() if name == "lang"}
    st.query_params.from_dict(kept | parameters)


def span(seconds: float) -> str:
    """Return a duration as minutes and seconds."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def since(iso: str) -> str:
    """Return how long ago a time was."""
    return span((datetime.now(UTC) - datetime.fromisoformat(iso)).total_seconds())


def campaign_data(name: str) -> CampaignData | None:
    """Return a campaign; None when the library has it no more."""
    try:
        return calls().resources.campaign(name)
    except BadInput:
        return None


def campaign_title(name: str) -> str:
    """Return what a campaign is called."""
    data = campaign_data(name)
    return named(data.campaign.title) if data else name


def summary(record: ConversationRecord, data: CampaignData | None) -> list[tuple[str, str]]:
    """Return what a person must know of a call: name of a text in `calls.yaml` → value, not yet escaped."""
    outcome = record["outcome"]
    objections = [
        t(
            "calls.objection_open" if entry["resolved_at"] is None else "calls.objection_settled",
            intent=intent_name(entry["intent"], data),
        )
        for entry in outcome["objections"]
    ]
    facts = {fact.id: named(fact.text) for fact in data.campaign.facts} if data else {}
    offers = [facts.get(str(offer["fact"]), str(offer["fact"])) for offer in outcome["offers"]]
    slots = record["turns"][-1]["why"].get("slots", {}) if record["turns"] else {}
    needs = {**outcome["need"], **slots}
    return [
        ("fact_stage", stage_name(record["turns"][-1]["stage"]) if record["turns"] else ""),
        ("fact_need", "; ".join(f"{slot_name(name, data)}: {value}" for name, value in needs.items())),
        ("fact_objections", "; ".join(objections)),
        ("fact_offers", " · ".join(offers)),
    ]


def show_facts(facts: list[tuple[str, Any]], *, empty: bool = False) -> None:
    """Show facts one a line; those without a value are left out, or said to be empty."""
    shown = [(name, value or t("calls.nothing")) for name, value in facts if value or empty]
    st.markdown("\n".join(f"- **{t(f'calls.{name}')}:** {plain(value)}" for name, value in shown))
