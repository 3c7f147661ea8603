"""A turn answered in a thread of its own: a closed tab, a reload or a click elsewhere does not break it off."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Answering(Generic[T]):
    """Work that says sentences while it goes on.

    Args:
        work: Called in the thread with a function that takes each sentence; what it returns is the result.
    """

    def __init__(self, work: Callable[[Callable[[str], None]], T]) -> None:
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._work = work
        self._result: T
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="answering")
        self._thread.start()

    def sentences(self) -> Iterator[str]:
        """Yield the sentences as they are released, until the work ends."""
        while (sentence := self._said.get()) is not None:
            yield sentence

    def result(self) -> T:
        """Wait for the end, and return what the work returned or raise what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._work(self._said.put)
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            self._error = error
        finally:
            self._said.put(None)
