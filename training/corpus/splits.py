"""Train, dev and test are disjoint: by dialogue, by what a dialogue was made from, and by the words themselves."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from evaluation.customers.overlap import tokens
from scripts_library.persuasion import split_of
from training.corpus.schema import Dialogue, Split

ORDER: tuple[Split, ...] = ("train", "dev", "test")
"""What a dialogue is made from may only move it to the right."""
REAL = frozenset({"imported", "recorded"})
"""Methods of dialogues that nobody made; their split comes from the id."""
SHINGLE = 5
"""Words (Chinese: characters) of a shingle."""
NEAR = 0.8
"""Jaccard similarity of shingles from which on two dialogues count as the same text."""


def inherited(seeds: Iterable[str], splits: Mapping[str, Split]) -> Split:
    """Return the split of a dialogue that was made from others: the strictest of its seeds'.

    Args:
        seeds: Ids of what it was made from, at least one.
        splits: Known splits by id; a seed that is not among them has the split that its id alone gives
            (`scripts_library.persuasion.split_of`).

    Example:
        >>> inherited(["a", "b"], {"a": "train", "b": "test"})
        'test'
    """
    return max((splits.get(seed) or split_of(seed) for seed in seeds), key=ORDER.index)


def is_test(name: str, method: str) -> bool:
    """Tell whether a dialogue is held out by its id, whatever is said of it: a real call whose id belongs to the test split.

    Args:
        name: Its id.
        method: How it came to be, as in `Origin`; made dialogues have the split of what they were made from.
    """
    return method in REAL and split_of(name) == "test"


def split_faults(dialogues: Sequence[Dialogue]) -> list[str]:
    """Return what is not disjoint, a line each: test dialogues called otherwise, dialogues laxer than a seed, and texts that stand in test too.

    A seed that is no dialogue of the corpus belongs to the strictest split that uses it.
    """
    own = {dialogue.id: dialogue.split for dialogue in dialogues}
    held: dict[str, Split] = {}
    for dialogue in dialogues:
        for seed in dialogue.source.seeds:
            known = own[seed] if seed in own else max(held.get(seed, "train"), dialogue.split, key=ORDER.index)
            held[seed] = known
    faults = [
        f"dialogue '{dialogue.id}' is {dialogue.split}, but its id belongs to test: make it test, or take it out"
        for dialogue in dialogues
        if dialogue.split != "test" and is_test(dialogue.id, dialogue.source.method)
    ]
    faults += [
        f"dialogue '{dialogue.id}' is {dialogue.split}, but its seed '{seed}' belongs to {held[seed]}: "
        f"make it {held[seed]}, or take it out"
        for dialogue in dialogues
        for seed in dialogue.source.seeds
        if ORDER.index(held[seed]) > ORDER.index(dialogue.split)
    ]
    return faults + [
        f"dialogue '{one}' ({own[one]}) and dialogue '{other}' (test) are the same text (similarity {alike:.2f}): "
        "take one of them out"
        for one, other, alike in near_copies(dialogues)
    ]


def near_copies(dialogues: Sequence[Dialogue]) -> list[tuple[str, str, float]]:
    """Return pairs of one dialogue outside test and one of test that are nearly the same text, with their similarity.

    Exact Jaccard similarity over shingles of `SHINGLE` words; only pairs that share one are compared.
    """
    held = {dialogue.id: _shingles(dialogue) for dialogue in dialogues if dialogue.split == "test"}
    where: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, own in held.items():
        for shingle in own:
            where[shingle].append(name)
    found = []
    for dialogue in dialogues:
        if dialogue.split == "test":
            continue
        own = _shingles(dialogue)
        shared = Counter(name for shingle in own for name in where.get(shingle, ()))
        for name, count in shared.items():
            alike = count / (len(own) + len(held[name]) - count)
            if alike >= NEAR:
                found.append((dialogue.id, name, alike))
    return found


def _shingles(dialogue: Dialogue) -> set[tuple[str, ...]]:
    units = [unit for turn in dialogue.turns for unit in tokens(turn.text, dialogue.language)]
    return {tuple(units[start : start + SHINGLE]) for start in range(max(1, len(units) - SHINGLE + 1))}
