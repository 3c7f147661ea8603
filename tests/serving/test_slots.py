import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from graph.errors import ModelUnavailable
from serving.slots import KEPT_HEADS, SlotKeeper, aside

SYSTEM = "system\n" + "You sell lanterns. " * 20


class Llama:
    """Answers as llama.cpp's slot endpoints do, and writes the files they would."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.status = 200
        llama = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                llama.asked.append(self.path)
                if "save" in self.path:
                    (folder / body["filename"]).write_bytes(b"kv")
                self.send_response(llama.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def llama(tmp_path: Path) -> Iterator[Llama]:
    server = Llama(tmp_path)
    yield server
    server.close()


@pytest.fixture
def keeper(tmp_path: Path, llama: Llama) -> Iterator[SlotKeeper]:
    built = SlotKeeper(llama.address, 3, tmp_path, "weights-1")
    yield built
    built.close()


def place(keeper: SlotKeeper, *said: str) -> int | None:
    with keeper.slot([SYSTEM, *said]) as number:
        return number


def test_what_is_asked_aside_takes_no_slot_of_a_call(keeper: SlotKeeper) -> None:
    keeper.prefill(SYSTEM, SYSTEM)
    calls = [place(keeper, f"hello {number}") for number in range(3)]
    with aside():
        asked = {place(keeper, f"what if {number}") for number in range(5)}
        with keeper.slot([SYSTEM, "one"]) as first, keeper.slot([SYSTEM, "two"]) as second:
            assert first == second, "the second waits in the server for the same slot"
    assert asked == {3}
    assert first == 3
    assert [place(keeper, f"hello {number}", "yes?") for number in range(3)] == calls
    assert set(calls) == {0, 1, 2}


def test_interleaved_calls_stay_in_their_own_slots(keeper: SlotKeeper) -> None:
    keeper.prefill(SYSTEM, SYSTEM)
    calls: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    slots: dict[str, list[int | None]] = {"a": [], "b": [], "c": []}
    for turn in range(4):
        for call, said in calls.items():
            slots[call].append(place(keeper, *said, f"customer {call} {turn} with this turn's outline"))
            said += [f"customer {call} {turn}", f"agent {call} {turn}"]
    later = {call: set(used[1:]) for call, used in slots.items()}
    assert all(len(used) == 1 for used in later.values())
    assert set.union(*later.values()) == {0, 1, 2}


def test_a_busy_slot_is_not_given_twice_and_none_means_queue(keeper: SlotKeeper) -> None:
    with ExitStack() as stack:
        numbers = [stack.enter_context(keeper.slot([f"system {n}", "hello"])) for n in range(4)]
    assert sorted(n for n in numbers if n is not None) == [0, 1, 2]
    assert numbers[3] is None
    assert place(keeper, "hello") is not None


def test_questions_that_stand_alone_share_a_slot_and_leave_calls_alone(keeper: SlotKeeper) -> None:
    call = place(keeper, "u1", "a1", "u2")
    asked = set()
    for n in range(5):
        with keeper.slot(["system: name the intent", f"line {n}"]) as number:
            asked.add(number)
    assert len(asked) == 1
    assert call not in asked
    assert place(keeper, "u1", "a1", "u2", "a2", "u3") == call


def test_a_head_is_read_once_saved_and_loaded_for_each_new_call(
    keeper: SlotKeeper, llama: Llama, tmp_path: Path
) -> None:
    keeper.prefill(SYSTEM, SYSTEM)
    assert llama.asked == ["/v1/chat/completions", "/slots/0?action=save"]
    keeper.prefill(SYSTEM, SYSTEM)
    assert len(llama.asked) == 2
    place(keeper, "first call")
    place(keeper, "second call")
    assert llama.asked[2:] == ["/slots/1?action=restore"], "the first call follows the head that was just read"
    again = SlotKeeper(llama.address, 3, tmp_path, "weights-1")
    again.prefill(SYSTEM, SYSTEM)
    place(again, "a call of the next process")
    again.close()
    assert llama.asked[3:] == ["/slots/0?action=restore"]


@pytest.mark.parametrize(
    ("fingerprint", "system", "read", "why"),
    [
        ("weights-1", SYSTEM + "Name: Li.", False, "a few words more are read on the way"),
        ("weights-1", "system\nSomething else altogether", True, "another prompt"),
        ("weights-2", SYSTEM, True, "other weights"),
    ],
)
def test_when_a_head_is_read_anew(
    keeper: SlotKeeper, llama: Llama, tmp_path: Path, fingerprint: str, system: str, read: bool, why: str
) -> None:
    keeper.prefill(SYSTEM, SYSTEM)
    before = len(llama.asked)
    again = SlotKeeper(llama.address, 3, tmp_path, fingerprint)
    again.prefill(system, system)
    again.close()
    assert (len(llama.asked) > before) is read, why


def test_a_head_that_cannot_be_loaded_is_forgotten(keeper: SlotKeeper, llama: Llama, tmp_path: Path) -> None:
    keeper.prefill(SYSTEM, SYSTEM)
    place(keeper, "first call")
    llama.status = 400
    place(keeper, "second call")
    assert list(tmp_path.iterdir()) == []


def test_only_the_latest_heads_are_kept(keeper: SlotKeeper, tmp_path: Path) -> None:
    for n in range(KEPT_HEADS + 3):
        keeper.prefill(f"{n} " * 50, f"{n} " * 50)
    assert len(list(tmp_path.glob("*.kv"))) == len(list(tmp_path.glob("*.json"))) == KEPT_HEADS


def test_a_server_that_is_gone_fails_the_reading_but_not_the_placing(keeper: SlotKeeper, llama: Llama) -> None:
    keeper.prefill(SYSTEM, SYSTEM)
    llama.server.socket.close()
    keeper.close()
    gone = SlotKeeper("http://127.0.0.1:9", 3, keeper._folder, "weights-1")
    assert place(gone, "hello") == 0
    with pytest.raises(ModelUnavailable, match="did not read the prompt"):
        gone.prefill("another", "another")
    gone.close()
