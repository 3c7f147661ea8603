import time
from pathlib import Path

import pytest

from graph.errors import BadInput
from scripts_library.loading import bundled, fingerprint, load_campaign
from tests.scripts_library.conftest import CAMPAIGN, INTENTS, SCRIPTS, write_campaign

ONE_SCRIPT = SCRIPTS[: SCRIPTS.index("- id: price-zh")]


def errors_of(folder: Path) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load_campaign(folder)
    return str(caught.value).splitlines()[1:]


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_a_folder_gives_its_campaign_intents_and_scripts(folder: Path) -> None:
    data = load_campaign(folder)
    assert data.campaign.name == "tea_club"
    assert [intent.name for intent in data.intents] == ["too_expensive", "agrees"]
    assert {script.id: script.status for script in data.scripts} == {
        "price-1": "published", "price-zh": "published", "general-1": "published", "draft-1": "draft",
    }  # fmt: skip
    assert {script.campaign for script in data.scripts} == {"tea_club"}


CAMPAIGN_CASES = [
    ("unknown field", "currency: USD", "currency: USD\ncolour: red", "colour: red", "colour: unknown field"),
    ("near field", "currency: USD", "currency: USD\nagents: red", "agents: red", "did you mean agent?"),
    ("unknown stage", "objection: [analysis, close]", "objection: [greet]", "objection: [greet]", "one of 'opening'"),
    ("unknown slot", "close_requires: [boxes]", "close_requires: [boxs]", "close_requires", "did you mean boxes?"),
    ("unknown exit slot", "exit_slots: [boxes]", "exit_slots: [tins]", "exit_slots: [tins]", "unknown slot (tins)"),
    ("unknown exit intent", "exit_intents: [agrees]", "exit_intents: [agree]", "exit_intents: [agree]", "agrees?"),
    ("language missing in a text", 'label: {en: "Boxes", zh: "盒数"}', 'label: {en: "Boxes"}', 'label: {en: "Boxes"}',
     "slots[boxes].label: nothing in a language that the campaign speaks (zh)"),
    ("language missing in a fallback", 'fallback: {en: ["I see."], zh: ["明白。"]}', 'fallback: {en: ["I see."], zh: []}',
     "I see.", "sop.stages.objection.fallback: nothing in a language that the campaign speaks (zh)"),
    ("claim without a pattern", 'patterns: {en: ["\\\\bcures?\\\\b"], zh: ["治病"]}', "patterns: {}", "patterns: {}", "nothing to look for"),
    ("pattern that does not compile", "\\\\bcures?\\\\b", "(cures", "(cures", "no regular expression"),
    ("placeholder", "Hello {customer}, {agent} here.", "Hello {costumer}.", "costumer", "did you mean customer?"),
    ("fact in a placeholder", "One moment.", "{fact.prize}", "fact.prize", "unknown fact in a placeholder (prize)"),
    ("single brace", "One moment.", "One {moment.", "One {moment.", "single brace"),
    ("fact with a placeholder", "It comes in 3 days.", "It comes to {customer}.", "It comes to", "a fact is not filled"),
    ("duplicate fact", "- id: delivery", "- id: price", "- id: price\n    text: {en: \"It comes", "id used twice (price)"),
    ("a line beyond the limit", "Back to tea.", "Back to tea. " * 20, "Back to tea.", "longer than max_chars (200)"),
    ("minimum above maximum", "minimum: 1", "minimum: 10", "minimum: 10", "minimum above maximum (10 > 9)"),
    ("no number", "minimum: 1", "minimum: one", "minimum: one", "slots[boxes].minimum: input should be a valid number"),
    ("choice without values", "kind: quantity", "kind: choice", "name: boxes", "a choice without values (boxes)"),
    ("stage that is not reached", "analysis: [objection, close]\n    objection: [analysis, close]",
     "analysis: [objection]\n    objection: [analysis]", "moves:", "stage that no move reaches from opening (close)"),
    ("repeated key", "currency: USD", "currency: USD\ncurrency: EUR", "currency: EUR", "written twice"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("why", "old", "new", "at", "expected"), CAMPAIGN_CASES, ids=[case[0] for case in CAMPAIGN_CASES]
)
def test_an_error_in_the_campaign_names_file_line_field_and_way_out(
    tmp_path: Path, why: str, old: str, new: str, at: str, expected: str
) -> None:
    text = CAMPAIGN.replace(old, new)
    assert text != CAMPAIGN, why
    folder = write_campaign(tmp_path / "tea_club", campaign=text)
    found = errors_of(folder)
    assert any(
        error.startswith(f"{folder / 'campaign.yaml'}:{line_of(text, at)}: ") and expected in error for error in found
    ), found


SCRIPT_CASES = [
    ("unknown intent", "intent: too_expensive", "intent: too_dear", "[price-1].intent: unknown intent (too_dear)"),
    ("unknown fact", "facts: [price]", "facts: [prices]", "[price-1].facts: unknown fact (prices) – did you mean price?"),
    ("placeholder", "{fact.price}", "{fact.cost}", "[price-1].say[0]: unknown fact in a placeholder (cost)"),
    ("unknown placeholder", "{fact.price}", "{fee}", "[price-1].say[0]: placeholder that can never be filled ({fee})"),
    ("unknown stage", "stage: objection", "stage: greet", "[price-1].stage: "),
    ("missing field", "  title: Price per cup\n", "", "[price-1].title: missing – add `title:`"),
    ("wrong type", 'say: ["{fact.price} That is a month of tea."]', "say: text", "[price-1].say: input should be a valid list"),
    ("unknown language", "language: en", "language: fr", "[price-1].language: "),
    ("other campaign", "- id: price-1", "- id: price-1\n  campaign: coffee", "not this campaign (coffee) – write tea_club"),
    ("bad date", "facts: [price]", "valid_until: soon", "[price-1].valid_until: "),
    ("bad id", "- id: price-1", "- id: Price 1", "[Price 1].id: "),
]  # fmt: skip


@pytest.mark.parametrize(("why", "old", "new", "expected"), SCRIPT_CASES, ids=[case[0] for case in SCRIPT_CASES])
def test_an_error_in_a_script_names_the_script_and_the_field(
    tmp_path: Path, why: str, old: str, new: str, expected: str
) -> None:
    folder = write_campaign(tmp_path / "tea_club", scripts=ONE_SCRIPT.replace(old, new))
    found = errors_of(folder)
    assert any(expected in error for error in found), f"{why}: {found}"


def test_all_errors_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    folder = write_campaign(
        tmp_path / "tea_club",
        campaign=CAMPAIGN.replace("close_requires: [boxes]", "close_requires: [tins]").replace(
            "currency: USD", "colour: red"
        ),
        intents=INTENTS.replace("kind: agreement", "kind: yes").replace("name: too_expensive", "name: any"),
        scripts=SCRIPTS.replace("id: price-zh", "id: price-1")
        .replace("{customer}?", "{nobody}?")
        .replace("outline: [Nothing]", ""),
    )
    found = "\n".join(errors_of(folder))
    for expected in (
        "unknown slot (tins)", "colour: unknown field", "currency: missing", "[agrees].kind: ", "reserved name (any)",
        "id used twice (price-1)", "({nobody})", "[draft-1].outline: missing", "unknown intent (too_expensive)",
    ):  # fmt: skip
        assert expected in found


def test_a_missing_and_a_broken_file_are_named_beside_the_others_errors(tmp_path: Path) -> None:
    folder = write_campaign(
        tmp_path / "tea_club", campaign="name: [", scripts=ONE_SCRIPT.replace("outline", "outlines")
    )
    (folder / "intents.yaml").unlink()
    found = errors_of(folder)
    assert [error.split(": ")[0].rsplit("/", 1)[1].split(":")[0] for error in found] == [
        "campaign.yaml", "intents.yaml", "scripts.yaml", "scripts.yaml",
    ]  # fmt: skip
    assert "not YAML" in found[0] and "missing" in found[1] and "did you mean outline?" in found[2] + found[3]


def test_plain_words_stay_the_words_that_were_written(tmp_path: Path) -> None:
    scripts = ONE_SCRIPT.replace("[Acknowledge, Give the price]", "[no, 24/7, 1.50, 2026-01-01, on]")
    data = load_campaign(write_campaign(tmp_path / "tea_club", scripts=scripts))
    assert data.scripts[0].outline == ["no", "24/7", "1.50", "2026-01-01", "on"]


NINE_TIMES = [f"- &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 9)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("&a [*a]", "scripts.yaml:1: *a: refers to another value"),
        ("\n".join(["- &l0 [x, x]", *NINE_TIMES]), "scripts.yaml:2: *l0: refers to another value"),
        ("- &base {id: x}\n- <<: *base", "scripts.yaml:2: *base: refers to another value"),
        ("[" * 100_000, "more than 40 lists and maps in each other"),
        ("- " * 100_000, "more than 40 lists and maps in each other"),
    ],
    ids=["itself", "unfolding", "merging", "brackets", "dashes"],
)
def test_a_file_that_would_unfold_or_nest_without_end_is_refused_at_once(
    tmp_path: Path, text: str, expected: str
) -> None:
    folder = write_campaign(tmp_path / "tea_club", scripts=text)
    started = time.perf_counter()
    assert expected in errors_of(folder)[0]
    assert time.perf_counter() - started < 1


def test_a_hundred_scripts_load_fast(tmp_path: Path) -> None:
    block = ONE_SCRIPT.strip("\n")
    scripts = "\n".join(block.replace("price-1", f"price-{number}") for number in range(100))
    folder = write_campaign(tmp_path / "tea_club", scripts=scripts)
    best = 9.0
    for _ in range(3):
        started = time.perf_counter()
        assert len(load_campaign(folder).scripts) == 100
        best = min(best, time.perf_counter() - started)
    assert best < 0.3


@pytest.mark.parametrize("name", sorted(bundled()))
def test_the_campaigns_that_ship_are_valid(name: str) -> None:
    data = load_campaign(bundled()[name])
    assert data.campaign.name == name
    assert data.scripts


def test_the_fingerprint_changes_with_any_file(folder: Path) -> None:
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "scripts.yaml").write_text(SCRIPTS + "\n", encoding="utf-8")
    assert fingerprint(folder) != before


CLAIM = """
forbidden:
  - id: health
    reason: Tea heals nothing.
    patterns: {en: ["\\\\bcures?\\\\b"]}
"""


def with_claim(tmp_path: Path, lines: str) -> Path:
    begin = CAMPAIGN.index("forbidden:")
    end = CAMPAIGN.index("profile:")
    return write_campaign(tmp_path / "tea_club", campaign=CAMPAIGN[:begin] + CLAIM.lstrip() + lines + CAMPAIGN[end:])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "    must_match: ['Tea heals you.']\n",
            "must_match[0]: the patterns miss a line that they must catch (Tea heals",
        ),
        ("    must_not_match: ['We have no cure for that.']\n", "must_not_match[0]: the patterns catch a line"),
        ("    severity: grave\n", "severity: "),
        ("  - {id: none, reason: Nothing., patterns: {en: []}}\n", "[none].patterns: nothing to look for"),
        ("  - {id: slow, reason: Slow., patterns: {en: ['(a+)+$']}}\n", "[slow].patterns.en[0]: may take for ever"),
        ("  - {id: bad, reason: Bad., status: draft, patterns: {en: ['(a']}}\n", "no regular expression"),
        ("rubric:\n  - {id: empty, text: {}}\n", "rubric[empty].text: no text"),
    ],
)
def test_a_rule_that_does_not_do_what_it_says_is_refused(tmp_path: Path, lines: str, expected: str) -> None:
    (found,) = errors_of(with_claim(tmp_path, lines))
    assert expected in found


def test_a_rule_in_one_language_with_test_lines_that_hold_is_taken_and_a_draft_may_be_unfinished(
    tmp_path: Path,
) -> None:
    lines = "    must_match: ['Well. It cures **all**.']\n    must_not_match: ['A secure box.']\n    severity: low\n"
    draft = "  - {id: draft, reason: To do., status: draft, patterns: {en: []}, must_match: ['No pattern yet.']}\n"
    rubric = "rubric:\n  - {id: asks, text: {en: Asks first.}, status: draft, source: call ab12 turn 3}\n"
    campaign = load_campaign(with_claim(tmp_path, lines + draft + rubric)).campaign
    assert [(claim.id, claim.severity, claim.status) for claim in campaign.forbidden] == [
        ("health", "low", "published"),
        ("draft", "high", "draft"),
    ]
    assert campaign.rubric[0].source == "call ab12 turn 3"
