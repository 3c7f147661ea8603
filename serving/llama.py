"""The embedded model server: llama.cpp on a file of weights, one per process and model, gone when its owner is."""

import atexit
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from graph.errors import BadInput, ModelUnavailable
from serving.slots import SlotKeeper

LOAD_SECONDS = 120.0
SLOT_CONTEXT = 4096
SPIN_COUNT = "300"
"""How long OpenMP's threads spin before they sleep. By default they spin for good, and two programs on the same cores
starve each other: 0.4 tokens a second instead of 20."""
_PROGRAM = Path(__file__).with_name("llama_process.py")
_lock = threading.Lock()
_running: dict[tuple[Path, Path | None], "EmbeddedServer"] = {}


@dataclass
class EmbeddedServer:
    """A running llama.cpp server."""

    base_url: str
    """Its OpenAI-compatible address, ending in `/v1`."""
    model: str
    """The name it serves under."""
    keeper: SlotKeeper
    """Who speaks in which slot; the chat model asks it."""
    process: subprocess.Popen[str] = field(repr=False)

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """Stop the server at once; answers that are under way break off."""
        self.keeper.close()
        _end(self.process)


def start(
    model_path: Path,
    *,
    home: Path,
    model: str = "",
    n_parallel: int = 4,
    n_ctx: int = SLOT_CONTEXT,
    threads: int | None = None,
    adapter: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> EmbeddedServer:
    """Start a server and wait until it answers.

    Args:
        model_path: A GGUF file.
        home: Folder for its log and for evaluated prompt heads (`Settings.home`).
        model: The name it serves under; by default the file's stem.
        n_parallel: Slots for calls: answers at once, each with its own context and prefix. One more is for what is asked aside.
        n_ctx: Tokens of context a slot, at least 512.
        threads: CPU threads; by default one for each CPU this process may use.
        adapter: A LoRA adapter as GGUF.
        host: Address to listen on.
        port: TCP port; 0 takes a free one.

    Returns:
        The server; close it, or let the end of this process end it.

    Raises:
        BadInput: A file is missing.
        ModelUnavailable: The server did not come up; the message quotes its log's last error.
    """
    for what, path in (("Model file", model_path), ("Adapter", adapter)):
        if path is not None and not path.is_file():
            raise BadInput(f"{what} {path} does not exist; expected a GGUF file.")
    name = model or model_path.stem
    prefixes = home / "prefixes"
    prefixes.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "model_path": str(model_path),
        "model": name,
        "host": host,
        "port": port,
        "n_parallel": n_parallel + 1,
        "n_ctx": n_ctx,
        "threads": threads or len(os.sched_getaffinity(0)),
        "adapter": str(adapter) if adapter else "",
        "prefixes": f"{prefixes}{os.sep}",
    }
    log = home / "llama.log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=out,
            env={"GOMP_SPINCOUNT": SPIN_COUNT, **os.environ},
            text=True,
            start_new_session=True,
        )
    address = _first_line(process)
    if not address.startswith("http"):
        _end(process)
        raise ModelUnavailable(f"The embedded model server did not start on {model_path}: {_last_error(log)}")
    keeper = SlotKeeper(address, n_parallel, prefixes, _fingerprint((n_parallel + 1) * n_ctx, model_path, adapter))
    return EmbeddedServer(f"{address}/v1", name, keeper, process)


def embedded_server(
    model_path: Path, *, home: Path, model: str = "", n_parallel: int = 4, adapter: Path | None = None
) -> EmbeddedServer:
    """Return this process's server for these weights, started on the first call; see `start`."""
    key = (model_path.resolve(), adapter.resolve() if adapter else None)
    with _lock:
        running = _running.get(key)
        if running is None or not running.alive:
            if running is None:
                atexit.register(stop_embedded, key)
            else:
                running.close()
            running = start(model_path, home=home, model=model, n_parallel=n_parallel, adapter=adapter)
            _running[key] = running
        return running


def stop_embedded(key: tuple[Path, Path | None] | None = None) -> None:
    """Stop this process's server for a key, or all of them."""
    with _lock:
        for one in [key] if key else list(_running):
            if server := _running.pop(one, None):
                server.close()


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def _first_line(process: subprocess.Popen[str]) -> str:
    """Wait for the address; the end of the process or of the patience yields an empty line."""
    pipe = process.stdout
    if pipe is None:
        return ""
    patience = threading.Timer(LOAD_SECONDS, process.kill)
    patience.start()
    try:
        return pipe.readline().strip()
    finally:
        patience.cancel()


def _last_error(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line for line in lines if re.match(r"[\d.]+ E ", line)] or lines or ["it said nothing"]
    return f"{told[0].split(':', 1)[-1].strip()} (log: {log})"


def _fingerprint(context: int, *files: Path | None) -> str:
    """Name what the file of an evaluated prompt depends on: program, layout of the contexts, weights."""
    stats = [path.stat() for path in files if path]
    return "|".join([version("xllamacpp"), str(context), *(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)])
