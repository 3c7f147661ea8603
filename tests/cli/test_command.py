"""The command as a person or a program meets it: exit codes, one clear line, no traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.fault_server import FaultServer

ROOT = Path(__file__).parents[2]
KEYS = {
    "call", "turn", "customer", "stage", "stage_proposed", "stage_reason", "intent", "confidence", "scripts", "reply", "rules",
    "source", "latency_ms", "tokens", "ended", "outcome",
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer("ok", text="I hear you. What matters most to you here?") as running:
        yield running


def run(home: Path, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        input=stdin, capture_output=True, text=True, cwd=ROOT, timeout=100,
        env=os.environ | {"SALESMAN_HOME": str(home)} | environment,
    )  # fmt: skip


def test_lines_in_turns_out_as_json(loaded_home: Path, server: FaultServer) -> None:
    settings = {"SALESMAN_LLM_BASE_URL": server.base_url, "SALESMAN_LLM_MODEL": "m"}
    options = ("--campaign", "lantern_local", "--language", "en", "--call", "c1", "--json")
    first = run(loaded_home, "chat", *options, stdin="What is this?\n\nHow much is it?\n", **settings)
    assert first.returncode == 0, first.stderr
    turns = [json.loads(line) for line in first.stdout.splitlines()]
    assert [turn["turn"] for turn in turns] == [1, 2], "the opening is turn 0 and is not printed"
    assert all(set(turn) >= KEYS for turn in turns)
    assert all(
        set(turn["latency_ms"]) == {"understand", "retrieve", "first_sentence", "model", "total"} for turn in turns
    )
    again = run(loaded_home, "chat", "--call", "c1", "--json", stdin="And the trial?\n", **settings)
    assert [json.loads(line)["turn"] for line in again.stdout.splitlines()] == [3], "the call was left open"
    exported = run(loaded_home, "export", "c1", "--json")
    record = json.loads(exported.stdout)
    assert [turn["turn"] for turn in record["turns"]] == [0, 1, 2, 3]
    assert record["turns"][1] == turns[0]
    assert record["outcome"]["status"] == "open"
    shown = run(loaded_home, "show", "c1", "--turn", "2")
    assert "How much is it?" in shown.stdout
    assert "turn_prompt" in shown.stdout
    assert run(loaded_home, "show").stdout.startswith("c1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chat", "--campaign", "nope"), "nope"),
        (("chat",), "--campaign is missing"),
        (("chat", "--campaign", "lantern_local", "--language", "fr"), "'fr'"),
        (("chat", "--campaign", "lantern_local", "--profile", "x"), "name=value"),
        (("show", "nope"), "nope"),
        (("export", "nope"), "nope"),
        (("demo", "--campaign", "nope"), "nope"),
        (("models", "pull", "nope"), "nope"),
        (("scripts", "show", "nope"), "nope"),
        (("evaluate", "intent", "--campaign", "lantern_local", "--data", "nope.csv"), "nope.csv"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(loaded_home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(loaded_home, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_empty_home_loads_the_bundled_campaigns_by_itself(own_home: Path, server: FaultServer) -> None:
    done = run(
        own_home, "chat", "--campaign", "lantern_local", "--json", stdin="多少钱？\n",
        SALESMAN_LLM_BASE_URL=server.base_url, SALESMAN_LLM_MODEL="m",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["why"]["language"] == "zh"


def test_terminal_escapes_of_a_customer_are_not_printed(loaded_home: Path, server: FaultServer) -> None:
    run(
        loaded_home, "chat", "--campaign", "lantern_local", "--call", "esc", stdin="hello \x1b[2J\x07there\n",
        SALESMAN_LLM_BASE_URL=server.base_url, SALESMAN_LLM_MODEL="m",
    )  # fmt: skip
    shown = run(loaded_home, "show", "esc").stdout
    assert "hello [2Jthere" in shown
    assert "\x1b" not in shown


def test_doctor_says_what_is_there(loaded_home: Path) -> None:
    done = run(loaded_home, "doctor", SALESMAN_LLM="fake/echo")
    assert done.returncode == 0, done.stdout
    assert "lantern_local, save_the_children" in done.stdout
