"""The run's files: whole lines only, and one process at a time."""

import json
from pathlib import Path

import pytest

from evaluation.runs.store import append_line, locked, read_lines, read_run
from graph.errors import BadInput


def test_a_line_that_a_killed_process_left_unfinished_is_passed_over_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    append_line(path, {"unit": "a"})
    with path.open("ab") as file:
        file.write(b'{"unit": "b", "tex')
    assert [row["unit"] for row in read_lines(path)] == ["a"]
    append_line(path, {"unit": "c", "text": "好"})
    assert [row["unit"] for row in read_lines(path)] == ["a", "c"]
    assert all(json.loads(line) for line in path.read_text("utf-8").splitlines())


def test_a_first_line_left_unfinished_is_overwritten_too(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b'{"unit"')
    append_line(path, {"unit": "a"})
    assert list(read_lines(path)) == [{"unit": "a"}]


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(BadInput, match="in use"):
        locked(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"asked"'])
def test_a_run_json_of_something_else_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, "utf-8")
    with pytest.raises(BadInput, match=r"run\.json is not what a run writes"):
        read_run(tmp_path)


def test_a_folder_that_is_no_run_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="evaluate run"):
        read_run(tmp_path)
