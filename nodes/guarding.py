"""What the rules know of this call: the campaign's fact sheet, and what the customer said and was told."""

from dataclasses import replace

from graph.state import CallState
from guardrails.context import GuardContext
from guardrails.privacy import find_personal
from guardrails.quantities import allowed_quantities
from nodes.resources import Resources
from scripts_library.schema import Language


def guard_context(state: CallState, resources: Resources) -> GuardContext:
    """Build the rules' context for this turn.

    Numbers that only the customer said may be repeated only as values of slots that the SOP names.
    """
    language: Language = state["language"]  # type: ignore[assignment]
    sheet = resources.fact_sheet(state["campaign"], language)
    history = state.get("history", [])
    customer = [turn["customer"] for turn in history] + [state.get("customer", "")]
    slots = state.get("slots", {})
    profile = state.get("profile", {})
    signals = state.get("understood", {}).get("signals", [])
    return replace(
        sheet,
        slots=slots,
        slot_quantities=allowed_quantities(slots.values()),
        personal=(*profile.values(), *(value for text in customer for value in find_personal(text))),
        heard=state.get("customer", ""),
        earlier=tuple(turn["reply"] for turn in history),
        refused=state.get("refusals", 0) > 0,
        opted_out=state.get("move", {}).get("outcome") == "opted_out",
        asked_identity="asks_identity" in signals,
    )
