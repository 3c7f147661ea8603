import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from evaluation.intent import (
    Measured,
    bootstrap_interval,
    evaluate_intent,
    find_campaign,
    macro_f1,
    read_held_out,
    spread,
    summarise,
)
from graph.errors import BadInput
from graph.settings import Settings, get_settings
from nodes.intent_features import Example
from scripts_library.loading import CampaignData, bundled
from scripts_library.persuasion import split_of

LINES = Path(__file__).parents[2] / "evaluation" / "data" / "lantern_local_intents.csv"
ACTS = bundled()["save_the_children"] / "data" / "annotated_dialog.csv"
FIGURES = {"accuracy", "macro_f1", "coverage", "ms", "n", "labels"}


def lantern() -> CampaignData:
    return find_campaign("lantern_local", get_settings())


def answered(meant: str, predicted: str, confidence: float = 0.9, group: str = "") -> Measured:
    return Measured(Example("line", meant, group=group), "en", predicted, confidence, 2.0)


def test_figures_of_a_small_table_are_as_by_hand() -> None:
    measured = [answered("a", "a"), answered("a", "b"), answered("b", "b", 0.2), answered("c", "")]
    # F1: a 2·1/(1+2), b 2·1/(2+1), c 0
    assert macro_f1(measured) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert summarise(measured, 0.5) == {
        "accuracy": 0.5,
        "macro_f1": 0.4444,
        "coverage": 0.75,
        "ms": 2.0,
        "n": 4,
        "labels": 3,
    }


def test_the_interval_holds_the_figure_and_is_wider_when_calls_are_drawn_whole() -> None:
    single = [answered("a", "a" if number % 2 else "b") for number in range(80)]
    whole = [answered("a", "a" if number % 20 < 10 else "b", group=str(number // 10)) for number in range(80)]

    def share(lines: object) -> float:
        return sum(one.predicted == "a" for one in lines) / len(lines)  # type: ignore[attr-defined,arg-type]

    low, high = bootstrap_interval(single, share, rounds=200)
    wide_low, wide_high = bootstrap_interval(whole, share, rounds=200)
    assert low < 0.5 < high
    assert wide_high - wide_low > high - low


def test_a_limit_keeps_lines_from_the_whole_file() -> None:
    lines = [("en", Example(str(number))) for number in range(10)]
    assert [line.text for _, line in spread(lines, 3)] == ["0", "3", "6"]  # type: ignore[arg-type]
    assert spread(lines, None) == spread(lines, 99) == lines  # type: ignore[arg-type]


def test_the_held_out_lines_cover_every_intent_in_both_languages_and_none_is_an_example() -> None:
    data = lantern()
    held_out = read_held_out(LINES, data)
    counts = Counter((language, line.intent) for language, line in held_out.test)
    assert held_out.train is None
    for language in ("en", "zh"):
        assert sum(count for (spoken, _), count in counts.items() if spoken == language) >= 150
        assert all(counts[language, intent.name] >= 5 for intent in data.intents)
    assert len({line.text for _, line in held_out.test}) == len(held_out.test)


def test_recorded_calls_are_divided_by_call_with_all_labels() -> None:
    held_out = read_held_out(ACTS, find_campaign("save_the_children", get_settings()))
    assert held_out.train is not None
    assert {split_of(example.group) for example in held_out.train} == {"train", "dev"}
    assert {split_of(line.group) for _, line in held_out.test} == {"test"}
    assert len({line.intent for _, line in held_out.test}) == 23
    assert sum(bool(line.previous_agent_text) for _, line in held_out.test) > 0.9 * len(held_out.test)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "yaml"])
def test_every_form_of_file_is_read_alike(suffix: str, tmp_path: Path) -> None:
    rows = [
        {"language": "en", "intent": "busy", "text": "Zebras are at the till, later", "previous": "May I?"},
        {"language": "zh", "intent": "busy", "text": "斑马在柜台，晚点说", "previous": ""},
    ]
    path = tmp_path / f"lines.{suffix}"
    if suffix == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    elif suffix == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    else:
        path.write_text(json.dumps(rows), encoding="utf-8")
    test = read_held_out(path, lantern()).test
    assert [(language, line.intent, line.previous_agent_text) for language, line in test] == [
        ("en", "busy", "May I?"),
        ("zh", "busy", ""),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message", "why"),
    [
        ("a.csv", "language,text\nen,hi\n", "columns intent are missing", "no column"),
        ("a.csv", "language,intent,text\n", "holds no line", "header alone"),
        ("a.csv", "", "holds no line", "empty"),
        ("a.jsonl", "", "holds no line", "empty"),
        ("a.yaml", "", "holds no line", "empty"),
        ("a.csv", "language,intent,text\nen,bribe,zebra\n", "a.csv:2: unknown intent 'bribe'", "label"),
        ("a.csv", "language,intent,text\nfr,busy,zebra\n", "a.csv:2: language 'fr'", "language"),
        ("a.csv", "language,intent,text\nen,busy,\n", "a.csv:2: text is empty", "no text"),
        ("a.jsonl", '{"language": "en"', "a.jsonl:1: no valid JSON", "broken JSON"),
        ("a.jsonl", "[1]", "a.jsonl:1: expected an object", "no object"),
        ("a.yaml", "a: [", "no valid YAML", "broken YAML"),
        ("a.yaml", "a: 1", "expected a list", "no list"),
        ("a.txt", "busy", ".txt is unknown", "suffix"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(
    name: str, text: str, message: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=message) as raised:
        read_held_out(path, lantern())
    assert "\n" not in str(raised.value)


def test_all_faults_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("language,intent,text\nen,bribe,zebra\nfr,busy,zebra\n", encoding="utf-8")
    with pytest.raises(BadInput) as raised:
        read_held_out(path, lantern())
    assert len(str(raised.value).splitlines()) == 2


def test_a_line_that_was_learnt_is_refused_by_name(tmp_path: Path) -> None:
    data = lantern()
    line = data.intents[0].examples["en"][0]
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"language": "en", "intent": data.intents[0].name, "text": f" {line.upper()}!"}))
    with pytest.raises(BadInput, match="is among the training examples"):
        read_held_out(path, data)


def test_recorded_calls_of_another_campaign_are_refused() -> None:
    with pytest.raises(BadInput, match="are no intents of campaign lantern_local"):
        read_held_out(ACTS, lantern())


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.csv: cannot be read"):
        read_held_out(tmp_path / "none.csv", lantern())


def test_the_shipped_classifier_understands_most_held_out_lines() -> None:
    result = evaluate_intent("lantern_local", LINES, "classifier", get_settings())
    assert set(result) == {"classifier"}
    figures = result["classifier"]
    assert set(figures) == FIGURES
    assert (figures["n"], figures["labels"]) == (364, 26)
    assert figures["accuracy"] > 0.84
    assert figures["macro_f1"] > 0.84
    assert figures["coverage"] >= 0.95


def test_the_model_is_measured_through_the_same_figures(tmp_path: Path, own_home: Path) -> None:
    replies = tmp_path / "replies.yaml"
    replies.write_text("- json: {intent: busy}\n- json: {intent: bribe}\n", encoding="utf-8")
    lines = tmp_path / "lines.csv"
    lines.write_text("language,intent,text\nen,busy,Zebras at the till\nen,busy,More zebras here\n", encoding="utf-8")
    settings = Settings(home=own_home, llm=f"fake/scripted:{replies}", _env_file=None)  # type: ignore[call-arg]
    figures = evaluate_intent("lantern_local", lines, "model", settings)["model"]
    assert figures["accuracy"] == 0.5
    assert figures["coverage"] == 0.5, "an answer outside the schema is none"


@pytest.mark.slow
def test_recorded_calls_reach_the_floor() -> None:
    figures = evaluate_intent("save_the_children", ACTS, "classifier", get_settings())["classifier"]
    assert figures["labels"] == 23
    assert figures["accuracy"] >= 0.55
    assert figures["macro_f1"] >= 0.47
