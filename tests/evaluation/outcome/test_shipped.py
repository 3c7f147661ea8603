"""The classifier that is shipped: its files, its figures on calls that it has never seen, and what it will not judge."""

import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.outcome.classifier import SHIPPED, IntentClassifier, load_classifier
from evaluation.outcome.dialogue import Dialogue, Exchange, read_donations
from evaluation.outcome.measure import TAUGHT, measure
from evaluation.outcome.score import METRICS, classify, outcome_scores
from evaluation.outcome.tokens import READ_TOKENS
from graph.errors import BadInput
from scripts_library.persuasion import split_of
from serving.fakes import FakeReply, ScriptedChatModel
from tests.evaluation import made_calls as made


@pytest.fixture(scope="module")
def classifier() -> IntentClassifier:
    return load_classifier()


def test_it_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 20 * 2**20


def test_it_has_learnt_from_no_test_call(classifier: IntentClassifier) -> None:
    calls = read_donations(TAUGHT)
    assert not [call.id for call in calls if split_of(call.id) == "test" and classifier.has_seen(call)]
    assert all(classifier.has_seen(call) for call in calls if split_of(call.id) != "test")


def test_on_real_calls_that_it_has_never_seen_it_stays_above_its_floor(classifier: IntentClassifier) -> None:
    found = measure([call for call in read_donations(TAUGHT) if split_of(call.id) == "test"], classifier, limit=80)
    assert found["classifier"]["auc"] > 0.62
    assert (found["held_out"], found["seen"]) == (80, 0)


def test_a_customer_who_agrees_stands_higher_than_one_who_refuses(classifier: IntentClassifier) -> None:
    def of(*said: str) -> Dialogue:
        asked = ("Would you give to Save the Children?", "How much would you like to give?", "Thank you for your time.")
        lines = zip(asked, said, strict=True)
        return Dialogue("made", "en", tuple(Exchange(*line, turn) for turn, line in enumerate(lines, start=1)))

    yes = of("Yes, I would love to donate.", "I will give $1 of my payment.", "You are welcome, happy to help!")
    no = of("No, I do not want to donate.", "Nothing, I need the money myself.", "Goodbye.")
    gave, refused = classifier.classify([yes, no])
    assert gave.probabilities["A"] > refused.probabilities["A"]
    assert gave.signs and all(1 <= turn <= 3 for _, _, turn in gave.signs)


def test_calls_judged_together_are_judged_as_alone(classifier: IntentClassifier) -> None:
    calls = read_donations(TAUGHT)[:3]
    together = [verdict.probabilities["A"] for verdict in classifier.classify(calls)]
    alone = [classifier.classify([call])[0].probabilities["A"] for call in calls]
    assert together == pytest.approx(alone, abs=0.05), "eight bits round by batch"


def test_only_the_last_tokens_of_a_long_call_are_read(classifier: IntentClassifier) -> None:
    end = tuple(
        Exchange("Would you like to give one dollar today? " * 4, "I may do that. " * 6, turn) for turn in range(20)
    )
    early = (Exchange("Hello.", "I will never give anything to anyone.", 0),)
    calls = [Dialogue("a", "en", end), Dialogue("b", "en", early + end)]
    long, longer = classifier.encoder.vectors(calls)
    assert long == pytest.approx(longer)
    assert len(long) < len(end) and len(longer) == len(long)
    assert READ_TOKENS == 512


def test_a_language_that_it_was_not_trained_for_gets_no_verdict_but_a_reason() -> None:
    verdict, reason = classify([made.record([made.turn("好的，我买")])], "zh")
    assert verdict is None and "'zh'" in reason and "outcome-train" in reason
    scores = outcome_scores(made.result([made.turn("好的，我买")]), made.scenario(language="zh"))
    assert [(score["value"], "zh" in score["reason"]) for score in scores] == [(None, True)] * len(METRICS)


def test_what_a_second_session_changed_is_told_and_one_session_changed_nothing() -> None:
    no = [made.turn("No, I do not want to donate."), made.turn("Nothing. Goodbye.")]
    yes = [made.turn("Yes, I would love to donate."), made.turn("I will give $1 of my payment, happy to help!")]

    def change(*sessions: list[made.TurnRecord]) -> float | None:
        result = made.result([], sessions=[made.record(turns) for turns in sessions])
        return {score["metric"]: score["value"] for score in outcome_scores(result, made.scenario())}[
            "outcome.follow_up"
        ]

    def points(*sessions: list[made.TurnRecord]) -> float:
        verdict, _ = classify([made.record(turns) for turns in sessions], "en")
        assert verdict
        return verdict.points

    assert change(no, yes) == points(no, yes) - points(no)
    assert change(yes, no) == points(yes, no) - points(yes)
    assert change(no, yes) != change(yes, no)
    assert change(yes) is None


def test_every_metric_gets_a_score_with_a_reason() -> None:
    scores = outcome_scores(made.result([made.turn("Yes, I agree, sign me up.")]), made.scenario())
    assert [score["metric"] for score in scores] == [metric.name for metric in METRICS]
    points, purchase, follow_up = (score["value"] for score in scores)
    assert follow_up is None
    assert points in (10, 8, 6, 4, 2) and purchase == float(points == 10)
    assert all(score["reason"] for score in scores)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (made.result(error={"boundary": "server", "message": "gone"}), "the call failed"),
        (made.result([]), "the customer said nothing"),
    ],
)
def test_a_call_without_anything_to_judge_has_no_value(result: made.CallResult, reason: str) -> None:
    assert [(score["value"], score["reason"]) for score in outcome_scores(result, made.scenario())] == [
        (None, reason)
    ] * len(METRICS)


def test_calls_that_are_all_known_to_it_are_refused(classifier: IntentClassifier) -> None:
    seen = [call for call in read_donations(TAUGHT)[:40] if classifier.has_seen(call)]
    with pytest.raises(BadInput, match="0 calls that the classifier was not trained on"):
        measure(seen, classifier)


def test_few_calls_are_measured_with_a_warning_and_a_chat_model_beside_them(classifier: IntentClassifier) -> None:
    calls = [call for call in read_donations(TAUGHT) if split_of(call.id) == "test"]
    model = ScriptedChatModel(replies=[FakeReply(json={"class": "A"}), FakeReply(json={"class": "?"})])
    found = measure(calls, classifier, limit=12, model=model)
    assert "only 12 calls" in found["warning"]
    assert found["zero_shot"]["n"] == found["ten_shot"]["n"] == 12
    assert found["zero_shot"]["unanswered"] == 6
    assert [len(asked) for asked in (model.seen[0], model.seen[-1])] == [2, 22], "ten examples are twenty lines"


def test_calls_in_a_language_that_it_does_not_know_are_left_out_and_counted(classifier: IntentClassifier) -> None:
    chinese = Dialogue("zh", "zh", (Exchange("您好", "好的", 1),), ("A",))
    calls = [call for call in read_donations(TAUGHT) if split_of(call.id) == "test"]
    assert measure([*calls, chinese], classifier, limit=12)["left_out"] == 1
    with pytest.raises(BadInput, match="'zh'"):
        measure([chinese], classifier)


def test_a_folder_that_is_no_classifier_is_refused_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"encoder\.onnx.*outcome-train"):
        IntentClassifier(tmp_path)


def test_it_runs_without_torch() -> None:
    program = (
        "import sys\n"
        "from evaluation.outcome.classifier import load_classifier\n"
        "from evaluation.outcome.dialogue import Dialogue, Exchange\n"
        "print(load_classifier().classify([Dialogue('x', 'en', (Exchange('Hi', 'Yes', 1),))])[0].points)\n"
        "assert not {'torch', 'transformers', 'onnx'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) in (10, 8, 6, 4, 2)
