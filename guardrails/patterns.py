"""Refuse regular expressions that would hold a call up: broken, too long, or so ambiguous that a line takes for ever.

A pattern is tried, in a process of its own with a time limit, on lines made to be hard for it: whatever it repeats is
repeated hundreds of times, then comes something that does not fit. Python's own parser of patterns says what is repeated.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

MAX_PATTERN = 1000
LINE = 600
"""Characters of a trial line: replies are no longer than that."""
_LIMIT_S = 0.1
"""Processor time that one search of one line may take; a sound pattern takes a hundredth of it."""
_DEADLINE_S = 20
"""For all patterns, where the system cannot stop a process by the processor time that it used."""
_LINES = 80
_SAMPLES = 5
_ALPHABET = "a1 -,.A一。\n\x00"
_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d", op.CATEGORY_NOT_DIGIT: r"\D", op.CATEGORY_SPACE: r"\s", op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w", op.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_TRIAL = f"""
import json, re, signal, sys
for number, (pattern, lines) in enumerate(json.load(sys.stdin)):
    compiled = re.compile(pattern, re.IGNORECASE)
    print(number, flush=True)
    for line in lines:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_VIRTUAL, {_LIMIT_S})
        compiled.search(line)
print("sound")
"""
Items = Sequence[tuple[Any, Any]]


def pattern_fault(pattern: str) -> str:
    """Return why a text cannot be a rule's pattern, or "" when it can; `endless` looks for the rest.

    Args:
        pattern: What somebody wrote, of any length.
    """
    if len(pattern) > MAX_PATTERN:
        return f"longer than {MAX_PATTERN} characters"
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        return f"no regular expression: {error}"
    return "matches even an empty line" if compiled.search("") else ""


@lru_cache(maxsize=64)
def endless(patterns: tuple[str, ...]) -> frozenset[str]:
    """Return those patterns that can take so long on one reply that a call would stand still.

    Args:
        patterns: Patterns without a `pattern_fault`; tried once per process, about 40 ms for forty sound ones.
    """
    left = list(dict.fromkeys(patterns))
    found: set[str] = set()
    while left:
        stopped_at = _first_endless(left)
        if stopped_at is None:
            break
        found.add(left[stopped_at])
        left = left[stopped_at + 1 :]
    return frozenset(found)


def _first_endless(patterns: Sequence[str]) -> int | None:
    """Try patterns in a process that can be stopped, which `re` itself cannot; return the first that took too long."""
    given = json.dumps([(pattern, list(_hard_lines(pattern))) for pattern in patterns])
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _TRIAL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        said, _ = process.communicate(given, timeout=_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    lines = said.split()
    return None if lines[-1:] == ["sound"] else int(lines[-1]) if lines else 0


def _hard_lines(pattern: str) -> list[str]:
    """Return lines on which an ambiguous pattern tries every way to split them."""
    tree = list(_parser.parse(pattern, re.IGNORECASE))
    breakers = ["\x00", *_excluded(tree)][:4]
    lines: dict[str, None] = {}
    for before, sample, times in [*_repeated(tree, ""), *(("", sample, LINE) for sample in _samples(tree))]:
        if sample:
            run = (before + sample * times)[:LINE]
            lines.update(dict.fromkeys([run + breaker for breaker in breakers]))
    return list(lines)[:_LINES]


def _repeated(items: Items, before: str) -> Iterator[tuple[str, str, int]]:
    """Yield what a pattern repeats: a text that leads there, what to repeat, and how often: often, or just too seldom."""
    for kind, given in items:
        if kind in _REPEATS:
            for sample in _samples(given[2]):
                yield before, sample, LINE
                if given[0] > 1:
                    yield before, sample, given[0] - 1
        for inner in _inside(kind, given):
            yield from _repeated(inner, before)
        before += next(iter(_samples([(kind, given)])), "")


def _inside(kind: Any, given: Any) -> list[Items]:
    if kind in _REPEATS:
        return [given[2]]
    if kind is op.SUBPATTERN:
        return [given[3]]
    if kind is op.BRANCH:
        return list(given[1])
    if kind is op.ATOMIC_GROUP:
        return [given]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [given[1]]
    if kind is op.GROUPREF_EXISTS:
        return [part for part in given[1:] if part]
    return []


def _samples(items: Items) -> list[str]:
    """Return some texts that a part of a pattern matches, the plainest first: each way of each item, the others plain."""
    found = [""]
    for item in items:
        ways = _ways(*item)
        plain, more = found[0], [found[0] + way for way in ways[1:]]
        found = list(dict.fromkeys([plain + ways[0], *(text + ways[0] for text in found[1:]), *more]))[:_SAMPLES]
    return found


def _ways(kind: Any, given: Any) -> list[str]:
    if kind is op.LITERAL:
        return [chr(given)]
    if kind is op.ANY:
        return ["a"]
    if kind in (op.IN, op.NOT_LITERAL):
        return _chars([(op.NEGATE, None), (op.LITERAL, given)] if kind is op.NOT_LITERAL else given) or [""]
    if kind in _REPEATS:
        least, _, body = given
        times = min(max(least, 1), 20)
        return [*(sample * times for sample in _samples(body)), *([""] if least == 0 else [])]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [""]
    ways = [sample for inner in _inside(kind, given) for sample in _samples(inner)]
    return ways[:_SAMPLES] or [""]


def _chars(members: Items) -> list[str]:
    """Return some characters of a set such as `[^a-z,]`."""
    shown = [(kind, given) for kind, given in members if kind in (op.LITERAL, op.RANGE)]
    named = "".join(chr(given if kind is op.LITERAL else given[0]) for kind, given in shown)
    negated = members[0][0] is op.NEGATE
    fitting = [char for char in dict.fromkeys(_ALPHABET + named) if any(_holds(*m, char) for m in members) != negated]
    return fitting[:_SAMPLES]


def _holds(kind: Any, given: Any, char: str) -> bool:
    if kind is op.LITERAL:
        return bool(ord(char) == given)
    if kind is op.RANGE:
        return bool(given[0] <= ord(char) <= given[1])
    return bool(kind is op.CATEGORY and re.match(_CATEGORIES[given], char))


def _excluded(items: Items) -> list[str]:
    """Return what sets of a pattern leave out: a line may have to end with it to be hard."""
    found: list[str] = []
    for kind, given in items:
        if kind is op.NOT_LITERAL:
            found.append(chr(given))
        if kind is op.IN and given[0][0] is op.NEGATE:
            found += [chr(code) for inner, code in given if inner is op.LITERAL]
        found += [char for inner in _inside(kind, given) for char in _excluded(inner)]
    return list(dict.fromkeys(found))
