"""Pairs of replies, one of them better: from people's marks, from calls' outcomes, and from the guard's rules.

Two turns count as the same situation where stage and intent are the same and their customers' lines are each other's nearest
(cosine of embeddings): so each reply is in one pair of its pool at most, and no threshold is needed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from nodes.resources import get_resources
from scripts_library.persuasion import clean
from serving.embed import Embedder, Vectors
from training.corpus.guarded import rule_hits, state_json
from training.corpus.prompts import Served
from training.corpus.rows import PreferenceRow
from training.corpus.to_rows import common, spoken

LOST = frozenset({"declined", "opted_out"})


def preference_rows(
    turns: Iterable[Served], marks: Sequence[Mapping[str, Any]] = (), *, think: bool = False
) -> list[PreferenceRow]:
    """Return the pairs of all three pools, pool after pool; every chosen reply is one that the guard lets pass.

    `marks`: the better reply that somebody wrote against the one that was said. `outcomes`: what an expert said in a call that was
    won against what was said in the same situation of a call that was lost. `rules`: likewise, against a reply that breaks a rule of
    the guard, and would break one in the place of the chosen one too.

    Args:
        turns: See `training.corpus.to_rows.served_turns`.
        marks: Rows of `graph.export.mark_rows` for training; those of other calls than the turns' are passed over.
        think: Pairs of which both replies have a thought get it, and their prompts ask for it.
    """
    known = list(turns)
    passed = [served for served in known if served.learnable]
    won = [served for served in passed if served.dialogue.outcome == "won"]
    lost = [served for served in passed if served.dialogue.outcome in LOST]
    broken = [served for served in known if served.hits]
    rows = list(_marked(known, marks))
    rows += [_pair(one, other, "outcomes", think) for one, other in _same_situation(won, lost)]
    rows += [
        _pair(one, other, "rules", think) for one, other in _same_situation(passed, broken) if _breaks(one, other.reply)
    ]
    return rows


def _breaks(served: Served, reply: str) -> bool:
    """Say whether the guard would block a reply on this turn."""
    return bool(rule_hits(state_json(served.state), reply, get_resources(served.settings)))


def _marked(turns: Sequence[Served], marks: Sequence[Mapping[str, Any]]) -> Iterator[PreferenceRow]:
    by_call: defaultdict[str, list[Served]] = defaultdict(list)
    for served in turns:
        by_call[served.dialogue.id].append(served)
    for mark in marks:
        if mark["kind"] != "preference":
            continue
        heard, said, better = (clean(mark[name][-1]["content"]) for name in ("prompt", "rejected", "chosen"))
        for served in by_call[mark["call"]]:
            before = served.dialogue.turns[served.at - 1].text
            if before.endswith(heard) and served.reply.startswith(said):
                if better and not _breaks(served, better):
                    yield _row(served, better, said, "marks")
                break


def _same_situation(good: Sequence[Served], bad: Sequence[Served]) -> Iterator[tuple[Served, Served]]:
    """Yield pairs of turns of different dialogues."""
    places: defaultdict[tuple[str, ...], tuple[list[Served], list[Served]]] = defaultdict(lambda: ([], []))
    for side, turns in enumerate((good, bad)):
        for served in turns:
            state = served.state
            key = (state["campaign"], state["language"], state["stage"], state["understood"]["intent"])
            places[key][side].append(served)
    for ours, theirs in places.values():
        if not ours or not theirs:
            continue
        embedder = get_resources(ours[0].settings).embedder
        alike = _vectors(ours, embedder) @ _vectors(theirs, embedder).T  # (ours, theirs)
        nearest, back = alike.argmax(axis=1), alike.argmax(axis=0)
        for at, other in enumerate(nearest):
            one, two = ours[at], theirs[other]
            if back[other] == at and one.dialogue.id != two.dialogue.id and one.reply != two.reply:
                yield one, two


def _vectors(turns: Sequence[Served], embedder: Embedder) -> Vectors:
    return np.concatenate([embedder.query([served.state["customer"]]) for served in turns])


def _pair(one: Served, other: Served, pool: str, think: bool) -> PreferenceRow:
    thoughts = (one.thought, other.thought) if think and one.thought and other.thought else ("", "")
    return _row(one, one.reply, other.reply, pool, thoughts)


def _row(served: Served, chosen: str, rejected: str, pool: str, thoughts: tuple[str, str] = ("", "")) -> PreferenceRow:
    pair = {"chosen": spoken(chosen, thoughts[0]), "rejected": spoken(rejected, thoughts[1]), "pool": pool}
    return cast(PreferenceRow, {**common(served, think=bool(thoughts[0])), **pair})
