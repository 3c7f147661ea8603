"""What `salesman doctor` looks at."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from graph.errors import SalesmanError
from graph.settings import Settings


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    fine: bool
    finding: str
    remedy: str = ""
    needed: bool = True
    """False for what the default set-up does without."""


def _python(settings: Settings) -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Check("python", fine, version, "" if fine else "install Python 3.11 and run `make demo` again")


def _folder(name: str, variable: str, path: Path) -> Check:
    try:
        path.mkdir(parents=True, exist_ok=True)
        writable = os.access(path, os.W_OK)
    except OSError as error:
        return Check(name, False, f"{path}: {error.strerror}", f"set {variable} to a folder that you may write")
    free = shutil.disk_usage(path).free / 1e9
    fine = writable and free > 0.2
    remedy = "" if fine else f"set {variable} to a folder with space that you may write"
    return Check(name, fine, f"{path} ({free:.0f} GB free)", remedy)


def _model(settings: Settings) -> Check:
    from serving.catalogue import find_model
    from serving.download import is_pulled

    if settings.llm_base_url:
        try:
            response = httpx.get(settings.llm_base_url.rstrip("/") + "/models", timeout=3)
            return Check("model server", response.is_success, f"{settings.llm_base_url}: HTTP {response.status_code}")
        except httpx.HTTPError as error:
            remedy = "start it, or unset SALESMAN_LLM_BASE_URL to use the embedded server"
            return Check("model server", False, f"{settings.llm_base_url}: {error}", remedy)
    if settings.llm.startswith("fake/"):
        return Check("model", True, f"{settings.llm}: no real model", "unset SALESMAN_LLM for the default model")
    entry = find_model(settings.llm)
    here = is_pulled(entry, settings.cache)
    adapter = f" with the adapter {settings.llm_adapter}" if settings.llm_adapter not in ("", "none") else ""
    found = f"{entry.name}{adapter}{', thinking' if settings.think else ''}: {'here' if here else 'not fetched yet'}"
    return Check("model", here, found, "" if here else "salesman models pull")


def _library(settings: Settings) -> Check:
    from scripts_library.library import open_library
    from serving.embed import load_embedder

    library = open_library(settings, load_embedder(settings))
    names = library.campaigns()
    return Check(
        "script library", bool(names), f"campaigns: {', '.join(names)}", "" if names else "salesman scripts load FOLDER"
    )


def _tracing(settings: Settings) -> Check:
    unsent = list((settings.home / "unsent_traces").glob("*"))
    waiting = f"; {len(unsent)} unsent in {settings.home / 'unsent_traces'} (graph.trace_delivery.replay sends them)"
    waiting = waiting if unsent else ""
    if os.environ.get("LANGSMITH_API_KEY"):
        return Check("LangSmith", True, f"on{waiting}", needed=False)
    return Check(
        "LangSmith", True, f"off: every turn is in the local record{waiting}", "set LANGSMITH_API_KEY", needed=False
    )


def _extra(name: str, module: str, remedy: str) -> Callable[[Settings], Check]:
    def look(settings: Settings) -> Check:
        there = importlib.util.find_spec(module) is not None
        return Check(
            name, there, "installed" if there else "not installed (optional)", "" if there else remedy, needed=False
        )

    return look


CHECKS: tuple[tuple[str, Callable[[Settings], Check]], ...] = (
    ("python", _python),
    ("home", lambda settings: _folder("home", "SALESMAN_HOME", settings.home)),
    ("cache", lambda settings: _folder("cache", "SALESMAN_CACHE", settings.cache)),
    ("model", _model),
    ("script library", _library),
    ("LangSmith", _tracing),
    ("training", _extra("training", "trl", "make train-env")),
    ("vLLM", _extra("vLLM", "vllm", "on a GPU machine: pip install -c constraints-gpu.txt '.[vllm]'")),
)


def examine(settings: Settings) -> list[Check]:
    """Look at everything that a call needs; a part that fails is a finding, not an error."""
    found = []
    for name, look in CHECKS:
        try:
            found.append(look(settings))
        except (SalesmanError, OSError) as error:
            found.append(Check(name, False, str(error)))
    return found
