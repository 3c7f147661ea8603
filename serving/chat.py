"""The one way to a chat model: the embedded server, any OpenAI-compatible server, or a fake.

Everything returned is a LangChain `BaseChatModel` that streams and reports its tokens
(`usage_metadata["input_token_details"]["cache_read"]` are the prompt tokens the server had cached). No model retries by
itself: the session owns the turn's deadline. A request may carry `timeout=` (seconds of silence, not of the whole answer:
whoever reads a stream watches the clock and closes it) and
`response_format={"type": "json_schema", "json_schema": {"name": …, "schema": …}}`.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from graph.errors import ModelUnavailable
from graph.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from serving.llama import EmbeddedServer

_ASK_SECONDS = 5.0


def load_chat_model(settings: Settings, *, name: str | None = None) -> "BaseChatModel":
    """Return the chat model; the same object every time while its server lives.

    Args:
        settings: Decide the server: an explicit fake, else `llm_base_url`, else the embedded server.
        name: A model other than the settings': a name of the catalogue or of the server, or `fake/…`; `llm_adapter` is not for it.

    Returns:
        The model. Weights are fetched and the embedded server is started on the first call.

    Raises:
        BadInput: The name is unknown.
        ModelUnavailable: Weights or server cannot be had; one clear line.
    """
    if name is not None and name.startswith("fake/"):
        return _fake(name)
    if settings.llm_base_url:
        return _remote(settings, name or settings.llm_model)
    wanted = name or settings.llm
    if wanted.startswith("fake/"):
        return _fake(wanted)
    adapter = settings.llm_adapter if wanted == settings.llm else ""
    return _embedded(settings, wanted, Path(adapter) if adapter else None)


def prefill(model: "BaseChatModel", system: str) -> None:
    """Let the embedded server read a system prompt before the first turn needs it.

    Reading a thousand tokens takes seconds on two cores, once: the result is kept on disk, and a prompt read before is
    ready at once. Other models are left alone. Call it while the opening is spoken, in a thread of its own.

    Raises:
        ModelUnavailable: The server did not answer.
    """
    read = getattr(model, "prefill", None)
    if read is not None:
        read(system)


def model_label(settings: Settings) -> str:
    """Name the model for records and traces, without asking any server."""
    if settings.llm_base_url:
        return f"{settings.llm_model or 'first model'} at {httpx.URL(settings.llm_base_url).netloc.decode()}"
    return f"{settings.llm} + {Path(settings.llm_adapter).name}" if settings.llm_adapter else settings.llm


@lru_cache(maxsize=64)
def _fake(name: str) -> "BaseChatModel":
    from serving.fakes import load_fake

    return load_fake(name)


@lru_cache(maxsize=8)
def _remote(settings: Settings, model: str) -> "BaseChatModel":
    from langchain.chat_models import init_chat_model

    options = {**_common(settings), "base_url": settings.llm_base_url, "model_provider": "openai"}
    if "think" in settings.model_fields_set:
        options["extra_body"] = _thinking(settings)
    built: BaseChatModel = init_chat_model(model or first_model(settings), **options)
    return built


def _embedded(settings: Settings, name: str, adapter: Path | None) -> "BaseChatModel":
    from serving.download import pull
    from serving.llama import embedded_server

    weights = pull(name, settings.cache)
    server = embedded_server(weights, home=settings.home, model=name, n_parallel=settings.llm_parallel, adapter=adapter)
    built: BaseChatModel | None = _built.get(server.base_url)
    if built is None:
        built = _build_embedded(settings, server)
        _built[server.base_url] = built
    return built


_built: dict[str, "BaseChatModel"] = {}


def _build_embedded(settings: Settings, server: "EmbeddedServer") -> "BaseChatModel":
    from serving.embedded_chat import EmbeddedChatModel

    return EmbeddedChatModel.of(server, extra_body=_thinking(settings), **_common(settings))


def _common(settings: Settings) -> dict[str, Any]:
    return {
        "api_key": settings.llm_api_key.get_secret_value() or "none",
        "timeout": settings.turn_deadline,
        "max_retries": 0,
        "stream_usage": True,
        "use_responses_api": False,
    }


def _thinking(settings: Settings) -> dict[str, Any]:
    """Build the switch that vLLM and llama.cpp hand to the chat template; models that never think ignore it."""
    return {"chat_template_kwargs": {"enable_thinking": settings.think}}


def first_model(settings: Settings) -> str:
    """Ask the server of `llm_base_url` for its models and return the first.

    Raises:
        ModelUnavailable: It does not answer, or has none.
    """
    url = f"{settings.llm_base_url.rstrip('/')}/models"
    key = settings.llm_api_key.get_secret_value()
    try:
        answer = httpx.get(url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=_ASK_SECONDS)
        answer.raise_for_status()
        return str(answer.json()["data"][0]["id"])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelUnavailable(
            f"The model server at SALESMAN_LLM_BASE_URL={settings.llm_base_url} does not answer ({error}); "
            "start it, or unset the variable to use the embedded server."
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise ModelUnavailable(
            f"The model server at {settings.llm_base_url} lists no model at {url}; set SALESMAN_LLM_MODEL."
        ) from error
