"""Printing for the command line: plain lines, at once; what others wrote loses its control characters.

This module imports nothing of the project but `graph.records` and may be imported from anywhere.
"""

import json
import re
import sys
from typing import Any

from graph.records import ConversationRecord, TurnRecord

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Terminal escapes and other control characters, but tab and line feed."""


def say(text: str = "", *, end: str = "\n") -> None:
    """Print text to standard output, at once."""
    sys.stdout.write(CONTROL.sub("", text) + end)
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a line to standard error."""
    sys.stderr.write(CONTROL.sub("", text) + "\n")
    sys.stderr.flush()


def dump(data: Any, *, indent: int | None = None) -> None:
    """Print JSON, at once."""
    say(json.dumps(data, ensure_ascii=False, indent=indent))


def describe(turn: TurnRecord) -> list[str]:
    """Return the lines that say why a turn went as it did, short form."""
    why, latency, tokens = turn["why"], turn["latency_ms"], turn["tokens"]
    stage = turn["stage"]
    if turn["stage_proposed"] != stage:
        stage = f"{turn['stage_proposed']} → {stage}"
    lines = [f"stage   {stage}  ({turn['stage_reason']})"]
    if turn["customer"]:
        signals = f"  signals: {', '.join(why['signals'])}" if why["signals"] else ""
        lines.append(f"intent  {turn['intent']} {turn['confidence']:.2f} by {why['intent_way']}{signals}")
    scripts = ", ".join(f"{script['id']} v{script['version']}" for script in turn["scripts"])
    missed = {"": "", "general": "  (general scripts of the stage)", "none": "  (no script: the stage's goal)"}
    missed["used"] = "  (general scripts: the intent's were used)"
    lines.append(f"scripts {scripts or '-'}{missed[why['no_hit']]}")
    for hit in turn["rules"]:
        lines.append(f"rule    {hit['name']} ({hit['severity']}, {hit['action']}): {hit['reason']} – “{hit['text']}”")
    if why.get("error"):
        lines.append(f"error   {why['error']}")
    recovered = "  recovered" if turn.get("recovered") else ""
    lines.append(
        f"source  {turn['source']}{recovered}  first sentence {latency['first_sentence'] / 1000:.2f} s, "
        f"turn {latency['total'] / 1000:.2f} s, model {latency['model'] / 1000:.2f} s, "
        f"tokens {tokens['prompt']} in ({tokens['cached']} cached), {tokens['completion']} out"
    )
    return lines


def describe_outcome(record: ConversationRecord) -> list[str]:
    """Return the lines that say what came of a call."""
    outcome = record["outcome"]
    objections = [
        f"{entry['intent']} (turn {entry['turn']}, "
        + (f"settled in turn {entry['resolved_at']})" if entry["resolved_at"] is not None else "open)")
        for entry in outcome["objections"]
    ]
    commitment = "; ".join(f"{name}: {value}" for name, value in outcome["commitment"].items() if value)
    return [
        f"outcome     {outcome['status']}",
        f"need        {'; '.join(f'{name}: {value}' for name, value in outcome['need'].items()) or '-'}",
        f"objections  {'; '.join(objections) or '-'}",
        f"offers      {'; '.join(str(offer['fact']) for offer in outcome['offers']) or '-'}",
        f"commitment  {commitment or '-'}",
        f"next step   {outcome['next_step'] or '-'}",
    ]
