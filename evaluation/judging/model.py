"""The judge's chat model: its own settings, apart from the agent's."""

from typing import TYPE_CHECKING

from graph.settings import Settings
from serving.chat import load_chat_model

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def load_judge(settings: Settings) -> "BaseChatModel":
    """Return the model that judges: of `judge_base_url` when there is one, else embedded, whatever serves the agent.

    Raises:
        BadInput: The name is unknown, or its adapter does not exist.
        ModelUnavailable: Weights or server cannot be had.
    """
    name, adapter = model_and_adapter(settings.judge, settings)
    own = {
        "llm": name,
        "llm_adapter": adapter,
        "llm_base_url": settings.judge_base_url,
        "llm_api_key": settings.judge_api_key,
    }
    return load_chat_model(settings.model_copy(update=own), name=name)


def model_and_adapter(named: str, settings: Settings) -> tuple[str, str]:
    """Part `MODEL+ADAPTER.gguf` into the model and its LoRA adapter; a server has its own names, which stay whole.

    Args:
        named: What judges or plays the customer.
        settings: Say whether a server does.

    Example:
        >>> model_and_adapter("smollm2-135m-instruct+runs/customer/adapter.gguf", Settings(judge_base_url=""))
        ('smollm2-135m-instruct', 'runs/customer/adapter.gguf')
    """
    name, _, adapter = named.partition("+")
    embedded = adapter.endswith(".gguf") and not settings.judge_base_url
    return (name, adapter) if embedded else (named, "")
