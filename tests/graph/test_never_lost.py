"""Calls are never lost: two writers, killed processes, flat storage."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from pydantic import SecretStr

from graph.session import Calls
from graph.settings import Settings
from tests.serving.fault_server import FaultServer

ROOT = Path(__file__).parents[2]
LINES = [f"Question number {n}: how does the storefront work for a shop like mine?" for n in range(40)]
REPLY = "That is a fair question. Which kind of shop do you run? I can explain the details that matter to you."


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer("ok", text=REPLY, token_delay=0.004) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres")) if request.param == "postgresql" else ""


def chat(home: Path, url: str, call: str, database: str = "") -> subprocess.Popen[str]:
    environment = os.environ | {
        "SALESMAN_HOME": str(home),
        "SALESMAN_LLM_BASE_URL": url,
        "SALESMAN_LLM_MODEL": "m",
        "SALESMAN_LLM_API_KEY": "x",
        "SALESMAN_DATABASE_URL": database,
    }
    command = [
        sys.executable,
        "-m",
        "cli",
        "chat",
        "--campaign",
        "lantern_local",
        "--language",
        "en",
        "--call",
        call,
        "--json",
    ]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )


OPENED: list[Calls] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def calls_at(home: Path, url: str = "http://127.0.0.1:9/v1", database: str = "") -> Calls:
    given = {"home": home, "llm_base_url": url, "llm_model": "m", "llm_api_key": SecretStr("x")}
    calls = Calls(Settings(**given, database_url=SecretStr(database), _env_file=None))  # type: ignore[arg-type]
    OPENED.append(calls)
    return calls


def said(home: Path, call: str, database: str = "") -> list[str]:
    """Return the customer's lines of a call as the record has them."""
    return [turn["customer"] for turn in calls_at(home, database=database).record(call)["turns"][1:]]


def test_two_processes_on_one_call_keep_every_turn(loaded_home: Path, server: FaultServer, database: str) -> None:
    calls_at(loaded_home, server.base_url, database).start("lantern_local", call="shared", language="en")
    halves = (LINES[:20], LINES[20:])
    writers = [chat(loaded_home, server.base_url, "shared", database) for _ in halves]
    answers: list[list[str]] = [[], []]

    def feed(which: int) -> None:
        out, _ = writers[which].communicate("\n".join(halves[which]) + "\n", timeout=100)
        answers[which] = out.splitlines()

    threads = [threading.Thread(target=feed, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [writer.returncode for writer in writers] == [0, 0]
    kept = said(loaded_home, "shared", database)
    assert sorted(kept) == sorted(LINES), "all 40, none doubled"
    assert [line for line in kept if line in halves[0]] == halves[0], "each writer's lines stay in order"
    assert [[json.loads(line)["customer"] for line in half] for half in answers] == [list(half) for half in halves]


def kill_somewhere(home: Path, url: str, call: str, rng: random.Random, database: str) -> list[dict[str, object]]:
    """Feed six lines, kill the process at a random point of a turn, and go on with a new one until all are answered."""
    todo = LINES[:6]
    seen: list[dict[str, object]] = []
    writer = chat(home, url, call, database)
    assert writer.stdin is not None and writer.stdout is not None
    victim = rng.randrange(len(todo))
    for number, line in enumerate(todo):
        writer.stdin.write(line + "\n")
        writer.stdin.flush()
        if number == victim:
            threading.Event().wait(rng.uniform(0, 0.25))
            os.kill(writer.pid, signal.SIGKILL)
            break
        seen.append(json.loads(writer.stdout.readline()))
    rest, _ = writer.communicate()
    seen += [json.loads(line) for line in rest.splitlines() if line.endswith("}")]
    answered = {turn["customer"] for turn in seen}
    left = [line for line in todo if line not in answered]
    second = chat(home, url, call, database)
    out, errors = second.communicate("\n".join(left) + "\n", timeout=60)
    assert second.returncode == 0, errors
    return seen + [json.loads(line) for line in out.splitlines()]


def check_kills(home: Path, server: FaultServer, kills: int, database: str = "") -> None:
    rng = random.Random(7)
    for number in range(kills):
        call = f"killed-{number}"
        shown = kill_somewhere(home, server.base_url, call, rng, database)
        assert said(home, call, database) == LINES[:6], "no turn lost, none doubled, in order"
        by_turn: dict[object, object] = {}
        for turn in shown:
            assert by_turn.setdefault(turn["turn"], turn["reply"]) == turn["reply"], "a turn has one reply"
        record = calls_at(home, database=database).record(call)
        assert by_turn == {turn["turn"]: turn["reply"] for turn in record["turns"][1:]}


def test_a_killed_process_loses_and_doubles_no_turn(loaded_home: Path, server: FaultServer) -> None:
    check_kills(loaded_home, server, 3)


@pytest.mark.slow
def test_twenty_kills_lose_and_double_no_turn(loaded_home: Path, server: FaultServer, database: str) -> None:
    check_kills(loaded_home, server, 20, database)


def test_a_reply_that_was_half_seen_keeps_what_was_seen(loaded_home: Path, server: FaultServer) -> None:
    calls = calls_at(loaded_home, server.base_url)
    calls.start("lantern_local", call="half", language="en")
    turn = calls.store.begin("half", "k", "How much is it?")
    calls.store.release("half", turn, ["That is a fair question."])
    record = calls.recover("half")
    assert record is not None
    assert record["reply"].startswith("That is a fair question.")
    assert (record["recovered"], record["source"], record["turn"]) == (True, "script", 1)
    assert calls.recover("half") is None, "it is finished once"
    assert calls.turn("half", "And the trial?")["turn"] == 2


def test_a_turn_that_the_graph_finished_is_not_run_again(
    loaded_home: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = calls_at(loaded_home, server.base_url)
    calls.start("lantern_local", call="late", language="en")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(calls.store, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            calls.turn("late", "How much is it?")
    asked = len(server.requests)
    record = calls.recover("late")
    assert record is not None
    assert (record["recovered"], record["turn"], record["source"]) == (True, 1, "model")
    assert len(server.requests) == asked, "no second model call"


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.db*"))


def test_storage_a_turn_is_flat_over_200_turns(loaded_home: Path, server: FaultServer) -> None:
    server.token_delay = 0.0
    calls = calls_at(loaded_home, server.base_url)
    calls.start("lantern_local", call="long", language="en")
    lines = [
        f"{word}, and what else about it number {n}?" for n in range(50) for word in ("Price", "Trial", "Ads", "Proof")
    ]
    weights: list[int] = []
    for line in lines:
        turn = calls.turn("long", line)
        weights.append(len(json.dumps(turn, ensure_ascii=False)))
        if turn["outcome"] == "handoff":
            calls.human("long", "", give_back=True)
    state = calls.graph.get_state({"configurable": {"thread_id": "long"}})
    with calls.saver.conn as connection:  # type: ignore[attr-defined]
        kept = connection.execute("SELECT count(*) FROM checkpoints WHERE thread_id = 'long'").fetchone()[0]
    assert kept == 1, "one checkpoint a call"
    assert len(json.dumps(state.values["history"])) < 8000, "the state's window is bounded"
    assert median(weights[-10:]) <= 1.2 * median(weights[:10]), "bytes of a turn's record"
