"""The desk's tab for files: every bad row is named, nothing of a bad file is taken, long work is a job."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.delta_generator import DeltaGenerator
from streamlit.testing.v1 import AppTest

from scripts_library import page_files
from scripts_library.library import Library
from tests.ui.app import UNTRUSTED, opened, shown
from ui.shared import library
from ui.text import plain

pytestmark = pytest.mark.usefixtures("loaded_home")
CAMPAIGN = "lantern_local"
Press = Callable[..., AppTest]
HEADER = "id,campaign,stage,intent,language,title,situation,outline,say,version,status"
GOOD = [
    f"mine-01,{CAMPAIGN},objection,any,en,First,s,o,Fine.,,",
    f"mine-02,{CAMPAIGN},objection,any,en,Second,s,o,Fine.,,published",
]


@pytest.fixture(autouse=True)
def finished_jobs() -> Iterator[None]:
    yield
    joined()


def joined() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("job-files"):
            thread.join(60)


def tab() -> AppTest:
    return opened("desk", campaign=CAMPAIGN, tab="files")


def given(app: AppTest, *rows: str, name: str = "scripts.csv", header: str = HEADER) -> AppTest:
    app.file_uploader(key="files_upload").set_value((name, "\n".join([header, *rows]).encode(), "text/csv"))
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Press]:
    """Return a function that presses a job's button: the work begins when the page has been drawn, and ends before the next."""
    drawn = threading.Event()

    def held(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def slow(*args: Any, **options: Any) -> Any:
            assert drawn.wait(60)
            return real(*args, **options)

        monkeypatch.setattr(owner, name, slow)

    held(Library, "import_file")
    held(Library, "reindex")
    held(page_files, "mine")

    def press(app: AppTest, button: str, *, cancel: str = "") -> AppTest:
        drawn.clear()
        app.button(key=button).click().run()
        if cancel:
            app.button(key=f"cancel_{cancel}").click().run()
        drawn.set()
        joined()
        return app.run()

    yield press
    drawn.set()


def test_a_good_file_is_shown_row_by_row_and_then_imported(work: Press) -> None:
    app = given(tab(), *GOOD)
    assert "2 new, 0 changed, 0 as they are." in shown(app)
    assert "1 of them are marked as published" in shown(app)
    table = app.dataframe[0].value
    assert list(table["Row"]) == [2, 3]
    assert list(table["Title"]) == ["First", "Second"]
    assert list(table["What happens"]) == ["new", "new"]
    before = {script.id for script in library().list()}
    assert not before & {"mine-01", "mine-02"}, "a preview writes nothing"
    work(app, "files_import_now")
    assert "Imported: 2 new, 0 changed, 0 as they were." in shown(app)
    assert "All of this is in the library already." in shown(app)
    assert library().get("mine-02").status == "published"
    assert library().history("mine-01")[0].action == "import"
    assert "Imported" not in shown(app.run())


def test_an_import_can_be_cancelled_and_changes_nothing(work: Press) -> None:
    app = given(tab(), *GOOD)
    work(app, "files_import_now", cancel="files_import")
    assert "cancelled, nothing was changed" in shown(app)
    assert not {script.id for script in library().list()} & {"mine-01", "mine-02"}


def test_a_bad_file_shows_every_error_by_row_and_changes_nothing() -> None:
    bad = [
        *GOOD,
        f"bad-01,{CAMPAIGN},greet,any,en,Wrong stage,s,o,x,,",
        f"bad-02,{CAMPAIGN},objection,nope,en,Two errors,s,o,Fine {{cost}}.,,",
        f"mine-01,{CAMPAIGN},objection,any,en,Twice,s,o,x,,",
    ]
    app = given(tab(), *bad)
    assert "Nothing was taken: 3 of 5 rows have mistakes." in shown(app)
    assert "files_import_now" not in [button.key for button in app.button]
    rows = [text.value for text in app.markdown if text.value.startswith("**Row")]
    assert rows == ["**Row 4** · Wrong stage", "**Row 5** · Two errors", "**Row 6** · Twice"]
    reasons = [text.value for text in app.text]
    assert [reason.split(":")[0] for reason in reasons] == [
        "Stage",
        "Customer's intent",
        "Approved lines, line 1",
        "Id",
    ]
    assert "no such customer's intent: nope" in reasons[1]
    assert "{cost}" in reasons[2]
    assert not {script.id for script in library().list()} & {"mine-01", "mine-02", "bad-01"}


FILES: list[tuple[str, bytes, str]] = [
    ("latin.csv", "id,title\nx,é\n".encode("latin-1"), "latin.csv is saved in another text encoding"),
    ("head.csv", b"id,titel\nx,y\n", "head.csv: Row 1: the first row must name the columns"),
    ("map.yaml", b"id: x\n", "not a list of scripts"),
    ("broken.yaml", b"- id: [", "broken.yaml"),
    ("empty.csv", b"id,title\n", "This file holds no script."),
]


@pytest.mark.parametrize(("name", "data", "expected"), FILES, ids=[case[0] for case in FILES])
def test_a_file_that_cannot_be_read_says_why_under_its_own_name(name: str, data: bytes, expected: str) -> None:
    app = tab()
    app.file_uploader(key="files_upload").set_value((name, data, "text/plain")).run()
    assert not app.exception
    assert plain(expected) in shown(app) or expected in shown(app)
    assert "/tmp" not in shown(app)


def test_an_ending_in_capitals_is_understood() -> None:
    assert "2 new" in shown(given(tab(), *GOOD, name="Scripts.CSV"))


def test_what_a_file_says_is_shown_as_text() -> None:
    app = given(tab(), "x", name="<b>x</b> ![i](http://evil.example/x.png).csv", header=UNTRUSTED)
    assert "evil" in app.error[0].value
    assert "![i](" not in app.error[0].value
    assert "<b>" not in app.error[0].value.replace("\\<b\\>", "")


def test_scripts_are_taken_out_by_campaign_and_status_and_come_back_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    offered: dict[str, Any] = {}
    button = DeltaGenerator.download_button

    def watched(self: DeltaGenerator, label: str, data: Any, **options: Any) -> bool:
        offered[options["file_name"]] = data
        return button(self, label, data, **options)

    monkeypatch.setattr(DeltaGenerator, "download_button", watched)
    app = tab()
    assert [entry.label for entry in app.download_button] == ["Download as table (CSV)", "Download as YAML"]
    app.selectbox(key="files_status").set_value("published").run()
    app.selectbox(key=f"files_campaign_{CAMPAIGN}").set_value("").run()
    assert list(offered)[-2:] == ["scripts-published.csv", "scripts-published.yaml"]
    live = library().list(status="published")
    for name in list(offered)[-2:]:
        app.file_uploader(key="files_upload").set_value((name, offered[name](), "text/csv")).run()
        assert f"0 new, 0 changed, {len(live)} as they are." in shown(app)
    only = offered[f"{CAMPAIGN}-latest.yaml"]().decode()
    assert only.count("\n- id: ") + 1 == len(library().list(CAMPAIGN)) < len(library().list())


@pytest.mark.slow
def test_drafts_are_mined_from_an_uploaded_file(work: Press) -> None:
    turns = [
        {"role": "agent", "text": "Hello, this is Ada."},
        {"role": "customer", "text": "That is too expensive for my shop."},
        {"role": "agent", "text": "I understand. What would a page have to bring in so that it is worth it to you?"},
    ]
    calls = json.dumps({"id": "won-1", "turns": turns, "outcome": True})
    app = tab()
    assert app.button(key="files_mine_now").disabled
    app.file_uploader(key="files_calls").set_value(("calls.jsonl", calls.encode(), "application/json")).run()
    before = {script.id for script in library().list()}
    work(app, "files_mine_now")
    assert "1 new drafts." in shown(app)
    (draft,) = [script for script in library().list() if script.id not in before]
    assert (draft.status, draft.source, draft.campaign) == ("draft", "won-1", CAMPAIGN)
    work(app, "files_mine_now")
    assert "No new draft" in shown(app)


def test_a_broken_file_of_calls_names_its_lines(work: Press) -> None:
    app = tab()
    app.file_uploader(key="files_calls").set_value(("calls.jsonl", b"{}\nnothing\n", "application/json")).run()
    work(app, "files_mine_now")
    assert "calls" in app.error[0].value
    for line in ("line 1", "line 2"):
        assert line in app.error[0].value
    assert "/tmp" not in app.error[0].value


@pytest.mark.slow
def test_the_index_is_built_anew_and_a_cancelled_build_leaves_the_old_one(work: Press) -> None:
    live = len(library().list(status="published"))
    app = work(tab(), "files_index_now", cancel="files_index")
    assert "cancelled, nothing was changed" in shown(app)
    work(app, "files_index_now")
    assert f"Done: {live} published scripts can be found." in shown(app)
