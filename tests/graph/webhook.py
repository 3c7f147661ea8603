"""A webhook for tests: takes Standard Webhooks requests, checks their signature, or fails in a way of choice."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Taken:
    """What came in."""

    url: str = ""
    way: Literal["answers", "fails", "hangs", "moved"] = "answers"
    messages: list[tuple[str, Any]] = field(default_factory=list)
    """Ids and contents whose signature held, refused ones included."""
    raw: bytearray = field(default_factory=bytearray)
    changed: threading.Condition = field(default_factory=threading.Condition)
    released: threading.Event = field(default_factory=threading.Event)
    """Set: requests that hang are answered."""

    def ids(self) -> list[str]:
        """Return the ids in the order in which they came."""
        return [name for name, _ in self.messages]

    def wait_for(self, number: int, seconds: float = 20.0) -> None:
        """Wait until so many requests came."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= number, seconds), self.ids()


@contextmanager
def webhook(port: int = 0) -> Iterator[Taken]:
    """Run a webhook, on a free port by default."""
    taken = Taken()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            Webhook(SECRET).verify(body, dict(self.headers))
            with taken.changed:
                taken.messages.append((self.headers["webhook-id"], json.loads(body)))
                taken.raw += body
                taken.changed.notify_all()
            if taken.way == "hangs":
                taken.released.wait()
            self.send_response({"answers": 204, "hangs": 204, "fails": 500, "moved": 307}[taken.way])
            if taken.way == "moved":
                self.send_header("Location", taken.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    taken.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        taken.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
