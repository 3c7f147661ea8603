"""What all sessions of the application share: one set of settings, one door to calls a model, one library."""

from functools import lru_cache

from graph.session import Calls
from graph.settings import Settings, get_settings
from scripts_library.library import Library


def settings() -> Settings:
    """Return the process's settings."""
    return get_settings()


def calls(model: str = "") -> Calls:
    """Return the door to calls.

    Args:
        model: One of `models()`; the first of them when it is left out or is none of them (any more).
    """
    choices = models()
    return _calls_of(settings(), model) if model in choices[1:] else _calls(settings())


def models() -> list[str]:
    """Return the names of the models that can answer now: the settings' own, then those whose weights are here."""
    known = settings()
    if known.llm_base_url:
        return [known.llm_model]
    from serving.launch import list_models

    return list(dict.fromkeys([known.llm, *(row.name for row in list_models(known) if row.pulled)]))


def library() -> Library:
    """Return the script library that the calls use."""
    return calls().resources.library


@lru_cache(maxsize=4)
def _calls(settings: Settings) -> Calls:
    return Calls(settings)


@lru_cache(maxsize=16)
def _calls_of(settings: Settings, model: str) -> Calls:
    return _calls(settings).for_model(model)
