import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from langchain_core.messages import AIMessage
from typer.testing import CliRunner

from evaluation.judging import commands
from evaluation.judging.batch import judged_scores
from evaluation.judging.checked import check_of
from evaluation.judging.pairs import keep_preference, keep_rating, pairs_to_rate
from evaluation.runs.store import read_lines
from graph.errors import BadInput
from graph.settings import get_settings
from scripts_library.loading import bundled
from serving.fakes import ScriptedChatModel
from tests.evaluation.judging.fake_judge import progress, quote
from tests.evaluation.judging.test_pairs import AT, a_run


@pytest.fixture
def salesman() -> Callable[..., Any]:
    """Run one of the room's commands and return what it printed; an error is raised, not hidden."""
    app = typer.Typer()
    for name in ("judge", "rubrics", "bad_cases", "agreement", "preference"):
        app.command(name.replace("_", "-"))(getattr(commands, name))

    def run(*words: object, parse: bool = True) -> Any:
        result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if parse else result.stdout

    return run


def use_judge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *answers: dict[str, Any]) -> None:
    path = tmp_path / "judge.yaml"
    path.write_text(json.dumps([{"json": answer} for answer in answers]), encoding="utf-8")
    monkeypatch.setenv("SALESMAN_JUDGE", f"fake/scripted:{path}")
    get_settings.cache_clear()


def with_campaign(folder: Path) -> Path:
    """Make a run, with its campaign in its folder."""
    import shutil

    a_run(folder)
    shutil.copytree(bundled()["lantern_local"], folder / "campaigns" / "lantern_local")
    return folder


def test_a_run_is_judged_and_goes_on_and_its_judge_is_compared_with_a_person(
    salesman: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = with_campaign(tmp_path / "run")
    use_judge(monkeypatch, tmp_path, progress(2, quote(1, "Sure, but I'm busy", "nothing")))
    first = salesman("judge", folder, "--rubrics", "process", "--limit", 3, "--json")
    assert (first["asked"], first["failed"]) == (3, {})
    again = salesman("judge", folder, "--rubrics", "process", "--json")
    assert (again["asked"], again["stood"]) == (5, 3)
    run = a_run(tmp_path / "other")
    from evaluation.judging.pairs import calls_to_rate
    from evaluation.runs.store import read_run

    run = read_run(folder)
    for value, call in enumerate(calls_to_rate(run, "ann", "process.progress")):
        keep_rating(run, call, "ann", "process.progress", value, AT)
    found = salesman("agreement", "--data", folder, "--json")
    assert (found["items"], found["people"]) == (8, 1)
    assert found["pearson"]["value"] is None, "this judge always says 2"
    assert found["bias"]["value"] == pytest.approx(2 - 3.5)


def test_a_judge_of_drift_sees_who_the_customer_was_told_to_be(
    salesman: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(model: Any, prompt: list[Any], **options: Any) -> AIMessage:
        asked.append(prompt[-1].content)
        found = {"evidence": [quote(1, "Sure, but I'm busy", "in_character")], "reason": "r", "value": 0}
        return AIMessage(json.dumps({"drift": found}))

    monkeypatch.setattr(ScriptedChatModel, "invoke", answer)
    folder = with_campaign(tmp_path / "run")
    use_judge(monkeypatch, tmp_path, {})
    summary = salesman("judge", folder, "--rubrics", "persona_drift", "--json")
    assert (summary["asked"], summary["failed"]) == (8, {})
    assert all('<background>\nprofile: "Busy. Came in."\n</background>' in text for text in asked)
    scores = judged_scores(read_lines(folder / "judged.jsonl"))  # type: ignore[arg-type]
    assert {(one["metric"], one["value"]) for call in scores.values() for one in call} == {("persona_drift.drift", 0.0)}


def test_computed_and_judged_are_reported_beside_each_other(
    salesman: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evaluation.judging.rubric import bundled_rubrics

    folder = with_campaign(tmp_path / "run")
    criteria = bundled_rubrics()["telebot"].criteria
    fine = {"evidence": [quote(0, "Hello, this is Lan", "fine")], "reason": "r", "value": 1}
    use_judge(monkeypatch, tmp_path, {one.id: fine for one in criteria})
    summary = salesman("judge", folder, "--rubrics", "telebot", "--json")
    both = summary["telebot_computed_and_judged"]
    assert both["knowledge_grounding"]["n"] == 8
    assert both["repetition"]["share"] == 1.0
    assert both["repetition"]["kappa"] is None, "neither ever says 0"
    shown = salesman("judge", folder, "--rubrics", "telebot", parse=False)
    assert "computed and judged alike in 100% of 8 calls" in shown


def test_rubrics_that_ask_nothing_are_refused(salesman: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="asks nothing"):
        salesman("judge", with_campaign(tmp_path / "run"), "--rubrics", ",")


def test_a_judge_that_cannot_tell_gold_from_bad_is_said_so(
    salesman: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = progress(10, quote(5, "have the adviser call me on Tuesday"))
    use_judge(monkeypatch, tmp_path, answer, answer)
    [english, chinese] = salesman("rubrics", "process", "--check", "--json")["rubrics"]
    assert (english["gold"], english["bad"], english["separates"]) == (1.0, None, False)
    assert chinese["gold"] is None, "an English quote is no evidence in a Chinese call"
    assert chinese["faults"] and all(fault.startswith("judge: ") for fault in chinese["faults"])
    checks = [
        check_of(tmp_path / "home", f"fake/scripted:{tmp_path / 'judge.yaml'}", "process", 1, [language])
        for language in ("en", "zh")
    ]
    assert checks == ["failed", "failed"], "kept for reports"
    listed = {row["rubric"]: row["questions"] for row in salesman("rubrics", "--json")}
    assert listed == {"grid": 42, "persona_drift": 1, "process": 1, "reply": 8, "role_inversion": 1, "telebot": 6}


@pytest.mark.usefixtures("loaded_home")
def test_people_are_told_what_is_left_wrong_by_severity_and_how_to_ask_for_excellence(
    salesman: Any, tmp_path: Path
) -> None:
    from evaluation.judging.bad_cases import BANK

    cases = [case for case in yaml.safe_load(BANK.read_text(encoding="utf-8")) if case["language"] == "en"][:3]
    bank = tmp_path / "bank.yaml"
    bank.write_text(yaml.safe_dump(cases), encoding="utf-8")
    shown = salesman("bad-cases", "--bank", bank, parse=False).splitlines()
    left = salesman("bad-cases", "--bank", bank, "--json")["left"]
    for severity in ("high", "medium", "low"):
        (line,) = [line for line in shown if line.startswith(f"left {severity}")]
        assert f"{left[severity]['hits']} of {left[severity]['of']}: " in line
    assert shown[-1] == "excellent    not told: --judge asks for it"


@pytest.mark.usefixtures("loaded_home")
def test_bad_cases_are_asked_of_the_agent_and_scored(salesman: Any) -> None:
    found = salesman("bad-cases", "--campaign", "lantern_local", "--language", "en", "--json")
    assert found["cases"] == found["fix"]["of"] == len(found["outcomes"]) >= 15
    assert 0 < found["fix"]["hits"] < found["cases"], (
        "an agent that echoes fixes some cases by its approved lines, never all"
    )
    assert found["clean_fix"]["hits"] <= found["fix"]["hits"]
    assert found["excellent"]["of"] == 0, "no judge was asked"
    with pytest.raises(BadInput, match="No case of campaign 'nobody'"):
        salesman("bad-cases", "--campaign", "nobody")


@pytest.mark.usefixtures("loaded_home")
def test_two_agents_are_compared_case_by_case(salesman: Any, tmp_path: Path) -> None:
    words = ("bad-cases", "--campaign", "lantern_local", "--language", "en")
    asked = salesman(*words, "--json")
    before = tmp_path / "before.json"
    before.write_text(json.dumps(asked), encoding="utf-8")
    same = salesman(*words, "--against", before, "--json")["less"]
    assert (same["fix"]["difference"], same["fix"]["p"]) == (0.0, 1.0)
    fixed = [row for row in asked["outcomes"] if row["clean"]][:6]
    for row in fixed:
        row["fixed"] = row["clean"] = False
    before.write_text(json.dumps(asked), encoding="utf-8")
    better = salesman(*words, "--against", before, "--json")["less"]["clean_fix"]
    assert better["difference"] == pytest.approx(len(fixed) / asked["cases"])
    assert better["p"] == 2 / 2 ** len(fixed)
    shown = salesman(*words, "--against", before, parse=False).splitlines()[-1]
    assert shown.startswith("clean_fix    less ") and f"{asked['cases']} cases: 0." in shown
    before.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match="does not hold these cases"):
        salesman(*words, "--against", before)


@pytest.mark.usefixtures("loaded_home")
@pytest.mark.parametrize("words", [("--adapter", "tuned.gguf"), ("--adapter", "tuned.gguf", "--think")])
def test_bad_cases_are_asked_of_the_adapter_that_is_named(
    salesman: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    from evaluation.judging import answer_again
    from evaluation.judging.bad_cases import BANK

    [case] = [one for one in yaml.safe_load(BANK.read_text(encoding="utf-8")) if one["language"] == "en"][:1]
    bank = tmp_path / "bank.yaml"
    bank.write_text(yaml.safe_dump([case]), encoding="utf-8")
    monkeypatch.setenv("SALESMAN_LLM_ADAPTER", "served.gguf")
    monkeypatch.setenv("SALESMAN_THINK", "1")
    get_settings.cache_clear()
    asked: list[tuple[str, bool]] = []

    def answering(calls: Any) -> Callable[[Any], dict[str, str]]:
        asked.append((calls.settings.llm_adapter, calls.settings.think))
        return lambda _: {"reply": "I do not know."}

    monkeypatch.setattr(answer_again, "answering", answering)
    for given in ((), words):
        salesman("bad-cases", "--bank", bank, *given, "--json")
    assert asked == [("served.gguf", True), ("tuned.gguf", "--think" in words)]


def test_preferences_are_printed_with_their_interval(salesman: Any, tmp_path: Path) -> None:
    run = a_run(tmp_path)
    keep_preference(run, pairs_to_rate(run, "ann", "call")[0], "ann", "tie", AT)
    assert [row["rate"] for row in salesman("preference", tmp_path, "--json")] == [0.5, 0.5]
    assert "0 won, 1 tied, 0 lost" in salesman("preference", tmp_path, parse=False)


@pytest.mark.slow
def test_the_default_judge_tells_progress_from_none(salesman: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALESMAN_JUDGE", raising=False)
    get_settings.cache_clear()
    found = salesman("rubrics", "process", "--check", "--json")["rubrics"]
    assert all(row["separates"] for row in found), found
