"""A judge's ratings: soundly answered ones count, all else is None."""

import asyncio
import json
import threading
from typing import Any

import pytest

from evaluation.judging.rubric import bundled_rubrics
from graph.errors import ModelUnavailable
from scripts_library.loading import bundled, load_campaign
from scripts_library.schema import Campaign
from serving.fakes import FakeReply, ScriptedChatModel
from tests.evaluation.judging.fake_judge import ScriptedTexts, says
from training.rewards.judge import JudgeReward

RUBRIC = bundled_rubrics()["reply"]
STATE = json.dumps(
    {
        "campaign": "lantern_local", "language": "en", "customer": "What does it cost?",
        "history": [{"turn": 3, "customer": "Hi.", "reply": "Hello."}],
    }
)  # fmt: skip
ASIDE = "<think>tell the price</think>It is 199 yuan a month."


def campaign(name: str) -> Campaign:
    return load_campaign(bundled()[name]).campaign


def answer(*, best: bool) -> dict[str, Any]:
    return {one.id: {"reason": "so", "value": one.values[-1 if best else 0]} for one in RUBRIC.criteria}


def rate(model: Any, *texts: str, log: Any = None) -> list[float | None]:
    reward = JudgeReward(lambda: model, RUBRIC, campaign)
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    return asyncio.run(reward(completions=completions, state=[STATE] * len(texts), log_metric=log))


def test_ratings_go_from_minus_1_to_1_and_the_judge_is_shown_the_call_without_the_thought() -> None:
    model = says(answer(best=True))
    assert rate(model, ASIDE) == [1.0]
    assert rate(says(answer(best=False)), ASIDE) == [-1.0]
    shown = str(model.seen[0][-1].content)
    assert '[3] agent: "Hello."' in shown
    assert '[4] customer: "What does it cost?"' in shown
    assert '[4] agent: "It is 199 yuan a month."' in shown
    assert "tell the price" not in shown
    assert "14 days" in shown, "the facts"


def test_what_the_judge_does_not_answer_soundly_is_none_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    logged: dict[str, float] = {}
    assert rate(says("nonsense"), ASIDE, ASIDE, log=logged.__setitem__) == [None, None]
    assert logged == {"judge/failed": 1.0}
    assert "not one JSON object" in caplog.text


def test_a_judge_that_cannot_be_had_is_none_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def gone() -> Any:
        raise ModelUnavailable("no such server")

    reward = JudgeReward(gone, RUBRIC, campaign)
    assert asyncio.run(reward(completions=[ASIDE], state=[STATE])) == [None]
    assert "no such server" in caplog.text


def test_nothing_said_is_the_worst_and_is_not_asked_about() -> None:
    model = says(answer(best=True))
    assert rate(model, "<think>so</think>") == [-1.0]
    assert model.seen == []


def test_replies_are_judged_side_by_side() -> None:
    met = threading.Barrier(3, timeout=20)

    class Meeting(ScriptedTexts):
        def invoke(self, *given: Any, **more: Any) -> Any:
            met.wait()
            return super().invoke(*given, **more)

    model: ScriptedChatModel = Meeting(replies=[FakeReply(text=json.dumps(answer(best=True)))])
    assert rate(model, ASIDE, ASIDE, ASIDE) == [1.0, 1.0, 1.0]
