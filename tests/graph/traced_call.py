"""A process that holds a short call and ends: what is left of its traces, and how long does its end take?

Run as ``python -m tests.graph.traced_call LINE…``; it prints the time at which its last turn was answered.
"""

import sys
import time

from graph.session import Calls


def main() -> None:
    """Take the lines as one call; where a person is asked for, the call is given back at once."""
    calls = Calls()
    calls.start("lantern_local", call="traced", language="en")
    for line in sys.argv[1:]:
        if calls.turn("traced", line)["outcome"] == "handoff":
            calls.human("traced", "", give_back=True)
    sys.stdout.write(f"{time.time()}\n")


if __name__ == "__main__":
    main()
