"""Start of `salesman chat` to its first prompt, model cached, campaigns loaded: a whole process each time."""

import os
import subprocess
import sys
import time
from statistics import median

from bench.setting import fresh_home, table

RUNS = 5


def _first_prompt(home: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, "-m", "cli", "chat", "--campaign", "lantern_local", "--language", "en"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"SALESMAN_HOME": home},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    while b"Agent:" not in (line := process.stdout.readline()):
        assert line or process.poll() is None, "salesman chat ended before its first prompt"
    took = time.perf_counter() - started
    process.stdin.close()
    process.wait(timeout=60)
    return took


def run() -> None:
    """Measure and print."""
    with fresh_home() as home:
        first = _first_prompt(str(home))
        times = [_first_prompt(str(home)) for _ in range(RUNS)]
        table(
            "Start of `salesman chat` to its first prompt (default model, weights cached)",
            [
                ("first start on an empty home, s", first),
                (f"later starts, median of {RUNS}, s", median(times)),
                ("later starts, slowest, s", max(times)),
            ],
        )
