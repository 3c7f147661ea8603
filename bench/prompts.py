"""Calls with the default model: model calls, tokens to evaluate, whose words, and the first sentence against a bare stream."""

import time
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from langchain_core.messages import BaseMessage

from bench.setting import fresh_home, real_calls, settings_for, table, written_calls
from graph.records import TurnRecord
from graph.session import Calls
from guardrails.sentences import SentenceSplitter
from nodes.prompting import messages
from nodes.respond import system_prompt
from nodes.speak import Answer, speak

CALLS = 6


@dataclass
class Seen:
    """What the calls of one campaign showed."""

    turns: list[TurnRecord] = field(default_factory=list)
    copied: int = 0


def _evaluated(turn: TurnRecord) -> int:
    return turn["tokens"]["prompt"] - turn["tokens"]["cached"]


def _call(calls: Calls, campaign: str, language: str, lines: list[str], name: str, seen: Seen) -> None:
    calls.start(campaign, call=name, language=language)
    for line in lines:
        turn = calls.turn(name, line)
        seen.turns.append(turn)
        seen.copied += turn["source"] == "model" and turn["reply"].strip() == turn["why"]["lead"].strip()
        if turn["ended"] or turn["outcome"] == "handoff":
            return


def _report(title: str, seen: Seen) -> None:
    asked = [turn for turn in seen.turns if turn["why"]["model_calls"]]
    later = [
        turn for turn in asked if turn["turn"] >= 3 and turn["tokens"]["prompt"] and turn["why"]["model_calls"] == 1
    ]
    sources = Counter(turn["source"] for turn in seen.turns)
    table(
        title,
        [
            ("turns", len(seen.turns)),
            ("turns with exactly one model call, %", 100 * sum(t["why"]["model_calls"] == 1 for t in seen.turns) / len(seen.turns)),
            ("turns with none / two or more", f"{sum(t['why']['model_calls'] == 0 for t in seen.turns)} / {sum(t['why']['model_calls'] > 1 for t in seen.turns)}"),
            ("source: model, % of all turns", 100 * sources["model"] / len(seen.turns)),
            ("sources", dict(sources)),
            ("  of these word for word the example line, %", 100 * seen.copied / max(1, sources["model"])),
            ("prompt tokens evaluated from turn 3 on, median", median([_evaluated(turn) for turn in later])),
            ("whole prompt, largest, tokens", max(turn["tokens"]["prompt"] // turn["why"]["model_calls"] for turn in asked)),
            ("first sentence, median, s", median(turn["latency_ms"]["first_sentence"] for turn in asked) / 1000),
            ("turn, median, s", median(turn["latency_ms"]["total"] for turn in asked) / 1000),
            ("understood by the model", sum(turn["why"]["intent_way"] == "model" for turn in seen.turns)),
            ("rules that blocked", dict(Counter(hit["name"] for turn in seen.turns for hit in turn["rules"] if hit["action"] == "blocked"))),
        ],
    )  # fmt: skip


def _bare(calls: Calls, prompt: list[BaseMessage]) -> float:
    """Return the seconds to the first sentence of a bare streamed call."""
    splitter = SentenceSplitter()
    started = time.perf_counter()
    for chunk in speak(calls.resources.model, prompt, 30, Answer()):
        if splitter.feed(chunk):
            break
    return time.perf_counter() - started


def _ratio(calls: Calls) -> None:
    """After each turn send the same prompt bare, as a conversation of its own whose prefix is cached as ours is.

    Its system prompt ends in one more space: the server keeps it apart from ours.
    """
    ratios = []
    for number, lines in enumerate(real_calls(2, 8)):
        calls.start("save_the_children", call=f"r{number}", language="en")
        for line in lines:
            ours = calls.turn(f"r{number}", line)
            state = calls.graph.get_state({"configurable": {"thread_id": f"r{number}"}}).values
            if not ours["why"]["turn_prompt"] or ours["ended"]:
                break
            system = system_prompt(state, calls.resources) + " "
            bare = _bare(calls, messages(system, state["history"][:-1], ours["why"]["turn_prompt"], "en"))
            if ours["turn"] > 1 and ours["source"] == "model":
                ratios.append(ours["latency_ms"]["first_sentence"] / 1000 / bare)
    table(
        "First sentence against a bare streamed call with the same prompt, same server, same cached part",
        [("turns", len(ratios)), ("ratio, median", median(ratios))],
    )


def run() -> None:
    """Measure and print."""
    with fresh_home() as home:
        calls = Calls(settings_for(home))
        calls.warm_up("save_the_children")
        children = Seen()
        for number, lines in enumerate(real_calls(CALLS)):
            _call(calls, "save_the_children", "en", lines, f"s{number}", children)
        _report(f"save_the_children: {CALLS} held-out real customers, default model", children)
        lantern = Seen()
        for language, lines in written_calls().items():
            _call(calls, "lantern_local", language, lines, f"l{language}", lantern)
        _report("lantern_local: the written customers in both languages, default model", lantern)
        _ratio(calls)
