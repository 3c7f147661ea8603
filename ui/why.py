"""Why a turn went as it did: the record's facts in words for people, all of them shown as text."""

import re
from collections.abc import Callable, Mapping

import streamlit as st

from graph.errors import SalesmanError
from graph.records import RuleHit, ScriptRef, TurnRecord
from scripts_library.loading import CampaignData
from scripts_library.schema import STAGES, Text
from ui.access import may
from ui.shared import calls, library
from ui.text import plain
from ui.words import language, t, words

DESK = "scripts_library/page.py"

_REASONS: list[tuple[str, str]] = [
    (r"intent (?P<intent>\S+) leads to (?P<stage>\w+)", "reason_leads"),
    (r"intent (?P<intent>\S+) keeps the stage", "reason_keeps"),
    (r"(?P<stage>\w+) has met its exit criteria", "reason_done"),
    (r"close waits for: (?P<slots>.+)", "reason_waits"),
    (r"no legal way from (?P<start>\w+) to (?P<goal>\w+)", "reason_no_way"),
    (r"(?P<start>\w+) → (?P<goal>\w+) is no legal move; (?P<step>\w+) comes first", "reason_first"),
    (r"turn (?P<n>\d+) of the same: another script", "reason_circles"),
    (r"the customer opted out: the call ends for good", "reason_opt_out"),
    (r"intent (?P<intent>\S+) asks for a person", "reason_person"),
    (r"an attempt to override the agent is not followed", "reason_override"),
    (r"the customer said no (?P<n>\d+) times", "reason_refused"),
    (r"stuck: (?P<n>\d+) turns of (?P<intent>\S+)", "reason_stuck"),
    (r"a person is awaited", "reason_awaited"),
    (r"the agent opens the call", "reason_opens"),
    (r"the turn failed inside: stage kept", "reason_failed"),
]
"""What `nodes.advance` writes, and the words for it."""


def explain(record: TurnRecord, campaign: str) -> None:
    """Show why a turn went as it did: stage, intent, scripts with links to the desk, rules, speaker, time, tokens.

    Args:
        record: The turn, of a call or of a what-if answer.
        campaign: Name of the call's campaign.
    """
    data = _campaign(campaign)
    facts = [*_decided(record, data), *_said(record)]
    st.markdown("\n".join(f"- **{t(f'chat.{name}')}:** {plain(value)}" for name, value in facts if value))
    if record["scripts"]:
        _scripts(record)
    if prompt := record["why"].get("turn_prompt"):
        st.caption(t("chat.why_prompt"))
        st.code(prompt, language=None, wrap_lines=True)


def named(text: Text) -> str:
    """Return a campaign's text in the interface's language, or in the one that it has."""
    return text.get(language()) or next(iter(text.values()), "")


def stage_name(stage: str) -> str:
    """Return a stage as people call it."""
    return t(f"common.stage_{stage}") if stage in STAGES else stage


def intent_name(intent: str, data: CampaignData | None) -> str:
    """Return an intent as people call it, short; its own name where the campaign has no such intent any more."""
    for known in data.intents if data else ():
        if known.name == intent:
            return re.split(r"[:：;；]", named(known.label))[0].rstrip(".。")
    return intent.replace("_", " ")


def rule_name(name: str) -> str:
    """Return a rule as people call it."""
    return t(f"chat.rule_{name}") if f"rule_{name}" in words("chat") else name.replace("_", " ")


def reason_text(reason: str, data: CampaignData | None) -> str:
    """Return the manager's reason in the session's language; a reason that is not known stays as it was recorded."""
    first, circling, count = reason.partition("; turn ")
    parts = [first, f"turn {count}"] if circling else [first]
    return "; ".join(_one_reason(part, data) for part in parts)


def _one_reason(reason: str, data: CampaignData | None) -> str:
    spoken: dict[str, Callable[[str], str]] = {
        "intent": lambda value: intent_name(value, data),
        "slots": lambda value: ", ".join(slot_name(name, data) for name in value.split(", ")),
        "n": str,
    }
    for pattern, key in _REASONS:
        if found := re.fullmatch(pattern, reason):
            given = {name: spoken.get(name, stage_name)(value) for name, value in found.groupdict().items()}
            return t(f"chat.{key}", **given)
    return reason


def slot_name(slot: str, data: CampaignData | None) -> str:
    """Return what a slot is called in the campaign."""
    labels = {entry.name: named(entry.label) for entry in data.campaign.slots} if data else {}
    return labels.get(slot, slot.replace("_", " "))


def learnt(slots: Mapping[str, str], data: CampaignData | None) -> str:
    """Return what a call knows, as one line; names of choices lose their underscores."""
    named_by_us = {slot.name for slot in data.campaign.slots if slot.kind in ("choice", "intent")} if data else set()
    shown = {name: value.replace("_", " ") if name in named_by_us else value for name, value in slots.items()}
    return "; ".join(f"{slot_name(name, data)}: {value}" for name, value in shown.items())


def _decided(record: TurnRecord, data: CampaignData | None) -> list[tuple[str, str]]:
    """Return what was understood, and where it led."""
    why = record["why"]
    stage, proposed = stage_name(record["stage"]), stage_name(record["stage_proposed"])
    changed = record["stage_proposed"] not in ("", record["stage"])
    key = "chat.why_stage_changed" if changed else "chat.why_stage_kept"
    facts = [
        ("why_stage", t(key, stage=stage, proposed=proposed)),
        ("why_reason", reason_text(record["stage_reason"], data)),
    ]
    if record["customer"] and record["intent"]:
        sure = t(
            "chat.why_intent_sure",
            intent=intent_name(record["intent"], data),
            share=f"{record['confidence']:.0%}",
            way=t(f"chat.by_{why['intent_way']}"),
        )
        others = [
            f"{intent_name(str(name), data)} {float(share):.0%}"
            for name, share in why.get("intent_candidates", [])
            if name != record["intent"] and float(share) >= 0.005
        ]
        facts += [("why_intent", sure), ("why_else", ", ".join(others))]
    signals = [t(f"chat.signal_{signal}") for signal in why.get("signals", [])]
    return [*facts, ("why_signals", ", ".join(signals)), ("why_learnt", learnt(why.get("slots", {}), data))]


def _said(record: TurnRecord) -> list[tuple[str, str]]:
    """Return who spoke, what was stopped, and what it took."""
    why, latency, tokens = record["why"], record["latency_ms"], record["tokens"]
    times = t(
        "chat.why_times",
        first=f"{latency['first_sentence'] / 1000:.1f}",
        total=f"{latency['total'] / 1000:.1f}",
        model=f"{latency['model'] / 1000:.1f}",
    )
    source = t(f"chat.source_{record['source']}")
    facts = [
        ("why_source", f"{source} ({why['model']})" if record["source"] in ("model", "repair") else source),
        ("why_rules", "; ".join(_fired(hit) for hit in record["rules"])),
        ("why_blocked", why.get("blocked_text", "")),
        ("why_error", why.get("error", "")),
    ]
    if not record["scripts"]:
        facts.insert(0, ("why_scripts", _without(record)))
    if record["source"] != "human":
        facts.append(("why_time", times))
    if tokens["prompt"]:
        facts.append(("why_tokens", t("chat.why_token_counts", **tokens)))
    return facts


def _without(record: TurnRecord) -> str:
    """Say why a turn has no scripts."""
    why = record["why"]
    if record["source"] == "human":
        return ""
    if why.get("answering"):
        return t(f"chat.why_way_{why['answering']}")
    return t("chat.why_hit_none" if why.get("no_hit") == "none" else "chat.why_no_script")


def _fired(hit: RuleHit) -> str:
    why = f" ({hit['reason'].partition(': ')[2]})" if "claim" in hit else ""
    return t(f"chat.why_rule_{hit['action']}", rule=rule_name(hit["name"]) + why, text=hit["text"])


def _scripts(record: TurnRecord) -> None:
    """Show the scripts, best first, each with its likeness; those who may edit get a link."""
    why = record["why"]
    missed = why.get("no_hit", "")
    note = f" ({t(f'chat.why_hit_{missed}')})" if missed in ("general", "used") else ""
    st.markdown(f"**{t('chat.why_scripts')}**{note}")
    scores: list[float | None] = [*why.get("scores", [])]
    for ref, score in zip(record["scripts"], scores or [None] * len(record["scripts"]), strict=False):
        key = "chat.why_script_unscored" if score is None else "chat.why_script"
        share = "" if score is None else f"{score:.0%}"
        label = t(key, title=_title(ref), version=ref["version"], share=share)
        if may("editor"):
            st.page_link(DESK, label=plain(label), icon=":material/edit_note:", query_params={"script": ref["id"]})
        else:
            st.markdown(f"- {plain(label)}")


def _title(ref: ScriptRef) -> str:
    try:
        return library().get(ref["id"], ref["version"]).title
    except SalesmanError:
        return ref["id"]


def _campaign(name: str) -> CampaignData | None:
    try:
        return calls().resources.campaign(name)
    except SalesmanError:
        return None
