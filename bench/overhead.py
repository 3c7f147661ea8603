"""Own overhead of a turn: everything but the model, persisted, over one call of 200 turns with a zero-latency model.

Between turns it waits until what is done ahead (embedding the reply as the next line's context) is done, as it is while a
customer reads.
"""

import itertools
import json
from statistics import median
from time import perf_counter

from bench.setting import fresh_home, percentile, real_calls, settings_for, table
from graph.session import Calls

TURNS = 200
LINES = 20
"""Different real lines, said again with another number: first and last turns are alike in length, and none is remembered."""


def run() -> None:
    """Measure and print."""
    some = [line for call in real_calls(4, 10) for line in call][:LINES]
    lines = [f"{line} {number}" for number in range(100, 100 + TURNS // LINES) for line in some]
    with fresh_home() as home:
        calls = Calls(settings_for(home, llm="fake/scripted"))
        calls.warm_up("save_the_children")
        calls.start("save_the_children", call="bench", language="en")
        millis, weights, stored = [], [], []
        for line in lines:
            calls.idle()
            before = perf_counter()
            turn = calls.turn("bench", line)
            millis.append((perf_counter() - before) * 1000)
            weights.append(len(json.dumps(turn, ensure_ascii=False).encode()))
            pages = calls.engine.raw_connection()
            try:
                cursor = pages.cursor()
                cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
                stored.append(cursor.fetchone()[0])
            finally:
                pages.close()
            if turn["outcome"] == "handoff":
                calls.human("bench", "", give_back=True)
        grown = [after - before for before, after in itertools.pairwise(stored)]
        table(
            f"Own overhead of a turn ({len(lines)} turns of one call, model `fake/scripted`)",
            [
                ("p50, ms", median(millis)),
                ("p95, ms", percentile(millis, 95)),
                ("median of turns 1-10, ms", median(millis[:10])),
                ("median of turns 191-200, ms", median(millis[-10:])),
                ("last ten / first ten, ms", median(millis[-10:]) / median(millis[:10])),
                ("bytes of the record, median of the first ten", median(weights[:10])),
                ("last ten / first ten, bytes of the record", median(weights[-10:]) / median(weights[:10])),
                ("database growth a turn, mean of turns 2-100, bytes", sum(grown[:99]) / 99),
                ("database growth a turn, mean of turns 101-200, bytes", sum(grown[99:]) / max(1, len(grown[99:]))),
            ],
        )
