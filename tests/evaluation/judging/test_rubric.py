import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.judging.rubric import (
    FOLDER,
    LANGUAGES,
    Rubric,
    bundled_rubrics,
    campaign_rubric,
    find_rubrics,
    load_rubric,
    metrics_of,
)
from graph.errors import BadInput
from scripts_library.loading import bundled, load_campaign
from scripts_library.schema import RubricLine

RUBRICS = bundled_rubrics()


def process() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((FOLDER / "process.yaml").read_text(encoding="utf-8"))
    return data


def written(tmp_path: Path, data: object) -> Path:
    path = tmp_path / "process.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize("rubric", RUBRICS.values(), ids=list(RUBRICS))
def test_every_rubric_ships_a_gold_and_a_bad_conversation_in_each_language(rubric: Rubric) -> None:
    for language in LANGUAGES:
        gold, bad = rubric.gold[language], rubric.bad[language]
        assert any(line.customer for line in gold.call)
        assert gold.call != bad.call
        assert set(gold.background) == set(bad.background) == set(rubric.background)


def test_the_published_rubrics_are_there_with_their_scales() -> None:
    assert RUBRICS["process"].criteria[0].values == [float(value) for value in range(11)]
    assert [one.id for one in RUBRICS["telebot"].criteria] == [
        "consistency", "repetition", "conversationality", "diversity", "strategy_following", "knowledge_grounding",
    ]  # fmt: skip
    assert (len(RUBRICS["grid"].parts), len(RUBRICS["grid"].criteria)) == (6, 7)
    assert {"business_analysis", "operational_guidance", "objection_handling", "role_playing"} < {
        part.id for part in RUBRICS["grid"].parts
    }
    assert RUBRICS["role_inversion"].judges == "customer"
    assert RUBRICS["reply"].criteria[0].values == [1, 2, 3, 4, 5]


def test_metrics_are_named_after_their_question_and_say_which_way_is_better() -> None:
    grid = metrics_of(RUBRICS["grid"])
    assert len({metric.name for metric in grid}) == 42
    assert all(metric.name.startswith("grid.") and metric.better == "higher" for metric in grid)
    [severity] = metrics_of(RUBRICS["role_inversion"])
    assert (severity.name, severity.better, severity.unit) == ("role_inversion.severity", "lower", "points")
    assert {metric.unit for metric in metrics_of(RUBRICS["telebot"])} == {"share"}


@pytest.mark.parametrize(
    ("values", "score", "why"),
    [
        ({"rating": 5.0, **dict.fromkeys(["soothing", "style"], 1.0)}, 1.0, "best everywhere"),
        ({"rating": 1.0, "style": 0.0}, 0.0, "worst everywhere"),
        ({"rating": 3.0, "style": 1.0}, (4 * 0.5 + 1) / 5, "weighted: the rating counts four times"),
        ({"rating": None, "style": 1.0}, 1.0, "what the judge failed on does not count"),
        ({"rating": None}, None, "nothing is known"),
    ],
)
def test_a_score_is_the_weighted_mean_between_worst_and_best(
    values: dict[str, float | None], score: float | None, why: str
) -> None:
    found = RUBRICS["reply"].score(values)
    assert found == (None if score is None else pytest.approx(score)), why


def test_values_that_fall_towards_the_better_are_scored_by_their_place() -> None:
    assert RUBRICS["role_inversion"].score({"severity": 0.0}) == 1.0
    assert RUBRICS["role_inversion"].score({"severity": 3.0}) == 0.0


def test_all_errors_of_a_file_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    data = process()
    data["tilte"] = data.pop("title")
    data["judges"] = "weather"
    data["criteria"][0]["choices"][0]["values"] = []
    with pytest.raises(BadInput) as raised:
        load_rubric(written(tmp_path, data))
    told = str(raised.value)
    assert all(word in told for word in ("title", "tilte: unknown field", "weather", "values"))
    assert all(":" in line for line in told.splitlines()[1:])


def break_order(data: dict[str, Any]) -> None:
    data["criteria"][0]["choices"].reverse()
    data["criteria"][0]["choices"][0]["values"] = [4]


def drop_kinds(data: dict[str, Any]) -> None:
    del data["criteria"][0]["kinds"]


def double(data: dict[str, Any]) -> None:
    data["criteria"].append(copy.deepcopy(data["criteria"][0]))


def forget_choices(data: dict[str, Any]) -> None:
    data["criteria"][0]["choices"] = []


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (break_order, "the values must rise or fall"),
        (drop_kinds, "which `kinds` does not"),
        (double, "criterion 'progress' is there twice"),
        (forget_choices, "has no choices"),
        (lambda data: data["gold"].pop("zh"), "gold.zh: missing"),
        (lambda data: data["bad"].pop("en"), "bad.en: missing"),
        (lambda data: data["task"].pop("zh"), "task.zh: missing"),
        (lambda data: data["criteria"][0]["choices"][0]["text"].pop("zh"), "choices[0].text.zh: missing"),
        (lambda data: data.update(name="other"), "call the file other.yaml"),
        (lambda data: data.update(criteria=[]), "criteria"),
    ],
)
def test_a_rubric_that_cannot_be_judged_by_is_refused(spoil: Any, told: str, tmp_path: Path) -> None:
    data = process()
    spoil(data)
    with pytest.raises(BadInput) as raised:
        load_rubric(written(tmp_path, data))
    assert told in str(raised.value)


def test_unknown_rubrics_are_all_named() -> None:
    with pytest.raises(BadInput, match=r"warmth, luck are unknown; expected grid, persona_drift, process"):
        find_rubrics(["process", "warmth", "luck"])


def test_a_campaigns_published_lines_become_a_rubric_of_replies() -> None:
    campaign = load_campaign(bundled()["lantern_local"]).campaign
    assert campaign_rubric(campaign.model_copy(update={"rubric": []})) is None
    lines = [
        RubricLine(id="names-the-price", text={"en": "It names the price when asked."}),
        RubricLine(id="half-done", text={"en": "Not yet."}, status="draft"),
    ]
    rubric = campaign_rubric(campaign.model_copy(update={"rubric": lines}))
    assert rubric is not None
    assert (rubric.name, rubric.judges) == ("campaign-lantern_local", "turn")
    [one] = rubric.criteria
    assert one.question == dict.fromkeys(LANGUAGES, "It names the price when asked.")
    assert [metric.name for metric in metrics_of(rubric)] == ["campaign-lantern_local.names-the-price"]
