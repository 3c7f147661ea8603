"""One streamed model call with a hard deadline, its thoughts set apart."""

import contextvars
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import openai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage

from graph.records import Tokens

MAX_TOKENS = 110
"""Longest reply in tokens; two spoken sentences are about 50."""
THINK_TOKENS = 300
"""Added when the model may think first."""
TEMPERATURE = 0.3

MODEL_TROUBLE = (openai.OpenAIError, httpx.HTTPError, OSError, ValueError, KeyError, TypeError)
"""What a model server that is down, slow, refusing or talking nonsense raises through langchain-openai."""
_END = object()


@dataclass
class Answer:
    """What came of one model call; filled while its chunks are read."""

    thought: str = ""
    error: str = ""
    ms: float = 0.0
    tokens: Tokens = field(default_factory=lambda: Tokens(prompt=0, cached=0, completion=0))


class ThoughtFilter:
    """Set `<think>…</think>` apart from what is spoken, whatever way the chunks are cut.

    Example:
        >>> thoughts = ThoughtFilter()
        >>> thoughts.feed("<thi") + thoughts.feed("nk>hm</think>Hello") + thoughts.flush()
        'Hello'
        >>> thoughts.thought
        'hm'
    """

    OPEN, CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self.thought = ""
        self._held = ""
        self._inside = False

    def feed(self, chunk: str) -> str:
        """Take a chunk and return the part that is speech for certain."""
        self._held += chunk
        spoken = ""
        while True:
            tag = self.CLOSE if self._inside else self.OPEN
            before, found, after = self._held.partition(tag)
            if not found:
                keep = next((n for n in range(len(tag) - 1, 0, -1) if self._held.endswith(tag[:n])), 0)
                before, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
            else:
                self._held = after
            if self._inside:
                self.thought += before
            else:
                spoken += before
            if not found:
                return spoken
            self._inside = not self._inside

    def flush(self) -> str:
        """Return what is left; an unfinished thought stays a thought."""
        left, self._held = self._held, ""
        if self._inside:
            self.thought += left
            return ""
        return left


@dataclass
class _Stream:
    """A model's stream, read by a thread of its own; `stop` makes the thread close it, so that the server stops too."""

    model: BaseChatModel
    prompt: Sequence[BaseMessage]
    options: dict[str, object]
    out: "queue.Queue[object]" = field(default_factory=queue.Queue)
    stop: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        try:
            with closing(self.model.stream(list(self.prompt), **self.options)) as chunks:  # type: ignore[arg-type,type-var]
                for chunk in chunks:
                    self.out.put(chunk)
                    if self.stop.is_set():
                        return
            self.out.put(_END)
        except MODEL_TROUBLE as error:
            self.out.put(error)


def _count(tokens: Tokens, chunk: AIMessageChunk) -> None:
    usage = chunk.usage_metadata
    if usage:
        tokens["prompt"] = max(tokens["prompt"], usage["input_tokens"])
        tokens["completion"] = max(tokens["completion"], usage["output_tokens"])
        tokens["cached"] = max(tokens["cached"], usage.get("input_token_details", {}).get("cache_read", 0) or 0)


def speak(
    model: BaseChatModel, prompt: Sequence[BaseMessage], seconds: float, answer: Answer, *, think: bool = False
) -> Iterator[str]:
    """Yield the model's spoken text chunk by chunk, and stop at the deadline whatever the server does.

    The call is read in a thread of its own, so that a server that hangs in mid-stream cannot hold the turn. Closing the
    iterator early is allowed: what was read until then stands.

    Args:
        model: The chat model.
        prompt: Messages as sent.
        seconds: Time left; at or below 0 nothing is asked.
        answer: Filled with thought, tokens, milliseconds, and the error when there is one.
        think: Whether the model may think first.
    """
    started = time.monotonic()
    if seconds <= 0:
        answer.error = "deadline: no time left for the model"
        return
    options: dict[str, object] = {
        "timeout": seconds,
        "max_tokens": MAX_TOKENS + THINK_TOKENS * think,
        "temperature": TEMPERATURE,
    }
    stream = _Stream(model, prompt, options)
    threading.Thread(target=contextvars.copy_context().run, args=(stream.read,), daemon=True).start()
    thoughts = ThoughtFilter()
    anything = False
    try:
        while True:
            try:
                item = stream.out.get(timeout=max(0.0, started + seconds - time.monotonic()))
            except queue.Empty:
                answer.error = f"deadline: the model did not finish within {seconds:.1f} s"
                return
            if item is _END:
                break
            if isinstance(item, Exception):
                answer.error = f"model: {type(item).__name__}: {str(item)[:200]}"
                return
            if isinstance(item, AIMessageChunk):
                _count(answer.tokens, item)
                spoken = thoughts.feed(item.text)
                if spoken:
                    anything = True
                    yield spoken
        rest = thoughts.flush()
        if rest:
            anything = True
            yield rest
        if not anything:
            answer.error = "model: empty answer"
    finally:
        stream.stop.set()
        answer.thought = thoughts.thought
        answer.ms = (time.monotonic() - started) * 1000
