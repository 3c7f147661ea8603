import json
import threading
from pathlib import Path
from typing import Any

import pytest

from evaluation.judging.batch import Line, jobs, judge_calls, judge_failures, judge_metrics, judged_scores
from evaluation.judging.rubric import Rubric, bundled_rubrics
from evaluation.runs.store import read_lines
from graph.errors import ModelUnavailable
from scripts_library.loading import bundled, load_campaign
from scripts_library.schema import Campaign
from serving.fakes import FakeReply, ScriptedChatModel
from tests.evaluation.judging.fake_judge import CALL, TRUE, ScriptedTexts, progress, quote, record, result, says

PROCESS, REPLY = bundled_rubrics()["process"], bundled_rubrics()["reply"]
CAMPAIGNS: dict[str, Campaign] = {"lantern_local": load_campaign(bundled()["lantern_local"]).campaign}
RESULTS = [result(f"a|s{number}|rule|0", record()) for number in range(6)]


def judge_all(path: Path, model: ScriptedChatModel, rubrics: list[Rubric] | None = None, **more: Any) -> Any:
    return judge_calls(jobs(RESULTS, rubrics or [PROCESS], CAMPAIGNS), path, model, more.pop("judge", "fake"), **more)


def lines(path: Path) -> list[Any]:
    return list(read_lines(path))


def test_each_answer_is_a_line_and_a_second_start_asks_nothing_twice(tmp_path: Path) -> None:
    path, model = tmp_path / "judged.jsonl", says(progress(8, TRUE))
    told: list[tuple[int, int]] = []
    summary = judge_all(path, model, limit=4, progress=lambda done, total, _left: told.append((done, total)))
    assert (summary["asked"], summary["stood"], summary["answers"], summary["failed"]) == (4, 0, 4, {})
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    summary = judge_all(path, model)
    assert (summary["asked"], summary["stood"]) == (2, 4)
    assert len(model.seen) == 6
    assert {line["unit"] for line in lines(path)} == {one["unit"] for one in RESULTS}
    assert set(lines(path)[0]) == set(Line.__annotations__)


def test_a_line_that_a_killed_process_left_unfinished_is_judged_again(tmp_path: Path) -> None:
    path, model = tmp_path / "judged.jsonl", says(progress(8, TRUE))
    judge_all(path, model, at_once=1)
    written = path.read_text(encoding="utf-8")
    path.write_text(written[:-20], encoding="utf-8")
    assert judge_all(path, model)["asked"] == 1
    assert len(lines(path)) == 6


def test_an_error_of_the_judge_is_no_score_and_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    summary = judge_all(path, says("ten out of ten!"))
    assert summary["failed"] == {"judge": 6}
    [score] = judged_scores(lines(path))["a|s0|rule|0"]
    assert score["value"] is None
    assert score["reason"].startswith("judge failed: the answer is not one JSON object")
    assert judge_all(path, says(progress(8, TRUE)))["asked"] == 6
    [score] = judged_scores(lines(path))["a|s0|rule|0"]
    assert (score["metric"], score["value"], score["turns"]) == ("process.progress", 8.0, [2])


def test_a_server_that_dies_half_way_leaves_what_it_answered(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"

    class Dying(ScriptedTexts):
        def next_reply(self, messages: Any, wants_json: bool) -> FakeReply:
            return FakeReply(error="gone") if len(self.seen) > 3 else super().next_reply(messages, wants_json)

    with pytest.raises(ModelUnavailable, match="gone"):
        judge_all(path, Dying(replies=[json.dumps(progress(8, TRUE))]), at_once=1)
    assert len(lines(path)) == 3
    assert judge_all(path, says(progress(8, TRUE)))["stood"] == 3


def test_requests_are_under_way_together_but_never_more_than_asked_for(tmp_path: Path) -> None:
    together, met = [0, 0], threading.Barrier(3, timeout=20)

    class Counting(ScriptedTexts):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            together[0] += 1
            together[1] = max(together)
            met.wait()
            try:
                return super()._generate(*args, **kwargs)
            finally:
                together[0] -= 1

    judge_all(tmp_path / "judged.jsonl", Counting(replies=[json.dumps(progress(8, TRUE))]), at_once=3)
    assert together[1] == 3


def test_failed_calls_and_calls_without_a_customer_are_not_judged() -> None:
    failed = result("a|s|rule|0", error={"boundary": "agent", "message": "down"})
    silent = result("a|t|rule|0", record(CALL[0]))
    assert list(jobs([failed, silent], [PROCESS], CAMPAIGNS)) == []


def test_another_judge_or_version_is_asked_anew_and_the_newest_answer_counts(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    judge_all(path, says(progress(8, TRUE)))
    assert judge_all(path, says(progress(2, quote(1, "I'm busy", "nothing"))), judge="another")["asked"] == 6
    assert judged_scores(lines(path))["a|s0|rule|0"][0]["value"] == 2.0
    newer = PROCESS.model_copy(update={"version": 2})
    assert judge_all(path, says(progress(8, TRUE)), [newer])["asked"] == 6


def test_replies_are_judged_one_by_one_and_a_call_with_an_excellent_one_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    good = {one.id: {"reason": "r", "value": one.choices[-1].values[-1]} for one in REPLY.criteria}
    poor = {**good, "rating": {"reason": "r", "value": 2}}
    summary = judge_all(path, says(poor, good), [REPLY], at_once=1)
    assert summary["asked"] == 12, "two replies to a line of the customer in each of six calls"
    scores = {score["metric"]: score for score in judged_scores(lines(path))["a|s0|rule|0"]}
    assert scores["reply.rating"]["value"] == 3.5
    assert (scores["reply.excellent"]["value"], scores["reply.excellent"]["turns"]) == (1.0, [2])
    assert scores["reply.style"]["value"] == 1.0


def test_sessions_of_a_call_are_averaged() -> None:
    def line(session: int, value: float) -> Line:
        return {
            "unit": "a|s|rule|0", "session": session, "turn": None, "rubric": "process", "rubric_version": 1,
            "criterion": "progress", "value": value, "reason": "r", "turns": [1], "judge": "j", "error": None, "seconds": 1,
        }  # fmt: skip

    [score] = judged_scores([line(0, 4), line(1, 8)])["a|s|rule|0"]
    assert (score["value"], score["reason"]) == (6.0, "mean of 2 of 2 answers")


@pytest.mark.parametrize(("severity", "detected", "turns"), [(0.0, 0.0, []), (2.0, 1.0, [1])])
def test_any_severity_above_none_is_a_role_inversion(severity: float, detected: float, turns: list[int]) -> None:
    line: Any = {
        "unit": "a|s|rule|0", "session": 0, "turn": None, "rubric": "role_inversion", "rubric_version": 1, "seconds": 1,
        "criterion": "severity", "value": severity, "reason": "r", "turns": [1], "judge": "j", "error": None,
    }  # fmt: skip
    scores = {score["metric"]: score for score in judged_scores([line])["a|s|rule|0"]}
    assert (scores["role_inversion.detected"]["value"], scores["role_inversion.detected"]["turns"]) == (detected, turns)


def answer(rubric: str, criterion: str, value: float | None, turn: int | None = None, boundary: str = "judge") -> Any:
    return {
        "unit": "a|s|rule|0", "session": 0, "turn": turn, "rubric": rubric, "rubric_version": 1, "seconds": 1,
        "criterion": criterion, "value": value, "reason": "r", "turns": [], "judge": "j",
        "error": {"boundary": boundary, "message": "no answer came"} if value is None else None,
    }  # fmt: skip


def scores_of(answers: list[Any]) -> dict[str, Any]:
    return {score["metric"]: score for score in judged_scores(answers)["a|s|rule|0"]}


def test_a_grid_has_a_score_a_capability_and_one_over_all() -> None:
    grid = bundled_rubrics()["grid"]
    asked = [(request.part, one) for request in grid.requests() for one in request.criteria]
    parts = [part.id for part in grid.parts]
    answers = [answer("grid", f"{part.id}.{one.id}", parts.index(part.id) + 3) for part, one in asked if part]
    scores = scores_of(answers)
    assert [scores[f"grid.{part}.score"]["value"] for part in parts] == pytest.approx([3, 4, 5, 6, 7, 8])
    assert scores["grid.score"]["value"] == pytest.approx(5.5)
    answers[0] = answer("grid", answers[0]["criterion"], None)
    scores = scores_of(answers)
    for name in (f"grid.{parts[0]}.score", "grid.score"):
        assert scores[name]["value"] is None
        assert answers[0]["criterion"] in scores[name]["reason"], "the reason names what is missing"
    assert scores[f"grid.{parts[1]}.score"]["value"] == pytest.approx(4)


def test_a_score_over_a_rubric_weighs_its_questions_and_replies_with_all_answers_count() -> None:
    binary = [one.id for one in REPLY.criteria if one.id != "rating"]
    weight = next(one.weight for one in REPLY.criteria if one.id == "rating")
    worst, best = REPLY.criterion("rating").values[0], REPLY.criterion("rating").values[-1]
    first = [answer("reply", "rating", best, 1), *(answer("reply", one, 0.0, 1) for one in binary)]
    second = [answer("reply", "rating", worst, 2), *(answer("reply", one, 0.0, 2) for one in binary)]
    lacking = [answer("reply", one.id, None, 3) for one in REPLY.criteria]
    score = scores_of(first + second + lacking)["reply.score"]
    assert score["value"] == pytest.approx((weight / (weight + len(binary)) + 0) / 2)
    assert "in 2 of 3" in score["reason"]


def test_answers_to_an_older_rubric_make_no_score() -> None:
    older = [{**answer("telebot", key, 1.0), "rubric_version": 0} for key, _, _ in bundled_rubrics()["telebot"].asked()]
    assert scores_of(older)["telebot.score"]["value"] is None


@pytest.mark.parametrize("boundary", ["judge", "server"])
def test_a_question_without_an_answer_keeps_the_boundary_at_fault(boundary: str) -> None:
    failed = answer("process", "progress", None, boundary=boundary)
    assert judge_failures([failed]) == [("a|s|rule|0", {"boundary": boundary, "message": "no answer came"})]
    assert judge_failures([failed, answer("process", "progress", 4.0)]) == []


def test_every_metric_of_the_rubrics_is_known_by_name() -> None:
    names = [metric.name for metric in judge_metrics()]
    assert len(names) == len(set(names)) == 1 + (6 + 1) + (42 + 6 + 1) + 1 + (8 + 1) + 2 + 1
    assert {"reply.excellent", "reply.score", "grid.score"} < set(names)


def test_answers_of_two_judges_or_of_an_older_rubric_are_never_one_figure(tmp_path: Path) -> None:
    path = tmp_path / "judged.jsonl"
    judge_all(path, says(progress(8, TRUE)), judge="first")
    held = lines(path)
    second = [{**line, "judge": "second", "value": 2.0} for line in held[:2]]
    scores = judged_scores([*held, *second])
    assert {unit: found[0]["value"] for unit, found in scores.items()} == {line["unit"]: 2.0 for line in second}
    newer = [{**line, "rubric_version": line["rubric_version"] + 1, "value": 4.0} for line in held[:1]]
    assert [found[0]["value"] for found in judged_scores([*held, *newer]).values()] == [4.0]
