"""All that can be said of a call without asking a model: every computed measure, and what each metric means."""

from collections.abc import Callable, Collection

from evaluation.customers import gates
from evaluation.judging import telebot
from evaluation.judging.batch import judge_metrics
from evaluation.measures import cost, faithfulness, graph, heard, products, respect, success
from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay
from evaluation.outcome import score as outcome

Scorer = Callable[[Replay], list[Score]]
SCORERS: tuple[Scorer, ...] = (
    success.success_scores,
    faithfulness.faithfulness_scores,
    respect.respect_scores,
    heard.heard_scores,
    graph.graph_scores,
    products.product_scores,
    telebot.computed,
    cost.cost_scores,
)
METRICS = [
    *success.METRICS,
    *outcome.METRICS,
    *faithfulness.METRICS,
    *respect.METRICS,
    *heard.METRICS,
    *graph.METRICS,
    *products.METRICS,
    *telebot.METRICS,
    *cost.METRICS,
    *gates.METRICS,
]


def computed_scores(call: Replay, inverted: Collection[int] = ()) -> list[Score]:
    """Score a finished call by everything that is computed; what judges say of it is in the run's judgements.

    Args:
        call: The call.
        inverted: Turns in which a judge heard the customer speak as the seller.
    """
    scores = [score for scorer in SCORERS for score in scorer(call)]
    return [
        *scores,
        *outcome.outcome_scores(call.result, call.scenario),
        *gates.customer_scores(call.result, call.scenario, inverted),
    ]


def all_metrics() -> dict[str, Metric]:
    """Return every metric that a report can hold, by name, in the order in which people read them."""
    return {metric.name: metric for metric in [*METRICS, *judge_metrics()]}
