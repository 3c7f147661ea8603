"""The turn's answer: what the model may say, one repair, or an approved line."""

from collections.abc import Sequence

from langchain_core.messages import HumanMessage
from langgraph.runtime import Runtime

from graph.context import Context, context_of
from graph.state import CallState, Draft, Exchange, Said
from guardrails.check import check_reply
from guardrails.context import GuardContext
from guardrails.quantities import find_quantities
from guardrails.sentences import split_sentences
from nodes.guarding import guard_context
from nodes.lines import filled, least_recent, values_for
from nodes.prompting import render, trim
from nodes.release import Gate, join
from nodes.resources import Resources, get_resources
from nodes.respond import build_prompt
from nodes.speak import Answer, speak
from nodes.understand import NO_USE
from scripts_library.schema import Campaign, Language

TRIMMED = frozenset({"over_length", "two_questions", "repetition"})
"""Breaches of manner: when something was released already, the reply just ends there."""
LEAST_REPLY = {"en": 25, "zh": 8}
"""Characters below which a trimmed reply says too little, and an approved line completes it."""
REPAIR_SECONDS = 1.0
"""Least time that must be left for a repair."""


def approved_line(lines: Sequence[str], rules: GuardContext, said: str) -> str:
    """Return the best approved line: one that breaks no rule in this call, and that was not said yet.

    Args:
        lines: Approved lines, filled, best first; at least one.
        rules: The call's rules.
        said: What was released in this turn already.
    """
    fresh = [line for line in lines if not any(sentence in said for sentence in split_sentences(line))] or list(lines)
    by_age = least_recent(fresh, rules.earlier)
    return next((line for line in by_age if not check_reply(line, rules)), by_age[0])


def _repair(
    state: CallState, context: Context, resources: Resources, rules: GuardContext, draft: Draft, gate: Gate
) -> Answer:
    """Ask once more with the breach named; only when nothing was released yet."""
    prompt = build_prompt(state, resources, context.answering)
    reasons = "; ".join(hit["reason"] for hit in draft["hits"])
    turn = str(prompt[-1].content)
    prompt[-1] = HumanMessage(render(f"repair.{state['language']}", turn=turn, reasons=reasons))
    answer = Answer()
    gate.run(speak(resources.model, prompt, context.remaining(), answer, think=context.settings.think), answer)
    return answer


def _offers(state: CallState, resources: Resources, reply: str) -> list[dict[str, str | int]]:
    """Add the facts with numbers that this reply states."""
    offers = list(state.get("offers", []))
    stated = {found.quantity for found in find_quantities(reply)}
    known = {offer["fact"] for offer in offers}
    for fact, quantities in resources.fact_quantities(state["campaign"]).items():
        if quantities & stated and fact not in known:
            offers.append({"turn": state.get("turn", 0), "fact": fact})
    return offers


def _fixed_lines(state: CallState, campaign: Campaign, language: Language) -> list[str]:
    values = values_for(campaign, language, state.get("profile", {}), state.get("slots", {}))
    return filled(getattr(campaign.lines, state["move"]["fixed"])[language], values)


def guard(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Close the reply: keep the model's, repair it once, or complete it with an approved line."""
    context = context_of(runtime.context)
    resources = get_resources(context.settings)
    campaign = resources.campaign(state["campaign"]).campaign
    language: Language = state["language"]  # type: ignore[assignment]
    rules = guard_context(state, resources)

    def write(sentence: str) -> None:
        runtime.stream_writer({"sentence": sentence})

    said: Said
    if state["move"]["route"] == "fixed":
        line = least_recent(_fixed_lines(state, campaign, language), rules.earlier)[0]
        if not state.get("released_before"):
            write(line)
        said = {"reply": line, "source": "script", "rules": [], "use": NO_USE}
    else:
        said = _close_reply(state, context, resources, rules, Gate(rules, write))
    exchange: Exchange = {"turn": state.get("turn", 0), "customer": _as_heard(state), "reply": said["reply"]}
    return {
        "said": said,
        "history": trim([*state.get("history", []), exchange]),
        "offers": _offers(state, resources, said["reply"]),
    }


def _as_heard(state: CallState) -> str:
    """Return the customer's line for later prompts; an override attempt never reaches one."""
    if "injection" in state.get("understood", {}).get("signals", []):
        return {"en": "(off-topic remark)", "zh": "（无关内容）"}[state["language"]]
    return state.get("customer", "")


def _close_reply(state: CallState, context: Context, resources: Resources, rules: GuardContext, gate: Gate) -> Said:
    draft = state["draft"]
    released = draft["released"]
    hits = draft.get("hits", [])
    blocked = draft.get("blocked", "")
    said: Said = {"source": "model", "rules": hits, "blocked": blocked, "error": draft.get("error", ""), "use": NO_USE}
    trimmed = bool(hits) and all(hit["name"] in TRIMMED for hit in hits)
    trimmed = trimmed and len(join(released, rules.language)) >= LEAST_REPLY[rules.language]
    if released and not said["error"] and (not hits or trimmed):
        return said | {"reply": join(released, rules.language)}
    repeats = bool(hits) and all(hit["name"] == "repetition" for hit in hits)
    if hits and not repeats and not released and context.remaining() > REPAIR_SECONDS:
        answer = _repair(state, context, resources, rules, draft, gate)
        released = gate.released
        said["use"] = {"calls": 1, "ms": answer.ms, "tokens": answer.tokens}
        said["rules"] = [*hits, *gate.hits]
        said["error"] = answer.error
        if released and not gate.hits and not answer.error:
            return said | {"reply": join(released, rules.language), "source": "repair"}
    line = approved_line(state["plan"]["lines"], rules, join(released, rules.language))
    gate.write(line)
    return said | {"reply": join([*released, line], rules.language), "source": "script"}
