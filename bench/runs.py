"""Evaluation runs: a stub model's 160 calls with their report, and how busy a run keeps a real model server."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from langchain_core.messages import AIMessageChunk

from bench.setting import fresh_home, settings_for, table
from evaluation.runs.choosing import choose
from evaluation.runs.runner import Order, Progress
from evaluation.runs.runner import run as hold_all
from evaluation.runs.snapshot import settings_of
from evaluation.runs.store import read_run
from evaluation.runs.variants import AS_SERVED
from graph.records import ConversationRecord
from graph.settings import Settings
from graph.state import CallState, Exchange
from nodes.prompting import messages, trim
from nodes.resources import Resources, get_resources
from nodes.respond import system_prompt
from nodes.speak import MAX_TOKENS, TEMPERATURE

VARIANTS = "- {name: scripts}\n- {name: no_scripts, scripts: off}\n"
AT_ONCE = 4
CALLS = 16


def run() -> None:
    """Measure and print."""
    _stub()
    _busy()


def _stub() -> None:
    """40 scenarios × 2 variants × 2 customers, by the commands that a person types, on a home that has nothing."""
    with fresh_home() as home, tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "variants.yaml", Path(folder) / "run"
        file.write_text(VARIANTS, encoding="utf-8")
        held = f"run --variants {file} --scenarios test --customers rule,retrieved --limit 40 --out {out}"
        times = [_timed(held, home), _timed(f"report {out}", home)]
        calls = len(read_run(out).results)
    rows = [("calls", calls), ("run, s", times[0]), ("report, s", times[1]), ("together, s", sum(times))]
    table("A run with a stub model, and its report", rows)


def _timed(arguments: str, home: Path) -> float:
    command = [sys.executable, "-m", "cli", "evaluate", *arguments.split()]
    started = time.perf_counter()
    env = {**os.environ, "SALESMAN_HOME": str(home), "SALESMAN_LLM": "fake/scripted"}
    subprocess.run(command, check=True, capture_output=True, env=env)
    return time.perf_counter() - started


def _busy() -> None:
    """Hold calls with the default model, then send the same prompts to the same server as a plain client, as many at once."""
    with fresh_home() as home, tempfile.TemporaryDirectory() as folder:
        settings = settings_for(home, llm_parallel=AT_ONCE)
        order = Order(
            (AS_SERVED,), choose("test", settings, campaign="save_the_children"), ["rule"], limit=CALLS, at_once=AT_ONCE
        )
        ended: list[tuple[Progress, float]] = []
        hold_all(order, Path(folder), settings, lambda progress: ended.append((progress, time.monotonic())))
        records = [result["sessions"][0] for result in read_run(Path(folder)).results]
        progress, last = ended[-1]
        ours = _said(records) / (last - progress.started)
        plain = _plain(records, settings_of(Path(folder), settings))
    table(
        f"A run of {CALLS} calls, {AT_ONCE} at once, against a plain client with the same prompts and server",
        [("run, tokens/s", ours), ("plain client, tokens/s", plain), ("ratio", ours / plain)],
    )


def _said(records: Sequence[ConversationRecord]) -> int:
    return sum(turn["tokens"]["completion"] for record in records for turn in record["turns"])


def _plain(records: Sequence[ConversationRecord], settings: Settings) -> float:
    """Return the completion tokens a second of a client that sends each call's prompts one after the other."""
    resources = get_resources(settings)
    started = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tokens = sum(pool.map(lambda record: _replayed(record, resources), records))
    return tokens / (time.perf_counter() - started)


def _replayed(record: ConversationRecord, resources: Resources) -> int:
    said: list[Exchange] = []
    tokens = 0
    for turn in record["turns"]:
        if turn["why"]["model_calls"]:
            language = turn["why"]["language"]
            state = {key: record[key] for key in ("campaign", "profile", "strategy")} | {"language": language}
            system = system_prompt(cast(CallState, state), resources)
            prompt = messages(system, trim(said), turn["why"]["turn_prompt"], language)
            for chunk in resources.model.stream(prompt, max_tokens=MAX_TOKENS, temperature=TEMPERATURE):
                if isinstance(chunk, AIMessageChunk) and chunk.usage_metadata:
                    tokens += chunk.usage_metadata["output_tokens"]
        said.append({"turn": turn["turn"], "customer": turn["customer"], "reply": turn["reply"]})
    return tokens
