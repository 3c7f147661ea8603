import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from graph.errors import BadInput, StaleEdit
from graph.settings import Settings
from scripts_library.changes import Changes
from scripts_library.library import Library
from tests.scripts_library.conftest import CAMPAIGN, SCRIPTS, HashEmbedder, find, make_script, write_campaign


def test_an_empty_home_gets_the_campaigns(library: Library) -> None:
    assert library.campaigns() == ["tea_club"]
    data = library.campaign("tea_club")
    assert (data.campaign.currency, [intent.name for intent in data.intents]) == ("USD", ["too_expensive", "agrees"])
    assert [script.id for script in library.list(status="published")] == ["general-1", "price-1", "price-zh"]
    with pytest.raises(BadInput, match=r"'tea_clup'.*did you mean tea_club\?"):
        library.campaign("tea_clup")


def test_a_script_goes_from_draft_to_customers_and_out_again(library: Library) -> None:
    added = library.add(make_script(situation=["too expensive"]), "ann")
    assert (added.version, added.status, added.author) == (1, "draft", "ann")
    assert "new-1" not in find(library)

    library.publish("new-1", 1, "bob")
    assert find(library)[0] == "new-1"

    revised = library.revise("new-1", 2, "cat", say=["Twenty."], intent="agrees")
    assert (revised.version, revised.status) == (3, "draft")
    assert library.search("tea_club", "en", "objection", "too_expensive", vector()).hits[0].script.version == 2
    assert [script.version for script in library.list(status="published") if script.id == "new-1"] == [2]

    library.publish("new-1", 3, "cat")
    assert "new-1" not in find(library)
    assert find(library, intent="agrees") == ["new-1"]

    library.archive("new-1", 4, "ann")
    assert find(library, intent="agrees") == ["general-1"]

    back = library.roll_back("new-1", 2, 5, "ann")
    assert (back.version, back.status, back.say) == (6, "published", ["{fact.price}"])
    assert find(library)[0] == "new-1"
    assert [(r.script.version, r.action, r.author) for r in library.history("new-1")] == [
        (1, "add", "ann"), (2, "publish", "bob"), (3, "revise", "cat"), (4, "publish", "cat"), (5, "archive", "ann"),
        (6, "roll_back", "ann"),
    ]  # fmt: skip
    assert library.get("new-1", 3).say == ["Twenty."]


def test_a_script_added_as_published_is_live_at_once(library: Library) -> None:
    library.add(make_script(situation=["too expensive"], status="published"), "ann")
    assert find(library)[0] == "new-1"


def test_a_diff_shows_what_changed(library: Library) -> None:
    library.add(make_script(), "ann")
    library.revise("new-1", 1, "bob", title="二十美元", say=["Twenty."])
    lines = library.diff("new-1", 1, 2).splitlines()
    assert lines[:2] == ["--- new-1 version 1", "+++ new-1 version 2"]
    assert [line for line in lines[2:] if line[0] in "+-"] == [
        "-title: Title of new-1", "+title: 二十美元", "-- '{fact.price}'", "+- Twenty.",
    ]  # fmt: skip
    assert library.diff("new-1", 1, 1) == ""


def test_a_stale_edit_is_refused_and_shows_both_versions(library: Library) -> None:
    library.add(make_script(), "ann")
    library.revise("new-1", 1, "bob", title="Bob's title")
    with pytest.raises(StaleEdit) as caught:
        library.revise("new-1", 1, "cat", title="Cat's title")
    message = str(caught.value)
    for part in (
        "'new-1'",
        "version 1",
        "Cat's title",
        "version 2",
        "revise by bob",
        "Bob's title",
        "make your change on version 2",
    ):
        assert part in message
    assert "\n" not in message
    assert library.get("new-1").title == "Bob's title"
    for edit in (library.publish, library.archive):
        with pytest.raises(StaleEdit):
            edit("new-1", 1, "cat")


REFUSED = [
    ("unknown field", {"titel": "x"}, "titel cannot be revised"),
    ("bookkeeping", {"version": 7}, "version cannot be revised"),
    ("status", {"status": "published"}, "status cannot be revised"),
    ("wrong value", {"say": []}, "say: list should have at least 1 item"),
    ("unknown intent", {"intent": "too_dear"}, "intent: unknown intent (too_dear)"),
    ("unknown fact", {"facts": ["prize"]}, "facts: unknown fact (prize) – did you mean price?"),
    ("placeholder", {"say": ["{fee}"]}, "say[0]: placeholder that can never be filled ({fee})"),
    ("nothing", {"title": "Title of new-1"}, "nothing to save"),
]


@pytest.mark.parametrize(("why", "changes", "expected"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_wrong_edit_changes_nothing(library: Library, why: str, changes: dict[str, object], expected: str) -> None:
    library.add(make_script(), "ann")
    with pytest.raises(BadInput) as caught:
        library.revise("new-1", 1, "bob", **changes)
    assert expected in str(caught.value), why
    assert len(library.history("new-1")) == 1


def test_adding_names_every_error_and_adds_none(library: Library) -> None:
    scripts = [
        make_script("ok-1"),
        make_script("price-1"),
        make_script("bad-1", intent="nope", say=["{x}"]),
        make_script("ok-1"),
    ]
    with pytest.raises(BadInput) as caught:
        library.add_many(scripts, "ann")
    message = str(caught.value)
    for part in (
        "script price-1: id: exists already",
        "bad-1: intent: unknown intent (nope)",
        "({x})",
        "script ok-1: id: exists",
    ):
        assert part in message
    with pytest.raises(BadInput, match="'ok-1' is not in the library"):
        library.get("ok-1")


def test_unknown_scripts_and_versions_are_named(library: Library) -> None:
    for action in (
        lambda: library.get("nope"),
        lambda: library.history("nope"),
        lambda: library.publish("nope", 1, "a"),
    ):
        with pytest.raises(BadInput, match="Script 'nope' is not in the library; `salesman scripts list`"):
            action()
    with pytest.raises(BadInput, match="'price-1' has no version 9; the latest is 1"):
        library.get("price-1", 9)
    with pytest.raises(BadInput, match="has no version 9"):
        library.publish("price-1", 9, "ann")


def test_lists_are_narrowed_by_every_field(library: Library) -> None:
    assert [script.id for script in library.list("tea_club", language="zh")] == ["price-zh"]
    assert [script.id for script in library.list(intent="any")] == ["general-1"]
    assert [script.id for script in library.list(status="draft")] == ["draft-1"]
    assert library.list("coffee_club") == []
    assert {head.script.id: head.published_version for head in library.heads()} == {
        "draft-1": None, "general-1": 1, "price-1": 1, "price-zh": 1,
    }  # fmt: skip


def test_loading_again_follows_the_folder_but_keeps_what_people_edited(library: Library, folder: Path) -> None:
    library.revise("price-1", 1, "ann", title="Ann's title")
    scripts = SCRIPTS.replace("title: Price per cup", "title: Folder's title").replace("title: Listen", "title: Ask")
    write_campaign(
        folder, scripts=scripts.replace("id: price-zh", "id: price-zh-2"), campaign=CAMPAIGN.replace("USD", "EUR")
    )
    assert library.load(folder, "bob") == Changes(added=1, updated=1, unchanged=1, kept=1, archived=1)
    assert library.campaign("tea_club").campaign.currency == "EUR"
    assert library.get("price-1").title == "Ann's title"
    assert (library.get("general-1").title, library.get("general-1").version) == ("Ask", 2)
    assert library.get("price-zh").status == "archived"
    assert library.load(folder, "bob") == Changes(unchanged=3, kept=1)


def test_an_invalid_folder_changes_nothing(library: Library, folder: Path) -> None:
    before = library.list(), library.campaign("tea_club")
    write_campaign(
        folder, campaign=CAMPAIGN.replace("USD", "EUR"), scripts=SCRIPTS.replace("intent: any", "intent: none_such")
    )
    with pytest.raises(BadInput, match="unknown intent"):
        library.load(folder, "bob")
    assert (library.list(), library.campaign("tea_club")) == before


def test_a_folder_may_not_take_over_another_campaigns_script(library: Library, tmp_path: Path) -> None:
    other = write_campaign(tmp_path / "coffee_club", campaign=CAMPAIGN.replace("name: tea_club", "name: coffee_club"))
    with pytest.raises(BadInput, match=r"\[price-1\]\.id: used by campaign tea_club"):
        library.load(other, "bob")
    assert library.campaigns() == ["tea_club"]


def test_a_bundled_campaign_that_changed_is_loaded_at_the_next_opening(
    opened: Callable[..., Library], folder: Path
) -> None:
    opened().revise("price-1", 1, "ann", title="Ann's title")
    scripts = SCRIPTS.replace("title: Price per cup", "title: Folder's title").replace("I am not sure.", "Hmm.")
    write_campaign(folder, scripts=scripts)
    library = opened()
    assert library.get("price-1").title == "Ann's title"
    assert library.get("general-1").situation == ["Hmm."]
    assert library.get("price-zh").version == 1


def test_a_campaign_that_somebody_loaded_himself_is_not_replaced(
    opened: Callable[..., Library], folder: Path, tmp_path: Path
) -> None:
    own = write_campaign(tmp_path / "own", campaign=CAMPAIGN.replace("USD", "EUR"))
    opened().load(own, "ann")
    assert opened().campaign("tea_club").campaign.currency == "EUR"


def test_threads_of_one_process_edit_and_search_at_once(library: Library) -> None:
    def work(number: int) -> None:
        for turn in range(4):
            script_id = f"thread-{number}-{turn}"
            library.add(make_script(script_id, situation=[script_id]), f"thread {number}")
            library.publish(script_id, 1, f"thread {number}")
            assert find(library, script_id, k=1) == [script_id]

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(work, range(5)))
    assert len(library.list(status="published")) == 3 + 20


def test_of_eight_editors_of_one_version_one_wins(library: Library) -> None:
    library.add(make_script(), "ann")
    barrier = threading.Barrier(8)

    def edit(number: int) -> str:
        barrier.wait()
        try:
            library.revise("new-1", 1, f"editor {number}", title=f"Title {number}")
        except StaleEdit:
            return "stale"
        return "saved"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(edit, range(8))) == ["saved", *["stale"] * 7]
    assert len(library.history("new-1")) == 2


def test_the_sqlite_store_is_in_wal_mode_and_in_the_home(library: Library, settings: Settings) -> None:
    from scripts_library.database import engine_for

    with engine_for(settings).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
    assert (settings.home / "salesman.db").is_file()
    assert engine_for(settings) is engine_for(settings)


def vector() -> "object":
    return HashEmbedder().query(["too expensive"])[0]
