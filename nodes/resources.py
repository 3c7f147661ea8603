"""The objects that nodes work with, behind one loader: library, embedder, chat model, intent models, fact sheets."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from graph.settings import Settings
from guardrails.context import GuardContext
from nodes.prompting import PROMPT_MARKS
from scripts_library.fact_sheet import fact_sheet
from scripts_library.loading import CampaignData
from scripts_library.schema import Intent, Language

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from nodes.intent_model import IntentModel
    from scripts_library.library import Library
    from serving.embed import Embedder

T = TypeVar("T")


def intent_named(data: CampaignData, name: str) -> Intent:
    """Return a campaign's intent by name.

    Raises:
        KeyError: The campaign has no such intent.
    """
    for intent in data.intents:
        if intent.name == name:
            return intent
    raise KeyError(f"campaign {data.campaign.name} has no intent {name!r}")


@dataclass(eq=False)
class Resources:
    """What one process needs to hold calls; each part is loaded when it is first asked for."""

    settings: Settings
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _loaded: dict[str, tuple[object, object]] = field(default_factory=dict)

    def _once(self, key: str, load: Callable[[], T], stamp: object = None) -> T:
        """Load once per key; again when `stamp` is another object (an edited campaign)."""
        held = self._loaded.get(key)
        if held is None or held[0] is not stamp:
            with self._lock:
                held = self._loaded.get(key)
                if held is None or held[0] is not stamp:
                    held = (stamp, load())
                    self._loaded[key] = held
        return held[1]  # type: ignore[return-value]

    @property
    def embedder(self) -> "Embedder":
        """The embedding model."""
        from serving.embed import load_embedder

        return self._once("embedder", lambda: load_embedder(self.settings))

    @property
    def library(self) -> "Library":
        """The script library."""
        from scripts_library.library import open_library

        return self._once("library", lambda: open_library(self.settings, self.embedder))

    @property
    def model(self) -> "BaseChatModel":
        """The chat model."""
        from serving.chat import load_chat_model

        return self._once("model", lambda: load_chat_model(self.settings))

    def campaign(self, name: str) -> CampaignData:
        """Return a campaign as the library holds it now."""
        return self.library.campaign(name)

    def intent_model(self, name: str) -> "IntentModel":
        """Return the campaign's intent classifier."""
        from nodes.intent_model import load_intent_model

        data = self.campaign(name)
        return self._once(
            f"intent:{name}", lambda: load_intent_model(data, self.embedder, self.settings.home), stamp=data
        )

    def fact_sheet(self, name: str, language: Language) -> GuardContext:
        """Return what may be said in a campaign, before anything of a call is known."""
        data = self.campaign(name)
        return self._once(
            f"facts:{name}:{language}", lambda: fact_sheet(data.campaign, language, PROMPT_MARKS), stamp=data
        )


@lru_cache(maxsize=8)
def get_resources(settings: Settings) -> Resources:
    """Return the process's resources for these settings."""
    return Resources(settings)
