"""`salesman evaluate report` leaves two files in the run's folder and says the main figures."""

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from evaluation.customers.likeness import keep_likeness
from evaluation.report.commands import report
from tests.evaluation.report.test_build import call, made_run


def test_the_report_is_written_beside_its_run(tmp_path: Path, own_home: Path) -> None:
    keep_likeness(own_home, {"rule": {"bleu": None}}, calls=3, model="")
    results = [call(variant, scenario, 0, won=variant == "b") for variant in ("a", "b") for scenario in range(4)]
    folder = made_run(tmp_path, results).folder
    app = typer.Typer()
    app.command()(report)
    told = CliRunner().invoke(app, [str(folder)])
    assert told.exit_code == 0, told.exception
    assert "8 calls, 8 finished" in told.output
    assert "scenarios: only 4;" in told.output
    assert "b − a: 1.00 (1.00–1.00)  p=0.125" in told.output
    assert "b − a: no pair differs" in told.output
    found = json.loads((folder / "report.json").read_text("utf-8"))
    assert found["calls"] == 8
    assert found["likeness"]["rule"]["calls"] == 3
    assert (folder / "report.html").read_text("utf-8").startswith("<!doctype html>")
    printed = CliRunner().invoke(app, [str(folder), "--json"])
    assert json.loads(printed.output) == found
