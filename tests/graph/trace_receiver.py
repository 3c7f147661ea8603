"""A LangSmith for tests: takes traces over its wire format, keeps every byte, or fails in a way of choice."""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast

Way = Literal["answers", "fails", "hangs", "old"]
"""`fails`: HTTP 500. `hangs`: takes the request and never answers. `old`: knows `/runs/batch` only."""
INFO = {
    "version": "0.99.0",
    "instance_flags": {},
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 4,
        "scale_down_nempty_trigger": 4,
    },
}

PROJECT: dict[str, Any] = {
    "id": "0b5f3c1e-5d0e-4a4e-9c43-6f7a3c2b1d00",
    "tenant_id": "7d3a9f10-2b44-4c55-8e66-1a2b3c4d5e6f",
    "name": "calls",
    "start_time": "2026-01-01T00:00:00",
    "reference_dataset_id": None,
}


@dataclass
class Receiver:
    """What came in."""

    url: str = ""
    way: Way = "answers"
    raw: bytearray = field(default_factory=bytearray)
    """Every request line, header and body."""
    keys: set[str] = field(default_factory=set)
    """The API keys that were sent."""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Runs by id, with their parts put together."""
    feedback: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Feedback by id."""
    requests: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    released: threading.Event = field(default_factory=threading.Event)

    def roots(self) -> list[dict[str, Any]]:
        """Return the runs without a parent, oldest first."""
        found = [run for run in self.runs.values() if not run.get("parent_run_id")]
        return sorted(found, key=lambda run: run["dotted_order"])

    def below(self, root: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the other runs of a root's trace."""
        return [run for run in self.runs.values() if run["trace_id"] == root["id"] and run is not root]

    def wait_for_roots(self, number: int, seconds: float = 20.0) -> list[dict[str, Any]]:
        """Wait until so many root runs came, and return them."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.roots()) >= number, seconds), (
                f"{len(self.roots())} of {number}"
            )
        return self.roots()

    def take(self, path: str, content_type: str, body: bytes) -> None:
        """Keep the runs of a request."""
        with self.changed:
            if path.endswith("/feedback"):
                given = json.loads(body)
                self.feedback[given["id"]] = given
            elif path.endswith("/runs/batch"):
                for run in json.loads(body)["post"]:
                    self.runs[run["id"]] = run
            else:
                head = f"Content-Type: {content_type}\r\n\r\n".encode()
                for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
                    name = part.get_param("name", header="content-disposition")
                    verb, run, *rest = str(name).split(".")
                    assert verb == "post", f"an ended run comes as one post, not {name}"
                    content = json.loads(cast(bytes, part.get_payload(decode=True)))
                    self.runs.setdefault(run, {}).update({rest[0]: content} if rest else content)
            self.changed.notify_all()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

        def do_GET(self) -> None:
            if self.path.startswith("/sessions") and receiver.way == "answers":
                self._answer(200, [PROJECT])
            else:
                self._answer(200 if self.path.endswith("/info") else 404, INFO)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with receiver.changed:
                receiver.requests += 1
                receiver.raw += f"{self.requestline}\n{self.headers}\n".encode() + body
                receiver.keys.add(self.headers["x-api-key"])
                receiver.changed.notify_all()
            if receiver.way == "hangs":
                receiver.released.wait()
                self.close_connection = True
            elif receiver.way == "fails":
                self._answer(500, {"detail": "out of order"})
            elif receiver.way == "old" and self.path.endswith("/runs/multipart"):
                self._answer(404, {"detail": "not found"})
            else:
                receiver.take(self.path, self.headers["Content-Type"], body)
                self._answer(202, {"message": "taken"})

        def _answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextmanager
def receiver(way: Way = "answers") -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    kept = Receiver(way=way)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kept))
    server.daemon_threads = True
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        kept.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def serve(way: Way) -> None:
    """Print the URL of a receiver and run it until the process is killed."""
    with receiver(way) as running:
        sys.stdout.write(running.url + "\n")
        sys.stdout.flush()
        threading.Event().wait()


def refusing_url() -> str:
    """Return a URL whose connection is refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
