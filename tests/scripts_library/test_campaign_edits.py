"""Facts, forbidden claims and rubric lines are edited like scripts: versions, nothing overwritten, nothing in use lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete

from graph.errors import BadInput, StaleEdit
from graph.settings import Settings
from guardrails.check import check_reply
from scripts_library.campaign_edits import changed_entries, try_claim
from scripts_library.database import engine_for, writing
from scripts_library.fact_sheet import fact_sheet
from scripts_library.library import Library, open_library
from scripts_library.schema import Fact, ForbiddenClaim, RubricLine
from scripts_library.tables import CAMPAIGN_REVISION
from tests.scripts_library.conftest import CAMPAIGN, SCRIPTS, HashEmbedder, make_script, write_campaign

Open = Callable[..., Library]
CLUB = "tea_club"
GIFT = Fact(id="gift", text={"en": "A cup comes with it.", "zh": "附送一个杯子。"})
RUBRIC = RubricLine(id="asks", text={"en": "Asks before offering."})


def facts_of(library: Library) -> dict[str, str]:
    return {fact.id: fact.text["en"] for fact in library.campaign(CLUB).campaign.facts}


def with_price(library: Library, text: str) -> list[Fact]:
    facts = library.campaign(CLUB).campaign.facts
    return [f.model_copy(update={"text": {**f.text, "en": text}}) if f.id == "price" else f for f in facts]


def without(library: Library, fact: str) -> list[Fact]:
    return [held for held in library.campaign(CLUB).campaign.facts if held.id != fact]


def claim(**fields: Any) -> ForbiddenClaim:
    data = {"id": "young", "reason": "Nobody gets younger.", "patterns": {"en": [r"\byounger\b"]}}
    return ForbiddenClaim.model_validate(data | fields)


def test_a_loaded_campaign_begins_at_version_1(library: Library) -> None:
    (first,) = library.campaign_history(CLUB)
    assert (first.version, first.action, first.author) == (1, "load", "salesman")
    assert [fact.id for fact in first.facts] == ["price", "delivery"]
    assert library.campaign_version(CLUB) == 1


def test_an_edit_is_a_version_with_who_when_and_what(library: Library) -> None:
    data = library.revise_campaign(CLUB, 1, "mei", facts=with_price(library, "A box costs $22."), rubric=[RUBRIC])
    assert data.campaign == library.campaign(CLUB).campaign
    assert facts_of(library)["price"] == "A box costs $22."
    first, second = library.campaign_history(CLUB)
    assert (second.version, second.action, second.author) == (2, "revise", "mei")
    assert second.at > first.at
    assert [(change.part, change.id) for change in changed_entries(first, second)] == [
        ("facts", "price"),
        ("rubric", "asks"),
    ]
    lines = library.campaign_diff(CLUB, 1, 2).splitlines()
    assert "-    en: A box costs $20." in lines and "+    en: A box costs $22." in lines
    assert library.campaign_diff(CLUB, 2, 2) == ""


def test_rolling_back_is_a_new_version_and_keeps_the_history(library: Library) -> None:
    library.revise_campaign(CLUB, 1, "mei", facts=[*library.campaign(CLUB).campaign.facts, GIFT])
    library.roll_back_campaign(CLUB, 1, 2, "jun")
    assert list(facts_of(library)) == ["price", "delivery"]
    assert [(one.version, one.action) for one in library.campaign_history(CLUB)] == [
        (1, "load"),
        (2, "revise"),
        (3, "roll_back"),
    ]
    assert library.campaign_diff(CLUB, 1, 3) == ""


def test_the_second_of_two_editors_sees_both_and_overwrites_nothing(opened: Open) -> None:
    mei, jun = opened(), opened()
    mei.revise_campaign(CLUB, 1, "mei", facts=with_price(mei, "A box costs $22."))
    with pytest.raises(StaleEdit) as caught:
        jun.revise_campaign(CLUB, 1, "jun", rubric=[RUBRIC])
    for part in ("Yours, on version 1: rubric asks", "Theirs, version 2 (revise by mei", "costs $22", "on version 2"):
        assert part in str(caught.value)
    assert jun.campaign(CLUB).campaign.rubric == []
    with pytest.raises(StaleEdit):
        jun.roll_back_campaign(CLUB, 1, 1, "jun")
    assert jun.campaign_version(CLUB) == 2


def test_nothing_to_save_and_unknown_names_are_refused(library: Library) -> None:
    with pytest.raises(BadInput, match="says that already"):
        library.revise_campaign(CLUB, 1, "mei", facts=library.campaign(CLUB).campaign.facts)
    with pytest.raises(BadInput, match="did you mean tea_club"):
        library.revise_campaign("tea_clup", 1, "mei", rubric=[])
    with pytest.raises(BadInput, match="no version 7; the latest is 1"):
        library.roll_back_campaign(CLUB, 7, 1, "mei")
    assert library.campaign_version(CLUB) == 1


def test_a_fact_in_use_cannot_be_removed_and_the_error_lists_the_scripts(library: Library) -> None:
    assert library.fact_uses(CLUB) == {"price": ["price-1", "price-zh"], "delivery": []}
    with pytest.raises(BadInput, match=r"cannot be removed \(price\) – used by price-1, price-zh"):
        library.revise_campaign(CLUB, 1, "mei", facts=without(library, "price"))
    library.revise_campaign(CLUB, 1, "mei", facts=without(library, "delivery"))
    assert list(facts_of(library)) == ["price"]


def test_scripts_are_read_for_facts_in_use_only_when_one_has_changed(library: Library) -> None:
    first = library.fact_uses(CLUB)
    assert library.fact_uses(CLUB) is first
    library.revise("price-1", 1, "mei", facts=["delivery"])
    assert library.fact_uses(CLUB)["delivery"] == ["price-1"]


def test_the_newest_versions_come_alone_and_removed_names_stay_taken(library: Library) -> None:
    for version, rubric in enumerate(([RUBRIC], [], [RUBRIC.model_copy(update={"id": "other"})]), 1):
        library.revise_campaign(CLUB, version, "mei", rubric=rubric)
    assert [one.version for one in library.campaign_history(CLUB, 2)] == [3, 4]
    assert library.campaign_ids(CLUB, "rubric") == {RUBRIC.id, "other"}


def test_drafts_and_what_is_heard_under_a_draft_use_facts_and_archived_scripts_do_not(library: Library) -> None:
    library.add(make_script("draft-2", facts=["delivery"], say=["Soon."]), "mei")
    library.revise("price-1", 1, "mei", say=["Let me explain."], facts=[])
    assert library.fact_uses(CLUB) == {"price": ["price-1", "price-zh"], "delivery": ["draft-2"]}
    for script in ("price-1", "price-zh", "draft-2"):
        library.archive(script, library.get(script).version, "mei")
    assert library.fact_uses(CLUB) == {"price": [], "delivery": []}


def test_a_fact_in_a_line_of_the_campaign_cannot_be_removed(opened: Open, folder: Path) -> None:
    spoken = CAMPAIGN.replace("One moment.", "One moment. {fact.delivery}")
    library = opened(campaigns={CLUB: write_campaign(folder, campaign=spoken)})
    with pytest.raises(BadInput, match=r"lines.holding.en\[0\]: unknown fact in a placeholder \(delivery\)"):
        library.revise_campaign(CLUB, library.campaign_version(CLUB), "mei", facts=without(library, "delivery"))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"facts": []}, "facts: "),
        ({"facts": [{"id": "price", "text": {"en": "It is $20."}}]}, "facts[price].text: nothing in a language"),
        ({"facts": [{"id": "Price", "text": {"en": "a", "zh": "b"}}]}, "use lower-case letters"),
        ({"forbidden": [{"id": "a1", "reason": "No.", "patterns": {"en": ["(a"]}}]}, "no regular expression"),
        ({"forbidden": [{"id": "a1", "reason": "No.", "patterns": {"en": [r"(\w+ ?)+!"]}}]}, "may take for ever"),
        (
            {"forbidden": [{"id": "a1", "reason": "No.", "patterns": {"en": ["x"]}, "must_match": ["abc"]}]},
            "forbidden[a1].must_match[0]: the patterns miss a line that they must catch (abc)",
        ),
        ({"rubric": [RUBRIC, RUBRIC]}, "rubric[asks].id: id used twice"),
    ],
)
def test_the_whole_campaign_is_checked_before_it_is_saved(library: Library, parts: Any, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        library.revise_campaign(CLUB, 1, "mei", **parts)
    assert expected in str(caught.value)
    assert library.campaign_version(CLUB) == 1


def test_a_published_claim_blocks_with_its_severity_a_draft_blocks_nothing(library: Library) -> None:
    held = library.campaign(CLUB).campaign.forbidden
    tests = {"must_match": ["You look younger already."], "must_not_match": ["Even youngsters drink it."]}
    for version, status in enumerate(("draft", "published"), 1):
        data = library.revise_campaign(
            CLUB, version, "mei", forbidden=[*held, claim(status=status, severity="medium", **tests)]
        )
        sheet = fact_sheet(data.campaign, "en")
        found = [
            (hit["claim"], hit["severity"]) for hit in check_reply("It makes you younger.", sheet) if "claim" in hit
        ]
        assert found == ([("young", "medium")] if status == "published" else [])


def test_a_drafted_claim_is_tried_on_recorded_replies() -> None:
    replies = [("c1", 1, "Hello."), ("c1", 2, "Well, it makes you **younger**."), ("c2", 4, "Younger? It does not.")]
    found = try_claim(claim(status="draft", must_match=["not matched yet"]), replies, "en")
    assert [(one.call, one.turn, one.text) for one in found] == [("c1", 2, "younger"), ("c2", 4, "Younger")]
    assert try_claim(claim(), replies, "zh") == []
    with pytest.raises(BadInput, match="may take for ever"):
        try_claim(claim(patterns={"en": [r"(\w+\s?)+!"]}), replies, "en")


def test_a_changed_folder_keeps_what_people_edited_and_updates_the_rest(library: Library, folder: Path) -> None:
    held = library.campaign(CLUB).campaign
    library.revise_campaign(
        CLUB, 1, "mei", facts=[*with_price(library, "A box costs $22."), GIFT], forbidden=[], rubric=[RUBRIC]
    )
    newer = CAMPAIGN.replace("It comes in 3 days.", "It comes in 2 days.").replace(
        "A box costs $20.", "A box costs $30."
    )
    newer = newer.replace("forbidden:", "  - id: origin\n    text: {en: Grown here., zh: 本地种植。}\nforbidden:")
    library.load(write_campaign(folder, campaign=newer.replace("Sell a tea box.", "Sell tea.")), "jun")
    now = library.campaign(CLUB).campaign
    assert now.goal["en"] == "Sell tea."
    assert facts_of(library) == {
        "price": "A box costs $22.",
        "delivery": "It comes in 2 days.",
        "origin": "Grown here.",
        "gift": "A cup comes with it.",
    }
    assert (now.forbidden, now.rubric) == ([], [RUBRIC])
    assert (library.campaign_history(CLUB)[-1].action, library.campaign_version(CLUB)) == ("load", 3)
    library.load(folder, "jun")
    assert library.campaign_version(CLUB) == 3, "a load that changes nothing is no version"
    assert [claim.id for claim in held.forbidden] == ["health"]


def test_a_fact_that_somebody_removed_comes_back_when_a_new_script_needs_it(library: Library, folder: Path) -> None:
    library.revise_campaign(CLUB, 1, "mei", facts=without(library, "delivery"))
    library.load(folder, "jun")
    assert list(facts_of(library)) == ["price"]
    library.load(write_campaign(folder, scripts=SCRIPTS.replace("Buy two.", "{fact.delivery}")), "jun")
    assert list(facts_of(library)) == ["price", "delivery"]


def test_a_fact_that_the_folder_drops_stays_while_somebodys_script_needs_it(library: Library, folder: Path) -> None:
    library.add(make_script("own-1", facts=["delivery"]), "mei")
    begin, end = CAMPAIGN.index("  - id: delivery"), CAMPAIGN.index("forbidden:")
    write_campaign(folder, campaign=CAMPAIGN[:begin] + CAMPAIGN[end:])
    library.load(folder, "jun")
    assert list(facts_of(library)) == ["price", "delivery"]
    library.archive("own-1", 1, "mei")
    library.load(folder, "jun")
    assert list(facts_of(library)) == ["price"]


def test_a_home_from_before_the_history_begins_at_version_1(opened: Open, settings: Settings) -> None:
    opened().close()
    with writing(engine_for(settings)) as connection:
        connection.execute(delete(CAMPAIGN_REVISION))
    library = opened()
    (first,) = library.campaign_history(CLUB)
    assert (first.version, first.action, [claim.id for claim in first.forbidden]) == (1, "load", ["health"])
    library.revise_campaign(CLUB, 1, "mei", rubric=[RUBRIC])
    assert library.campaign_diff(CLUB, 1, 2).count("\n+") > 1


def test_postgresql_keeps_campaigns_in_the_same_way(postgres: str, settings: Settings, folder: Path) -> None:
    ours = settings.model_copy(update={"database_url": SecretStr(postgres)})
    with open_library(ours, HashEmbedder(), campaigns={CLUB: folder}) as library:
        library.revise_campaign(CLUB, 1, "mei", facts=with_price(library, "A box costs $22."))
        with pytest.raises(StaleEdit):
            library.revise_campaign(CLUB, 1, "jun", rubric=[RUBRIC])
        with pytest.raises(BadInput, match="used by price-1"):
            library.revise_campaign(CLUB, 2, "jun", facts=without(library, "price"))
        library.roll_back_campaign(CLUB, 1, 2, "jun")
        assert [one.author for one in library.campaign_history(CLUB)] == ["salesman", "mei", "jun"]
        assert library.fact_uses(CLUB) == {"price": ["price-1", "price-zh"], "delivery": []}
