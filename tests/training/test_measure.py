"""A base model and trained ones on the same held-out turns."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from typer.testing import CliRunner

import training.answers
from graph.errors import BadInput
from graph.settings import Settings
from nodes.speak import TEMPERATURE
from tests.training.tiny import save_tiny, tiny_model
from training.answers import ANSWERS, JUDGED, Variant, answers_of, ratings_of
from training.commands import app
from training.corpus.rows import write_rows
from training.figures import FIGURES, Scorer, correct, difference, distinct, estimates, overall
from training.measure import measure, read_held_out, same_turns, variants_of
from training.models import load_policy
from training.rewards.format import split_thought
from training.run_file import ADAPTER, MODEL, RUN
from training.sampling import BATCH, Asked, sample

ASK = "Begin with <think>one short sentence</think>, then say your words. Your reply:"
SETTINGS = Settings()
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def row(at: int, ask: str = "Your reply:", split: str = "test") -> dict[str, Any]:
    return {
        "dialogue": f"d{at // 2}",
        "turn": 1 + 2 * (at % 2),
        "campaign": "tea",
        "language": "en",
        "intent": "question",
        "split": split,
        "prompt": [{"role": "system", "content": "Sell tea."}, {"role": "user", "content": f"Number {at}? {ask}"}],
        "reference": f"It is {at}.",
        "state": json.dumps({"campaign": "tea"}),
    }


def lora(folder: Path, size: float) -> str:
    """Save a LoRA of the tiny model whose output is of this size; 0: it does nothing."""
    torch.manual_seed(1)
    policy = get_peft_model(
        tiny_model()[0], LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    )
    for name, weight in policy.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(0, size) if size else weight.data.zero_()
    policy.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("weights") / "base")


@pytest.fixture
def run(tmp_path: Path, base: Path) -> Path:
    """A finished run whose adapter changes what is said."""
    lora(tmp_path / "run" / ADAPTER, 2.0)
    (tmp_path / "run" / RUN).write_text(json.dumps({"base": {"name": str(base)}}))
    return tmp_path / "run"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.answers.MAX_TOKENS", 6)


def scorer() -> Scorer:
    """Longer replies are more alike to the reference; a reply with an `e` breaks a rule."""
    return Scorer(
        lambda state, reply: [{"name": "e"}] if "e" in reply else [],  # type: ignore[list-item, typeddict-item]
        lambda texts, reference, **_: [len(split_thought(text).reply) / 20 for text in texts],
        lambda texts, intent, **_: [1.0 if "?" in text else 0.0 for text in texts],
    )


def texts(folder: Path, of: Variant, rows: Sequence[dict[str, Any]], samples: int = 1) -> list[str]:
    folder.mkdir(exist_ok=True)
    return [answer.text for answer in answers_of(of, rows, samples, folder, SETTINGS, lambda _: None)]


def test_tokens_are_drawn_as_often_as_the_temperature_makes_them_likely(base: Path) -> None:
    model, tokenizer = load_policy(str(base), SETTINGS, dtype="float32")
    prompt = tuple(tokenizer("Tea?")["input_ids"])
    temperature, draws = 0.02, 2000
    drawn = [
        text
        for batch in sample(
            model, tokenizer, [Asked(prompt, seed) for seed in range(draws)], temperature=temperature, most=1
        )
        for _, text in batch
    ]
    chances = (model(torch.tensor([prompt])).logits[0, -1] / temperature).softmax(-1)
    likely = chances.topk(3)
    for chance, token in zip(likely.values.tolist(), likely.indices.tolist(), strict=True):
        seen = drawn.count(tokenizer.decode([token], skip_special_tokens=True)) / draws
        assert seen == pytest.approx(chance, abs=4 * (chance * (1 - chance) / draws) ** 0.5 + 1e-3)


def test_a_cold_answer_is_the_one_of_greatest_chance(base: Path) -> None:
    model, tokenizer = load_policy(str(base), SETTINGS, dtype="float32")
    asked = [Asked(tuple(tokenizer(text)["input_ids"]), 0) for text in ("Tea?", "Why should I have that tea?")]
    cold = dict(one for batch in sample(model, tokenizer, asked, temperature=1e-6, most=8) for one in batch)
    for at, one in enumerate(asked):
        greedy = model.generate(torch.tensor([one.prompt]), max_new_tokens=8, do_sample=False)[0, len(one.prompt) :]
        assert cold[at] == tokenizer.decode(greedy, skip_special_tokens=True)


def test_an_answer_depends_on_no_other_row(base: Path) -> None:
    model, tokenizer = load_policy(str(base), SETTINGS, dtype="float32")
    asked = [Asked(tuple(tokenizer("Sell tea." + "!" * at)["input_ids"]), at % 5) for at in range(BATCH + 4)]
    given = {"temperature": TEMPERATURE, "most": 12}
    together = dict(one for batch in sample(model, tokenizer, asked, **given) for one in batch)
    alone = [next(sample(model, tokenizer, [one], **given))[0][1] for one in asked[::5]]
    assert [together[at] for at in range(0, len(asked), 5)] == alone
    assert len(set(together.values())) > 1


def test_a_model_that_learnt_nothing_says_word_for_word_what_the_base_says(tmp_path: Path, base: Path) -> None:
    rows = [row(at) for at in range(4)]
    same, other = (Variant("x", str(base), lora(tmp_path / str(size), size)) for size in (0.0, 2.0))
    said = texts(tmp_path, Variant("base", str(base)), rows, samples=2)
    assert texts(tmp_path, same, rows, samples=2) == said
    assert texts(tmp_path, other, rows, samples=2) != said
    assert said[:4] != said[4:]


def test_a_measuring_that_was_killed_draws_only_what_is_missing(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, model = [row(at) for at in range(6)], Variant("base", str(base))
    whole = texts(tmp_path / "whole", model, rows)
    texts(tmp_path / "cut", model, rows[:4])
    lines = (tmp_path / "cut" / ANSWERS).read_bytes().splitlines(keepends=True)
    (tmp_path / "cut" / ANSWERS).write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    asked: list[int] = []

    def counted(model: Any, tokenizer: Any, units: Sequence[Asked], **given: Any) -> Any:
        asked.append(len(units))
        return sample(model, tokenizer, units, **given)

    monkeypatch.setattr(training.answers, "sample", counted)
    assert texts(tmp_path / "cut", model, rows) == whole
    assert texts(tmp_path / "cut", model, rows) == whole
    assert asked == [3]


def test_a_judge_that_fails_is_asked_again_and_one_that_answered_is_not(tmp_path: Path, base: Path) -> None:
    answers = [answers_of(Variant("base", str(base)), [row(0), row(1)], 1, tmp_path, SETTINGS, lambda _: None)]

    class Judge:
        class rubric:
            name, version = "reply", 1

        at_once = 4
        asked: Sequence[str] = ()
        ratings: Sequence[float | None] = ()

        async def __call__(self, completions: Sequence[str], state: Sequence[str]) -> Sequence[float | None]:
            self.asked = completions
            return self.ratings

    judge: Any = Judge()
    judge.ratings = [0.5, None]
    assert ratings_of(answers, judge, "j", tmp_path, lambda _: None) == [[0.5, None]]
    judge.ratings = [-1.0]
    assert ratings_of(answers, judge, "j", tmp_path, lambda _: None) == [[0.5, -1.0]]
    assert judge.asked == [answers[0][1].text]
    assert len((tmp_path / JUDGED).read_text().splitlines()) == 2


def test_the_reply_alone_is_scored_and_silence_neither_passes_nor_breaks_a_rule() -> None:
    found = scorer()(
        [row(at, ASK) for at in range(4)],
        ["<think>Be kind.</think>Is it so?", "Be kind.", "<think>On and on", "<think>Be.</think>Oh no."],
    )
    assert found.keys() == FIGURES.keys() - {"judge"}
    assert [found[name] for name in ("passed", "breach", "sound")] == [[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 1]]
    assert (found["words"], found["thought"]) == ([3, 2, 0, 2], [2, 0, 3, 1])
    assert found["overall"][0] == overall(1.0, 9 / 20, 1.0)
    assert scorer()([row(0)], ["Is it so?"])["sound"] == [1]


def test_a_reply_that_is_the_example_line_is_told_from_own_words_and_a_thought_from_a_reply() -> None:
    asked = [row(at, 'Example line: "Tea is a good drink." Your reply:') for at in range(3)]
    said = ["Tea is a good drink.", "Many like our tea.", "<think>Tea is a good drink.</think>Many like our tea."]
    assert scorer()(asked, said)["copied"] == [1, 0, 0]


def test_the_overall_figure_runs_from_nothing_to_all() -> None:
    assert (overall(0.0, -0.3, -1.0), overall(1.0, 1.2, 1.0)) == (0.0, 1.0)


def test_a_reply_that_every_customer_gets_is_not_distinct_and_one_customer_may_hear_it_twice() -> None:
    said = ["I am glad.", "I am glad.", "I am sad.", "Oh"]
    assert distinct(said, ["a", "b", "c", "d"]) == [0.0, 0.0, 0.5, None]
    assert distinct(said[:2], ["a", "a"]) == [1.0, 1.0]


def test_a_difference_is_found_where_there_is_one_and_not_between_equals() -> None:
    dialogues = [f"d{at // 2}" for at in range(24)]
    before = {"words": [float(at % 5) for at in range(24)], "judge": [None, *[0.0] * 23]}
    after = {"words": [value + 1 for value in before["words"] if value is not None], "judge": [*[0.5] * 23, None]}
    rows: list[dict[str, Any]] = [*difference(before, after, dialogues).values()]
    rows += difference(before, before, dialogues).values()
    correct(rows)
    words, judged, same, _ = rows
    assert (words["difference"], words["answers"], words["dialogues"]) == (1.0, 24, 12)
    assert (judged["difference"], judged["answers"]) == (0.5, 22)
    assert words["p"] == 2 / 2**12
    assert words["p_holm"] == 2 * words["p"]
    assert (same["p"], same["p_holm"]) == (1.0, 1.0)
    assert estimates(before, dialogues)["judge"]["answers"] == 23


def test_runs_of_one_label_count_as_one_model(tmp_path: Path, base: Path, run: Path) -> None:
    rows = [row(at) for at in range(6)]
    variants = variants_of([f"grpo={run}", f"grpo={run}", str(run)])
    assert variants[0] == Variant("base", str(base))
    found = measure(rows, variants, tmp_path / "out", SETTINGS, samples=2, scorer=scorer())
    answers = {(one["figure"], one["label"]): one["answers"] for one in found["figures"]}
    assert [answers["words", label] for label in ("base", "grpo", "run")] == [12, 24, 12]
    means = {(one["figure"], one["label"]): one["mean"] for one in found["figures"]}
    assert means["overall", "grpo"] == pytest.approx(means["overall", "run"])
    [step] = [one for one in found["differences"] if (one["figure"], one["label"]) == ("overall", "run")]
    assert step["difference"] == pytest.approx(means["overall", "run"] - means["overall", "base"])


def test_the_base_may_be_asked_for_no_thought(tmp_path: Path, base: Path, run: Path) -> None:
    rows, plain = [row(at, ASK) for at in range(4)], [row(at) for at in reversed(range(4))]
    variants, ours = variants_of([str(run)]), same_turns(rows, plain)
    assert [one["dialogue"] for one in ours] == [one["dialogue"] for one in rows]
    found = measure(rows, variants, tmp_path / "out", SETTINGS, base_rows=ours, scorer=scorer())
    assert [one["thought"] for one in found["variants"]] == [False, True]
    said = [json.loads(line) for line in (tmp_path / "out" / ANSWERS).read_text().splitlines()]
    base_said = {(one["dialogue"], one["turn"]): one["text"] for one in said if one["label"] == "base"}
    alone = texts(tmp_path / "alone", variants[0], ours)
    assert (
        [base_said[one["dialogue"], one["turn"]] for one in ours]
        == alone
        != texts(tmp_path / "alone", variants[0], rows)
    )


def bad(tmp_path: Path, **changes: Mapping[str, Any]) -> Path:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [row(0), {**row(1), **changes}])
    return path


def test_only_test_rows_of_one_kind_are_measured_on(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 2: dialogue 'd0' is of split train; .* --split test"):
        read_held_out([bad(tmp_path, split="train")])  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="1 of 2 rows are of a turn that stands there already"):
        read_held_out([bad(tmp_path, turn=1)])  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="Some prompts ask for a thought"):
        read_held_out([bad(tmp_path, prompt=row(1, ASK)["prompt"])])
    with pytest.raises(BadInput, match="--base-rows lacks 1 of 2 turns"):
        same_turns([row(0), row(1)], [row(0)])


def test_a_limit_draws_the_same_rows_each_time(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [row(at) for at in range(40)])
    first, second = (read_held_out([tmp_path / "rows.jsonl"], 10) for _ in range(2))
    assert first == second
    assert len({one["dialogue"] for one in first}) > 5


def test_runs_that_cannot_be_measured_are_told_in_one_line(tmp_path: Path, run: Path) -> None:
    for runs, message in (
        ([f"base={run}"], "'base' is the base model's label"),
        ([str(tmp_path)], f"{tmp_path} is no finished training run"),
        ([], "no run is given; name it by --model"),
    ):
        with pytest.raises(BadInput, match=message):
            variants_of(runs)
    (tmp_path / "whole" / MODEL).mkdir(parents=True)
    (tmp_path / "whole" / RUN).write_text(json.dumps({"base": {"name": "other"}}))
    with pytest.raises(BadInput, match=r"trained from .*base, other; name it by --model"):
        variants_of([str(run), str(tmp_path / "whole")])
    assert variants_of([str(tmp_path / "whole")])[1] == Variant("whole", str(tmp_path / "whole" / MODEL))


def test_the_command_prints_a_table_with_the_rise_of_the_overall_figure(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.measure.load_scorer", lambda _: scorer())
    write_rows(tmp_path / "rows.jsonl", [row(at) for at in range(6)])
    given = ["measure", str(tmp_path / "rows.jsonl"), "--run", f"ours={run}", "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(app, given)
    assert told.exit_code == 0, told.output
    found = json.loads(CliRunner().invoke(app, [*given, "--json"]).stdout)
    means = {one["label"]: one["mean"] for one in found["figures"] if one["figure"] == "overall"}
    line, likeness = [line for line in told.stdout.splitlines() if line.startswith("  ours") and "%" in line]
    assert "%" in likeness
    assert line.split()[1] == f"{means['ours']:.2f}"
    assert f"= {100 * (means['ours'] / means['base'] - 1):+.1f} %, p " in line.replace("−", "-")
    assert all(f"\n{name}: " in told.stdout for name in FIGURES if name != "judge")


def test_what_others_are_compared_with_may_be_another_run_than_the_base(tmp_path: Path, base: Path) -> None:
    rows, made = (
        [row(at) for at in range(4)],
        {name: lora(tmp_path / name, size) for name, size in (("one", 2.0), ("two", 3.0))},
    )
    alone = Variant("base", str(base))
    full = [Variant("full", str(base), adapter) for adapter in made.values()]
    part = [replace(one, label="part") for one in full]
    out = tmp_path / "out"
    found = measure(rows, [alone, *full, *part], out, SETTINGS, against="full", scorer=scorer())
    means = {one["label"]: one["mean"] for one in found["figures"] if one["figure"] == "words"}
    steps = {one["label"]: one for one in found["differences"] if one["figure"] == "words"}
    assert set(steps) == {"base", "part"}
    assert steps["base"]["difference"] == pytest.approx(means["base"] - means["full"])
    assert (steps["part"]["difference"], steps["part"]["differ"]) == (0.0, 0), "run by run"
    with pytest.raises(BadInput, match=r"--against most: .* expected one of base, full, part"):
        measure(rows, [alone, *full, *part], out, SETTINGS, against="most", scorer=scorer())
    with pytest.raises(BadInput, match="full has 2 runs, and part has 3; give as many of each"):
        measure(rows, [alone, *full, *part, part[0]], out, SETTINGS, against="full", scorer=scorer())
