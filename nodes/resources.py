"""The objects that nodes work with, behind one loader: library, embedder, chat model, intent models, fact sheets."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from graph.errors import SalesmanError
from graph.settings import Settings
from guardrails.context import GuardContext
from guardrails.quantities import Quantity, allowed_quantities
from nodes.prompting import PROMPT_MARKS
from scripts_library.fact_sheet import fact_sheet
from scripts_library.loading import CampaignData
from scripts_library.schema import Intent, Language

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from nodes.intent_encoder import EncoderIntentModel
    from nodes.intent_model import IntentModel
    from scripts_library.library import Library
    from serving.embed import Embedder

T = TypeVar("T")

CAMPAIGN_SECONDS = 0.2


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
    _campaigns: dict[str, tuple[float, CampaignData]] = field(default_factory=dict)
    _loaded: dict[str, tuple[object, object]] = field(default_factory=dict)

    def once(self, key: str, load: Callable[[], T], stamp: object = None) -> T:
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

        return self.once("embedder", lambda: load_embedder(self.settings))

    @property
    def library(self) -> "Library":
        """The script library."""
        from scripts_library.library import open_library

        return self.once("library", lambda: open_library(self.settings, self.embedder))

    @property
    def model(self) -> "BaseChatModel":
        """The chat model; asked of the loader each time, which starts a dead server anew."""
        from serving.chat import load_chat_model

        return load_chat_model(self.settings)

    def reach_model(self) -> "tuple[BaseChatModel | None, str]":
        """Return the chat model, or None and why it cannot be reached: a turn goes on without it."""
        try:
            return self.model, ""
        except SalesmanError as error:
            return None, f"model: {error}"

    def campaign(self, name: str) -> CampaignData:
        """Return a campaign as the library holds it, looked up at most every `CAMPAIGN_SECONDS`: once a turn, not once a node."""
        held = self._campaigns.get(name)
        if held is None or time.monotonic() - held[0] > CAMPAIGN_SECONDS:
            held = (time.monotonic(), self.library.campaign(name))
            self._campaigns[name] = held
        return held[1]

    def fact_quantities(self, name: str) -> dict[str, frozenset[Quantity]]:
        """Return the numbers that each fact of a campaign states, in any language."""
        data = self.campaign(name)
        return self.once(
            f"quantities:{name}",
            lambda: {fact.id: allowed_quantities(fact.text.values()) for fact in data.campaign.facts},
            stamp=data,
        )

    def intent_model(self, name: str) -> "IntentModel | EncoderIntentModel":
        """Return the campaign's intent classifier."""
        from nodes.intent_model import load_intent_model

        data = self.campaign(name)
        return self.once(
            f"intent:{name}", lambda: load_intent_model(data, self.embedder, self.settings.home), stamp=data
        )

    def fact_sheet(self, name: str, language: Language) -> GuardContext:
        """Return what may be said in a campaign, before anything of a call is known."""
        data = self.campaign(name)
        return self.once(
            f"facts:{name}:{language}", lambda: fact_sheet(data.campaign, language, PROMPT_MARKS), stamp=data
        )


_MODEL_SETTINGS = {"llm": "", "llm_model": "", "llm_adapter": "", "think": False}


@lru_cache(maxsize=8)
def _shared(settings: Settings) -> Resources:
    return Resources(settings)


@lru_cache(maxsize=32)
def get_resources(settings: Settings) -> Resources:
    """Return the process's resources for these settings; settings that differ in the model alone share all but the model."""
    return replace(_shared(settings.model_copy(update=_MODEL_SETTINGS)), settings=settings)
