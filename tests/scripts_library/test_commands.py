import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from graph.errors import BadInput, SalesmanError, StaleEdit
from graph.settings import get_settings
from scripts_library import library as library_module
from scripts_library.commands import app
from serving import embed
from tests.scripts_library.conftest import SCRIPTS, HashEmbedder, write_campaign


@pytest.fixture(autouse=True)
def small(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands' library holds the tea club alone, and its vectors need no weights."""
    monkeypatch.setattr(library_module, "bundled", lambda: {"tea_club": folder})
    monkeypatch.setattr(embed, "load_embedder", lambda _settings: HashEmbedder())


def run(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, SalesmanError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def data(*words: str | Path) -> Any:
    return json.loads(run(*words, "--json").stdout)


def test_a_script_is_edited_reviewed_and_published_on_the_command_line(tmp_path: Path) -> None:
    assert [script["id"] for script in data("list", "-c", "tea_club", "--status", "draft")] == ["draft-1"]
    file = tmp_path / "edit.yaml"
    file.write_text(run("show", "draft-1").stdout.replace("Not yet approved", "Approved"), encoding="utf-8")
    revised = data("revise", file, "--author", "ann")
    assert [(script["version"], script["title"], script["status"]) for script in revised] == [(2, "Approved", "draft")]
    assert "+title: Approved" in run("diff", "draft-1", "1", "2").stdout
    with pytest.raises(StaleEdit):
        run("publish", "draft-1", "--base", "1")
    assert data("publish", "draft-1", "--base", "2", "--author", "bob")[0]["version"] == 3
    found = data("search", "Too expensive!", "-c", "tea_club", "--stage", "objection", "--intent", "too_expensive")
    assert (found["no_hit"], found["hits"][0]["id"], found["hits"][0]["score"]) == ("", "draft-1", 1.0)
    assert data("rollback", "draft-1", "--to", "1", "--base", "3")[0]["status"] == "draft"
    assert data("archive", "draft-1", "--base", "4")[0]["status"] == "archived"
    assert [(row["version"], row["action"]) for row in data("history", "draft-1")] == [
        (1, "load"), (2, "revise"), (3, "publish"), (4, "roll_back"), (5, "archive"),
    ]  # fmt: skip


def test_tables_for_people_hold_the_same() -> None:
    listed = run("list").stdout
    assert "price-1" in listed and "每杯的价格" in listed
    assert "load" in run("history", "price-1").stdout
    shown = run("search", "hm", "-c", "tea_club", "--stage", "objection", "--intent", "agrees").stdout
    assert "no-hit policy: general" in shown and "general-1" in shown


def test_files_go_out_and_come_back(tmp_path: Path) -> None:
    file = tmp_path / "scripts.csv"
    assert run("export", file, "-c", "tea_club").stdout == f"4 scripts → {file}\n"
    assert data("import", file) == {"added": 0, "updated": 0, "unchanged": 4, "kept": 0, "archived": 0}
    new = tmp_path / "new.yaml"
    new.write_text(SCRIPTS.replace("id: ", "id: new-").replace("- id", "- campaign: tea_club\n  id"), encoding="utf-8")
    assert [script["status"] for script in data("add", new)] == ["draft"] * 4
    assert "4 published" not in run("reindex").stdout


def test_a_campaign_is_checked_and_loaded(tmp_path: Path, folder: Path) -> None:
    assert run("check", folder).stdout == "tea_club: 2 intents, 4 scripts, no error\n"
    bad = write_campaign(tmp_path / "bad", scripts=SCRIPTS.replace("intent: any", "intent: nope"))
    for command in ("check", "load"):
        with pytest.raises(BadInput, match="unknown intent"):
            run(command, bad)
    assert data("load", folder)["unchanged"] == 4


WRONG = [
    (("list", "--status", "live"), "expected draft, published or archived"),
    (("show", "nope"), "'nope' is not in the library"),
]


@pytest.mark.parametrize(("words", "expected"), WRONG)
def test_a_wrong_word_is_named(words: tuple[str, ...], expected: str) -> None:
    with pytest.raises(BadInput, match=expected):
        run(*words)


@pytest.mark.parametrize("text", ["[]", "- id: a\n", "- {id: price-1, campaign: tea_club}\n"])
def test_a_file_to_revise_must_hold_one_script_with_its_version(tmp_path: Path, text: str) -> None:
    file = tmp_path / "edit.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput):
        run("revise", file)
    file.write_text(run("show", "price-1").stdout.replace("  version: 1\n", ""), encoding="utf-8")
    with pytest.raises(BadInput, match="expected one script with its `version`"):
        run("revise", file)


def test_mined_drafts_go_to_the_library_or_to_a_file(tmp_path: Path) -> None:
    calls = tmp_path / "calls.jsonl"
    answer = (
        "That is the price of a month of tea, so a cup is cheaper than the coffee around the corner of your street."
    )
    turns = [
        {"role": "agent", "text": "Hello, I call from the tea club, how are you today?"},
        {"role": "customer", "text": "Too much money."},
        {"role": "agent", "text": answer},
        {"role": "customer", "text": "Fine."},
    ]
    calls.write_text(
        "\n".join(json.dumps({"id": f"c{n}", "turns": turns, "outcome": "won"}) for n in range(4)), encoding="utf-8"
    )
    out = tmp_path / "drafts.yaml"
    assert f"drafts → {out}" in run("mine", "--data", calls, "-c", "tea_club", "--out", out).stdout
    first = data("mine", "--data", calls, "-c", "tea_club")
    assert {script["status"] for script in first} <= {"draft"}
    assert data("mine", "--data", calls, "-c", "tea_club") == []


def test_a_script_is_translated_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = tmp_path / "replies.yaml"
    lines = ["每杯的价格", "太贵了。", "二十美元？", "表示理解", "说明价格", "{fact.price}够喝一个月。"]
    replies.write_text(json.dumps([{"json": {"translation": line}} for line in lines]), encoding="utf-8")
    monkeypatch.setenv("SALESMAN_LLM", f"fake/scripted:{replies}")
    get_settings.cache_clear()
    (draft,) = data("translate", "price-1", "--to", "zh", "--author", "ann")
    assert (draft["id"], draft["language"], draft["status"], draft["author"]) == ("price-1-zh", "zh", "draft", "ann")
    assert draft["say"] == lines[-1:]
    with pytest.raises(BadInput, match="cannot be translated into 'en'"):
        run("translate", "price-1", "--to", "en")
