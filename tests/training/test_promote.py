"""Only what passes the gate is served, whoever kills it when; every change is told, and can be taken back."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from evaluation.report import gate
from evaluation.runs.commands import GATE
from evaluation.runs.results import CallResult
from evaluation.runs.runner import Order
from evaluation.scenarios.loading import split_ids
from evaluation.scenarios.scenario_set import ScenarioSet
from graph.doctor import examine
from graph.errors import BadInput
from graph.served import PROMOTIONS, Served, promoted, served, sha256_of, shipping
from graph.settings import Settings, get_settings
from tests.evaluation import made_calls as made
from training import gating
from training import promote as promoting
from training.gating import hold_both
from training.promote import known_campaigns, promote, roll_back
from training.promote_commands import promote as command

HASH = hashlib.sha256(GATE.read_bytes()).hexdigest()
TEST = [name for name in split_ids("test") if name.startswith("lantern_local.en")][:8]
MODEL = "fake/echo"


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plain scenarios under held-out ids be those that ship."""
    plain = ScenarioSet(tuple(made.scenario(name) for name in TEST))
    monkeypatch.setattr(gate, "load_split", lambda split: plain)
    monkeypatch.setattr(promoting, "known_campaigns", lambda _: ["lantern_local", "save_the_children"])


@pytest.fixture
def settings() -> Settings:
    return get_settings()


@pytest.fixture
def open_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything pass, where the gate is not what is tested: it takes a second."""
    monkeypatch.setattr(gating, "decide", lambda *_: [])


def call(variant: str, scenario: str, trial: int, won: bool) -> CallResult:
    outcome = "won" if won else "declined"
    turns = [
        made.turn("Price?", "It costs 199 yuan a month."),
        made.turn("Yes." if won else "No.", "Thank you.", outcome=outcome, ended=True),
    ]
    return made.result(turns, variant=variant, scenario=scenario, trial=trial)


def held(folder: Path, wins: int, adapter: str = "", model: str = MODEL, think: bool = False) -> str:
    """Write a run of sixteen calls whose first `wins` scenarios are won."""
    label = f"{model} + {Path(adapter).name}" if adapter else model
    results = [call("agent", name, trial, place < wins) for place, name in enumerate(TEST) for trial in range(2)]
    asked = {
        "variants": [{"name": "agent", "adapter": adapter, "think": think}],
        "models": {"agent": label},
        "adapters": {"agent": sha256_of(Path(adapter))} if adapter else {},
        "think": False,
        "gate": HASH,
    }
    made.run_folder(folder, results, [made.scenario(name) for name in TEST], **asked)
    return str(folder)


def trained(folder: Path, content: str = "better") -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter.gguf").write_text(content)
    return folder


def promote_better(tmp_path: Path, settings: Settings, name: str = "first") -> str:
    """Promote a candidate that wins seven of eight scenarios where what is served wins one; return the adapter's hash."""
    run = trained(tmp_path / name / "run", name)
    base = held(tmp_path / name / "base", 1, served(settings.home, settings.llm).adapter)
    candidate = held(tmp_path / name / "candidate", 7, str(run / "adapter.gguf"))
    found = promote(run, base, candidate, settings, by="ann", why=f"wins more: {name}")
    assert [condition.name for condition in found if not condition.passed] == []
    return sha256_of(run / "adapter.gguf")


def test_what_passes_is_served_and_recorded(tmp_path: Path, settings: Settings) -> None:
    sha256 = promote_better(tmp_path, settings)
    adapter = Path(served(settings.home, MODEL).adapter)
    assert adapter.read_text() == "first"
    (line,) = (settings.home / PROMOTIONS).read_text().splitlines()
    record = json.loads(line)
    assert (record["action"], record["by"], record["why"]) == ("promote", "ann", "wins more: first")
    assert record["sha256"] == sha256
    names = [condition["name"] for condition in record["conditions"]]
    assert names[:4] == ["base is served", "candidate is this adapter", "campaigns", "gate's rules"]
    told = "calls of lantern_local; not looked at, though served there too: save_the_children"
    assert record["conditions"][2]["finding"] == told
    assert "success" in names
    assert record["at"].startswith("20")


@pytest.mark.usefixtures("loaded_home")
def test_what_an_adapter_would_be_served_in_is_every_campaign_of_the_library(settings: Settings) -> None:
    assert known_campaigns(settings) == ["lantern_local", "save_the_children"]


@pytest.mark.usefixtures("open_gate")
def test_an_adapter_is_served_with_its_own_model_alone(tmp_path: Path, settings: Settings) -> None:
    promote_better(tmp_path, settings)
    assert served(settings.home, "another").adapter == ""


@pytest.mark.usefixtures("open_gate")
def test_the_served_adapter_outlives_its_runs_folder(tmp_path: Path, settings: Settings) -> None:
    promote_better(tmp_path, settings)
    (tmp_path / "first" / "run" / "adapter.gguf").write_text("trained anew")
    assert Path(served(settings.home, MODEL).adapter).read_text() == "first"


def test_what_the_gate_refuses_changes_nothing(tmp_path: Path, settings: Settings) -> None:
    run = trained(tmp_path / "run")
    base, candidate = held(tmp_path / "base", 3), held(tmp_path / "candidate", 3, str(run / "adapter.gguf"))
    found = promote(run, base, candidate, settings, by="ann", why="")
    assert [condition.name for condition in found if not condition.passed] == ["success"]
    assert list(settings.home.glob("*")) == []


@pytest.mark.parametrize(
    ("base", "candidate", "refused"),
    [
        ({"adapter": "other.gguf"}, {}, "base is served"),
        ({"model": "another"}, {}, "base is served"),
        ({"think": True}, {}, "base is served"),
        ({}, {"adapter": ""}, "candidate is this adapter"),
        ({}, {"adapter": "other.gguf"}, "candidate is this adapter"),
        ({}, {"model": "another"}, "candidate is this adapter"),
    ],
)
def test_calls_of_other_models_decide_nothing(
    tmp_path: Path, settings: Settings, base: dict[str, Any], candidate: dict[str, Any], refused: str
) -> None:
    run = trained(tmp_path / "run")
    (tmp_path / "other.gguf").write_text("other")
    for side in (base, candidate):
        if side.get("adapter"):
            side["adapter"] = str(tmp_path / side["adapter"])
    runs = (
        held(tmp_path / "base", 1, **base),
        held(tmp_path / "new", 7, **{"adapter": str(run / "adapter.gguf")} | candidate),
    )
    found = promote(run, *runs, settings, by="ann", why="")
    assert [condition.name for condition in found if not condition.passed] == [refused]
    assert served(settings.home, MODEL).adapter == ""


@pytest.mark.usefixtures("open_gate")
def test_calls_of_an_adapter_that_was_trained_anew_since_decide_nothing(tmp_path: Path, settings: Settings) -> None:
    run = trained(tmp_path / "run")
    base, candidate = held(tmp_path / "base", 1), held(tmp_path / "candidate", 7, str(run / "adapter.gguf"))
    (run / "adapter.gguf").write_text("trained anew")
    found = promote(run, base, candidate, settings, by="ann", why="")
    assert [condition.name for condition in found if not condition.passed] == ["candidate is this adapter"]


@pytest.mark.usefixtures("open_gate")
def test_the_base_of_the_next_promotion_is_what_was_promoted(tmp_path: Path, settings: Settings) -> None:
    promote_better(tmp_path, settings)
    run = trained(tmp_path / "second")
    plain, candidate = held(tmp_path / "plain", 1), held(tmp_path / "candidate", 7, str(run / "adapter.gguf"))
    found = promote(run, plain, candidate, settings, by="ann", why="")
    assert [condition.name for condition in found if not condition.passed] == ["base is served"]


@pytest.mark.usefixtures("open_gate")
def test_rolling_back_goes_one_step_each_and_is_recorded(tmp_path: Path, settings: Settings) -> None:
    promote_better(tmp_path, settings, "first")
    promote_better(tmp_path, settings, "second")
    assert Path(roll_back(settings, by="bob", why="complaints").adapter).read_text() == "first"
    assert roll_back(settings, by="bob", why="more complaints") == Served()
    actions = [json.loads(line)["action"] for line in (settings.home / PROMOTIONS).read_text().splitlines()]
    assert actions == ["promote", "promote", "rollback", "rollback"]
    with pytest.raises(BadInput, match="Nothing is promoted"):
        roll_back(settings, by="bob", why="")


@pytest.mark.usefixtures("open_gate")
def test_after_a_step_back_another_promotion_stands_on_it(tmp_path: Path, settings: Settings) -> None:
    for name in ("first", "second"):
        promote_better(tmp_path, settings, name)
    roll_back(settings, by="bob", why="")
    promote_better(tmp_path, settings, "third")
    assert [record["why"] for record in promoted(settings.home, MODEL)] == ["wins more: first", "wins more: third"]


@pytest.mark.usefixtures("open_gate")
def test_killed_before_the_record_the_old_one_is_served(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote_better(tmp_path, settings, "first")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(promoting, "append_line", killed)
        with pytest.raises(KeyboardInterrupt):
            promote_better(tmp_path, settings, "second")
    assert Path(served(settings.home, MODEL).adapter).read_text() == "first"


@pytest.mark.usefixtures("open_gate")
def test_killed_within_the_record_the_old_one_is_served_and_the_next_line_is_whole(
    tmp_path: Path, settings: Settings
) -> None:
    promote_better(tmp_path, settings, "first")
    with (settings.home / PROMOTIONS).open("a") as file:
        file.write('{"action": "promote", "model": "fake/echo", "adapter": "served/hal')
    assert Path(served(settings.home, MODEL).adapter).read_text() == "first"
    promote_better(tmp_path, settings, "second")
    assert Path(served(settings.home, MODEL).adapter).read_text() == "second"


def test_a_damaged_record_is_told_with_its_line(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / PROMOTIONS).write_text('{"model": "fake/echo", "action": "promote", "adapter": "x"}\nnonsense\n')
    with pytest.raises(BadInput, match="line 2: no record of a promotion"):
        served(settings.home, MODEL)


@pytest.mark.usefixtures("open_gate")
def test_an_adapter_that_passed_thinking_is_served_thinking(tmp_path: Path, settings: Settings) -> None:
    run = trained(tmp_path / "run")
    base, candidate = held(tmp_path / "b", 1), held(tmp_path / "c", 7, str(run / "adapter.gguf"), think=True)
    found = promote(run, base, candidate, settings, by="ann", why="")
    assert all(condition.passed for condition in found)
    assert served(settings.home, MODEL).think is True


def ships(
    folder: Path,
    model: str = MODEL,
    passed: bool = True,
    think: bool = False,
    name: str = "persuader",
    at: str = "2026",
) -> Path:
    trained(folder / name)
    about = {"base": {"name": model}, "gate": {"passed": passed, "think": think, "at": at}}
    (folder / name / "run.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize(("model", "passed"), [(MODEL, False), ("other", True)])
def test_a_shipped_adapter_that_did_not_pass_or_fits_another_model_is_not_served(
    tmp_path: Path, model: str, passed: bool
) -> None:
    assert served(tmp_path / "home", MODEL, ships(tmp_path / "adapters", model, passed)) == Served()


@pytest.mark.parametrize("think", [True, False])
def test_a_shipped_adapter_that_passed_is_served_as_it_passed(tmp_path: Path, think: bool) -> None:
    folder = ships(tmp_path / "adapters", think=think)
    assert served(tmp_path / "home", MODEL, folder) == Served(str(folder / "persuader" / "adapter.gguf"), think)


def test_of_two_that_ship_the_one_that_passed_last_is_served(tmp_path: Path) -> None:
    folder = tmp_path / "adapters"
    for name, at in (("a", "2026-02"), ("b", "2026-03"), ("c", "2026-01")):
        ships(folder, name=name, at=at)
    assert shipping(MODEL, folder) == Served(str(folder / "b" / "adapter.gguf"))
    assert shipping(MODEL, folder, without="b") == Served(str(folder / "a" / "adapter.gguf"))


@pytest.mark.usefixtures("open_gate")
def test_what_was_promoted_here_comes_before_what_ships(tmp_path: Path, settings: Settings) -> None:
    folder = ships(tmp_path / "adapters")
    promote_better(tmp_path, settings)
    assert Path(served(settings.home, MODEL, folder).adapter).read_text() == "first"
    roll_back(settings, by="bob", why="")
    assert served(settings.home, MODEL, folder).adapter == str(folder / "persuader" / "adapter.gguf")


def test_an_adapter_that_is_not_exported_is_refused(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(BadInput, match="train export"):
        promote(tmp_path, "base", "candidate", settings, by="ann", why="")


@pytest.mark.parametrize("think", [True, False])
def test_both_kinds_of_calls_are_held_with_the_agent_as_served_and_with_the_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, think: bool
) -> None:
    from evaluation.runs import runner

    orders: list[Order] = []

    class Held:
        results: tuple[CallResult, ...] = ()
        planned = 0
        about: dict[str, list[str]] = {"left_out": [], "broken": []}  # noqa: RUF012

    def hold(order: Order, *_: Any) -> Held:
        orders.append(order)
        return Held()

    monkeypatch.setattr(runner, "run", hold)
    run = trained(tmp_path / "run")
    (run / "run.json").write_text(json.dumps({"recipe": {"think": think}}))
    base, candidate = hold_both(run, tmp_path / "calls", get_settings(), campaign="lantern_local", trials=2)
    assert (base, candidate) == (f"{tmp_path / 'calls'}:served", f"{tmp_path / 'calls'}:candidate")
    (order,) = orders
    assert [variant.adapter for variant in order.variants] == ["", str(run / "adapter.gguf")]
    assert [variant.think for variant in order.variants] == [False, think]
    assert (order.split, order.trials, order.gate) == ("test", 2, HASH)
    assert {one.campaign for one in order.scenarios.scenarios} == {"lantern_local"}
    hold_both(run, tmp_path / "calls", get_settings())
    assert {one.campaign for one in orders[1].scenarios.scenarios} == {"lantern_local", "save_the_children"}
    hold_both(run, tmp_path / "calls", get_settings(), limit=3)
    assert [order.limit for order in orders] == [None, None, 3]


@pytest.mark.parametrize(
    ("missing", "url", "told"),
    [
        ("adapter.gguf", "", "train export"),
        ("run.json", "", "no training run"),
        ("", "http://x/v1", "unset SALESMAN_LLM_BASE_URL"),
    ],
)
def test_no_call_is_held_for_what_cannot_be_promoted(tmp_path: Path, missing: str, url: str, told: str) -> None:
    run = trained(tmp_path / "run")
    (run / "run.json").write_text('{"recipe": {}}')
    if missing:
        (run / missing).unlink()
    settings = get_settings().model_copy(update={"llm_base_url": url})
    with pytest.raises(BadInput, match=told):
        hold_both(run, tmp_path / "calls", settings)
    assert not (tmp_path / "calls").exists()


app = typer.Typer()
app.command("promote")(command)
app.command("other")(lambda: None)


def test_the_command_refuses_with_exit_code_1_and_promotes_with_0(tmp_path: Path, settings: Settings) -> None:
    run = trained(tmp_path / "run")
    base = held(tmp_path / "base", 1)
    poor, good = (held(tmp_path / f"c{wins}", wins, str(run / "adapter.gguf")) for wins in (1, 7))
    refused = CliRunner().invoke(app, ["promote", str(run), "--base", base, "--candidate", poor, "--why", "first try"])
    assert refused.exit_code == 1
    assert "NO  success" in refused.output
    assert served(settings.home, MODEL).adapter == ""
    done = CliRunner().invoke(
        app, ["promote", str(run), "--base", base, "--candidate", good, "--by", "ann", "--why", "wins more"]
    )
    assert done.exit_code == 0
    assert served(settings.home, MODEL).adapter
    back = CliRunner().invoke(app, ["promote", "--rollback", "--why", "complaints"])
    assert back.exit_code == 0
    assert "fake/echo alone" in back.output


@pytest.mark.parametrize(
    "arguments", [[], ["run", "--base", "x"], ["run", "--base", "x", "--candidate", "y", "--runs", "z"]]
)
def test_an_incomplete_command_is_told_what_is_missing(arguments: list[str]) -> None:
    told = CliRunner().invoke(app, ["promote", *arguments, "--why", "first try"])
    assert isinstance(told.exception, BadInput)
    assert "--runs" in str(told.exception)


def test_without_a_reason_nothing_is_promoted_nor_taken_back(tmp_path: Path, settings: Settings) -> None:
    run = trained(tmp_path / "run")
    for arguments in ([str(run)], [str(run), "--why", " "], ["--rollback"]):
        told = CliRunner().invoke(app, ["promote", *arguments])
        assert isinstance(told.exception, BadInput) and "--why is empty" in str(told.exception)
    assert not (settings.home / PROMOTIONS).exists()


def test_calls_are_held_in_the_home_where_nobody_says_where(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def hold(run: Path, folder: Path, *_: object, **__: object) -> tuple[str, str]:
        asked.append(folder)
        raise BadInput("enough")

    monkeypatch.setattr(gating, "hold_both", hold)
    CliRunner().invoke(app, ["promote", str(trained(tmp_path / "run")), "--why", "first try"])
    assert asked == [settings.home / "runs" / "promote-run"]


def test_doctor_says_which_adapter_is_served(settings: Settings) -> None:
    served_with = settings.model_copy(update={"llm": "smollm2-135m-instruct", "llm_adapter": "own.gguf", "think": True})
    found = {check.name: check.finding for check in examine(served_with)}
    assert found["model"].startswith("smollm2-135m-instruct with the adapter own.gguf, thinking: ")
