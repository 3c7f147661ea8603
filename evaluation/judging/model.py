"""The judge's chat model: its own settings, apart from the agent's."""

from typing import TYPE_CHECKING

from graph.settings import Settings
from serving.chat import load_chat_model

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def load_judge(settings: Settings) -> "BaseChatModel":
    """Return the model that judges: of `judge_base_url` when there is one, else embedded, whatever serves the agent.

    Raises:
        BadInput: The name is unknown.
        ModelUnavailable: Weights or server cannot be had.
    """
    own = settings.model_copy(update={"llm_base_url": settings.judge_base_url, "llm_api_key": settings.judge_api_key})
    return load_chat_model(own, name=settings.judge)
