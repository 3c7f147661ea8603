"""The chat model of the embedded server: `ChatOpenAI` that asks for its conversation's slot."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from serving.llama import EmbeddedServer
from serving.slots import SlotKeeper


class EmbeddedChatModel(ChatOpenAI):
    """Speaks to the embedded server, each conversation in its own slot.

    Whole answers are streamed too: llama.cpp stops at once when the listener to a stream is gone, but says the whole
    answer to the end, in its slot, when nobody waits for it any more.
    """

    _keeper: SlotKeeper = PrivateAttr()

    @classmethod
    def of(cls, server: EmbeddedServer, **settings: Any) -> "EmbeddedChatModel":
        """Build the model of a running server; a proxy of the environment is never asked for this machine."""
        model = cls(
            base_url=server.base_url,
            model=server.model,
            streaming=True,
            http_client=openai.DefaultHttpxClient(trust_env=False),
            http_async_client=openai.DefaultAsyncHttpxClient(trust_env=False),
            **settings,
        )
        model._keeper = server.keeper
        return model

    def prefill(self, system: str) -> None:
        """Have a system prompt evaluated before the first turn; see `SlotKeeper.prefill`."""
        self._keeper.prefill(system, _said([SystemMessage(system)])[0])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with self._in_slot(messages, kwargs) as placed:
            yield from super()._stream(messages, stop, run_manager, **placed)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with self._in_slot(messages, kwargs) as placed:
            async for chunk in super()._astream(messages, stop, run_manager, **placed):
                yield chunk

    @contextmanager
    def _in_slot(self, messages: Sequence[BaseMessage], kwargs: dict[str, Any]) -> Iterator[dict[str, Any]]:
        with self._keeper.slot(_said(messages)) as number:
            given = {**(self.extra_body or {}), **kwargs.get("extra_body", {})}
            yield {**kwargs, "extra_body": given if number is None else {**given, "id_slot": number}}


def _said(messages: Sequence[BaseMessage]) -> list[str]:
    return [f"{message.type}\n{message.text}" for message in messages]
