"""The outcome of a call as scores."""

from collections.abc import Sequence
from pathlib import Path

from evaluation.measures.metric import Metric, Score
from evaluation.outcome.classifier import SHIPPED, IntentClassifier, Verdict, load_classifier, unsuited
from evaluation.outcome.dialogue import Dialogue, exchanges_of_records
from evaluation.runs.results import CallResult
from evaluation.scenarios.schema import Scenario
from graph.records import ConversationRecord
from graph.settings import get_settings

METRICS = (
    Metric("outcome.points", "outcome", "Buying intent at the end (classifier)", "higher", "points"),
    Metric("outcome.purchase", "outcome", "Clear purchases (classifier)", "higher", "share"),
    Metric("outcome.follow_up", "outcome", "Change of buying intent by follow-up sessions", "higher", "points"),
)
FOLLOW_UP = METRICS[2]
"""SalesLLM's: points after the last session less those after the first one (it tells of −0.34 for one seller)."""


def classify(
    records: Sequence[ConversationRecord], language: str, classifier: IntentClassifier | None = None
) -> tuple[Verdict | None, str]:
    """Return a call's verdict, and why; None with the reason where the classifier cannot judge it.

    Args:
        records: The call's sessions, in order.
        language: `en` or `zh`.
        classifier: By default the settings' (`outcome_classifier`), else the shipped one.
    """
    own = get_settings().outcome_classifier
    judge = classifier or load_classifier(Path(own) if own else SHIPPED)
    if why := unsuited(judge, language):
        return None, why
    dialogue = Dialogue("call", "zh" if language == "zh" else "en", exchanges_of_records(records))
    if not any(exchange.customer for exchange in dialogue.exchanges):
        return None, "the customer said nothing"
    verdict = judge.classify([dialogue])[0]
    return verdict, verdict.reason


def outcome_scores(result: CallResult, scenario: Scenario, classifier: IntentClassifier | None = None) -> list[Score]:
    """Return the scores of one call.

    Args:
        result: The call.
        scenario: Its scenario; names the language.
        classifier: By default the shipped one.
    """
    if result["error"] is not None or not result["sessions"]:
        return [_score(metric, None, "the call failed", []) for metric in METRICS]
    verdict, reason = classify(result["sessions"], scenario.language, classifier)
    if verdict is None:
        return [_score(metric, None, reason, []) for metric in METRICS]
    turns = sorted({turn for _, _, turn in verdict.signs})
    values = (float(verdict.points), float(verdict.intent == "A"))
    scores = [_score(metric, value, reason, turns) for metric, value in zip(METRICS, values, strict=False)]
    return [*scores, _follow_up(result, scenario, verdict, classifier)]


def _follow_up(result: CallResult, scenario: Scenario, last: Verdict, classifier: IntentClassifier | None) -> Score:
    if len(result["sessions"]) < 2:
        return _score(FOLLOW_UP, None, "one session", [])
    first, reason = classify(result["sessions"][:1], scenario.language, classifier)
    if first is None:
        return _score(FOLLOW_UP, None, reason, [])
    return _score(FOLLOW_UP, float(last.points - first.points), f"{first.intent} → {last.intent}", [])


def _score(metric: Metric, value: float | None, reason: str, turns: list[int]) -> Score:
    return {"metric": metric.name, "value": value, "reason": reason, "turns": turns}
