"""`salesman train corpus`: what is printed, what is written, what is refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graph.errors import BadInput
from tests.training.corpus.dialogues import dialogue, said
from training.corpus.commands import app
from training.corpus.rows import read_rows
from training.corpus.schema import read_dialogues, write_dialogues

GOOD = "I see. How do your customers find you today?"


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, BadInput):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    made = [
        dialogue(
            f"{split}-{number}",
            "Hello, this is Lan.",
            f"I run shop {number} of {split}.",
            GOOD,
            split=split,
            method="role_play",
        )
        for split in ("train", "test")
        for number in range(3)
    ]
    write_dialogues(path, made)
    return path


def test_a_transcript_becomes_a_corpus(tmp_path: Path) -> None:
    source, out = tmp_path / "calls.csv", tmp_path / "corpus.jsonl"
    source.write_text("call,role,text\na,agent,Hello.\na,ivr,Beep.\na,user,Hi.\n", encoding="utf-8")
    printed = run("import", source, "--kind", "transcripts", "--campaign", "lantern_local", "--out", out)
    assert "dialogues  1" in printed and read_dialogues(out)[0].id == "a"


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("persuasion", [], "needs a SOURCE"),
        ("calls", [], "The call store holds no call"),
        ("transcripts", ["x.csv"], "needs --campaign"),
        ("mapping", ["x.json"], "needs --mapping"),
        ("calls", ["x.jsonl"], "cannot be read"),
        ("transcripts", ["x.csv", "--campaign", "c"], "cannot be read"),
    ],
)
def test_an_import_that_cannot_be_leaves_nothing(kind: str, given: list[str], message: str, tmp_path: Path) -> None:
    out = tmp_path / "corpus.jsonl"
    with pytest.raises(BadInput, match=message):
        run("import", *[tmp_path / name if "." in name else name for name in given], "--kind", kind, "--out", out)
    assert not list(tmp_path.glob("corpus*"))


def test_a_check_counts_and_finds_what_is_not_disjoint(corpus: Path, tmp_path: Path) -> None:
    assert json.loads(run("check", corpus, "--json")) | {"campaign": None, "stage": None, "outcome": None} == {
        "dialogues": 6,
        "split": {"train": 3, "test": 3},
        "method": {"role_play": 6},
        "turns": {"agent": 12, "customer": 6},
        "campaign": None,
        "outcome": None,
        "stage": None,
        "faults": [],
    }
    leak = tmp_path / "more.jsonl"
    write_dialogues(leak, [dialogue("made", "Hi.", "Who is it?", method="role_play", seeds=["test-1"])])
    assert run("check", leak).count("fault") == 0, "alone it is sound"
    assert "fault      dialogue 'made' is train, but its seed 'test-1' belongs to test" in run("check", corpus, leak, code=1)  # fmt: skip
    assert "stands there 2 times" in run("check", leak, leak, code=1)


def test_rows_are_those_of_one_split_and_as_many_as_asked(corpus: Path, loaded_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    printed = run("rows", corpus, "--kind", "prompt", "--out", out)
    assert "3 rows (prompt 3)" in printed and "from 3 answers of 3 dialogues" in printed
    rows = read_rows(out, "prompt", "reference", "state")
    assert {row["dialogue"] for row in rows} == {"train-0", "train-1", "train-2"}
    told = json.loads(run("rows", corpus, "--kind", "sft", "--limit", "2", "--seed", "3", "--out", out, "--json"))
    assert told["rows"] == len(read_rows(out, "completion")) == 2
    run("rows", corpus, "--kind", "prompt", "--split", "test", "--out", out)
    with pytest.raises(BadInput, match="held out for tests"):
        read_rows(out, "prompt")


def test_thoughts_among_the_rows_are_counted(loaded_home: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "corpus.jsonl", tmp_path / "rows.jsonl"
    reply = said("agent", GOOD, thought="Learn how they sell.")
    other = [said("customer", "By word of mouth."), said("agent", "Lovely. Who bakes with you?")]
    write_dialogues(path, [dialogue("a", "Hello, this is Lan.", "I run a bakery.", reply, *other)])
    told = json.loads(run("rows", path, "--kind", "sft", "--think", "--out", out, "--json"))
    assert told["pools"] == {"sft with a thought": 1, "sft": 1}


def test_rows_that_cannot_be_made_leave_what_there_was(corpus: Path, loaded_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    out.write_text("kept", encoding="utf-8")
    with pytest.raises(BadInput, match="no dialogue of split dev"):
        run("rows", corpus, "--kind", "sft", "--split", "dev", "--out", out)
    with pytest.raises(BadInput, match="of 3 answers none makes a row"):
        run("rows", corpus, "--kind", "preference", "--out", out)
    assert out.read_text(encoding="utf-8") == "kept"


def test_no_rows_are_made_of_a_corpus_that_trains_on_what_it_tests(corpus: Path, tmp_path: Path) -> None:
    leaks = [*read_dialogues(corpus), dialogue("made", "Hi.", "Who is it?", method="role_play", seeds=["test-1"])]
    write_dialogues(corpus, leaks)
    out = tmp_path / "rows.jsonl"
    with pytest.raises(BadInput, match="'made' is train, but its seed 'test-1' belongs to test"):
        run("rows", corpus, "--kind", "sft", "--out", out)
    assert not out.exists()
