"""Models without a model: `fake/scripted` says what a file tells it to, `fake/echo` repeats the customer."""

import json
import re
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx2
import openai
import yaml
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, TypeAdapter, ValidationError

from graph.errors import BadInput

_WORD = re.compile(r"\s*[A-Za-z0-9'$%.,!?;:-]+|\s*\S|\s+")


class FakeReply(BaseModel):
    """One answer of the scripted model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = ""
    answer: dict[str, Any] | None = Field(default=None, alias="json")
    """An object: kept for requests with a JSON schema, which take no other reply."""
    delay: float = Field(default=0.0, ge=0)
    """Seconds before the first word."""
    word_delay: float = Field(default=0.0, ge=0)
    """Seconds between words."""
    error: str = ""
    """Fail with this message, after the words of `text`, as a lost connection does."""


_REPLIES: TypeAdapter[list[str | FakeReply]] = TypeAdapter(list[str | FakeReply])


class FakeChatModel(BaseChatModel):
    """Base of the fakes: streams a reply word by word and reports its tokens, four characters a token."""

    seen: list[list[BaseMessage]] = Field(default_factory=list)
    """The requests' messages, oldest first."""
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @abstractmethod
    def next_reply(self, messages: Sequence[BaseMessage], wants_json: bool) -> FakeReply:
        """Choose the answer of one request; called with the lock held."""

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with self._lock:
            before = _prompt(self.seen[-1]) if self.seen else ""
            self.seen.append(list(messages))
            reply = self.next_reply(messages, wants_json="response_format" in kwargs)
        _wait(reply.delay, kwargs.get("timeout"))
        text = reply.text if reply.answer is None else json.dumps(reply.answer, ensure_ascii=False)
        words = _WORD.findall(text)
        for word in words:
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word))
            if run_manager:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk
            _wait(reply.word_delay, kwargs.get("timeout"))
        if reply.error:
            raise openai.APIConnectionError(message=reply.error, request=_REQUEST)
        usage = _usage(before, _prompt(messages), len(words))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage, chunk_position="last"))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chunks = list(self._stream(messages, stop, **kwargs))
        usage = chunks[-1].message
        said = AIMessage(
            content="".join(chunk.text for chunk in chunks),
            usage_metadata=usage.usage_metadata if isinstance(usage, AIMessageChunk) else None,
        )
        return ChatResult(generations=[ChatGeneration(message=said)])


class ScriptedChatModel(FakeChatModel):
    """Answers from a list, in order, and begins again after the last.

    Args:
        replies: Plain texts and `FakeReply` objects.

    Example:
        >>> ScriptedChatModel(replies=["Good morning!", FakeReply(error="connection lost")])
    """

    replies: list[str | FakeReply]
    _texts: deque[FakeReply] = PrivateAttr(default_factory=deque)
    _answers: deque[FakeReply] = PrivateAttr(default_factory=deque)

    def model_post_init(self, context: Any, /) -> None:
        """Sort the replies by the kind of request that they answer."""
        super().model_post_init(context)
        for reply in self.replies:
            one = FakeReply(text=reply) if isinstance(reply, str) else reply
            (self._texts if one.answer is None else self._answers).append(one)

    def next_reply(self, messages: Sequence[BaseMessage], wants_json: bool) -> FakeReply:
        """Take the next reply of the request's kind; without any, an empty object or an empty text."""
        queue = self._answers if wants_json else self._texts
        if not queue:
            return FakeReply(text="{}" if wants_json else "")
        queue.rotate(-1)
        return queue[-1]


class EchoChatModel(FakeChatModel):
    """Repeats the last thing that the customer's side said."""

    def next_reply(self, messages: Sequence[BaseMessage], wants_json: bool) -> FakeReply:
        """Repeat the last human message."""
        said = [str(message.text) for message in messages if isinstance(message, HumanMessage)]
        return FakeReply(text="{}" if wants_json else ["", *said][-1])


def load_fake(name: str) -> FakeChatModel:
    """Build the fake of a name: `fake/echo`, `fake/scripted` or `fake/scripted:<file.yaml>`.

    The file is a list of texts and of mappings with the fields of `FakeReply`, such as
    `{text: Good morning, delay: 0.3}`, `{json: {intent: price}}` or `{error: connection lost}`.

    Raises:
        BadInput: No such fake, or the file is wrong.
    """
    kind, _, path = name.removeprefix("fake/").partition(":")
    if kind == "echo" and not path:
        return EchoChatModel()
    if kind != "scripted":
        raise BadInput(f"Model '{name}' is unknown; expected fake/echo, fake/scripted or fake/scripted:FILE.yaml.")
    if not path:
        return ScriptedChatModel(replies=["I see. May I ask what matters most to you?"])
    try:
        replies = _REPLIES.validate_python(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"Replies of fake/scripted cannot be read from {path}: {error}") from error
    except ValidationError as error:
        last = error.errors(include_url=False)[-1]
        raise BadInput(f"{path}: reply {' '.join(map(str, last['loc'])) or 'list'}: {last['msg']}") from error
    return ScriptedChatModel(replies=replies)


_REQUEST = httpx2.Request("POST", "http://fake/v1/chat/completions")


def _wait(seconds: float, timeout: float | None) -> None:
    if timeout is not None and seconds > timeout:
        time.sleep(timeout)
        raise openai.APITimeoutError(request=_REQUEST)
    if seconds:
        time.sleep(seconds)


def _prompt(messages: Sequence[BaseMessage]) -> str:
    return "\n".join(message.text for message in messages)


def _usage(before: str, prompt: str, words: int) -> UsageMetadata:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(before, prompt, strict=False))
    count = max(1, len(prompt) // 4)
    return UsageMetadata(
        input_tokens=count,
        output_tokens=words,
        total_tokens=count + words,
        input_token_details=InputTokenDetails(cache_read=min(count, sum(1 for _ in same) // 4)),
    )
