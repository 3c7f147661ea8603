"""The one model call of the turn, streamed through the gate; this turn's outline stands last in the prompt."""

from langchain_core.messages import BaseMessage
from langgraph.runtime import Runtime

from graph.context import Context, context_of
from graph.records import Answering
from graph.state import CallState, Draft
from nodes.examples import few_shot
from nodes.guarding import guard_context
from nodes.prompting import as_data, messages, prompt_hash, quoted, render
from nodes.release import Gate
from nodes.resources import Resources, get_resources
from nodes.speak import Answer, speak
from nodes.understand import NO_USE
from scripts_library.schema import Campaign, Language
from serving.chat import model_label


def system_prompt(state: CallState, resources: Resources, answering: Answering = "scripts") -> str:
    """Render the part of the prompt that stays the same for the whole call."""
    campaign = resources.campaign(state["campaign"]).campaign
    language: Language = state["language"]  # type: ignore[assignment]
    labels = {entry.name: entry.label[language] for entry in campaign.profile}
    profile = [
        f"{labels[name]}: {as_data(value, 80)}" for name, value in state.get("profile", {}).items() if name in labels
    ]
    chosen = [strategy for strategy in campaign.strategies if strategy.id == state.get("strategy")]
    return render(
        f"system.{language}",
        agent=campaign.agent.name[language],
        organisation=campaign.agent.organisation[language],
        goal=campaign.goal[language],
        facts="\n".join(f"- {fact.text[language]}" for fact in campaign.facts),
        guide=_guide(campaign, language, resources, answering),
        profile="; ".join(profile) or "-",
        strategy=(chosen or campaign.strategies)[0].text[language],
    )


def _guide(campaign: Campaign, language: Language, resources: Resources, answering: Answering) -> str:
    """Render what leads the model through the whole call: the stages with their goals, or a few examples."""
    if answering == "few_shot":
        return render(f"examples.{language}", examples=few_shot(resources, campaign.name, language))
    stages = "\n".join(f"- {stage}: {plan.goal[language]}" for stage, plan in campaign.sop.stages.items())
    return render(f"stages.{language}", stages=stages)


def turn_prompt(state: CallState, resources: Resources, answering: Answering = "scripts") -> str:
    """Render the last message: what the customer said, where the call stands, what to do now, an example, the cue.

    Without scripts there is no example, and with `few_shot` neither a stage nor a thing to do. Where the model may think, the
    cue asks for one short thought before the reply; a repair (`nodes.guard`) asks for words alone, its time being short.
    What the call has learnt is repeated only when the turns that told it have left the window.
    """
    campaign = resources.campaign(state["campaign"]).campaign
    language: Language = state["language"]  # type: ignore[assignment]
    history = state.get("history", [])
    known = ""
    if history and history[0]["turn"] > 0:
        slots = state.get("slots", {})
        facts = [
            f"{slot.label[language]}: {as_data(slots[slot.name], 60)}" for slot in campaign.slots if slot.name in slots
        ]
        known = {"en": " Known: {}.", "zh": "已知：{}。"}[language].format("; ".join(facts)) if facts else ""
    customer = quoted(state["customer"], language)
    cue = render(f"cue_think.{language}" if resources.settings.think else f"cue.{language}")
    if answering == "few_shot":
        return render(f"turn_few_shot.{language}", customer=customer, known=known, cue=cue)
    plan = state["plan"]
    outline = "; ".join(step.rstrip(".;。；") for step in plan["outline"])
    now = {"customer": customer, "stage": state["stage"], "known": known, "outline": outline, "cue": cue}
    if answering == "goals":
        return render(f"turn_goals.{language}", **now)
    return render(f"turn.{language}", **now, situation=plan["situation"].rstrip(".。"), lead=plan["lead"])


def build_prompt(state: CallState, resources: Resources, answering: Answering = "scripts") -> list[BaseMessage]:
    """Return the prompt as sent."""
    system, last = system_prompt(state, resources, answering), turn_prompt(state, resources, answering)
    return messages(system, state.get("history", []), last, state["language"])


def respond(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Ask the model, and release each sentence that passes the rules."""
    context = context_of(runtime.context)
    resources = get_resources(context.settings)
    shown = state.get("released_before", [])
    if shown:
        return {"draft": {"released": shown, "error": "recovery: the process died in mid-reply", "use": NO_USE}}
    model, why_not = resources.reach_model()
    if model is None:
        return {"draft": {"released": [], "error": why_not, "use": NO_USE}}
    prompt = build_prompt(state, resources, context.answering)
    history = state.get("history", [])
    gate = Gate(guard_context(state, resources), lambda sentence: runtime.stream_writer({"sentence": sentence}))
    answer = Answer()
    gate.run(speak(model, prompt, context.remaining(), answer, think=context.settings.think), answer)
    draft: Draft = {
        "released": gate.released,
        "blocked": gate.blocked,
        "hits": [*gate.repeated, *gate.hits],
        "error": answer.error,
        "thought": answer.thought,
        "model": model_label(context.settings),
        "turn_prompt": str(prompt[-1].content),
        "prompt_hash": prompt_hash(prompt),
        "history_from": history[0]["turn"] if history else state.get("turn", 0),
        "use": {"calls": 1, "ms": answer.ms, "tokens": answer.tokens},
    }
    return {"draft": draft}
