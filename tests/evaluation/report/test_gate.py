"""The gate passes only a candidate that is surely better and surely no worse, on runs that can be compared."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evaluation.report import gate
from evaluation.report.gate import Condition, decide, read_rules
from evaluation.runs.commands import GATE
from evaluation.runs.results import CallResult
from evaluation.scenarios.loading import split_ids
from evaluation.scenarios.scenario_set import ScenarioSet
from graph.errors import BadInput
from tests.evaluation import made_calls as made

HASH = hashlib.sha256(GATE.read_bytes()).hexdigest()
TEST = [name for name in split_ids("test") if name.startswith("lantern_local.en")][:8]
TRAIN = [name for name in split_ids("train") if name.startswith("lantern_local.en")][:8]
Change = Callable[[list[CallResult]], Any]


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plain scenarios under held-out ids be those that ship."""
    plain = ScenarioSet(tuple(made.scenario(name) for name in TEST))
    monkeypatch.setattr(gate, "load_split", lambda split: plain)


def call(variant: str, scenario: str, trial: int, won: bool) -> CallResult:
    outcome = "won" if won else "declined"
    last = made.turn("Yes." if won else "No.", "Thank you.", outcome=outcome, ended=True)
    turns = [made.turn("Price?", "It costs 199 yuan a month."), last]
    return made.result(turns, variant=variant, scenario=scenario, trial=trial)


def calls(variant: str, wins: int, scenarios: Sequence[str] = tuple(TEST)) -> list[CallResult]:
    """Two trials of each scenario; the first `wins` scenarios are won."""
    return [call(variant, name, trial, place < wins) for place, name in enumerate(scenarios) for trial in range(2)]


def write(folder: Path, results: list[CallResult], scenarios: Sequence[str] = tuple(TEST), **asked: Any) -> str:
    made.run_folder(folder, results, [made.scenario(name) for name in scenarios], **{"gate": HASH} | asked)
    return str(folder)


def failed(conditions: list[Condition]) -> list[str]:
    return [condition.name for condition in conditions if not condition.passed]


def decided(tmp_path: Path, change: Change = lambda results: None, wins: int = 7, **asked: Any) -> list[Condition]:
    """Return the decision on a candidate that wins seven of eight scenarios where the base wins one, changed somehow."""
    candidate = calls("new", wins)
    change(candidate)
    base = write(tmp_path / "base", calls("old", 1))
    return decide(base, write(tmp_path / "candidate", candidate, **asked))


def test_a_candidate_that_is_better_and_breaks_nothing_passes(tmp_path: Path) -> None:
    found = decided(tmp_path)
    assert failed(found) == []
    primary = next(condition for condition in found if condition.name == "success")
    assert primary.figures["difference"] == 6 / 8
    assert primary.figures["low"] > 0
    names = [condition.name for condition in found]
    assert names[:4] == ["gate's rules", "held-out split", "complete", "same calls"]
    assert {"faithful.unsupported_price", "respect.pressure", "graph.illegal_moves", "rule.biography"} <= set(names)


def say_everywhere(reply: str) -> Change:
    def change(results: list[CallResult]) -> None:
        for result in results:
            result["sessions"][0]["turns"][-1]["reply"] = reply

    return change


def one_lie(results: list[CallResult]) -> None:
    results[-1]["sessions"][0]["turns"][1]["reply"] = "Only 99 yuan a month."


def broken(results: list[CallResult]) -> None:
    results[3] |= {"error": {"boundary": "server", "message": "gone"}, "sessions": []}


def other_seed(results: list[CallResult]) -> None:
    results[0]["seed"] = 77


def ignored_opt_outs(results: list[CallResult]) -> None:
    for result in results:
        result["sessions"][0]["turns"][1] |= {"customer": "Never call me again.", "intent": "opt_out"}


@pytest.mark.parametrize(
    ("change", "refused", "why"),
    [
        (one_lie, ["faithful.unsupported_price"], "one price that no fact names is one too many"),
        (say_everywhere("I promise."), ["faithful.unsupported_promise"], "promises must be 0"),
        (say_everywhere("Done. I also donated last week."), ["rule.biography"], "a new breach in every call"),
        (ignored_opt_outs, ["respect.opt_out"], "the base had no opt-out to break, and still it is worse"),
        (broken, ["complete"], "a failed call is no comparison"),
        (lambda results: results.pop(), ["complete", "same calls"], "a call is not held yet"),
        (other_seed, ["same calls"], "another customer"),
    ],
)
def test_what_refuses_a_better_candidate(tmp_path: Path, change: Change, refused: list[str], why: str) -> None:
    assert set(refused) <= set(failed(decided(tmp_path, change))), why


@pytest.mark.parametrize(("wins", "passes"), [(1, False), (0, False), (6, False), (7, True)])
def test_the_primary_metric_must_be_better_beyond_doubt(tmp_path: Path, wins: int, passes: bool) -> None:
    assert ("success" not in failed(decided(tmp_path, wins=wins))) is passes


@pytest.mark.parametrize(
    ("asked", "refused"),
    [({"gate": "another"}, "gate's rules"), ({"gate": ""}, "gate's rules"), ({"split": "dev"}, "held-out split")],
)
def test_runs_begun_under_other_rules_or_on_other_splits_are_refused(
    tmp_path: Path, asked: dict[str, Any], refused: str
) -> None:
    found = decided(tmp_path, **asked)
    assert failed(found) == [refused]
    assert len(found) == 4, "no figure is looked at"


def test_scenarios_that_are_not_held_out_are_refused_even_where_the_run_says_test(tmp_path: Path) -> None:
    base = write(tmp_path / "base", calls("old", 1, TRAIN), TRAIN)
    found = decide(base, write(tmp_path / "new", calls("new", 7, TRAIN), TRAIN))
    assert failed(found) == ["held-out split"]
    assert TRAIN[0] in found[1].finding


def test_scenarios_that_were_edited_in_between_are_refused(tmp_path: Path) -> None:
    base = write(tmp_path / "base", calls("old", 1))
    other = [made.scenario(name, persona="An easy customer.") for name in TEST]
    folder = made.run_folder(tmp_path / "new", calls("new", 7), other, gate=HASH)
    found = decide(base, str(folder))
    assert failed(found) == ["held-out split"]
    assert f"scenario {TEST[0]} is not as it ships" in found[1].finding


@pytest.mark.parametrize(
    ("asked", "told"),
    [({"deadline": 5.0}, "deadline 60.0 and 5.0"), ({"customer_model": "bigger"}, "customer model small and bigger")],
)
def test_other_customers_and_other_deadlines_are_no_comparison(
    tmp_path: Path, asked: dict[str, Any], told: str
) -> None:
    sides = [calls(name, wins) for name, wins in (("old", 1), ("new", 7))]
    for result in (result for side in sides for result in side):
        result["customer"] = "persona"
    usual = {"deadline": 60.0, "customer_model": "small", "customers": ["persona"]}
    base, candidate = write(tmp_path / "base", sides[0], **usual), write(tmp_path / "new", sides[1], **usual | asked)
    found = decide(base, candidate)
    assert failed(found) == ["same calls"]
    assert told in found[3].finding


def test_facts_that_were_edited_in_between_are_refused(tmp_path: Path) -> None:
    base, candidate = write(tmp_path / "base", calls("old", 1)), write(tmp_path / "new", calls("new", 7))
    path = Path(candidate) / "campaigns" / made.CAMPAIGN / "campaign.yaml"
    path.write_text(path.read_text("utf-8").replace("12 cities", "90 cities"), encoding="utf-8")
    found = decide(base, candidate)
    assert failed(found) == ["same calls"]
    assert made.CAMPAIGN in found[3].finding


def test_two_variants_of_one_run_are_held_against_each_other_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", [*calls("old", 1), *calls("new", 7)])
    assert failed(decide(f"{folder}:old", f"{folder}:new")) == []
    with pytest.raises(BadInput, match=r"holds 2 variants \(old, new\); name one as"):
        decide(folder, f"{folder}:new")
    with pytest.raises(BadInput, match="no variant 'newest'; there are old, new"):
        decide(f"{folder}:old", f"{folder}:newest")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("must_be_zero: [x]\n", "primary: missing"),
        ("primary: success\nzero: []\n", "unknown field"),
        ("primary: [1]\n", "primary"),
    ],
)
def test_rules_that_cannot_be_read_are_named_with_their_place(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=expected):
        read_rules(path)


def test_an_unknown_metric_in_the_rules_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text("primary: charm\n", encoding="utf-8")
    rules = hashlib.sha256(path.read_bytes()).hexdigest()
    base, new = (write(tmp_path / name, calls(name, 3), gate=rules) for name in ("old", "new"))
    with pytest.raises(BadInput, match="unknown metric charm"):
        decide(base, new, path)


def test_a_primary_metric_that_nobody_measured_is_no_win(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text("primary: process.progress\n", encoding="utf-8")
    rules = hashlib.sha256(path.read_bytes()).hexdigest()
    base, new = (write(tmp_path / name, calls(name, 3), gate=rules) for name in ("old", "new"))
    found = decide(base, new, path)
    assert failed(found) == ["process.progress"]
    assert "16 of 16 pairs have no value" in found[4].finding


def test_the_command_exits_by_the_decision_and_prints_every_condition(tmp_path: Path) -> None:
    import typer

    from evaluation.report import commands

    app = typer.Typer()
    app.command()(commands.gate)
    base, better = write(tmp_path / "base", calls("old", 1)), write(tmp_path / "better", calls("new", 7))
    same = write(tmp_path / "same", calls("new", 1))
    passed = CliRunner().invoke(app, ["--base", base, "--candidate", better])
    assert passed.exit_code == 0
    assert passed.output.rstrip().endswith("passed")
    refused = CliRunner().invoke(app, ["--base", base, "--candidate", same])
    assert refused.exit_code == 1
    assert "NO  success: 0.00 (0.00–0.00) over 16 pairs" in refused.output
