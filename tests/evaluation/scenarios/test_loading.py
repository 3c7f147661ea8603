"""Own scenario files: every error at once, with file, line and field."""

import json
import shutil
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from evaluation.runs.choosing import choose
from evaluation.scenarios.commands import scenarios
from evaluation.scenarios.loading import examine_file, load_scenario_file
from graph.errors import BadInput
from graph.settings import get_settings
from nodes.resources import get_resources
from scripts_library.library import Library
from scripts_library.loading import bundled
from tests.evaluation.scenarios.conftest import Write, chinese, english

GOOD = """\
- id: one
  campaign: lantern_local
  language: en
  tier: easy
  propensity: 0.8
  persona: Sam, who has a cafe.
  reason: Wants more guests.
  profile: {shop_type: cafe}
  strategy: need-first
  if_asked: {need: "More new customers."}
  questions: [price_question]
  objections: [no_trust]
  success: {outcomes: [won], slots: [need]}
  checks: [outcome, slots]
  products: 6
"""


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sound_file_is_read_with_numbers_as_numbers(tmp_path: Path) -> None:
    (scenario,) = load_scenario_file(own(tmp_path, GOOD)).scenarios
    assert (scenario.propensity, scenario.products, scenario.source) == (0.8, 6, "written")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("  success: {outcomes: [won], slots: [need]}\n", "", 1, "own.yaml:1: [one].success: missing"),
        ("outcomes: [won]", "outcomes: []", 13, "success.outcomes: "),
        ("  checks: [outcome, slots]\n", "", 1, "[one].checks: missing"),
        ("[outcome, slots]", "[]", 14, "checks: "),
        ("lantern_local", "lantern_locl", 2, "unknown campaign (lantern_locl) – did you mean lantern_local?"),
        ("language: en", "language: fr", 3, "language"),
        ("tier: easy", "tier: tough", 4, "tier"),
        ("propensity: 0.8", "propensity: 8", 5, "propensity"),
        ("shop_type: cafe", "shop_type: casino", 8, "profile.shop_type: unknown value (casino)"),
        ("shop_type: cafe", "shop_kind: cafe", 8, "unknown profile field (shop_kind) – did you mean shop_name?"),
        ("need-first", "greed-first", 9, "unknown strategy (greed-first) – did you mean need-first?"),
        ("{need: ", "{needs: ", 10, "unknown slot (needs)"),
        ("[price_question]", "[prize_question]", 11, "unknown intent (prize_question) – did you mean price_question?"),
        ("[no_trust]", "[price_question]", 12, "unknown intent of kind objection (price_question)"),
        ("slots: [need]", "slots: [neeed]", 13, "unknown slot (neeed)"),
        (", slots: [need]}", "}", 14, "check without a criterion (slots)"),
        ("[outcome, slots]", "[outcome]", 13, "criterion that no check counts (slots)"),
        ("products: 6", "products: 7", 15, "products"),
        ("products: 6", "colour: red", 15, "unknown field (colour)"),
    ],
)
def test_an_error_is_named_with_file_line_and_field(
    old: str, new: str, line: int, message: str, tmp_path: Path
) -> None:
    path = own(tmp_path, GOOD.replace(old, new))
    with pytest.raises(BadInput) as raised:
        load_scenario_file(path)
    lines = [text for text in str(raised.value).splitlines() if f"own.yaml:{line}:" in text]
    assert any(message in text for text in lines), str(raised.value)


def test_all_errors_of_all_scenarios_come_at_once(tmp_path: Path) -> None:
    second = GOOD.replace("id: one", "id: two").replace("need-first", "greed-first").replace("tier: easy", "tier: x")
    path = own(tmp_path, GOOD.replace("[no_trust]", "[nothing]") + second + GOOD)
    with pytest.raises(BadInput) as raised:
        load_scenario_file(path)
    text = str(raised.value)
    assert "4 errors" in text
    for part in ("own.yaml:12: [one].objections", ":19: [two].tier", ":24: [two].strategy", "id used twice (one)"):
        assert part in text, text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "scenarios: 3", "no list of scenarios"),
        ("a.yaml", "", "no list of scenarios"),
        ("a.yaml", "- id: [", "not YAML"),
        ("a.txt", GOOD, r"'.txt'; expected .yaml, .yml \(own\) or .jsonl"),
    ],
)
def test_what_is_no_file_of_scenarios_is_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        load_scenario_file(tmp_path / name)
    with pytest.raises(BadInput, match="missing"):
        load_scenario_file(tmp_path / "gone.jsonl")


def test_examining_keeps_the_sound_ones_beside_the_broken_ones(tmp_path: Path) -> None:
    rows = GOOD + GOOD.replace("id: one", "id: two").replace("lantern_local", "nowhere") + "- 3\n"
    found = examine_file(own(tmp_path, rows))
    assert [scenario.id for scenario in found.scenarios] == ["one"]
    assert [finding.id for finding in found.broken] == ["two", "line 31"]


def ask(*arguments: str) -> str:
    app = Typer()
    app.command()(scenarios)
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_checker_prints_sound_broken_and_warnings_as_json(jsonl: Write) -> None:
    path = jsonl(english(language="chinese"), chinese(), chinese("c3_3", assistant_system_prompt=""), "{")
    report = json.loads(ask("--check", str(path), "--json"))
    assert list(report) == ["sound", "broken", "warnings"]
    assert report["sound"] == ["a1_1", "b2_2"]
    assert [row["id"] for row in report["broken"]] == ["c3_3", "line 4"]
    assert [row["id"] for row in report["warnings"]] == ["a1_1"]
    assert all(set(row) == {"id", "reasons"} and row["reasons"] for row in report["broken"] + report["warnings"])


def test_the_checker_takes_own_files_and_speaks_plainly(tmp_path: Path) -> None:
    text = ask("--check", str(own(tmp_path, GOOD + GOOD.replace("id: one", "id: two").replace("easy", "x"))))
    assert "1 can run (0 of them with a warning), 1 broken" in text
    assert "broken   two: " in text and "own.yaml:19: [two].tier" in text


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Library:
    """The home's library, with nothing but a campaign of the user's own in it."""
    monkeypatch.setenv("SALESMAN_BUNDLED", "false")
    folder = tmp_path / "corner_shops"
    shutil.copytree(bundled()["lantern_local"], folder)
    campaign = (folder / "campaign.yaml").read_text(encoding="utf-8")
    (folder / "campaign.yaml").write_text(campaign.replace("lantern_local", "corner_shops"), encoding="utf-8")
    (folder / "scripts.yaml").write_text("[]", encoding="utf-8")
    library = get_resources(get_settings()).library
    library.load(folder, "ada")
    return library


def test_own_scenarios_may_be_of_a_campaign_of_the_users_library(library: Library, tmp_path: Path) -> None:
    assert "corner_shops" in library.campaigns()
    path = own(tmp_path, GOOD.replace("lantern_local", "corner_shops").replace("  products: 6\n", ""))
    assert "1 can run (0 of them with a warning), 0 broken" in ask("--check", str(path))
    (scenario,) = choose(str(path), get_settings()).scenarios
    assert scenario.campaign == "corner_shops"
    with pytest.raises(BadInput, match=r"unknown strategy .greed-first. – did you mean need-first\?"):
        choose(str(own(tmp_path, path.read_text().replace("need-first", "greed-first"))), get_settings())
    with pytest.raises(BadInput, match=r"unknown campaign .corner_shop. – did you mean corner_shops\?"):
        choose(str(own(tmp_path, GOOD.replace("lantern_local", "corner_shop"))), get_settings())


def test_scenarios_of_bundled_campaigns_open_no_library(own_home: Path, tmp_path: Path) -> None:
    assert "1 can run" in ask("--check", str(own(tmp_path, GOOD)))
    assert not own_home.exists()


def test_without_a_file_the_bundled_ones_are_counted() -> None:
    counts = json.loads(ask("--json"))
    assert sum(count["scenarios"] for count in counts if count["split"] == "test") >= 40
    table = ask()
    assert table.splitlines()[0].split() == ["campaign", "language", "tier", "train", "dev", "test"]
    assert len(table.splitlines()) == 1 + 3 * 5
