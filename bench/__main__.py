"""Run the benchmarks named, or all of them."""

import importlib
import sys

from graph.terminal import note

ALL = (
    "start",
    "overhead",
    "load",
    "retrieval",
    "tracing",
    "intent",
    "prompts",
    "two_calls",
    "app",
    "customers",
    "runs",
    "training",
)


def main() -> None:
    """Run each benchmark in this process, one after the other."""
    names = sys.argv[1:] or list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        note(f"bench: no benchmark {unknown[0]!r}; expected one of {', '.join(ALL)}")
        raise SystemExit(2)
    for name in names:
        importlib.import_module(f"bench.{name}").run()


if __name__ == "__main__":
    main()
