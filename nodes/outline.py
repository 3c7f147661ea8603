"""This turn's outline (AI-Salesman's DOGA): the stage's scripts for this intent, and the approved lines behind them."""

import time
from collections.abc import Sequence

from graph.context import Context, context_of
from graph.state import CallState, Plan
from nodes.lines import filled, least_recent, values_for
from nodes.resources import Resources, get_resources
from scripts_library.retrieval import Search
from scripts_library.schema import Campaign, Language, Script, Stage

K = 3
"""Scripts fetched a turn."""
STEPS = 3
"""Outline steps shown to the model."""
USED_KEPT = 30
"""Ids remembered for the loop guard."""


def _lines(
    scripts: Sequence[Script], campaign: Campaign, stage: Stage, language: Language, state: CallState
) -> list[str]:
    values = values_for(campaign, language, state.get("profile", {}), state.get("slots", {}))
    lines = [line for script in scripts for line in filled(script.say, values)]
    fallback = filled(campaign.sop.stages[stage].fallback.get(language, []), values)
    return list(dict.fromkeys([*lines, *fallback]))


def _missing_slot(campaign: Campaign, stage: Stage, language: Language, slots: dict[str, str]) -> list[str]:
    """Return the one step that asks for what `close` still waits for."""
    if stage != "analysis":
        return []
    for slot in campaign.slots:
        if slot.name in campaign.sop.close_requires and slot.name not in slots and slot.ask:
            return [slot.ask[language]]
    return []


def _search(state: CallState, stage: Stage, language: Language, context: Context, resources: Resources) -> Search:
    """Fetch scripts: none that the call's A/B tests withhold, those that they show first; in circles none that was used.

    Where the intent has scripts and all of them were used, `no_hit` says "used": that is no hole in the library.
    """
    used = state.get("used_scripts", []) if state["move"]["other_script"] else []
    vector = resources.embedder.query([state["customer"]])[0]
    withheld = state.get("withheld", [])
    place = (state["campaign"], language, stage, state["understood"]["intent"], vector)
    drafts, shown = context.drafts, state.get("shown", [])
    found = resources.library.search(*place, k=K, exclude={*used, *withheld}, drafts=drafts, prefer=shown)
    if used and found.no_hit and not resources.library.search(*place, k=1, exclude=withheld, drafts=drafts).no_hit:
        return Search(found.hits, "used")
    return found


def plan_stage(state: CallState, stage: Stage, given: Context | None) -> CallState:
    """Fetch the stage's scripts for the customer's intent and build the turn's outline.

    The no-hit policy is the library's (`scripts_library.library.Library.search`): scripts of the intent, else the stage's
    general ones, else none; with none, the stage's goal is the outline and its fallback lines are the approved lines. So they
    are where the call is answered without scripts (`Context.answering`).
    """
    started = time.monotonic()
    context = context_of(given)
    resources: Resources = get_resources(context.settings)
    campaign = resources.campaign(state["campaign"]).campaign
    language: Language = state["language"]  # type: ignore[assignment]
    used = state.get("used_scripts", [])
    with_scripts = context.answering == "scripts"
    found = _search(state, stage, language, context, resources) if with_scripts else Search([], "")
    scripts = [hit.script for hit in found.hits]
    lines = _lines(scripts, campaign, stage, language, state)
    goal = campaign.sop.stages[stage].goal[language]
    outline = list(scripts[0].outline)[:STEPS] if scripts else [goal]
    earlier = [turn["reply"] for turn in state.get("history", [])]
    plan: Plan = {
        "scripts": [{"id": script.id, "version": script.version} for script in scripts],
        "scores": [round(hit.score, 4) for hit in found.hits],
        "no_hit": found.no_hit,
        "situation": scripts[0].title if scripts else goal,
        "outline": outline + _missing_slot(campaign, stage, language, state.get("slots", {})),
        "lead": least_recent(lines, earlier)[0] if with_scripts else "",
        "lines": lines,
        "ms": (time.monotonic() - started) * 1000,
    }
    return {"plan": plan, "used_scripts": [*used, *(script.id for script in scripts[:1])][-USED_KEPT:]}
