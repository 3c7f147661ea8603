import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from evaluation.judging.agreement import Rating, agreement, alpha, find_ratings, icc, ratings_of_run, read_ratings
from graph.errors import BadInput

NONE = np.nan
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
    ]
).T
"""Worked example of Krippendorff (2011): 4 observers, 12 units."""
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


@pytest.mark.parametrize(("level", "published"), [("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(level: str, published: float) -> None:
    assert alpha(KRIPPENDORFF, level) == pytest.approx(published, abs=5e-4)  # type: ignore[arg-type]


def test_icc_of_the_published_example() -> None:
    assert icc(SHROUT_FLEISS) == pytest.approx(0.29, abs=5e-3)


@pytest.mark.parametrize(
    ("table", "expected", "why"),
    [
        ([[1, 1], [5, 5], [9, 9]], 1.0, "full agreement"),
        ([[1, NONE], [NONE, 5]], None, "nothing was rated twice"),
        ([[4, 4], [4, 4]], None, "nothing varies"),
        ([[NONE, NONE]], None, "nothing at all"),
    ],
)
def test_alpha_at_its_edges(table: list[list[float]], expected: float | None, why: str) -> None:
    assert alpha(np.array(table, float), "interval") == expected, why


def ratings(judge: list[float], *people: list[float], tiers: str = "") -> list[Rating]:
    named = {"judge": judge, **{f"person {number}": column for number, column in enumerate(people)}}
    return [
        Rating(f"call {place}", rater, value, tiers[place] if tiers else "")
        for rater, column in named.items()
        for place, value in enumerate(column)
        if not np.isnan(value)
    ]


JUDGE, ANN, BOB = [2, 4, 6, 8, 9, 3.0], [1, 5, 5, 9, 8, 4.0], [3, 3, 6, 7, 9, NONE]


def test_the_judge_is_compared_with_the_mean_of_the_people() -> None:
    found = agreement(ratings(JUDGE, ANN, BOB), rounds=200)
    means = [2, 4, 5.5, 8, 8.5, 4]
    assert found["pearson"]["value"] == pytest.approx(pearsonr(JUDGE, means).statistic, abs=1e-4)
    assert found["spearman"]["value"] == pytest.approx(spearmanr(JUDGE, means).statistic, abs=1e-4)
    assert found["bias"]["value"] == pytest.approx(np.mean(np.subtract(JUDGE, means)), abs=1e-4)
    assert found["icc"]["value"] == pytest.approx(icc(np.column_stack([JUDGE, means])), abs=1e-4)
    assert found["alpha_people"]["value"] == pytest.approx(alpha(np.column_stack([ANN, BOB]), "interval"), abs=1e-4)
    assert (found["items"], found["people"]) == (6, 2)
    for name in ("pearson", "spearman", "icc", "alpha_interval", "alpha_ordinal"):
        assert found[name]["low"] <= found[name]["value"] <= found[name]["high"]


def test_the_interval_is_drawn_by_seed_and_narrows_with_items() -> None:
    few = ratings(JUDGE, ANN)
    many = ratings(JUDGE * 20, ANN * 20)
    assert agreement(few, seed=3, rounds=100) == agreement(few, seed=3, rounds=100)
    wide, narrow = agreement(few, rounds=200)["pearson"], agreement(many, rounds=200)["pearson"]
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"] > 0


def test_a_judge_that_only_tells_the_tiers_apart_agrees_overall_but_not_within_them() -> None:
    judge, people = [8, 9, 8, 9, 1, 2, 1, 2.0], [9, 8, 8, 9, 1, 2, 2, 1.0]
    found = agreement(ratings(judge, people, tiers="eeeehhhh"), rounds=100)
    assert found["pearson"]["value"] > 0.9
    assert set(found["within_tier"]["tiers"]) == {"e", "h"}
    assert found["within_tier"]["mean"] == pytest.approx(0.0)


def test_a_judge_that_always_says_the_same_has_no_correlation() -> None:
    found = agreement(ratings([5.0] * 6, ANN), rounds=100)
    assert found["pearson"] == {"value": None, "low": None, "high": None}
    assert found["bias"]["value"] is not None


@pytest.mark.parametrize(
    ("rows", "options", "told"),
    [
        (ratings(JUDGE, ANN), {"judge": "gpt"}, "Rater 'gpt' is not in the ratings; expected one of judge, person 0"),
        (ratings([1, 2], [2, 1]), {}, "2 items were rated by 'judge' and a person"),
        (
            [Rating("a", "judge", 1, "", "x"), Rating("a", "judge", 1, "", "y")],
            {},
            "several criteria; choose one of x, y",
        ),
        ([Rating("a", "judge", 1, "", "x")], {"criterion": "z"}, "Criterion 'z' is not in the ratings"),
        ([], {}, "expected one of nobody"),
    ],
)
def test_what_cannot_be_compared_is_told(rows: list[Rating], options: dict[str, str], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        agreement(rows, **options)  # type: ignore[arg-type]


def test_a_file_is_read_and_the_last_rating_of_an_item_counts(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("\ufeffitem,rater,rating,tier\na,ann,3,easy\na,ann,5,easy\nb,judge,2.5,\n", encoding="utf-8")
    assert read_ratings(path) == [Rating("a", "ann", 5, "easy"), Rating("b", "judge", 2.5)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("item,rater\na,ann\n", "columns rating are missing"),
        ("item,rater,rating\na,ann,good\n", "r.csv:2: item 'a', rater 'ann', rating 'good'"),
        ("item,rater,rating\na,ann,nan\n", "rating 'nan'"),
        ("item,rater,rating\n,ann,3\n", "item ''"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        read_ratings(path)


def judged(judge: str, values: list[float]) -> str:
    lines = [
        {"unit": f"u{n}", "session": 0, "turn": None, "rubric": "process", "rubric_version": 1, "criterion": "progress",
         "value": value, "reason": "r", "turns": [], "judge": judge, "error": None, "seconds": 1}
        for n, value in enumerate(values)
    ]  # fmt: skip
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_a_run_that_nobody_has_rated_says_where_people_rate(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no ratings; people make them on the page Quality"):
        find_ratings(tmp_path)


def test_the_ratings_of_a_run_meet_its_judge_by_its_folder_or_its_file(tmp_path: Path) -> None:
    rows = [f"u{n},ann,{value},easy,process.progress" for n, value in enumerate(ANN)]
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join(["item,rater,rating,tier,criterion", *rows]) + "\n")
    with pytest.raises(BadInput, match="no judge has rated"):
        find_ratings(tmp_path)
    with pytest.raises(
        BadInput, match=r"'judge' is not in .*expected one of ann: name one with --judge, .*run's folder"
    ):
        agreement(find_ratings(path))
    (tmp_path / "judged.jsonl").write_text(judged("strict", [1.0] * 6) + judged("kind", JUDGE))
    found = agreement(find_ratings(tmp_path), rounds=100)
    assert (found["criterion"], found["items"]) == ("process.progress", 6)
    assert agreement(find_ratings(path), rounds=100) == found, "the file, joined with the run's judgements"
    newest, strict = (agreement(find_ratings(path, name), name, rounds=100) for name in ("kind", "strict"))
    assert newest == found | {"judge": "kind"}
    assert strict["pearson"]["value"] is None and strict["bias"]["value"] < newest["bias"]["value"]
    with pytest.raises(BadInput, match="'gpt' is not in the ratings; expected one of ann, judge"):
        agreement(find_ratings(path, "gpt"), "gpt")


def test_a_person_who_is_called_like_the_judge_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("item,rater,rating\na,judge,5\n", "utf-8")
    with pytest.raises(BadInput, match="a person rated as 'judge'"):
        ratings_of_run(tmp_path)
