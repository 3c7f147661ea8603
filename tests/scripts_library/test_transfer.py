import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from graph.errors import BadInput, Cancelled
from graph.settings import Settings
from scripts_library.changes import Changes
from scripts_library.library import Library, open_library
from scripts_library.preview import PreviewRow
from scripts_library.transfer import read_rows, write_file
from tests.scripts_library.conftest import HashEmbedder, find, make_script

NASTY = [
    "=1+1", "+86 21 5555", "-5% on Mondays", "@home", "'=quoted", "''=twice", "'plain", "no", "null", "~", "1.50", "2026-01-01",
    'say "yes", then wait', "back\\slash", "back\\new", "line one\nline two", "carriage\rreturn", "a\r\nb", "价格：三百九十九元，便宜",
    "emoji 🍵 and \u2028 and \u00a0 end", "- item", "# no comment", "{fact.price}: yes", "colon: yes", "tab\tinside", "\ufeffmark", "*star",
]  # fmt: skip


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("ending", ["yaml", "csv"])
@pytest.mark.parametrize("text", NASTY, ids=[repr(text) for text in NASTY])
def test_every_text_comes_back_as_it_was(tmp_path: Path, ending: str, text: str) -> None:
    script = make_script(
        title=text, situation=[text, "second"], outline=[text], say=[text, text], avoid=[], source=text
    )
    path = tmp_path / f"scripts.{ending}"
    write_file(path, [script])
    assert [row.script for row in read_rows(path)] == [script]


def test_a_cell_that_looks_like_a_formula_is_disarmed(tmp_path: Path) -> None:
    path = tmp_path / "scripts.csv"
    write_file(path, [make_script(title='=HYPERLINK("http://x")', say=["@now", "=2"], source="-1", author="\tx")])
    row = lines(path)[0]
    assert (row["title"], row["say"], row["source"]) == ('\'=HYPERLINK("http://x")', "'@now\n=2", "'-1")
    assert all(cell[:1] not in ("=", "+", "-", "@", "\t", "\r") for cell in row.values())


@pytest.mark.parametrize("ending", ["yaml", "csv"])
def test_an_export_imported_into_an_empty_library_loses_nothing(
    library: Library, settings: Settings, tmp_path: Path, ending: str
) -> None:
    library.revise("price-1", 1, "ann", title="=Ann's", avoid=["promises", "two\nlines"], valid_until="2031-02-03")
    library.publish("price-1", 2, "bob")
    library.archive("general-1", 1, "cat")
    path, again = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    assert library.export_file(path) == 4

    bare = tmp_path / "bare"
    campaign = library.campaign("tea_club")
    with open_library(settings.model_copy(update={"home": bare}), HashEmbedder(), campaigns={}) as other:
        with pytest.raises(BadInput, match=r"row \d: campaign: unknown campaign \(tea_club\)"):
            other.import_file(path, "dan")
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "campaign.yaml").write_text(
            yaml.safe_dump(campaign.campaign.model_dump(mode="json")), encoding="utf-8"
        )
        intents = [intent.model_dump(mode="json") for intent in campaign.intents]
        (folder / "intents.yaml").write_text(yaml.safe_dump(intents), encoding="utf-8")
        (folder / "scripts.yaml").write_text("[]", encoding="utf-8")
        other.load(folder, "dan")
        assert other.import_file(path, "dan") == Changes(added=4)
        other.export_file(again)
        assert again.read_bytes() == path.read_bytes()
        assert other.list() == library.list()
        assert find(other) == ["price-1"]
        revision = other.history("price-1")[0]
        assert (revision.action, revision.author, revision.script.version, revision.script.author) == (
            "import",
            "dan",
            3,
            "bob",
        )
        assert other.import_file(path, "dan") == Changes(unchanged=4)


def test_an_import_revises_what_changed_and_publishes_what_is_published(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "scripts.csv"
    library.export_file(path, status="published")
    text = (
        path.read_text(encoding="utf-8-sig").replace("That is too expensive.", "too expensive").replace("Listen", "Ask")
    )
    path.write_text(text, encoding="utf-8")
    assert library.import_file(path, "ann") == Changes(updated=2, unchanged=1)
    assert (library.get("price-1").version, library.get("price-1").status) == (2, "published")
    assert (
        library.search("tea_club", "en", "objection", "too_expensive", HashEmbedder().query(["x"])[0])
        .hits[0]
        .script.version
        == 2
    )


def test_an_import_of_an_old_export_is_refused_and_changes_nothing(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "scripts.yaml"
    library.export_file(path)
    library.revise("price-1", 1, "ann", title="Ann's title")
    path.write_text(path.read_text(encoding="utf-8").replace("Listen", "Ask"), encoding="utf-8")
    with pytest.raises(
        BadInput, match=r"row 3: version: you edited version 1, but ann has saved version 2 \(title, status differ\)"
    ):
        library.import_file(path, "bob")
    assert library.get("general-1").title == "Listen"


def test_all_bad_rows_are_named_and_no_row_is_taken(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "scripts.csv"
    header = "id,campaign,stage,intent,language,title,situation,outline,say,version"
    rows = [
        "ok-1,tea_club,objection,any,en,Good,s,o,Fine.,",
        "bad-1,tea_club,greet,any,en,Bad stage,s,o,x,",
        "bad-2,tea_club,objection,nope,en,Bad intent,s,o,{cost},",
        ",,,,,,,,,",
        "bad-3,tea_club,objection,any,en,,s,o,x,",
        "ok-1,tea_club,objection,any,en,Twice,s,o,x,",
        "price-1,tea_club,objection,any,en,No version,s,o,x,",
        "bad-4,tea_club,objection,any,en,Surplus,s,o,x,,more",
        "bad-5,tea_club,objection,any,en,Version,s,o,x,one",
    ]
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    before = library.list()
    with pytest.raises(BadInput) as caught:
        library.import_file(path, "ann")
    message = str(caught.value)
    for expected in (
        "row 3: stage: ", "row 4: intent: unknown intent (nope)", "row 4: say[0]: placeholder that can never be filled ({cost})",
        "row 6: title: missing", "row 7: id: used in row 2 too (ok-1)", "row 8: version: missing", "row 9: more cells than columns (more)",
        "row 10: version: ",
    ):  # fmt: skip
        assert f"{path}: {expected}" in message
    assert "row 2:" not in message and "row 5:" not in message
    assert library.list() == before


HEADER = "id,campaign,stage,intent,language,title,situation,outline,say,version,status"


def test_a_preview_names_what_each_row_would_do_and_writes_nothing(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "scripts.csv"
    rows = [
        "new-1,tea_club,objection,any,en,New,s,o,Fine.,,",
        "general-1,tea_club,objection,any,en,Ask,I am not sure.,Ask what holds them back,Why?,1,published",
        "draft-1,tea_club,objection,too_expensive,en,Not yet approved,Too expensive!,Nothing,Buy two.,1,draft",
        "new-1,tea_club,greet,any,en,Twice,s,o,{cost},,",
        "price-zh,tea_club,objection,too_expensive,zh,旧,贵,听,好,7,draft",
    ]
    path.write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    before = library.list()
    found = library.preview_import(path)
    assert found[:3] == [
        PreviewRow(2, "new-1", "New", "draft", "add"),
        PreviewRow(3, "general-1", "Ask", "published", "update", ("title", "say")),
        PreviewRow(4, "draft-1", "Not yet approved", "draft", "unchanged"),
    ]
    assert [(row.number, row.action) for row in found[3:]] == [(5, "error"), (6, "error")]
    twice = "\n".join(found[3].errors)
    for expected in (
        "stage: ",
        "say[0]: placeholder that can never be filled ({cost})",
        "id: used in row 2 too (new-1)",
    ):
        assert expected in twice
    assert found[4].errors[0].startswith("version: you edited version 7")
    assert library.list() == before
    with pytest.raises(BadInput) as caught:
        library.import_file(path, "ann")
    for row in found:
        for error in row.errors:
            assert f"{path}: row {row.number}: {error}" in str(caught.value), "the same checks"


def test_what_a_preview_promises_is_what_the_import_does(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "scripts.yaml"
    library.export_file(path)
    text = path.read_text(encoding="utf-8").replace("Listen", "Ask").replace("- id: draft-1", "- id: draft-2")
    path.write_text(text, encoding="utf-8")
    actions = [row.action for row in library.preview_import(path)]
    done = library.import_file(path, "ann")
    assert (actions.count("add"), actions.count("update"), actions.count("unchanged")) == (
        done.added, done.updated, done.unchanged,
    ) == (1, 1, 2)  # fmt: skip


def _cancelled_at(wanted: int) -> tuple[Callable[[int, int], None], list[tuple[int, int]]]:
    """Return a progress that cancels at its `wanted`-th call, and what it was told."""
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == wanted:
            raise Cancelled("enough")

    return progress, told


def test_an_import_tells_how_far_it_is(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "scripts.yaml"
    write_file(path, [make_script(f"s-{n:03}", status="published") for n in range(150)])
    progress, told = _cancelled_at(0)
    assert library.import_file(path, "ann", progress) == Changes(added=150)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (100, 100)
    assert len(told) >= 4
    assert "s-077" in find(library, "situation of s-077", k=1)


@pytest.mark.parametrize("call", range(1, 7))
def test_an_import_that_is_cancelled_changes_nothing(library: Library, tmp_path: Path, call: int) -> None:
    path = tmp_path / "scripts.yaml"
    library.export_file(path)
    text = path.read_text(encoding="utf-8").replace("Listen", "Ask").replace("Price per cup", "Price")
    rows = yaml.safe_load(text) + [
        make_script(f"s-{n:03}", status="published").model_dump(mode="json") for n in range(100)
    ]
    path.write_text(yaml.safe_dump(rows), encoding="utf-8")
    before = library.list()
    progress, told = _cancelled_at(call)
    if call == 6:
        library.import_file(path, "ann", progress)
        assert len(told) == 5, "cancelled at each of these"
        return
    with pytest.raises(Cancelled):
        library.import_file(path, "ann", progress)
    assert library.list() == before
    assert find(library, "situation of s-050", k=200) == ["price-1"]


def test_what_was_embedded_before_an_import_is_not_embedded_again(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scripts.yaml"
    write_file(path, [make_script(f"s-{n}", status="published") for n in range(5)])
    embedded: list[str] = []
    passage = HashEmbedder.passage

    def watched(self: HashEmbedder, texts: list[str]) -> NDArray[np.float32]:
        embedded.extend(texts)
        return passage(self, texts)

    monkeypatch.setattr(HashEmbedder, "passage", watched)
    library.import_file(path, "ann")
    assert sorted(embedded) == [f"situation of s-{n}" for n in range(5)]
    library.revise("s-1", 1, "ann", situation=["other"])
    library.publish("s-1", 2, "ann")
    assert embedded[5:] == ["other"]


FILES = [
    ("scripts.txt", b"x", "expected .yaml, .yml or .csv"),
    ("gone.csv", None, "cannot be read"),
    ("gone.yaml", None, "missing"),
    ("gbk.csv", "价格".encode("gbk"), "is not UTF-8; save it as `CSV UTF-8`"),
    ("empty.csv", b"", "row 1: header (nothing)"),
    ("head.csv", b"id,titel\nx,y\n", "row 1: header (titel)"),
    ("semicolons.csv", b"id;title\nx;y\n", "row 1: header (id;title)"),
    ("quote.csv", b'id,title\n"x,y\n', "is no CSV"),
    ("map.yaml", b"id: x\n", "not a list of scripts"),
    ("deep.yaml", b"[" * 100_000, "more than 40 lists and maps in each other"),
    ("items.yaml", b"- just text\n", "row 1: id: missing"),
]


@pytest.mark.parametrize(("name", "data", "expected"), FILES, ids=[case[0] for case in FILES])
def test_a_file_that_is_none_says_so(
    library: Library, tmp_path: Path, name: str, data: bytes | None, expected: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        library.import_file(path, "ann")
    assert expected in str(caught.value)


def test_a_spreadsheets_line_ends_are_understood(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "scripts.csv"
    text = 'id,campaign,stage,intent,language,title,situation,outline,say\r\nnew-1,tea_club,objection,any,en,T,"a\r\nb\r\n",o,x\r\n'
    path.write_bytes(text.encode())
    library.import_file(path, "ann")
    assert library.get("new-1").situation == ["a", "b"]
    assert library.get("new-1").status == "draft"


def test_an_export_that_cannot_be_written_says_so(library: Library, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        library.export_file(tmp_path / "none" / "scripts.csv")


def test_an_import_that_fails_midway_leaves_nothing(
    opened: Callable[..., Library], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = opened()
    path = tmp_path / "scripts.yaml"
    library.export_file(path)
    text = path.read_text(encoding="utf-8").replace("Listen", "Ask").replace("- id: draft-1", "- id: draft-2")
    path.write_text(text, encoding="utf-8")
    from scripts_library import store

    def fail(*_: object) -> None:
        raise BadInput("stopped")

    with monkeypatch.context() as broken:
        broken.setattr(store, "change", fail)
        with pytest.raises(BadInput, match="stopped"):
            library.import_file(path, "ann")
    assert [script.id for script in library.list()] == ["draft-1", "general-1", "price-1", "price-zh"]
