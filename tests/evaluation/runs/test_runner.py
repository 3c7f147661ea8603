"""Whole runs: kept call by call, resumed with nothing done twice, and refused where they cannot be compared."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.runs.runner import Order, Progress, run
from evaluation.runs.store import read_lines, read_run
from evaluation.runs.variants import Variant
from evaluation.scenarios.loading import bundled_campaigns, load_split
from evaluation.scenarios.scenario_set import Finding, ScenarioSet
from graph.errors import BadInput, ModelUnavailable
from graph.settings import Settings
from tests.serving.fault_server import FaultServer

VARIANTS = (Variant(name="on"), Variant(name="off", scripts="off"))


def scenarios(count: int = 2) -> ScenarioSet:
    found = [one for one in load_split("test").scenarios if one.campaign == "save_the_children"]
    return ScenarioSet(tuple(one.model_copy(update={"max_turns": 4}) for one in found[:count]))


def edited() -> ScenarioSet:
    first, *others = scenarios().scenarios
    return ScenarioSet((first.model_copy(update={"patience": 1}), *others))


def order(**changes: object) -> Order:
    return replace(Order(VARIANTS, scenarios(), ["rule"], split="test"), **changes)  # type: ignore[arg-type]


def settings_with(home: Path, **more: object) -> Settings:
    return Settings(home=home, llm="fake/scripted", _env_file=None, **more)  # type: ignore[call-arg,arg-type]


@pytest.fixture(scope="module")
def finished(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four calls; tests work on copies."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    run(order(at_once=2), folder, settings_with(template_home))
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Iterator[Path]:
    copied = tmp_path / "run"
    shutil.copytree(finished, copied)
    yield copied


def units(folder: Path) -> list[str]:
    return [row["unit"] for row in read_lines(folder / "calls.jsonl")]


def test_every_unit_is_held_once_and_the_folder_tells_all_that_it_stands_on(finished: Path) -> None:
    done = read_run(finished)
    assert Counter(result["variant"] for result in done.results) == {"on": 2, "off": 2} and done.planned == 4
    assert all(result["error"] is None for result in done.results)
    assert set(done.scenarios) == {one.id for one in scenarios().scenarios}
    campaign = done.campaigns["save_the_children"]
    assert campaign.scripts and all(script.status == "published" for script in campaign.scripts)
    assert done.about["finished_at"] and done.about["asked"]["models"] == {
        "on": "fake/scripted",
        "off": "fake/scripted",
    }
    answering = {
        result["variant"]: result["sessions"][0]["turns"][1]["why"].get("answering") for result in done.results
    }
    assert answering == {"on": None, "off": "goals"}


def test_a_run_knows_its_adapters_by_their_hash_and_is_another_run_with_another(
    template_home: Path, tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter.gguf"
    adapter.write_text("one")
    of_customer = tmp_path / "customer.gguf"
    of_customer.write_text("theirs")
    kind = f"trained:fake/echo+{of_customer}"
    variants = Variant(name="plain"), Variant(name="mute", think=False), Variant(name="tuned", adapter=str(adapter))
    asked = order(variants=variants, customers=["rule", kind], limit=1)
    done = run(asked, tmp_path / "run", settings_with(template_home, think=True))
    assert [one["think"] for one in done.about["asked"]["variants"]] == [True, False, False], "as they really held"
    hashes = {"tuned": hashlib.sha256(b"one").hexdigest(), kind: hashlib.sha256(b"theirs").hexdigest()}
    assert done.about["asked"]["adapters"] == hashes
    adapter.write_text("two")
    with pytest.raises(BadInput, match="adapters"):
        run(asked, tmp_path / "run", settings_with(template_home, think=True))


def test_the_variants_met_the_same_customers(finished: Path) -> None:
    firsts: dict[str, set[str]] = {}
    for result in read_run(finished).results:
        firsts.setdefault(result["scenario"], set()).add(result["sessions"][0]["turns"][1]["customer"])
    assert all(len(said) == 1 for said in firsts.values())


def test_a_finished_run_is_not_run_again(folder: Path, template_home: Path) -> None:
    told: list[Progress] = []
    run(order(), folder, settings_with(template_home), told.append)
    assert not told and len(units(folder)) == 4


def test_a_stopped_run_goes_on_with_nothing_done_twice(folder: Path, template_home: Path) -> None:
    lines = (folder / "calls.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "calls.jsonl").write_text("".join(lines[:2]) + lines[2][:40], "utf-8")
    told: list[Progress] = []
    done = run(order(), folder, settings_with(template_home), told.append)
    assert len(units(folder)) == len(set(units(folder))) == 4
    assert told[-1].before == 2 and told[-1].done == 2
    before = {json.loads(line)["unit"]: json.loads(line) for line in lines}
    for result in done.results:
        known = [turn["customer"] for turn in before[result["unit"]]["sessions"][0]["turns"]]
        assert [turn["customer"] for turn in result["sessions"][0]["turns"]] == known, "held before, or gone on with"


def test_a_failed_call_is_held_anew(folder: Path, template_home: Path) -> None:
    rows = list(read_lines(folder / "calls.jsonl"))
    rows[0] |= {"error": {"boundary": "server", "message": "gone"}, "stopped": "error"}
    (folder / "calls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    done = run(order(), folder, settings_with(template_home))
    assert Counter(units(folder))[rows[0]["unit"]] == 2
    assert len(done.results) == 4 and not any(result["error"] for result in done.results)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"variants": (Variant(name="on"),)}, "variants"),
        ({"seed": 1}, "seed"),
        ({"trials": 2}, "trials"),
        ({"gate": "another"}, "gate"),
        ({"scenarios": edited()}, "scenarios_hash"),
    ],
)
def test_a_folder_of_another_run_is_refused(
    folder: Path, template_home: Path, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(BadInput, match=told):
        run(order(**changes), folder, settings_with(template_home))
    assert len(units(folder)) == 4


def test_scenarios_that_a_customer_cannot_play_are_left_out_and_named(tmp_path: Path, template_home: Path) -> None:
    chinese = [one for one in load_split("test").scenarios if one.language == "zh"][:1]
    with pytest.raises(BadInput, match="retrieved") as refused:
        run(
            order(scenarios=ScenarioSet(tuple(chinese)), customers=["retrieved"]),
            tmp_path / "r",
            settings_with(template_home),
        )
    assert "lantern_local (zh)" in str(refused.value)


def test_an_unknown_customer_is_refused_with_the_kinds_there_are(tmp_path: Path, template_home: Path) -> None:
    everywhere = order(scenarios=load_split("test"), customers=["robot"])
    with pytest.raises(BadInput, match="rule, retrieved, persona") as refused:
        run(everywhere, tmp_path / "r", settings_with(template_home))
    assert str(refused.value).count("unknown") == 1, "told once, not for each campaign"


def test_of_many_campaigns_that_a_customer_cannot_play_the_first_are_told_and_the_rest_counted(
    tmp_path: Path, template_home: Path
) -> None:
    [sample] = [one for one in load_split("test").scenarios if one.language == "zh"][:1]
    data = bundled_campaigns()[sample.campaign]
    made = {f"shop_{n}": data for n in range(9)}
    rows = tuple(sample.model_copy(update={"campaign": name, "id": f"row-{name}"}) for name in made)
    with pytest.raises(BadInput, match="and 6 more campaigns") as refused:
        run(
            order(scenarios=ScenarioSet(rows, made), customers=["retrieved"]),
            tmp_path / "r",
            settings_with(template_home),
        )
    assert str(refused.value).count("retrieved customer") == 3


def test_a_dead_server_ends_the_run_keeps_what_was_held_and_the_same_command_goes_on(
    folder: Path, template_home: Path
) -> None:
    asked = order(variants=(Variant(name="a"), Variant(name="b")), at_once=1)
    for name in ("calls.jsonl", "run.json"):
        (folder / name).unlink()
    with FaultServer("500", text="I see.") as server:
        settings = settings_with(template_home, llm_base_url=server.base_url, llm_model="m")
        with pytest.raises(ModelUnavailable, match="3 calls in a row"):
            run(asked, folder, settings)
        failed = read_run(folder).results
        assert [result["error"] and result["error"]["boundary"] for result in failed] == ["server"] * 3
        assert "finished_at" not in read_run(folder).about
        server.behave("ok")
        done = run(asked, folder, settings)
    assert len(done.results) == 4 and not any(result["error"] for result in done.results)


def test_a_server_that_dies_under_many_calls_loses_none_of_them(folder: Path, template_home: Path) -> None:
    for name in ("calls.jsonl", "run.json"):
        (folder / name).unlink()
    asked = order(variants=(Variant(name="c"), Variant(name="d")), at_once=4)
    with FaultServer("500", text="I see.") as server:
        settings = settings_with(template_home, llm_base_url=server.base_url, llm_model="m")
        with pytest.raises(ModelUnavailable):
            run(asked, folder, settings)
        assert len(units(folder)) == 4, "every call that was under way is booked"
        server.behave("ok")
        done = run(asked, folder, settings)
    assert not any(result["error"] for result in done.results)


def test_a_file_cannot_be_a_runs_folder(tmp_path: Path, template_home: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(BadInput, match="another --out"):
        run(order(), tmp_path / "file", settings_with(template_home))


def test_broken_scenarios_are_counted_in_the_run(folder: Path, template_home: Path) -> None:
    for name in ("calls.jsonl", "run.json"):
        (folder / name).unlink()
    broken = replace(scenarios(1), broken=(Finding("row-7", ["no product block"]),))
    done = run(order(scenarios=broken, variants=VARIANTS[:1]), folder, settings_with(template_home))
    assert done.about["broken"] == [{"id": "row-7", "reasons": ["no product block"]}]


@pytest.mark.slow
def test_a_run_killed_with_kill_9_goes_on_with_nothing_done_twice(tmp_path: Path, template_home: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", "import cli; cli.main()", "evaluate", "run", "-c", "save_the_children"]
    command += ["--customers", "rule,retrieved", "--limit", "4", "--out", str(folder)]
    env = {**os.environ, "SALESMAN_HOME": str(template_home), "SALESMAN_LLM": "fake/scripted"}
    for kills in range(3):
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as process:
            wanted, patience = 2 * (kills + 1), time.monotonic() + 120
            while process.poll() is None and len(units(folder)) < wanted and time.monotonic() < patience:
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
        assert len(units(folder)) >= wanted
    subprocess.run(command, env=env, check=True, timeout=300)
    assert len(units(folder)) == len(set(units(folder))) == 8
    assert read_run(folder).about["finished_at"]
