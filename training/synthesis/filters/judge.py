"""The judge, by choice: TeleBot's six questions about the whole dialogue, asked as evaluation asks them, and kept."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.judging.judge import judge as ask
from evaluation.judging.rubric import find_rubrics
from evaluation.judging.transcript import Judged, Said
from evaluation.runs.store import append_line, read_lines
from scripts_library.schema import Campaign
from training.corpus.schema import Dialogue, DialogueTurn

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

LEAST = 0.5
"""Weighted share of the questions that must be answered well."""
FILE = "judged.jsonl"


class JudgeFilter:
    """Drops what a judge finds poor. A dialogue on which the judge failed stays: that is no fault of its.

    Args:
        model: The judge.
        name: Of the model.
        path: Where its answers are kept; none is asked for twice.
        rubric: Name of the rubric.
    """

    def __init__(self, model: "BaseChatModel", name: str, path: Path, rubric: str = "telebot") -> None:
        self._model, self._name, self._path = model, name, path
        (self._rubric,) = find_rubrics([rubric])
        rows = [row for row in read_lines(path) if row["judge"] == name and row["version"] == self._rubric.version]
        self._known = {row["dialogue"]: row["score"] for row in rows if row["score"] is not None}

    def drop(self, dialogue: Dialogue, campaign: Campaign) -> str:
        """Return the judge's poor score; empty when it is good, or there is none.

        Raises:
            ModelUnavailable: The judge's server does not answer.
        """
        if dialogue.id not in self._known:
            self._known[dialogue.id] = self._score(dialogue, campaign)
        score = self._known[dialogue.id]
        return f"the judge gives {score:.2f} of 1; {LEAST} is the least" if score is not None and score < LEAST else ""

    def _score(self, dialogue: Dialogue, campaign: Campaign) -> float | None:
        answers = ask(self._model, self._rubric, judged(dialogue, campaign))
        score = self._rubric.score({one.criterion: one.value for one in answers})
        row = {"dialogue": dialogue.id, "judge": self._name, "version": self._rubric.version, "score": score}
        append_line(self._path, row)
        return score


def judged(dialogue: Dialogue, campaign: Campaign) -> Judged:
    """Return a dialogue as a judge reads it."""
    language = dialogue.language
    strategy = next((one.text[language] for one in campaign.strategies if one.id == dialogue.strategy), "")
    facts = " ".join(fact.text.get(language, "") for fact in campaign.facts)
    return Judged(language, tuple(_said(dialogue.turns)), {"strategy": strategy, "facts": facts})


def _said(turns: list[DialogueTurn]) -> Iterable[Said]:
    yield Said(0, "", turns[0].text)
    for number, (customer, agent) in enumerate(zip(turns[1::2], turns[2::2], strict=True), start=1):
        yield Said(number, customer.text, agent.text)
