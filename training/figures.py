"""What a reply is worth, figure by figure, and how sure the difference between two models' replies is.

The overall figure was fixed before anything was measured: the mean of three parts, each 0 to 1, all of what the customer hears.
`passed`: there is a reply and the guard lets it pass. `likeness`: the reward `similarity`, cut to 0..1. `heard`: the reward `heard`,
(h + 1) / 2. Shape, length and thoughts are no part of it: nobody hears them, and a base model that was never asked for thoughts would
lose by them alone.

Departures from AI-Salesman (arXiv 2511.12133), whose overall figure is a judge's mean over six capabilities (5.46 to 6.49, +18.9 %):
1. No judge is in the overall figure, so that it can be had on two cores and is the same for everybody; a judge's rating is a figure
   of its own. Rises in percent are of another scale than the paper's, and not to be compared with them.
2. Differences are paired by turn, with intervals and tests; the paper tells none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from evaluation.judging.transcript import tokens
from evaluation.report.statistics import Estimate, detectable, holm, mean, sign_flip_p
from graph.settings import Settings
from training.corpus.rows import asks_thought
from training.rewards.format import SOUND, FormatReward, spoken_of
from training.rewards.registry import MAKERS
from training.rewards.repo import Reward
from training.rewards.rules import COPIED, Hits, copied

Values = list[float | None]
"""One an answer; None where the figure does not apply to it."""
SAME = 1e-12


@dataclass(frozen=True)
class Figure:
    """What is known of a figure."""

    unit: Literal["share", "points", "count"]
    better: Literal["higher", "lower", "neither"]
    label: str


FIGURES = {
    "overall": Figure("points", "higher", "mean of passed, likeness and heard, each 0 to 1"),
    "passed": Figure("share", "higher", "there is a reply, and the guard lets it pass"),
    "breach": Figure("share", "lower", "the reply breaks at least one rule of the guard"),
    "likeness": Figure(
        "points", "higher", "embedding cosine to the expert's reply, as the reward `similarity` stretches it"
    ),
    "heard": Figure("points", "higher", "what the rule buyer hears, -1 to 1"),
    "sound": Figure(
        "share", "higher", "one closed thought and a finished reply; where none is asked for, a finished reply alone"
    ),
    "distinct": Figure("share", "higher", "pairs of words of the reply that no reply to another dialogue has"),
    "copied": Figure(
        "share",
        "lower",
        "most of the reply stands word for word in the turn's note, as example line or customer's words",
    ),
    "words": Figure("count", "neither", "length of the reply"),
    "thought": Figure("count", "neither", "length of the thought, in words"),
    "judge": Figure("points", "higher", "a judge's rating by the rubric `reply`, -1 to 1"),
}
"""In the order in which they are told."""
Rows = Sequence[Mapping[str, Any]]


class Scorer:
    """Scores answers by every figure that needs no judge.

    Args:
        hits: Finds the guard's breaches; see `training.corpus.guarded.rule_hits`.
        similarity: The reward of that name.
        heard: The reward of that name.
    """

    def __init__(self, hits: Hits, similarity: Reward, heard: Reward) -> None:
        self.hits, self.similarity, self.heard = hits, similarity, heard

    def __call__(self, rows: Rows, texts: Sequence[str]) -> dict[str, Values]:
        """Return the figures of an answer to each row."""
        columns = {name: [row[name] for row in rows] for name in ("state", "reference", "intent")}
        spoken = spoken_of(texts)
        broken = [bool(self.hits(row["state"], one.reply)) for row, one in zip(rows, spoken, strict=True)]
        passed = [float(bool(one.reply) and not wrong) for one, wrong in zip(spoken, broken, strict=True)]
        likeness, heard = self.similarity(texts, **columns), self.heard(texts, **columns)
        shapes = [FormatReward(think=asks_thought(row)).score(text) for row, text in zip(rows, texts, strict=True)]
        return {
            "overall": [overall(*parts) for parts in zip(passed, likeness, heard, strict=True)],
            "passed": [*passed],
            "breach": [float(wrong) for wrong in broken],
            "likeness": likeness,
            "heard": heard,
            "sound": [float(shape == SOUND) for shape in shapes],
            "distinct": distinct([one.reply for one in spoken], [row["dialogue"] for row in rows]),
            "copied": [
                float(copied(one.reply, row["prompt"][-1]["content"]) >= COPIED)
                for row, one in zip(rows, spoken, strict=True)
            ],
            "words": [float(len(tokens(one.reply))) for one in spoken],
            "thought": [float(len(tokens(one.thought))) for one in spoken],
        }


def load_scorer(settings: Settings) -> Scorer:
    """Return the scorer for the campaigns and the embedder that settings name."""
    rules, similarity, heard = (MAKERS[name](settings, None) for name in ("rules", "similarity", "heard"))
    return Scorer(rules.hits, similarity, heard)  # type: ignore[attr-defined]


def overall(passed: float, likeness: float, heard: float) -> float:
    """Return the overall figure of one reply, 0 to 1.

    Args:
        passed: 1 where there is a reply that the guard lets pass, else 0.
        likeness: Of the reward `similarity`; may lie a little outside 0 to 1.
        heard: Of the reward `heard`, -1 to 1.

    Example:
        >>> overall(1.0, 0.2, 0.6)
        0.6666666666666666
    """
    return (passed + min(1.0, max(0.0, likeness)) + (heard + 1) / 2) / 3


def distinct(replies: Sequence[str], dialogues: Sequence[str]) -> Values:
    """Return of each reply the share of its pairs of words that no reply to another dialogue has; None below two words.

    Source: after distinct-2 (Li et al., A diversity-promoting objective function for neural conversation models, NAACL 2016), which
    counts distinct pairs over all replies; counted by reply it has an interval. It falls with the number of replies: compare it
    among models that were asked the same.

    Example:
        >>> distinct(["I am glad.", "I am sad."], ["a", "b"])
        [0.5, 0.5]
    """
    pairs = [list(pairwise(tokens(reply))) for reply in replies]
    users: dict[tuple[str, str], set[str]] = {}
    for own, dialogue in zip(pairs, dialogues, strict=True):
        for pair in own:
            users.setdefault(pair, set()).add(dialogue)
    return [sum(len(users[pair]) == 1 for pair in own) / len(own) if own else None for own in pairs]


def estimates(values: Mapping[str, Values], dialogues: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the mean of each figure that has a value, with a 95 % interval over dialogues.

    Args:
        values: By figure, one an answer.
        dialogues: That of each answer.
    """
    found = {}
    for name, own in values.items():
        known = [(value, dialogue) for value, dialogue in zip(own, dialogues, strict=True) if value is not None]
        share = FIGURES[name].unit == "share"
        estimate = mean([value for value, _ in known], [dialogue for _, dialogue in known], share=share)
        if estimate:
            found[name] = _told(estimate, "mean")
    return found


def difference(
    base: Mapping[str, Values], other: Mapping[str, Values], dialogues: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return of each figure the other's mean less the base's, answer by answer: with interval, p, and what could be seen at all.

    Args:
        base: By figure, one an answer.
        other: The same, of answers to the same turns with the same seeds.
        dialogues: That of each pair.
    """
    found = {}
    for name in [name for name in base if name in other]:
        known = [
            (after - before, dialogue)
            for before, after, dialogue in zip(base[name], other[name], dialogues, strict=True)
            if before is not None and after is not None
        ]
        steps, clusters = [step for step, _ in known], [dialogue for _, dialogue in known]
        estimate = mean(steps, clusters)
        if estimate:
            found[name] = {
                **_told(estimate, "difference"),
                "differ": sum(abs(step) > SAME for step in steps),
                "p": sign_flip_p(steps, clusters),
                "p_holm": 1.0,
                "detectable": detectable(steps, clusters),
            }
    return found


def correct(differences: Sequence[dict[str, Any]]) -> None:
    """Write Holm's p-values into a table's differences.

    One in which no pair differs cannot become significant whatever the level, and so does not count (Tarone, A modified Bonferroni
    method for discrete data, 1990).
    """
    family = [row for row in differences if row["differ"]]
    for row, p in zip(family, holm([row["p"] for row in family]), strict=True):
        row["p_holm"] = p


def _told(estimate: Estimate, value: str) -> dict[str, Any]:
    return {
        value: estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "answers": estimate.n,
        "dialogues": estimate.clusters,
    }
