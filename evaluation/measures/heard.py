"""What replies are worth to the customer, apart for simple lines and for demanding ones.

AI-Salesman (arXiv 2511.12133) finds that scripts sound formulaic on easy turns and help on hard ones. A line is demanding where it is
a question or an objection: it wants an answer; every other line is simple. The split and the figure are ours.
"""

from statistics import fmean

from evaluation.customers.worth import WAITS, Listener, Place
from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay, Said
from evaluation.measures.scored import absent, measured

SIMPLE, DEMANDING = "heard.simple", "heard.demanding"
METRICS = [
    Metric(SIMPLE, "heard", "Worth of replies to simple lines, -1 to 1", "higher", "points"),
    Metric(DEMANDING, "heard", "Worth of replies to questions and objections, -1 to 1", "higher", "points"),
]
EASY = frozenset({"smalltalk", "information", "interest", "off_topic"})
"""Kinds of simple lines. After a yes, a no or a goodbye there is nothing to win: such lines are of neither kind."""


def heard_scores(call: Replay) -> list[Score]:
    """Score what the agent's replies to simple and to demanding lines are worth to the customer, each on the mean.

    A line is of the kind that the customer meant, else that the agent understood; one whose intent was flipped is left out.
    """
    listener = Listener(call.data, call.scenario.language)
    found: dict[str, list[float]] = {SIMPLE: [], DEMANDING: []}
    lines = 0
    for said in call.turns:
        lines += bool(said.turn["customer"])
        if name := _metric(said):
            meant = said.meant or said.turn["intent"]
            place = Place(said.turn["customer"], meant, said.rules.earlier, said.rules.refused, lines)
            found[name].append(listener.worth(said.turn["reply"], place))
    return [
        measured(name, fmean(values), f"mean of {len(values)} replies") if values else absent(name, "no such line")
        for name, values in found.items()
    ]


def _metric(said: Said) -> str:
    """Return the metric that a reply counts for; empty for none."""
    if not said.turn["customer"] or not said.by_agent:
        return ""
    return DEMANDING if said.kind in WAITS else SIMPLE if said.kind in EASY else ""
