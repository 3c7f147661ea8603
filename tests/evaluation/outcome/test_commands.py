"""`salesman evaluate outcome`, from the files to the printed figures."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluation.commands import app
from evaluation.outcome import commands
from evaluation.outcome.dialogue import Dialogue
from evaluation.outcome.measure import TAUGHT, read_dialogues
from graph.errors import BadInput
from scripts_library.persuasion import split_of
from tests.evaluation import made_calls as made

DAYS = ("20180903",)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with some hundred calls, of all splits, without intentions."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("full_dialog.csv", "full_info.csv"):
        with (TAUGHT / name).open(encoding="utf-8", newline="") as source, (folder / name).open("w", newline="") as out:
            head, *rows = csv.reader(source)
            place = head.index("B2")
            csv.writer(out).writerows([head, *(row for row in rows if row[place].startswith(DAYS))])
    return folder


def test_json_holds_the_figures_of_both_classifiers_on_held_out_calls_alone(few: Path) -> None:
    done = CliRunner().invoke(app, ["outcome", "--data", str(few), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    ids = {call.id for call in read_dialogues(few, None)}
    assert found["held_out"] == sum(split_of(name) == "test" for name in ids)
    assert found["held_out"] + found["seen"] == len(ids)
    for name in ("classifier", "tfidf"):
        low, high = found[name]["auc_ci"]
        assert 0 <= low <= found[name]["auc"] <= high <= 1
        assert set(found[name]["calibration"]) == {"ece", "ece_ci", "brier", "brier_ci"}
        assert found[name]["n"] == found["held_out"]
    difference = found["classifier"]["auc"] - found["tfidf"]["auc"]
    assert found["paired"]["difference"] == pytest.approx(difference, abs=2e-4)


def test_people_get_lines(few: Path) -> None:
    done = CliRunner().invoke(app, ["outcome", "--data", str(few), "--limit", "12"])
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["classifier", "tfidf", "difference"]
    assert "only 12 calls are held out" in done.stderr


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    """The folder of a run with two calls that ended, and one that failed."""
    held = [
        made.result([made.turn("Yes.")], trial=0, notes=[{"turn": 1, "decided": "buys"}]),
        made.result([made.turn("No.")], trial=1, notes=[{"turn": 1, "decided": "declines"}]),
        made.result(error={"boundary": "server", "message": "gone"}, trial=2),
    ]
    return made.run_folder(tmp_path / "run", held, [made.scenario()])


def test_simulated_calls_are_read_from_a_runs_folder(simulated: Path) -> None:
    found = read_dialogues(None, simulated)
    assert [(call.possible, call.group) for call in found] == [(("A",), "lantern-1"), (("C",), "lantern-1")]


def test_real_or_simulated_calls_must_be_given_and_are_not_measured_together() -> None:
    with pytest.raises(BadInput, match="give --data"):
        read_dialogues(None, None)
    with pytest.raises(BadInput, match="either --data or --run"):
        commands.outcome(Path("x"), Path("y"))


def test_training_takes_real_and_simulated_calls_together(
    few: Path, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    taught: list[list[Dialogue]] = []
    monkeypatch.setattr("evaluation.outcome.train.train", lambda known, *rest, **options: taught.append(known))
    monkeypatch.setattr("evaluation.outcome.base.base_encoder", lambda base, cache: tmp_path)
    done = CliRunner().invoke(
        app, ["outcome-train", "--out", str(tmp_path / "new"), "--data", str(few), "--run", str(simulated)]
    )
    assert done.exit_code == 0, done.output
    real = [call for call in read_dialogues(few, None) if split_of(call.id) != "test"]
    assert split_of("lantern-1") != "test"
    assert [call.id for call in taught[0]] == [call.id for call in [*real, *read_dialogues(None, simulated)]]


def test_training_without_its_packages_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "TRAINING", ("json", "no_such_package"))
    with pytest.raises(BadInput, match=r"needs no_such_package: pip install"):
        commands.outcome_train(tmp_path)
    with pytest.raises(BadInput, match=r"needs no_such_package: pip install"):
        commands.outcome(TAUGHT, cv=True)
