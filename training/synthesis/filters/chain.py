"""The filters in their order, and what each of them left of each method."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from statistics import fmean

from typing_extensions import TypedDict

from evaluation.customers.overlap import tokens
from graph.errors import BadInput
from scripts_library.schema import Campaign
from training.corpus.schema import Dialogue
from training.synthesis.filters import coherence, conversationality, inversion, privacy, schema
from training.synthesis.filters.duplicates import Duplicates
from training.synthesis.filters.judge import JudgeFilter
from training.synthesis.filters.rules import broken
from training.synthesis.filters.stage import Stage
from training.synthesis.made import Made

NAMES = (
    "schema",
    "privacy",
    "safety",
    "inversion",
    "coherence",
    "conversationality",
    "duplicates",
    "facts",
    "judge",
)
USUAL = NAMES[:-1]
"""Those that ask no model."""
EXAMPLES = 3
"""Reasons that are kept of each stage and method."""


class Dropped(TypedDict):
    """What one stage dropped of one method."""

    count: int
    examples: list[str]


class Retention(TypedDict):
    """What the filters left of one method."""

    made: int
    """Dialogues that were asked for and came to an end, with an answer or without."""
    dropped: dict[str, Dropped]
    kept: int
    share: float
    """0..1, kept of made."""
    turns: float
    """Mean turns of a kept dialogue; 0 where none is kept, as below."""
    length: float
    """Mean words (Chinese: characters) of a kept turn."""


def stages(
    names: Sequence[str], campaign_named: Callable[[str], Campaign], judge: Callable[[], JudgeFilter]
) -> list[Stage]:
    """Return filters in their usual order, whatever the order of the names.

    Args:
        names: Of `NAMES`; `schema` is always there.
        campaign_named: Returns a dialogue's campaign, whose facts, rules and strategies count.
        judge: Builds the judge's filter, if it is wanted.

    Raises:
        BadInput: A name is unknown.
    """
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise BadInput(f"Filter '{unknown[0]}' is unknown; expected some of {', '.join(NAMES)}.")
    wanted = {"schema", *names}

    def of_campaign(drop: Callable[[Dialogue, Campaign], str]) -> Callable[[Dialogue], str]:
        return lambda dialogue: drop(dialogue, campaign_named(dialogue.campaign))

    built: dict[str, Callable[[], Callable[[Dialogue], str]]] = {
        "schema": lambda: of_campaign(schema.drop),
        "privacy": lambda: of_campaign(privacy.drop),
        "safety": lambda: of_campaign(partial(broken, stage="safety")),
        "inversion": lambda: inversion.drop,
        "coherence": lambda: of_campaign(coherence.drop),
        "conversationality": lambda: of_campaign(conversationality.drop),
        "duplicates": lambda: Duplicates().drop,
        "facts": lambda: of_campaign(partial(broken, stage="facts")),
        "judge": lambda: of_campaign(judge().drop),
    }
    return [Stage(name, built[name]()) for name in NAMES if name in wanted]


def sift(made: Iterable[Made], chain: Sequence[Stage]) -> tuple[list[Dialogue], dict[str, Retention]]:
    """Let dialogues pass the filters, each until one drops it.

    Args:
        made: In the order in which they were made; one without a dialogue is dropped by `schema`.
        chain: The filters.

    Returns:
        The dialogues kept, and the figures by method.
    """
    kept: list[Dialogue] = []
    found: dict[str, Retention] = {}
    for one in made:
        figures = found.setdefault(
            one.method,
            {
                "made": 0,
                "dropped": {stage.name: {"count": 0, "examples": []} for stage in chain},
                "kept": 0,
                "share": 0.0,
                "turns": 0.0,
                "length": 0.0,
            },
        )
        figures["made"] += 1
        name, reason = _dropped(one, chain)
        if name:
            dropped = figures["dropped"][name]
            dropped["count"] += 1
            dropped["examples"] += [f"{one.id}: {reason}"] if len(dropped["examples"]) < EXAMPLES else []
        elif one.dialogue is not None:
            figures["kept"] += 1
            kept.append(one.dialogue)
    for method, figures in found.items():
        figures["share"] = round(figures["kept"] / figures["made"], 4)
        ours = [one for one in kept if one.source.method == method]
        if ours:
            lengths = [len(tokens(turn.text, one.language)) for one in ours for turn in one.turns]
            figures["turns"] = round(fmean(len(one.turns) for one in ours), 2)
            figures["length"] = round(fmean(lengths), 2)
    return kept, found


def _dropped(one: Made, chain: Sequence[Stage]) -> tuple[str, str]:
    """Return the stage that drops it, and why; empty when it is kept."""
    if one.dialogue is None:
        return chain[0].name, f"no dialogue: {one.failure}"
    for stage in chain:
        if reason := stage.drop(one.dialogue):
            return stage.name, reason
    return "", ""


def table(found: dict[str, Retention]) -> list[str]:
    """Return the retention table as lines: a row a stage with what is left after it, a column a method."""
    methods = list(found)
    names = list(next(iter(found.values()))["dropped"]) if found else []
    rows = [["", *methods], ["made", *(str(found[name]["made"]) for name in methods)]]
    left = {name: found[name]["made"] for name in methods}
    for stage in names:
        cells = []
        for name in methods:
            gone = found[name]["dropped"][stage]["count"]
            left[name] -= gone
            cells.append(f"{left[name]} (-{gone})")
        rows.append([stage, *cells])
    rows.append(["kept", *(f"{found[name]['kept']} ({found[name]['share']:.0%})" for name in methods)])
    rows.append(["turns", *(f"{found[name]['turns']:.2f}" for name in methods)])
    rows.append(["words", *(f"{found[name]['length']:.2f}" for name in methods)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(methods) + 1)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def reasons(found: dict[str, Retention]) -> list[str]:
    """Return an example of why each stage dropped, where it did."""
    return [
        f"{stage}, {method}: {dropped['examples'][0]}"
        for method, figures in found.items()
        for stage, dropped in figures["dropped"].items()
        if dropped["examples"]
    ]
