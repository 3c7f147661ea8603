"""The Chroma server's own process, for as long as the parent lives.

Run by path with ``python -P FOLDER PORT``; it imports nothing of the project. The parent holds the other end of standard
input: when the parent is gone, however it went, the read ends and so does this process.
"""

import os
import sys
import threading

import chromadb_rust_bindings  # type: ignore[import-untyped]


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    chromadb_rust_bindings.cli(["chroma", "run", "--path", folder, "--host", "127.0.0.1", "--port", port])
