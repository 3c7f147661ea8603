"""Sends traces and marks to LangSmith from the background: first onto the disk, then over the network, off the disk once taken.

A file per turn or mark lies in `home/unsent_traces` until LangSmith has it. So nothing waits for the network, neither a turn nor the end
of the process, and what a dead, slow or refusing endpoint did not take is still there: `replay` sends it later.
"""

import atexit
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict

from graph.errors import BadInput, SalesmanError
from graph.settings import Settings, get_settings

if TYPE_CHECKING:
    from langsmith import Client

log = logging.getLogger(__name__)

Run = dict[str, Any]
"""One run as LangSmith's API takes it, masked."""
Feedback = dict[str, Any]
"""Arguments of the client's `create_feedback`, masked."""


class Parcel(TypedDict, total=False):
    """What one file holds: the runs of a turn, the root first, or feedback on one."""

    runs: list[Run]
    feedback: list[Feedback]


MAX_WAITING = 1000
"""Turns that wait to be masked; more are dropped."""
MAX_BYTES = 100_000_000
"""Of the folder; the oldest traces make room."""
BATCH = 20
"""Turns a request."""
RETRY_S = 30.0
"""Pause after a failed request."""
KEEP_S, SEND_S = 0.8, 0.5
"""Longest waits at the end of the process: for masking, and for a request, from its start."""


@dataclass(frozen=True)
class Target:
    """Where traces go, from LangSmith's own environment variables."""

    endpoint: str
    key: str = field(repr=False)
    project: str


def target() -> Target | None:
    """Return where traces go; None without `LANGSMITH_API_KEY`, or with `LANGSMITH_TRACING=false`."""
    key = os.environ.get("LANGSMITH_API_KEY", "").strip()
    if not key or os.environ.get("LANGSMITH_TRACING", "").strip().lower() in ("false", "0"):
        return None
    endpoint = os.environ.get("LANGSMITH_ENDPOINT", "").strip() or "https://api.smith.langchain.com"
    return Target(endpoint.rstrip("/"), key, os.environ.get("LANGSMITH_PROJECT", "").strip() or "default")


def unsent_folder(settings: Settings) -> Path:
    """Return the folder of the traces that LangSmith does not have yet."""
    return settings.home / "unsent_traces"


class _Sender:
    """Posts runs with LangSmith's own client."""

    def __init__(self, to: Target) -> None:
        self._to = to
        self._errors: list[Exception] = []

    @cached_property
    def _client(self) -> "Client":
        from langsmith import Client
        from urllib3 import Retry

        # Its warnings come with every request and hold parts of the key; this module tells what a person needs, once.
        logging.getLogger("langsmith").setLevel(logging.CRITICAL)
        return Client(
            api_url=self._to.endpoint,
            api_key=self._to.key,
            auto_batch_tracing=False,
            tracing_mode="langsmith",
            omit_traced_runtime_info=True,
            retry_config=Retry(0),
            info={},
            tracing_error_callback=self._errors.append,
        )

    @cached_property
    def project(self) -> Any:
        """The project that traces go to."""
        return self._client.read_project(project_name=self._to.project)

    def tell(self, feedback: Feedback) -> str:
        """Post feedback and return what went wrong; that it is there already, or that its trace is gone, is not wrong."""
        from langsmith.utils import LangSmithConflictError

        try:
            self._client.create_feedback(**feedback, session_id=self.project.id, stop_after_attempt=1)
        except LangSmithConflictError:
            return ""
        except Exception as error:  # noqa: BLE001 - the client's boundary: whatever it raises, the mark stays on the disk
            return type(error).__name__
        return ""

    def send(self, runs: Sequence[Run]) -> str:
        """Post the runs and return what went wrong, empty when nothing did."""
        self._errors.clear()
        try:
            self._client.multipart_ingest(create=runs)
        except Exception as error:  # noqa: BLE001 - the client's boundary: whatever it raises, the trace stays on the disk
            return type(error).__name__
        return type(self._errors[0]).__name__ if self._errors else ""


def _write(folder: Path, parcel: Parcel) -> tuple[Path, int]:
    """Write a parcel, readable by the owner alone, and return the file and its bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    name = parcel["runs"][0]["id"] if "runs" in parcel else parcel["feedback"][0]["feedback_id"]
    path = folder / f"{time.time_ns()}-{name}.json"
    half = path.with_suffix(".part")
    half.touch(mode=0o600)
    size = half.write_bytes(json.dumps({"version": 1, **parcel}, ensure_ascii=False).encode())
    half.rename(path)
    return path, size


def _make_room(folder: Path) -> int:
    """Remove the oldest traces until the folder is small enough, and return its bytes."""
    sizes: dict[Path, int] = {}
    for path in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError):  # sent meanwhile
            sizes[path] = path.stat().st_size
    total = sum(sizes.values())
    for path, size in sizes.items():
        if total <= MAX_BYTES:
            break
        path.unlink(missing_ok=True)
        total -= size
    return total


def _read(paths: Sequence[Path]) -> dict[Path, Parcel]:
    parcels: dict[Path, Parcel] = {}
    for path in paths:
        with suppress(FileNotFoundError):  # sent by `replay`, or removed to make room
            parcels[path] = json.loads(path.read_text(encoding="utf-8"))
    return parcels


def _send_files(sender: _Sender, paths: Sequence[Path]) -> str:
    """Send files, runs before the feedback on them, and remove them; return what went wrong."""
    parcels = _read(paths)
    traces = [path for path, parcel in parcels.items() if "runs" in parcel]
    runs = [run for path in traces for run in parcels[path]["runs"]]
    if runs and (reason := sender.send(runs)):
        return reason
    for path in traces:
        path.unlink(missing_ok=True)
    for path, parcel in parcels.items():
        for feedback in parcel.get("feedback", []):
            if reason := sender.tell(feedback):
                return reason
        path.unlink(missing_ok=True)
    return ""


def project_url(to: Target) -> str:
    """Return the address of the project that traces go to, as LangSmith shows it.

    Raises:
        SalesmanError: LangSmith does not answer, or has no such project yet.
    """
    try:
        return str(_Sender(to).project.url)
    except Exception as error:
        raise SalesmanError(
            f"LangSmith at {to.endpoint} tells no project {to.project!r}: {type(error).__name__}"
        ) from error


class Delivery:
    """Two threads: one masks and keeps, one sends. Neither holds a turn, and neither holds the end of the process."""

    def __init__(self, settings: Settings, to: Target) -> None:
        self._to = to
        self._folder = unsent_folder(settings)
        self._work: queue.Queue[Callable[[], Parcel] | None] = queue.Queue(MAX_WAITING)
        self._kept: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._failing = False
        self._asked_at = float("inf")
        self._told: set[str] = set()
        self._keeper = threading.Thread(target=self._keep, name="trace-keeper", daemon=True)
        self._sender = threading.Thread(target=self._send, name="trace-sender", daemon=True)
        self._keeper.start()
        self._sender.start()
        atexit.register(self.close)

    def put(self, work: Callable[[], Parcel]) -> None:
        """Take a finished turn, or a mark.

        Args:
            work: Builds what is sent, masked; called in the background. When it raises, nothing is kept or sent.
        """
        try:
            self._work.put_nowait(work)
        except queue.Full:
            self._tell(f"More than {MAX_WAITING} turns wait to be traced; some are not.")

    def close(self) -> None:
        """Keep what waits, and send it if that takes no time; what is not sent by then stays on the disk."""
        with suppress(queue.Full):
            self._work.put(None, timeout=KEEP_S)
        self._keeper.join(KEEP_S)
        if not self._failing:
            asked_for = max(0.0, time.monotonic() - self._asked_at)
            self._sender.join(max(0.0, SEND_S - asked_for))

    def _tell(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            log.warning(line)

    def _keep(self) -> None:
        size = MAX_BYTES + 1  # looked up with the first trace; later ones are added, whether sent meanwhile or not
        while (work := self._work.get()) is not None:
            try:
                path, written = _write(self._folder, work())
                size += written
                if size > MAX_BYTES:
                    size = _make_room(self._folder)
            except Exception as error:  # noqa: BLE001 - fails closed: what cannot be masked or kept is never sent
                self._tell(f"A turn's trace was dropped unsent: {type(error).__name__}")
                continue
            self._kept.put(path)
        self._kept.put(None)

    def _send(self) -> None:
        sender = _Sender(self._to)
        waiting: list[Path] = []
        retry_at = 0.0
        open_ = True
        while open_ or (waiting and not self._failing):
            open_ = self._gather(waiting, retry_at) and open_
            if not open_ and self._failing:
                return
            self._asked_at = time.monotonic()
            reason = _send_files(sender, waiting[:BATCH])
            self._asked_at = float("inf")
            self._failing = bool(reason)
            if reason:
                retry_at = time.monotonic() + RETRY_S
                self._tell(f"LangSmith at {self._to.endpoint} takes no traces ({reason}); they wait in {self._folder}.")
            else:
                del waiting[:BATCH]

    def _gather(self, waiting: list[Path], retry_at: float) -> bool:
        """Collect files until there are some and `retry_at` has passed; False when the last one has come."""
        try:
            while True:
                path = self._kept.get(timeout=max(0.0, retry_at - time.monotonic()) if waiting else None)
                if path is None:
                    return False
                waiting.append(path)
        except queue.Empty:
            return True


@lru_cache(maxsize=64)
def delivery_for(settings: Settings, to: Target) -> Delivery:
    """Return the process's delivery to a target."""
    return Delivery(settings, to)


def replay(settings: Settings | None = None) -> int:
    """Send the traces that are still on the disk, oldest first, and return how many turns that were.

    Raises:
        BadInput: `LANGSMITH_API_KEY` is not set.
        SalesmanError: LangSmith does not take them; they stay on the disk.
    """
    to = target()
    if to is None:
        raise BadInput("LANGSMITH_API_KEY is not set (or LANGSMITH_TRACING is false): set it to send the kept traces.")
    folder = unsent_folder(settings or get_settings())
    files = sorted(folder.glob("*.json"))
    sender = _Sender(to)
    for start in range(0, len(files), BATCH):
        reason = _send_files(sender, files[start : start + BATCH])
        if reason:
            raise SalesmanError(
                f"LangSmith at {to.endpoint} takes no traces ({reason}): {start} of {len(files)} turns were sent, "
                f"the others stay in {folder}."
            )
    return len(files)
