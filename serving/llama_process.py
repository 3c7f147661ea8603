"""The embedded server's own process: llama.cpp behind HTTP, for as long as the parent lives.

Run by path with ``python -P``; it imports nothing of the project. A process apart, because the in-process server hangs
when it is freed and crashes the interpreter that exits in mid-answer. The parent holds the other end of standard input:
when the parent is gone, however it went, the read ends and so does this process.
"""

import json
import os
import sys
from typing import Any

import xllamacpp  # type: ignore[import-untyped]


def serve(options: dict[str, Any]) -> None:
    """Load the model, print the address as one line, and serve until standard input closes."""
    params = xllamacpp.CommonParams()
    params.model.path = options["model_path"]
    params.model_alias = {options["model"]}
    params.hostnames = [options["host"]]
    params.port = options["port"]
    params.n_parallel = options["n_parallel"]
    params.n_ctx = options["n_ctx"] * options["n_parallel"]
    for pool in (params.cpuparams, params.cpuparams_batch):
        pool.n_threads = options["threads"]
        pool.poll = 0
    if options["adapter"]:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(options["adapter"], 1.0)]
    params.slot_save_path = options["prefixes"]
    params.cache_ram_mib = 0
    params.fit_params = False
    params.verbosity = 1
    params.ui = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
