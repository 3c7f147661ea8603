"""What ships tells what it is, and is served only if it passed the gate."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from evaluation.report import gate
from evaluation.scenarios.scenario_set import ScenarioSet
from graph.errors import BadInput
from graph.served import Served, sha256_of, shipping
from serving.catalogue import find_model
from tests.evaluation import made_calls as made
from tests.training.test_promote import TEST, held, trained
from training import gating, promote_commands
from training import ship as shipments
from training.model_card import measured_table
from training.ship import CARD, LARGEST, ship

MODEL = "qwen2.5-coder-0.5b-instruct"
LICENCE = "Apache-2.0 (Persuasion for Good)"
RECIPE = {"model": MODEL, "think": True, "rewards": {"heard": 1.5, "rules": 1.0}, "lora_r": 16}


@pytest.fixture(autouse=True)
def plain_scenarios(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let plain scenarios under held-out ids be those that ship."""
    plain = ScenarioSet(tuple(made.scenario(name) for name in TEST))
    monkeypatch.setattr(gate, "load_split", lambda split: plain)


def finished(folder: Path, **more: Any) -> Path:
    """Return the folder of a run that was finished and exported."""
    about = {
        "trainer": "grpo",
        "recipe": RECIPE,
        "data": [{"file": "rows/prompt.jsonl", "sha256": "ab" * 32, "rows": 1300}],
        "weights": {"adapter": {"folder": "runs/sft/adapter", "sha256": "ef" * 32}},
        "finished": "2026-01-02T00:00:00+00:00",
        "stopped": "",
        "seconds": 1800.0,
        "steps": 12,
        "versions": {"trl": "1.16.0"},
        "commit": "c0ffee",
        "base": {"name": MODEL, "sha256": "cd" * 32},
        "trainable": 2162688,
    }
    trained(folder)
    (folder / "run.json").write_text(json.dumps(about | more))
    lines = [
        {"step": step, "loss": 0.0, "reward": step / 10, "rewards/heard/mean": 0.5, "rewards/heard/std": 9.0}
        for step in range(12)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def calls(tmp_path: Path, run: Path, wins: int, think: bool = True) -> tuple[str, str]:
    base = held(tmp_path / f"base{wins}", 1, model=MODEL)
    return base, held(tmp_path / f"with{wins}", wins, str(run / "adapter.gguf"), model=MODEL, think=think)


def test_what_passes_ships_with_its_record_and_card_and_is_served(tmp_path: Path) -> None:
    run, shipped = finished(tmp_path / "run"), tmp_path / "adapters"
    base, candidate = calls(tmp_path, run, 7)
    folder, found = ship(run, "persuader", base, candidate, data_licence=LICENCE, shipped=shipped)
    assert [condition.name for condition in found if not condition.passed] == []
    assert sorted(path.name for path in folder.iterdir()) == ["MODEL_CARD.md", "adapter.gguf", "run.json"]
    assert [path.name for path in shipped.iterdir()] == ["persuader"]
    about = json.loads((folder / "run.json").read_text())
    assert about["recipe"] == RECIPE
    assert about["gate"]["sha256"] == sha256_of(folder / "adapter.gguf")
    assert (about["gate"]["passed"], about["gate"]["calls"], about["gate"]["campaigns"]) == (
        True,
        16,
        ["lantern_local"],
    )
    assert [one["name"] for one in about["gate"]["conditions"]] == [condition.name for condition in found]
    assert shipping(MODEL, shipped) == Served(str(folder / "adapter.gguf"), think=True)


def test_the_card_tells_base_data_recipe_hours_rewards_gate_and_limits(tmp_path: Path) -> None:
    run = finished(tmp_path / "run")
    base, candidate = calls(tmp_path, run, 7)
    folder, found = ship(run, "persuader", base, candidate, data_licence=LICENCE, shipped=tmp_path / "adapters")
    card = (folder / CARD).read_text()
    (head,) = yaml.safe_load_all(card.split("---\n")[1])
    assert head["base_model"] == MODEL
    assert head["license"] == find_model(MODEL).licence.lower()
    assert f"| `rows/prompt.jsonl` | 1,300 | `{'ab' * 32}` |" in card
    assert f"Licence of the data: {LICENCE}" in card
    assert yaml.safe_load(card.split("```yaml\n")[1].split("```")[0]) == RECIPE
    assert "12 steps in 0.50 hours" in card
    assert f"`adapter` is of another run: `runs/sft/adapter`, SHA-256 `{'ef' * 32}`" in card
    assert "| `reward` |  | 0.250 | 0.850 |" in card
    assert "| `rewards/heard/mean` | 1.5 | 0.500 | 0.500 |" in card
    assert "heard/std" not in card
    for condition in found:
        (row,) = [line for line in card.splitlines() if line.startswith(f"| {condition.name} | ok |")]
        assert row.endswith(f"| {condition.finding} |")
        if condition.name == "success":
            assert row.startswith("| success | ok | 0.12 (") and " | 0.88 (" in row
    assert "passed the gate on held-out calls, and is served by default" in card
    assert f"--trials 2 --limit {len(TEST)} --out" in card
    assert str(tmp_path) not in card, "paths of this machine"


def test_what_does_not_pass_ships_as_a_result_and_says_so(tmp_path: Path) -> None:
    run, shipped = finished(tmp_path / "run"), tmp_path / "adapters"
    folder, found = ship(run, "persuader", *calls(tmp_path, run, 1), data_licence=LICENCE, shipped=shipped)
    assert [condition.name for condition in found if not condition.passed] == ["success"]
    assert shipping(MODEL, shipped) == Served()
    assert "It did not pass the gate on held-out calls (success): it ships as a result" in (folder / CARD).read_text()


@pytest.fixture
def open_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything pass, where the gate is not what is tested."""
    monkeypatch.setattr(gating, "decide", lambda *_: [])


@pytest.mark.usefixtures("open_gate")
def test_the_next_one_is_held_against_what_ships_and_the_same_name_against_what_ships_without_it(
    tmp_path: Path,
) -> None:
    first, second, shipped = finished(tmp_path / "a"), finished(tmp_path / "b"), tmp_path / "adapters"
    (second / "adapter.gguf").write_text("another")
    ship(first, "first", *calls(tmp_path, first, 7), data_licence=LICENCE, shipped=shipped)
    against_none = calls(tmp_path, second, 6)
    _, found = ship(second, "second", *against_none, data_licence=LICENCE, shipped=shipped)
    assert [condition.name for condition in found if not condition.passed] == ["base is served"]
    folder, found = ship(second, "first", *against_none, data_licence=LICENCE, shipped=shipped)
    assert all(condition.passed for condition in found)
    assert (folder / "adapter.gguf").read_text() == "another"


@pytest.mark.usefixtures("open_gate")
def test_killed_while_it_is_written_what_shipped_before_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, shipped = finished(tmp_path / "run"), tmp_path / "adapters"
    held_with = calls(tmp_path, run, 7)
    folder, _ = ship(run, "persuader", *held_with, data_licence=LICENCE, shipped=shipped)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shipments.json, "dumps", killed)
    with pytest.raises(KeyboardInterrupt):
        ship(run, "persuader", *held_with, data_licence="another", shipped=shipped)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in shipped.iterdir()] == ["persuader"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "../up"}, "--name"),
        ({"unfinished": True}, "no finished training run"),
        ({"large": True}, "MB, at most 20 ship"),
        ({"measured": "nonsense"}, "is not what `salesman train measure --json` prints"),
        ({"name": "taken"}, "something else"),
    ],
)
def test_what_cannot_ship_is_one_line_and_nothing_is_written(tmp_path: Path, given: dict[str, Any], told: str) -> None:
    run, shipped = (
        finished(tmp_path / "run", **({"finished": ""} if given.get("unfinished") else {})),
        tmp_path / "adapters",
    )
    (shipped / "taken").mkdir(parents=True)
    if given.get("large"):
        with (run / "adapter.gguf").open("wb") as file:
            file.truncate(LARGEST + 1)
    measured = tmp_path / "measured.json"
    measured.write_text(given.get("measured", ""))
    with pytest.raises(BadInput, match=told):
        ship(
            run, given.get("name", "persuader"), "base", "candidate", data_licence=LICENCE,
            measured=measured if "measured" in given else None, shipped=shipped,
        )  # fmt: skip
    assert [path.name for path in shipped.rglob("*")] == ["taken"]


def test_what_was_measured_becomes_a_table_against_the_first_model(tmp_path: Path) -> None:
    span = {"low": 0.1, "high": 0.3}
    found = {
        "rows": 40,
        "dialogues": 20,
        "samples": 2,
        "variants": [{"label": "base"}, {"label": "tuned"}],
        "figures": [
            {"figure": "heard", "label": label, "mean": mean, **span}
            for label, mean in (("base", 0.2), ("tuned", 0.25))
        ],
        "differences": [
            {
                "figure": "heard",
                "label": "tuned",
                "difference": 0.05,
                "low": -0.1,
                "high": 0.2,
                "p": 0.02,
                "p_holm": 0.04,
            }
        ],
    }
    path = tmp_path / "measured.json"
    path.write_text(json.dumps(found))
    *_, head, _, row = measured_table(path).splitlines()
    assert head == "| figure | model | `base` | the model | difference | p | p, Holm |"
    assert row == "| heard | tuned | 0.20 (0.10–0.30) | 0.25 (0.10–0.30) | 0.05 (−0.10 to 0.20) | 0.020 | 0.040 |"


@pytest.mark.parametrize(("wins", "code", "told"), [(7, 0, "served by default"), (1, 1, "a result, not served")])
def test_the_command_tells_what_was_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wins: int, code: int, told: str
) -> None:
    run = finished(tmp_path / "run")
    monkeypatch.setattr(
        shipments.ship, "__kwdefaults__", {**shipments.ship.__kwdefaults__, "shipped": tmp_path / "adapters"}
    )
    base, candidate = calls(tmp_path, run, wins)
    app = typer.Typer()
    app.command("ship")(promote_commands.ship)
    words = [str(run), "--name", "p", "--base", base, "--candidate", candidate, "--data-licence", LICENCE]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == code, done.output
    assert told in " ".join(done.output.split())
    assert (tmp_path / "adapters" / "p" / CARD).is_file()


def test_every_adapter_of_the_repository_is_the_one_that_its_record_tells() -> None:
    for about in gate_records():
        record = json.loads(about.read_text(encoding="utf-8"))
        adapter = about.with_name("adapter.gguf")
        assert record["gate"]["sha256"] == sha256_of(adapter)
        assert adapter.stat().st_size <= LARGEST
        assert about.with_name(CARD).is_file()


def gate_records() -> list[Path]:
    return sorted(shipments.SHIPPED.glob("*/run.json"))
