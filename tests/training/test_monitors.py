import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from graph.errors import BadInput
from training.monitors import DIVERSITY, LIMITS, CollapseMonitor, ReplyDiversity


def fed(monitor: CollapseMonitor, lines: list[dict[str, float]]) -> bool:
    """Feed log lines, and tell whether the run is to stop."""
    control, state = TrainerControl(), TrainerState()
    for step, line in enumerate(lines, start=1):
        state.global_step = step
        monitor.on_log(TrainingArguments(use_cpu=True, report_to="none"), state, control, logs=line)
    return control.should_training_stop


@pytest.mark.parametrize(
    ("name", "number", "bad", "good"),
    [
        ("zero_spread", 0.8, 0.9, 0.8),
        ("entropy", 0.1, 0.05, 0.1),
        ("diversity", 0.3, 0.2, 0.5),
        ("short", 4.0, 2.0, 9.0),
        ("clipped", 0.9, 1.0, 0.9),
        ("kl", 0.5, 0.7, 0.1),
    ],
)
def test_a_figure_that_stays_beyond_its_limit_stops_the_run_and_says_why(
    name: str, number: float, bad: float, good: float
) -> None:
    metric = LIMITS[name].metric
    monitor = CollapseMonitor({name: number}, patience=3)
    assert not fed(monitor, [{metric: value} for value in (bad, bad, good, bad, bad)])
    assert monitor.reason == ""
    monitor = CollapseMonitor({name: number}, patience=3)
    assert fed(monitor, [{metric: value} for value in (good, bad, bad, bad)])
    assert monitor.reason.startswith(
        f"{name}: {LIMITS[name].told} was {LIMITS[name].wrong} {number:g} in 3 logged steps"
    )
    assert monitor.reason.endswith("at step 4")


def test_lines_without_the_figure_count_neither_way() -> None:
    monitor = CollapseMonitor({"entropy": 0.1}, patience=2)
    assert fed(monitor, [{"entropy": 0.0}, {"loss": 1.0}, {"entropy": float("nan")}, {"entropy": 0.0}])
    assert "last 0 at step 4" in monitor.reason


def test_every_limit_is_counted_by_itself() -> None:
    monitor = CollapseMonitor({"entropy": 0.1, "clipped": 0.9}, patience=2)
    lines = [{"entropy": 0.0, "completions/clipped_ratio": 0.0}, {"entropy": 1.0, "completions/clipped_ratio": 1.0}]
    assert not fed(monitor, lines)


def test_bad_limits_are_named() -> None:
    with pytest.raises(BadInput, match="there is no limit 'boredom'; expected some of zero_spread"):
        CollapseMonitor({"boredom": 1.0}, patience=1)
    with pytest.raises(BadInput, match="patience is 0; expected at least 1"):
        CollapseMonitor({"entropy": 1.0}, patience=0)


def test_one_reply_to_every_customer_is_little_diversity() -> None:
    same = ReplyDiversity()
    assert same.observe(["a", "a", "b", "b"], ["Buy now!"] * 4) == 0.5
    assert same.observe(["c", "c"], ["buy  NOW!", "Buy now!"]) == pytest.approx(1 / 3)
    differing = ReplyDiversity()
    assert differing.observe(["a", "a", "b", "b"], ["One.", "One.", "Two.", "Three."]) == 1.0


def test_thoughts_do_not_make_replies_differ_and_old_prompts_are_forgotten() -> None:
    diversity = ReplyDiversity(window=2)
    thoughts = ["<think>He asks.</think>Yes.", "<think>She asks.</think>Yes."]
    assert diversity.observe(["a", "b"], thoughts) == 0.5
    assert diversity.observe(["c", "d"], ["Maybe.", "No."]) == 1.0


def test_the_figure_is_logged_under_the_name_that_its_limit_reads() -> None:
    assert LIMITS["diversity"].metric == DIVERSITY
