"""A tiny OpenAI-compatible server on 127.0.0.1 that answers, or fails, exactly as told.

Example:
    >>> with FaultServer("ok", text="Good morning!") as server:
    ...     server.base_url  # give it to the client under test
    ...     server.behave("500", "ok")  # the next request fails, all later ones succeed
    ...     server.requests  # the bodies received, oldest first

Run it as a process of its own (for a benchmark): ``python -m tests.serving.fault_server --first-delay 0.3``.
"""

import argparse
import json
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import takewhile
from typing import Any, Literal, Self, cast

Behaviour = Literal["ok", "slow", "429", "500", "empty", "broken_json", "cut", "stall", "promise"]
"""What a chat request gets.

`ok`: the text, or an instance of the JSON schema asked for. `slow`: nothing for `slow_s` seconds, then `ok`.
`429`, `500`: that status. `empty`: an answer without words. `broken_json`: a body that is no JSON.
`cut`: the connection drops after `words_before_fault` words. `stall`: after those words nothing for `slow_s` seconds.
`promise`: the forbidden promise below, in the customer's language, whatever was asked.
"""

PROMISE_EN = "Sure! 90% off, only $1, guaranteed results, I promise."
PROMISE_ZH = "当然可以！给您打一折，只要一块钱，保证有效果，我向您承诺。"

Text = str | Callable[[dict[str, Any]], str]
_WORD = re.compile(r"\s*[A-Za-z0-9'$%.,!?;:-]+|\s*\S|\s+")


class FaultServer:
    """A scripted model server in threads of this process; starts in milliseconds and leaves nothing behind.

    Args:
        *behaviours: What the requests get, in order; the last one stays.
        text: The answer of `ok`, or a function from the request's body to it.
        answer: The object sent when a JSON schema is asked for; None builds the smallest instance of the schema.
        first_delay: Seconds before the first token.
        token_delay: Seconds between tokens.
        slow_s: Seconds that `slow` and `stall` wait; stopping the server ends the wait at once.
        words_before_fault: Words streamed before `cut` and `stall` go wrong.
        model: The name that `/v1/models` lists.
    """

    def __init__(
        self,
        *behaviours: Behaviour,
        behaviour: Behaviour | None = None,
        text: Text = "Good morning, how are you today?",
        answer: Mapping[str, Any] | None = None,
        first_delay: float = 0.0,
        token_delay: float = 0.0,
        slow_s: float = 30.0,
        words_before_fault: int = 2,
        model: str = "fault",
        port: int = 0,
    ) -> None:
        self.text, self.answer, self.model = text, answer, model
        self.first_delay, self.token_delay, self.slow_s = first_delay, token_delay, slow_s
        self.words_before_fault = words_before_fault
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        """Their headers, names in lower case."""
        self._plan: deque[Behaviour] = deque(behaviours or ([behaviour] if behaviour else ["ok"]))
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        """The URL for `SALESMAN_LLM_BASE_URL`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def behave(self, *behaviours: Behaviour, text: Text | None = None) -> None:
        """Set what the coming requests get, in order; the last one stays."""
        with self._lock:
            self._plan = deque(behaviours)
            if text is not None:
                self.text = text

    def wait(self, seconds: float) -> None:
        """Wait as a slow model would; raises as soon as the server is stopped."""
        if self._stopped.wait(seconds):
            raise ConnectionAbortedError("the fault server was stopped")

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[Behaviour, str, int]:
        """Record a request and return its behaviour, its answer and the tokens it shares with the one before."""
        with self._lock:
            before = _prompt(self.requests[-1]) if self.requests else ""
            self.requests.append(body)
            self.headers.append(headers)
            behaviour = self._plan.popleft() if len(self._plan) > 1 else self._plan[0]
        same = takewhile(lambda pair: pair[0] == pair[1], zip(before, _prompt(body), strict=False))
        shared = sum(1 for _ in same) // 4
        if behaviour == "empty":
            return behaviour, "", shared
        if behaviour == "promise":
            chinese = re.search(r"[\u4e00-\u9fff]", _last_user(body))
            return behaviour, PROMISE_ZH if chinese else PROMISE_EN, shared
        wanted = body.get("response_format") or {}
        if wanted.get("type") == "json_schema":
            answer = self.answer if self.answer is not None else _instance(wanted["json_schema"]["schema"])
            return behaviour, json.dumps(answer, ensure_ascii=False), shared
        return behaviour, self.text(body) if callable(self.text) else self.text, shared

    def start(self) -> Self:
        """Serve until `stop`."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Drop every connection and free the port."""
        self._stopped.set()
        self._http.shutdown()
        self._http.drop_connections()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    owner: FaultServer

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        for connection in list(self._open):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that gives up on a faulty server is what is being tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._json(200, {"status": "ok"})
        elif self.path == "/v1/models":
            self._json(200, {"object": "list", "data": [{"id": self._owner.model, "object": "model"}]})
        else:
            self._json(404, {"error": {"message": f"no {self.path}"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/chat/completions":
            self._json(404, {"error": {"message": f"no {self.path}"}})
            return
        body = cast(dict[str, Any], json.loads(raw))
        behaviour, text, shared = self._owner.take(body, {name.lower(): value for name, value in self.headers.items()})
        if behaviour == "slow":
            self._owner.wait(self._owner.slow_s)
        if behaviour in ("429", "500"):
            self._json(int(behaviour), {"error": {"message": f"told to fail with {behaviour}", "type": "fault"}})
            return
        self._owner.wait(self._owner.first_delay)
        words = _WORD.findall(text)
        prompt = max(1, len(_prompt(body)) // 4)
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(words),
            "total_tokens": prompt + len(words),
            "prompt_tokens_details": {"cached_tokens": min(shared, prompt)},
        }
        if body.get("stream"):
            self._stream(body, behaviour, words, usage)
        else:
            self._whole(behaviour, text, words, usage)

    @property
    def _owner(self) -> FaultServer:
        return cast(_Server, self.server).owner

    def _whole(self, behaviour: Behaviour, text: str, words: list[str], usage: dict[str, Any]) -> None:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        payload = json.dumps({**self._head("chat.completion"), "choices": [choice], "usage": usage}).encode()
        if behaviour == "broken_json":
            payload = payload[: len(payload) // 2]
        if behaviour in ("cut", "stall"):
            self._start(200, "application/json", {"Content-Length": str(len(payload))})
            self.wfile.write(payload[: len(payload) // 2])
            if behaviour == "stall":
                self._owner.wait(self._owner.slow_s)
            self.close_connection = True
            return
        self._owner.wait(self._owner.token_delay * len(words))
        self._start(200, "application/json", {"Content-Length": str(len(payload))})
        self.wfile.write(payload)

    def _stream(self, body: dict[str, Any], behaviour: Behaviour, words: list[str], usage: dict[str, Any]) -> None:
        self._start(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
        head = self._head("chat.completion.chunk")
        for number, part in enumerate(_deltas(words)):
            if behaviour in ("cut", "stall") and number == self._owner.words_before_fault + 1:
                if behaviour == "stall":
                    self._owner.wait(self._owner.slow_s)
                self.close_connection = True
                return
            event = json.dumps({**head, "choices": [part]}, ensure_ascii=False)
            self._chunk(event[: len(event) // 2] if behaviour == "broken_json" else event)
            if number < len(words):
                self._owner.wait(self._owner.token_delay)
        if (body.get("stream_options") or {}).get("include_usage"):
            self._chunk(json.dumps({**head, "choices": [], "usage": usage}))
        self._chunk("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"fault-{len(self._owner.requests)}", "object": kind, "created": 0, "model": self._owner.model}

    def _chunk(self, event: str) -> None:
        data = f"data: {event}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _start(self, status: int, kind: str, more: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()

    def _json(self, status: int, payload: object) -> None:
        data = json.dumps(payload).encode()
        self._start(status, "application/json", {"Content-Length": str(len(data))})
        self.wfile.write(data)


def _deltas(words: list[str]) -> Iterator[dict[str, Any]]:
    yield {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    for word in words:
        yield {"index": 0, "delta": {"content": word}, "finish_reason": None}
    yield {"index": 0, "delta": {}, "finish_reason": "stop"}


def _prompt(body: dict[str, Any]) -> str:
    return "\n".join(str(message.get("content", "")) for message in body.get("messages", []))


def _last_user(body: dict[str, Any]) -> str:
    said = [str(message["content"]) for message in body.get("messages", []) if message.get("role") == "user"]
    return said[-1] if said else ""


def _instance(schema: Mapping[str, Any]) -> Any:
    """Build the smallest value that a plain JSON schema accepts."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return _instance(schema["anyOf"][0])
    kind = schema.get("type", "object")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _instance(properties[name]) for name in schema.get("required", properties)}
    empty = {"array": [], "string": "", "number": 0.5, "integer": schema.get("minimum", 0), "boolean": False}
    return empty.get(kind)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Serve one behaviour until interrupted.")
    parser.add_argument("--behaviour", default="ok")
    parser.add_argument("--text", default="Good morning, how are you today?")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--first-delay", type=float, default=0.0)
    parser.add_argument("--token-delay", type=float, default=0.0)
    given = parser.parse_args()
    with FaultServer(
        given.behaviour,
        text=given.text,
        port=given.port,
        first_delay=given.first_delay,
        token_delay=given.token_delay,
    ):
        threading.Event().wait()


if __name__ == "__main__":
    _main()
