"""LangGraph Studio: `langgraph.json` says where the graph is, and `langgraph dev` takes a turn through it."""

import importlib.util
import inspect
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import langsmith
import pytest

from graph.build import SalesGraph
from tests.graph.trace_receiver import receiver

ROOT = Path(__file__).parents[2]
INPUT = {"campaign": "lantern_local", "customer": "How much does it cost?", "turn": 1}
CLI = shutil.which("langgraph", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


@pytest.fixture
def factory() -> Iterator[Callable[[], SalesGraph]]:
    """Load what `langgraph.json` names as the command does: from the file."""
    file, name = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["sales_call"].split(":")
    spec = importlib.util.spec_from_file_location("studio", ROOT / file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield getattr(module, name)
    langsmith.configure(enabled=False)


def test_the_config_names_a_graph_that_studio_can_make(factory: Callable[[], SalesGraph]) -> None:
    config = json.loads((ROOT / "langgraph.json").read_text())
    assert config["dependencies"] == ["."]
    assert config["env"] == ".env"
    assert not inspect.signature(factory).parameters, "an argument would be given the run's config"
    assert factory().checkpointer is None, "Studio brings its own and refuses ours"


def test_a_turn_runs_without_session_and_context(factory: Callable[[], SalesGraph], loaded_home: Path) -> None:
    state = factory().invoke(INPUT)  # type: ignore[call-overload]
    assert state["said"]["reply"]
    assert state["history"][-1]["customer"] == INPUT["customer"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """This project by links: the command keeps its state in the folder that it runs in."""
    folder = tmp_path / "project"
    folder.mkdir()
    for package in ROOT.glob("*/__init__.py"):
        (folder / package.parent.name).symlink_to(package.parent)
    shutil.copy(ROOT / "langgraph.json", folder)
    return folder


@pytest.mark.slow
@pytest.mark.skipif(CLI is None, reason="langgraph-cli is not installed (extra `studio`)")
def test_langgraph_dev_takes_turns_and_sends_nothing_unmasked(loaded_home: Path, project: Path) -> None:
    port = free_port()
    command = [str(CLI), "dev", "--no-browser", "--no-reload", "--port", str(port)]
    environment = {**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "true"}
    with receiver() as running, (project / "log").open("w+") as log:
        environment |= {"LANGSMITH_ENDPOINT": running.url, "LANGSMITH_API_KEY": "lsv2_test"}
        with subprocess.Popen(
            command,
            cwd=project,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process:
            try:
                states = take_turns(f"http://127.0.0.1:{port}", process)
            except AssertionError as error:
                error.add_note((project / "log").read_text()[-3000:])
                raise
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
        assert b"/runs/" not in running.raw, "LangSmith's own tracer is off"
        assert str(INPUT["customer"]).encode() not in running.raw, (
            "the server counts its runs there, without a word of them"
        )
    assert [state["turn"] for state in states] == [1, 2]
    assert states[1]["said"]["reply"]
    assert len(states[1]["history"]) == 2, "the server's checkpointer keeps the call"


def take_turns(url: str, process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """Wait for the server and take two turns of one thread over its REST API."""
    with httpx.Client(base_url=url, timeout=90) as client:
        end = time.monotonic() + 60
        while True:
            assert process.poll() is None, "langgraph dev ended"
            assert time.monotonic() < end, "langgraph dev does not answer"
            try:
                if client.get("/ok").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        thread = client.post("/threads", json={}).raise_for_status().json()["thread_id"]
        states = []
        for turn in (1, 2):
            body = {"assistant_id": "sales_call", "input": {**INPUT, "turn": turn}}
            states.append(client.post(f"/threads/{thread}/runs/wait", json=body).raise_for_status().json())
        return states
