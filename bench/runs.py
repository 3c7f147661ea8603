"""Evaluation runs: a stub model's 160 calls with their report, and how busy a run keeps a real model server."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.asked import Asked, Noted, ask_again, seconds, share_with
from bench.setting import fresh_home, settings_for, table
from evaluation.runs.choosing import choose
from evaluation.runs.runner import Order
from evaluation.runs.runner import run as hold_all
from evaluation.runs.snapshot import settings_of
from evaluation.runs.store import read_run
from evaluation.runs.variants import AS_SERVED
from graph.settings import Settings
from serving.chat import load_chat_model
from serving.llama import stop_embedded

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
    """Hold calls with the default model, then ask the same of the same weights as a plain client, as many at once.

    One call is held first: it starts the server and leaves the system prompt read, for both.
    """
    with fresh_home() as home, tempfile.TemporaryDirectory() as folder:
        settings = settings_for(home, llm_parallel=AT_ONCE)
        _hold(Path(folder) / "first", settings, calls=1)
        own = settings_of(Path(folder) / "first", settings)
        run, plain = Noted(), Noted()
        load_chat_model(own).callbacks = [run]
        _hold(Path(folder) / "run", settings, calls=CALLS)
        stop_embedded()
        model = load_chat_model(own)
        model.callbacks = [plain]
        ask_again(model, run.requests, AT_ONCE)
    rows: list[tuple[str, object]] = []
    for name, requests in (("run", run.requests), ("plain client", plain.requests)):
        rows += [
            (f"{name}: requests", len(requests)),
            (f"{name}: tokens", sum(one.tokens for one in requests)),
            (f"{name}: seconds", seconds(requests)),
            (f"{name}: tokens/s", _speed(requests)),
            (f"{name}: share of time with a request under way", share_with(1, requests)),
            (f"{name}: with {AT_ONCE}", share_with(AT_ONCE, requests)),
        ]
    table(
        f"A run of {CALLS} calls, {AT_ONCE} at once, and a plain client that asks the same",
        [*rows, ("run / plain client, tokens/s", _speed(run.requests) / _speed(plain.requests))],
    )


def _hold(folder: Path, settings: Settings, calls: int) -> None:
    scenarios = choose("test", settings, campaign="save_the_children")
    hold_all(Order((AS_SERVED,), scenarios, ["rule"], limit=calls, at_once=AT_ONCE), folder, settings)


def _speed(requests: Sequence[Asked]) -> float:
    return sum(one.tokens for one in requests) / seconds(requests)
