"""What tracing adds to a turn: LangSmith off, answering, refusing and hanging, turn about on the same lines."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter, sleep

from bench.setting import fresh_home, percentile, real_calls, settings_for, table
from graph.session import Calls

TURNS = 100
THINK = 0.1
"""Seconds between turns; a customer takes longer."""
MODES = ("off", "answers", "refused", "hangs")


@contextmanager
def _receiver(way: str) -> Iterator[str]:
    """Run a LangSmith for tests in a process of its own and give its URL."""
    code = f"from tests.graph.trace_receiver import serve; serve({way!r})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def run() -> None:
    """Measure and print."""
    from tests.graph.trace_receiver import refusing_url

    lines = [line for call in real_calls(60, 40) for line in call][:TURNS]
    millis: dict[str, list[float]] = {mode: [] for mode in MODES}
    with fresh_home() as home, _receiver("answers") as answering, _receiver("hangs") as hanging:
        urls = {"answers": answering, "refused": refusing_url(), "hangs": hanging}
        calls = Calls(settings_for(home, llm="fake/scripted"))
        calls.warm_up("save_the_children")
        for mode in MODES:
            calls.start("save_the_children", call=mode, language="en")
        order = random.Random(0)
        for line in lines:
            for mode in order.sample(MODES, len(MODES)):
                sleep(THINK)
                if mode == "off":
                    os.environ.pop("LANGSMITH_API_KEY", None)
                else:
                    os.environ |= {
                        "LANGSMITH_API_KEY": "bench",
                        "LANGSMITH_ENDPOINT": urls[mode],
                        "LANGSMITH_TRACING": "",
                    }
                before = perf_counter()
                turn = calls.turn(mode, line)
                millis[mode].append((perf_counter() - before) * 1000)
                if turn["outcome"] == "handoff":
                    calls.human(mode, "", give_back=True)
        os.environ.pop("LANGSMITH_API_KEY", None)
    table(
        f"A turn with tracing ({TURNS} turns each, model `fake/scripted`)",
        [
            row
            for mode in MODES
            for row in (
                (f"{mode}: p50, ms", median(millis[mode])),
                (f"{mode}: p95, ms", percentile(millis[mode], 95)),
            )
        ],
    )
