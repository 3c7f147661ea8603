"""Learning curves as pictures."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from graph.errors import BadInput
from training.commands import app
from training.curves import MOST, WINDOW, chart, draw, points
from training.run_file import LOG


def log(steps: int, **more: float) -> list[dict[str, Any]]:
    lines = [
        {"step": at, "loss": 1.0, "reward": at / steps, "rewards/rules/mean": -1 / at, "entropy": None, **more}
        for at in range(1, steps + 1)
    ]
    return [*lines, {"step": steps, "train_runtime": 1.0}]


def folder(path: Path, lines: list[dict[str, Any]], end: str = "") -> Path:
    path.mkdir()
    (path / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines) + end)
    return path


def titles(lines: list[dict[str, Any]]) -> list[str]:
    return [one["title"] for one in chart({"a": lines}).to_dict()["concat"]]


def test_runs_are_drawn_over_each_other(tmp_path: Path) -> None:
    runs = [folder(tmp_path / name, log(30 * at)) for at, name in enumerate(("first", "second"), start=1)]
    result = CliRunner().invoke(app, ["curves", *map(str, runs), "--out", str(tmp_path / "all.svg")])
    assert result.exit_code == 0, result.output
    picture = (tmp_path / "all.svg").read_text()
    assert all(f">{text}</text>" in picture for text in ("first", "second", "reward", "reward: rules"))
    assert "entropy" not in picture
    assert 0 < draw(runs, tmp_path / "all.png") < 200_000
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")


def test_a_loss_is_drawn_only_where_there_is_no_reward() -> None:
    assert titles(log(3)) == ["reward", "reward: rules"]
    assert titles([{"step": 1, "loss": 0.5, "eval_loss": 0.4}]) == ["loss, dev split", "loss"]


def test_a_long_run_is_drawn_by_means_of_steps_and_keeps_its_ends() -> None:
    found = points(log(1000), "reward")
    assert len(found) <= MOST
    assert found[-1]["step"] == 1000
    assert sum(point["value"] for point in found) / len(found) == pytest.approx(0.5, abs=0.01)
    last = [point["value"] for point in found[-WINDOW:]]
    assert found[-1]["smooth"] == pytest.approx(sum(last) / WINDOW, abs=1e-4)


def test_what_cannot_be_drawn_is_told_in_one_line(tmp_path: Path) -> None:
    whole = folder(tmp_path / "run", log(3), end='{"step": 4, "rew')
    empty = folder(tmp_path / "empty", [])
    again = tmp_path / "again"
    again.mkdir()
    for runs, name, message in (
        ([whole], "all.gif", r"expected a name that ends in \.svg or \.png"),
        ([tmp_path], "all.svg", r"holds no log\.jsonl"),
        ([empty], "all.svg", "The logs of empty hold no figure to draw yet"),
        ([whole, folder(again / "run", log(3))], "all.svg", "Two runs have a folder of the same name"),
    ):
        with pytest.raises(BadInput, match=message):
            draw(runs, tmp_path / name)
    assert draw([whole], tmp_path / "half.svg") > 0
