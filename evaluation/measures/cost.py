"""What a call costs: model calls, tokens, and the time that the customer waits."""

from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay
from evaluation.measures.scored import absent, measured

METRICS = [
    Metric("cost.turns", "cost", "Customer's lines a call", "neither", "count"),
    Metric("cost.model_calls", "cost", "Model calls a call", "lower", "count"),
    Metric("cost.prompt_tokens", "cost", "Prompt tokens a call", "lower", "tokens"),
    Metric("cost.cached_tokens", "cost", "Prompt tokens from the cache, a call", "neither", "tokens"),
    Metric("cost.completion_tokens", "cost", "Tokens written a call", "lower", "tokens"),
    Metric("cost.turn_seconds", "cost", "Seconds a turn", "lower", "seconds"),
    Metric("cost.slowest_turn", "cost", "Slowest turn of a call", "lower", "seconds"),
    Metric("cost.first_sentence", "cost", "Seconds until the first sentence", "lower", "seconds"),
    Metric("cost.call_seconds", "cost", "Seconds of the agent's turns, a call", "lower", "seconds"),
]


def seconds_of_turns(call: Replay) -> list[float]:
    """Return what each answer of the agent took; the greeting answers nobody."""
    return [said.turn["latency_ms"]["total"] / 1000 for said in call.turns if said.turn["customer"] and said.by_agent]


def cost_scores(call: Replay) -> list[Score]:
    """Score a call's cost, as the model server and the clock reported it."""
    turns = [said.turn for said in call.turns]
    answered = [turn for turn in turns if turn["customer"] and turn["source"] != "human"]
    took = seconds_of_turns(call)
    scores = [
        measured("cost.turns", sum(bool(turn["customer"]) for turn in turns), f"{len(turns)} turns with the opening"),
        measured("cost.model_calls", sum(turn["why"].get("model_calls", 0) for turn in turns), f"{len(turns)} turns"),
        measured("cost.prompt_tokens", sum(turn["tokens"]["prompt"] for turn in turns), f"{len(turns)} turns"),
        measured("cost.cached_tokens", sum(turn["tokens"]["cached"] for turn in turns), "part of the prompt tokens"),
        measured("cost.completion_tokens", sum(turn["tokens"]["completion"] for turn in turns), f"{len(turns)} turns"),
        measured("cost.call_seconds", call.result["seconds"], "its turns together, without the customer's time"),
    ]
    if not took:
        return [*scores, *(absent(f"cost.{name}", "the agent answered no line") for name in _TIMES)]
    first = [turn["latency_ms"]["first_sentence"] / 1000 for turn in answered]
    of = f"mean of {len(took)} answers"
    return [
        *scores,
        measured("cost.turn_seconds", sum(took) / len(took), of),
        measured("cost.slowest_turn", max(took), f"of {len(took)} answers"),
        measured("cost.first_sentence", sum(first) / len(first), of),
    ]


_TIMES = ("turn_seconds", "slowest_turn", "first_sentence")
