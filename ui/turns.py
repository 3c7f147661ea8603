"""Turns under way: each in a thread of its own, so that a page that is reloaded, left or clicked on cannot break one off.

A page sends a line once, from the widget's callback, and then only watches. Whoever opens the call meanwhile watches the same turn.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from graph.errors import CallBusy, CallEnded, ModelUnavailable, SalesmanError
from graph.session import OnSentence

log = logging.getLogger(__name__)

Trouble = Literal["", "busy", "ended", "model", "failed"]
"""Why a line was not answered; the page has a sentence for each."""
BEAT = 0.5
"""Seconds after which a watcher is given a turn's words even if there is nothing new, so that its page can be left."""


@dataclass
class Turn:
    """One turn under way, as its thread and its watchers see it."""

    call: str
    line: str
    sentences: list[str] = field(default_factory=list)
    trouble: Trouble = ""
    over: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def run(self, work: Callable[[OnSentence], object]) -> None:
        """Do the work, and note how it ended."""
        trouble: Trouble = ""
        try:
            work(self._heard)
        except SalesmanError as error:
            log.warning("call %s: %s", self.call, error)
            trouble = trouble_of(error)
        except Exception:  # the thread's boundary: the page shows one line, the log has the rest
            log.exception("call %s: the line was not answered", self.call)
            trouble = "failed"
        with self._changed, _lock:
            self.trouble, self.over = trouble, True
            _running.pop(self.call, None)
            self._changed.notify_all()

    def _heard(self, sentence: str) -> None:
        with self._changed:
            self.sentences.append(sentence)
            self._changed.notify_all()

    def follow(self) -> Iterator[list[str]]:
        """Yield the sentences so far, whenever there is one more and every `BEAT` seconds, until the turn is over."""
        seen = 0
        while True:
            with self._changed:
                if not self.over and len(self.sentences) == seen:
                    self._changed.wait(BEAT)
                said, over = list(self.sentences), self.over
            seen = len(said)
            yield said
            if over:
                return


_running: dict[str, Turn] = {}
_lock = threading.Lock()


def trouble_of(error: SalesmanError) -> Trouble:
    """Name what a person is told about an error."""
    kinds: list[tuple[type[SalesmanError], Trouble]] = [
        (CallBusy, "busy"), (CallEnded, "ended"), (ModelUnavailable, "model")
    ]  # fmt: skip
    return next((trouble for kind, trouble in kinds if isinstance(error, kind)), "failed")


def running(call: str) -> Turn | None:
    """Return the turn that this process is answering in a call."""
    return _running.get(call)


def begin(call: str, line: str, work: Callable[[OnSentence], object]) -> Turn | None:
    """Start a turn; None, and nothing is done, while another one of the call is under way.

    Args:
        call: Id of the call.
        line: The customer's line, for those who watch.
        work: Takes the turn; is given what to call with each sentence.
    """
    turn = Turn(call, line)
    with _lock:
        if call in _running:
            return None
        _running[call] = turn
    threading.Thread(target=turn.run, args=(work,), name=f"turn-{call}", daemon=True).start()
    return turn
