"""Corpora and rows as files: strict, whole, and never a test dialogue to train on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.errors import BadInput
from scripts_library.persuasion import split_of
from tests.training.corpus.dialogues import dialogue, said
from training.corpus.joining import joined
from training.corpus.lines import SHOWN
from training.corpus.rows import read_rows, write_rows
from training.corpus.schema import Dialogue, read_dialogues, write_dialogues
from training.corpus.splits import inherited, near_copies, split_faults

ONE = dialogue("a", "Hello.", "Who is it?\u2028A shop?", "It is Lan.")
LONG = "we put your shop online so that customers of your street find you when they search for bread"


def test_a_corpus_is_read_as_it_was_written_whatever_the_text_holds(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "corpus.jsonl"
    assert write_dialogues(path, [ONE, dialogue("b", "Hi.", "Hi.\x85Yes.")]) == 2
    assert read_dialogues(path)[0] == ONE
    assert [path.name for path in path.parent.iterdir()] == ["corpus.jsonl"]


def test_every_bad_line_of_a_corpus_is_told_at_once(tmp_path: Path) -> None:
    lone, same = ONE.model_dump(), ONE.model_dump()
    lone["turns"] = lone["turns"][:1]
    same["turns"][1]["role"], same["mood"] = "agent", "sunny"
    path = tmp_path / "corpus.jsonl"
    lines = [ONE.model_dump_json(), "{", json.dumps(lone), "", json.dumps(same), ONE.model_dump_json()]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_dialogues(path)
    told = str(caught.value).splitlines()
    for number, wrong in [(2, "Invalid JSON"), (3, "turns: "), (5, "mood: Extra"), (6, "id 'a' stands there twice")]:
        assert any(f"line {number}: " in line and wrong in line for line in told), wrong


def test_roles_alternate() -> None:
    with pytest.raises(ValueError, match="turns 1 and 2 are both the customer's"):
        dialogue("a", "Hi.", "Hi.", said("customer", "Hello?"))


def test_what_one_side_says_in_a_row_is_joined() -> None:
    turns = [
        said("agent", "Hi.", stage="opening", thought="Greet.", scripts=["a"]),
        said("agent", "--"),
        said("agent", "Hi."),
        said("agent", "All well?", thought="Ask.", scripts=["a", "b"]),
        said("customer", "Yes.", intent="yes"),
    ]
    [agent, customer] = joined(turns)
    assert (agent.text, agent.stage, agent.thought, agent.scripts) == ("Hi. All well?", "opening", "Greet. Ask.", ["a", "b"])  # fmt: skip
    assert customer == turns[-1]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    write_dialogues(path, [ONE])
    before = path.read_bytes()

    def breaks() -> Iterator[Dialogue]:
        yield dialogue("b", "Hi.", "Hi.")
        raise BadInput("the second one cannot be made")

    with pytest.raises(BadInput):
        write_dialogues(path, breaks())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


ROW = {"dialogue": "a", "split": "train", "prompt": [], "completion": []}


def test_rows_of_test_dialogues_are_refused_with_every_other_fault(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert write_rows(path, [ROW, ROW | {"split": "dev"}]) == 2
    assert read_rows(path, "prompt") == [ROW, ROW | {"split": "dev"}]
    held, short = ROW | {"split": "test", "dialogue": "t"}, {"split": "train", "prompt": []}
    path.write_text("\n".join(["[]", "{", *map(json.dumps, [held, short, ROW])]), encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_rows(path, "prompt", "completion")
    lines = [line.split(", ", 1)[1] for line in str(caught.value).splitlines()]
    assert [line.split(":")[0] for line in lines] == ["line 1", "line 2", "line 3", "line 4"]
    assert "'t' is held out for tests" in lines[2] and "lacks dialogue, completion" in lines[3]


def test_many_faults_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("x\n" * (SHOWN + 5), encoding="utf-8")
    with pytest.raises(BadInput, match=r"(?s)line 20: .*and 5 more$"):
        read_rows(path)
    with pytest.raises(BadInput, match="do not exist"):
        read_rows(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("seeds", "split"),
    [(["x"], "train"), (["x", "y"], "dev"), (["y", "z", "x"], "test")],
)
def test_what_is_made_from_a_test_dialogue_is_test(seeds: list[str], split: str) -> None:
    assert inherited(seeds, {"x": "train", "y": "dev", "z": "test"}) == split


def test_splits_are_disjoint_by_seed() -> None:
    held = dialogue("held", "Hi.", "Hello, hello.", split="test", seeds=["question"])
    fine = dialogue("fine", "One.", "Two.", seeds=["free"])
    also = dialogue("also", "Three.", "Four.", split="test", seeds=["fine"])
    leak = dialogue("leak", "Five.", "Six.", seeds=["held"])
    shared = dialogue("shared", "Seven.", "Eight.", split="dev", seeds=["question"])
    faults = split_faults([held, fine, also, leak, shared])
    assert len(faults) == 2
    assert "'leak' is train, but its seed 'held' belongs to test" in faults[0]
    assert "'shared' is dev, but its seed 'question' belongs to test" in faults[1]


HELD_OUT = next(name for at in range(99) if split_of(name := f"call-{at}") == "test")


@pytest.mark.parametrize(("method", "refused"), [("imported", True), ("recorded", True), ("role_play", False)])
def test_a_real_call_that_is_held_out_by_its_id_is_held_out_whatever_it_is_called(
    tmp_path: Path, method: str, refused: bool
) -> None:
    faults = split_faults([dialogue(HELD_OUT, "Hi.", "Hello.", method=method)])
    assert faults == (
        [f"dialogue '{HELD_OUT}' is train, but its id belongs to test: make it test, or take it out"] * refused
    )
    write_rows(tmp_path / "rows.jsonl", [ROW | {"dialogue": HELD_OUT, "method": method}])
    if refused:
        with pytest.raises(BadInput, match=f"'{HELD_OUT}' is held out for tests; nothing trains on it"):
            read_rows(tmp_path / "rows.jsonl")
    else:
        assert len(read_rows(tmp_path / "rows.jsonl")) == 1


def test_the_same_text_in_train_and_test_is_told() -> None:
    one = dialogue("one", "Hello there.", LONG)
    copy = dialogue("copy", "Hello, there!", f"{LONG}.", split="test")
    other = dialogue("other", "Hello there.", " ".join(reversed(LONG.split())), split="test")
    twin = dialogue("twin", "Hello there.", LONG)
    assert [pair[:2] for pair in near_copies([one, copy, other, twin])] == [("one", "copy"), ("twin", "copy")]
    assert "are the same text" in split_faults([one, copy])[0]
    chinese = [dialogue(str(at), "您好。", "你们这个网店多少钱一个月呀", language="zh", split=split) for at, split in enumerate(["dev", "test"])]  # fmt: skip
    assert len(near_copies(chinese)) == 1
