"""What the customer's line means: language, intent with confidence, slots, signals.

The model is asked where it is more often right than the guess: below the classifier's threshold, and below the model's own
measured accuracy (`nodes.intent_prompt.MODEL_CONFIDENCE`).
"""

import random
import time

from langgraph.runtime import Runtime

from graph.context import Context, context_of
from graph.records import Tokens
from graph.state import CallState, ModelUse, Understood
from guardrails.check import check_customer
from guardrails.signals import find_signals
from nodes.intent_prompt import MODEL_CONFIDENCE, ask_model
from nodes.resources import Resources, get_resources
from nodes.slots import fill_slots
from scripts_library.schema import Campaign, Intent, IntentKind, Language

NO_USE: ModelUse = {"calls": 0, "ms": 0.0, "tokens": Tokens(prompt=0, cached=0, completion=0)}
SIGNAL_KINDS: dict[str, IntentKind] = {"opt_out": "opt_out", "handoff": "handoff", "injection": "off_topic"}
"""Signals (patterns, high precision) that decide the intent without the classifier, strongest first."""
MODEL_SECONDS = 3.0
"""Longest wait for the model's intent; the classifier's guess stands after that."""


def language_of(text: str, campaign: Campaign, current: str) -> Language:
    """Return the language of a line among the campaign's: Chinese when it has a CJK character, English when it has letters.

    Args:
        text: The customer's line.
        campaign: Names the languages on offer, the first being the default.
        current: Language of the call so far; kept when the line has neither (digits, emoji).
    """
    found: Language | None = None
    if any("\u3400" <= character <= "\u9fff" for character in text):
        found = "zh"
    elif any(character.isascii() and character.isalpha() for character in text):
        found = "en"
    if found in campaign.languages:
        return found
    for language in campaign.languages:
        if language == current:
            return language
    return campaign.languages[0]


def _of_kind(intents: tuple[Intent, ...], kind: IntentKind, candidates: list[tuple[str, float]]) -> str:
    """Return the likeliest intent of a kind ("angry" and "wants a person" both ask for one); empty when there is none."""
    names = {intent.name for intent in intents if intent.kind == kind}
    return next((name for name, _ in candidates if name in names), "")


def _classify(
    state: CallState, context: Context, resources: Resources, language: Language, signals: set[str]
) -> Understood:
    data = resources.campaign(state["campaign"])
    model = resources.intent_model(state["campaign"])
    history = state.get("history", [])
    previous = history[-1]["reply"] if history else ""
    before = history[-1]["customer"] if history else ""
    guess = model.predict(state["customer"], previous, previous_customer_text=before, turn=state.get("turn", 0))
    for signal, kind in SIGNAL_KINDS.items():
        intent = _of_kind(data.intents, kind, guess.candidates) if signal in signals else ""
        if intent:
            return {"intent": intent, "confidence": 1.0, "way": "signal", "candidates": [], "use": NO_USE}
    understood: Understood = {
        "intent": guess.intent,
        "confidence": guess.confidence,
        "way": "classifier",
        "candidates": [[name, round(share, 4)] for name, share in guess.candidates[:3]],
        "use": NO_USE,
    }
    by = context.understanding.by
    if by == "classifier" or (by == "usual" and guess.confidence >= min(model.threshold, MODEL_CONFIDENCE)):
        return understood
    chat_model, why_not = resources.reach_model()
    if chat_model is None:
        return understood | {"error": why_not} if by == "model" else understood
    started = time.monotonic()
    timeout = context.remaining() / 2 if by == "model" else min(MODEL_SECONDS, context.remaining() / 3)
    asked = ask_model(chat_model, state["customer"], previous, data.intents, language, timeout)
    understood["use"] = {
        "calls": 1,
        "ms": (time.monotonic() - started) * 1000,
        "tokens": asked.tokens if asked else NO_USE["tokens"],
    }
    if asked:
        understood |= {"intent": asked.intent, "confidence": asked.confidence, "way": "model"}
    elif by == "model":
        understood["error"] = f"model: named no intent of the campaign (it had {timeout:.1f} s)"
    return understood


def _flipped(understood: Understood, state: CallState, intents: tuple[Intent, ...], noise: float) -> Understood:
    """Replace the intent by another one in a share `noise` of the turns; the same turn of the same call always alike."""
    draw = random.Random(f"{state['call']}:{state.get('turn', 0)}")
    if understood["way"] == "signal" or draw.random() >= noise:
        return understood
    other = draw.choice([intent.name for intent in intents if intent.name != understood["intent"]])
    return {**understood, "intent": other, "way": "flipped"}


def understand(state: CallState, runtime: Runtime[Context]) -> CallState:
    """Classify the line locally, ask the model below the threshold, and note signals and slots."""
    context = context_of(runtime.context)
    resources = get_resources(context.settings)
    campaign = resources.campaign(state["campaign"]).campaign
    text = state.get("customer", "")
    asked = state.get("asked_language") or ""
    language = language_of("" if asked else text, campaign, asked or state.get("language", ""))
    if not text:
        nothing: Understood = {"intent": "", "confidence": 0.0, "way": "none", "signals": [], "rules": [], "ms": 0.0}
        return {"language": language, "understood": nothing | {"use": NO_USE}}
    started = time.monotonic()
    spoken = language_of(text, campaign, language)
    signals = find_signals(text, spoken)
    rules = check_customer(text, spoken)
    if rules:
        signals.add("injection")
    understood = _classify(state, context, resources, spoken, signals)
    if noise := context.understanding.noise:
        understood = _flipped(understood, state, resources.campaign(state["campaign"]).intents, noise)
    understood["signals"] = sorted(signals)
    understood["rules"] = rules
    understood["ms"] = (time.monotonic() - started) * 1000 - understood["use"]["ms"]
    slots = fill_slots(campaign, state.get("slots", {}), text, understood["intent"], spoken)
    return {"language": language, "understood": understood, "slots": slots}
