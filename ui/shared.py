"""What all sessions of the application share: one set of settings, one door to calls, one library."""

from functools import lru_cache

from graph.session import Calls
from graph.settings import Settings, get_settings
from scripts_library.library import Library


def settings() -> Settings:
    """Return the process's settings."""
    return get_settings()


def calls() -> Calls:
    """Return the door to calls."""
    return _calls(settings())


def library() -> Library:
    """Return the script library that the calls use."""
    return calls().resources.library


@lru_cache(maxsize=4)
def _calls(settings: Settings) -> Calls:
    return Calls(settings)
