"""All scores of a call together: every one is a known metric, has its reason."""

from evaluation.measures.metric import Metric
from evaluation.measures.replay import Replay
from evaluation.measures.scoring import all_metrics, computed_scores
from tests.evaluation import made_calls as made


def test_every_score_is_a_known_metric_with_a_reason_and_none_comes_twice() -> None:
    turns = [made.turn("How much?", "It costs 199 yuan a month.", intent="price_question", stage="analysis")]
    scores = computed_scores(Replay(made.result(turns), made.scenario(), made.campaign()))
    names = [score["metric"] for score in scores]
    assert len(names) == len(set(names)) > 50
    assert set(names) <= set(all_metrics())
    assert all(score["reason"] for score in scores)
    assert all(score["value"] is None or score["value"] >= 0 for score in scores)


def test_metrics_are_named_once_and_guardrails_have_a_direction() -> None:
    metrics = all_metrics()
    assert all(name == metric.name for name, metric in metrics.items())
    guardrails = [metric for metric in metrics.values() if metric.guardrail]
    assert {metric.better for metric in guardrails} == {"higher", "lower"}
    assert (
        Metric("faithful.unsupported_price", "faithfulness", "Unsupported prices", "lower", "count", True) in guardrails
    )


def test_shares_stay_between_0_and_1() -> None:
    shares = {name for name, metric in all_metrics().items() if metric.unit == "share"}
    turns = [
        made.turn("Hi.", "Only 99 yuan!", source="script"),
        made.turn("Never call again.", "Fine.", intent="opt_out"),
    ]
    scores = computed_scores(Replay(made.result(turns), made.scenario(), made.campaign()))
    assert all(0 <= score["value"] <= 1 for score in scores if score["metric"] in shares and score["value"] is not None)


def test_the_shipped_classifier_tells_a_purchase_from_a_refusal_in_english_alone() -> None:
    def points(*lines: str, language: str = "en") -> float | None:
        turns = [made.turn(line, "I see.") for line in lines]
        scores = computed_scores(Replay(made.result(turns), made.scenario(language=language), made.campaign()))
        return next(score["value"] for score in scores if score["metric"] == "outcome.points")

    bought = points("That sounds good.", "Yes, I will donate one dollar today.", "You are welcome, happy to help.")
    refused = points("Hello.", "No, I am not interested in this at all.", "No. Goodbye.")
    assert bought is not None and refused is not None
    assert bought > refused
    assert points("好的，我要了。", language="zh") is None
