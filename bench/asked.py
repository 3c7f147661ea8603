"""What a chat model was asked, answer by answer: noted while calls are held, and asked again by a plain client."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, cast
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from openai import LengthFinishReasonError

SILENCE = 120.0
"""Seconds that the plain client waits for a token."""


@dataclass
class Asked:
    """One request, from its prompt to the last token that was read of it."""

    call: str
    prompt: list[BaseMessage]
    options: dict[str, Any]
    started: float = field(default_factory=time.perf_counter)
    ended: float = 0.0
    tokens: int = 0
    """Generated tokens: of an answer that was cut short, those that came until then."""


class Noted(BaseCallbackHandler):
    """Notes every request to the model whose callbacks it is among."""

    OPTIONS = ("max_tokens", "temperature", "response_format")

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self._open: dict[UUID, Asked] = {}

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        invocation_params: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        """Begin a request."""
        options = {name: invocation_params[name] for name in self.OPTIONS if name in invocation_params}
        self._open[run_id] = Asked((metadata or {}).get("thread_id", ""), messages[0], options)
        self.requests.append(self._open[run_id])

    def on_llm_new_token(self, token: str, *, run_id: UUID, **kwargs: Any) -> None:
        """Count a token; first and last chunk of a stream have none."""
        self._open[run_id].tokens += bool(token)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """End a request whose answer was read whole: the server says how many tokens it had, the one that ends it among them."""
        message = cast(AIMessage, cast(ChatGeneration, response.generations[0][0]).message)
        if message.usage_metadata:
            self._open[run_id].tokens = message.usage_metadata["output_tokens"]
        self._end(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """End a request that was cut short."""
        self._end(run_id)

    def _end(self, run_id: UUID) -> None:
        self._open.pop(run_id).ended = time.perf_counter()


def ask_again(model: BaseChatModel, requests: Sequence[Asked], at_once: int) -> None:
    """Ask the same as before: each call's requests one after the other, and for as many tokens as then."""
    calls: dict[str, list[Asked]] = {}
    for request in requests:
        calls.setdefault(request.call, []).append(request)
    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(_ask_all, model, call) for call in calls.values()]:
            done.result()


def _ask_all(model: BaseChatModel, requests: Sequence[Asked]) -> None:
    for request in requests:
        whole = "response_format" not in request.options
        options = {**request.options, "max_tokens": max(request.tokens, 1), "extra_body": {"ignore_eos": whole}}
        with suppress(LengthFinishReasonError):  # an intent question's answer is cut here where it was cut there
            for _ in model.stream(request.prompt, timeout=SILENCE, **options):
                pass


def seconds(requests: Sequence[Asked]) -> float:
    """Return the time from the first request to the last token."""
    return max(one.ended for one in requests) - min(one.started for one in requests)


def share_with(number: int, requests: Sequence[Asked]) -> float:
    """Return the share of that time in which at least so many requests were under way."""
    steps = sorted([(one.started, 1) for one in requests] + [(one.ended, -1) for one in requests])
    under_way = accumulate(change for _, change in steps)
    spans = zip(steps, steps[1:], under_way, strict=False)
    return sum(until - since for (since, _), (until, _), count in spans if count >= number) / seconds(requests)
