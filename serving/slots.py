"""Who speaks in which slot of the embedded server, so that every call finds its own prefix again.

Left to itself, llama.cpp gives a request the idle slot whose content resembles it most. A second call then takes the
first one's slot (both begin with the same system prompt), and two interleaved calls truncate each other on every turn
while other slots lie empty. Here a request goes to the slot that its own conversation used last, and a new conversation
to the slot that was idle longest. Reading a system prompt of a thousand tokens takes seconds on two cores; loading its
evaluated form from disk takes milliseconds, so heads are evaluated once, saved, and loaded into the slot of each new call.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from graph.errors import ModelUnavailable

KEPT_HEADS = 8
READ_SECONDS = 120.0
RESTORE_SECONDS = 2.0
_NEAR = 0.9
"""A saved head that shares this part of a new one makes saving the new one needless."""
_aside: ContextVar[bool] = ContextVar("aside", default=False)


@contextmanager
def aside() -> Iterator[None]:
    """Mark what is asked inside the `with` as no part of any call: it has a slot of its own, so no call loses its."""
    token = _aside.set(True)
    try:
        yield
    finally:
        _aside.reset(token)


@dataclass
class _Slot:
    said: list[str] = field(default_factory=list)
    """The messages that it last held, one string each."""
    used: int = 0
    busy: int = 0
    """Requests under way."""
    reading_head: bool = False


class SlotKeeper:
    """Hands out slots; thread-safe.

    Args:
        address: The server, without `/v1`.
        count: Slots for calls; the server has one more, the last, for what is asked aside.
        folder: Where evaluated heads lie; the server's `slot_save_path`.
        fingerprint: What an evaluated head depends on: weights, adapter, version of llama.cpp.
    """

    def __init__(self, address: str, count: int, folder: Path, fingerprint: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=READ_SECONDS, trust_env=False)
        self._count = count
        self._slots = [_Slot() for _ in range(count + 1)]
        self._folder = folder
        self._fingerprint = fingerprint
        self._lock = threading.Lock()
        self._clock = 0
        self._heads = self._saved_heads()

    @contextmanager
    def slot(self, said: Sequence[str]) -> Iterator[int | None]:
        """Hold a slot for one request.

        Args:
            said: The request's messages, one string each, role included.

        Yields:
            The slot to name in the request (`id_slot`), or None when all are busy and the server shall queue it. What is
            asked aside waits for its own slot.
        """
        number = self._take(said)
        try:
            yield number
        finally:
            if number is not None:
                with self._lock:
                    self._slots[number].busy -= 1

    def prefill(self, system: str, said: str) -> None:
        """Have a system prompt evaluated before the first call needs it; at once when it was saved before.

        Args:
            system: The system message.
            said: The same message as `slot` will see it.

        Raises:
            ModelUnavailable: The server did not answer.
        """
        with self._lock:
            near = self._nearest(said)
            if near and _shared(near[1], said) >= _NEAR * len(said):
                return
        messages = [{"role": "system", "content": system}, {"role": "user", "content": ""}]
        with self.slot([said]) as number:
            if number is None:
                return
            self._slots[number].reading_head = True
            try:
                body = {"messages": messages, "max_tokens": 1, "id_slot": number}
                self._http.post("/v1/chat/completions", json=body).raise_for_status()
                self._save(number, said)
            except httpx.HTTPError as error:
                raise ModelUnavailable(f"The embedded model server did not read the prompt: {error}") from error
            finally:
                self._slots[number].reading_head = False

    def close(self) -> None:
        """Close the connection to the server."""
        self._http.close()

    def _take(self, said: Sequence[str]) -> int | None:
        with self._lock:
            own = self._aside_slot(said) if _aside.get() else self._call_slot(said)
            if own is None:
                return None
            slot = self._slots[own]
            self._clock += 1
            slot.used, slot.said = self._clock, list(said)
            slot.busy += 1
            return own

    def _aside_slot(self, said: Sequence[str]) -> int:
        own = self._count
        if not self._slots[own].busy and not self._continues(own, said):
            self._load_head(own, said)
        return own

    def _call_slot(self, said: Sequence[str]) -> int | None:
        own = max(range(self._count), key=lambda n: self._continues(n, said))
        if self._continues(own, said) and (not self._slots[own].busy or self._slots[own].reading_head):
            return own
        idle = [n for n in range(self._count) if not self._slots[n].busy]
        if not idle:
            return None
        own = min(idle, key=lambda n: self._slots[n].used)
        self._load_head(own, said)
        return own

    def _continues(self, number: int, said: Sequence[str]) -> int:
        """Count the messages shared with a slot if the request carries its conversation on, else 0.

        The last message may differ: this turn's outline is not said again on the next one. The system prompt alone
        makes no conversation, unless nothing else tells (a head that is being read, questions that stand alone).
        """
        held = self._slots[number].said
        shared = 0
        for before, now in zip(held, said, strict=False):
            if before != now:
                break
            shared += 1
        alone = len(held) > 1 and shared == 1 and held[0] in self._heads.values()
        return shared if shared >= max(1, len(held) - 1) and not alone else 0

    def _load_head(self, number: int, said: Sequence[str]) -> None:
        near = self._nearest(said[0]) if said else None
        if near is None:
            return
        key, text = near
        held = self._slots[number].said
        if held and _shared(held[0], said[0]) >= _shared(text, said[0]):
            return
        ask = {"filename": f"{key}.kv"}
        try:
            answer = self._http.post(f"/slots/{number}?action=restore", json=ask, timeout=RESTORE_SECONDS)
        except httpx.HTTPError:
            return  # The request itself meets the same server next and reports what is wrong with it.
        if answer.is_success:
            os.utime(self._folder / f"{key}.json")
        else:
            self._forget(key)

    def _nearest(self, said: str) -> tuple[str, str] | None:
        return max(self._heads.items(), key=lambda item: _shared(item[1], said), default=None)

    def _save(self, number: int, said: str) -> None:
        key = hashlib.sha256(f"{self._fingerprint}|{said}".encode()).hexdigest()[:24]
        temporary = f"{key}.{os.getpid()}.tmp"
        self._http.post(f"/slots/{number}?action=save", json={"filename": temporary}).raise_for_status()
        (self._folder / temporary).replace(self._folder / f"{key}.kv")
        index = {"fingerprint": self._fingerprint, "said": said}
        (self._folder / f"{key}.json").write_text(json.dumps(index), encoding="utf-8")
        with self._lock:
            self._heads[key] = said
            saved = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in saved[:-KEPT_HEADS]:
                self._forget(old.stem)

    def _forget(self, key: str) -> None:
        self._heads.pop(key, None)
        for suffix in (".kv", ".json"):
            (self._folder / f"{key}{suffix}").unlink(missing_ok=True)

    def _saved_heads(self) -> dict[str, str]:
        heads: dict[str, str] = {}
        for path in self._folder.glob("*.json"):
            try:
                index = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                path.unlink(missing_ok=True)
                continue
            if index["fingerprint"] == self._fingerprint:
                heads[path.stem] = index["said"]
        return heads


def _shared(one: str, other: str) -> int:
    """Count the characters that two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
