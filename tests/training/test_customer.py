"""A customer's model is trained on what it is sent in evaluation, and on the real line where it spoke as the seller."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import training.customer
from evaluation.customers.likeness import prefixes, scenario_of
from evaluation.customers.persona import PersonaBuyer
from evaluation.intent import find_campaign
from graph.errors import BadInput
from graph.settings import get_settings
from scripts_library.persuasion import RecordedCall, RecordedTurn, Role
from tests.training.tiny import save_tiny
from training.corpus.rows import read_rows
from training.corpus.schema import Dialogue, DialogueTurn, Origin, Split, write_dialogues
from training.customer import repair, train_customer, write_customer_rows, write_pairs
from training.customer_rows import customer_rows, inverted_pair
from training.run_file import RunFile

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning"
)  # TRL and PEFT use names that transformers has deprecated
SAID: list[tuple[Role, str]] = [
    ("agent", "Hello, how are you today?"),
    ("customer", "Fine, thanks. Who is this?"),
    ("agent", "I speak for a charity that helps children. Have you heard of it?"),
    ("customer", "No. What does it do?"),
    ("agent", "It gives children food and schooling. Would you give a little?"),
    ("customer", "How may I help you today?"),
    ("agent", "Any amount is welcome."),
    ("customer", "Maybe a dollar."),
]


def dialogue(
    name: str = "d-1",
    split: Split = "train",
    campaign: str = "save_the_children",
    said: Sequence[tuple[Role, str]] = SAID,
) -> Dialogue:
    turns = [DialogueTurn(role=role, text=text) for role, text in said]
    return Dialogue(
        id=name, campaign=campaign, language="en", turns=turns, source=Origin(method="role_play"), split=split
    )


def test_a_row_is_what_the_persona_buyer_sends_on_that_turn_of_that_call() -> None:
    data = find_campaign("save_the_children", get_settings())
    rows = list(customer_rows(dialogue(), data))
    call = RecordedCall("d-1", tuple(RecordedTurn(role, text) for role, text in SAID), 1.0)
    buyer = PersonaBuyer(scenario_of(call), data, 0, get_settings(), "fake/echo")
    sent = {real: buyer._prompt(record) for record, real in prefixes(call)}
    roles = {"system": "system", "human": "user", "ai": "assistant"}
    assert [row["completion"][0]["content"] for row in rows] == [SAID[at][1] for at in (1, 3, 7)]
    for row in rows:
        expected = sent[row["completion"][0]["content"]]
        assert row["prompt"] == [{"role": roles[one.type], "content": one.content} for one in expected]


def test_real_lines_that_the_gate_calls_a_sellers_are_not_learnt_but_stay_in_the_history() -> None:
    rows = list(customer_rows(dialogue(), find_campaign("save_the_children", get_settings())))
    assert "How may I help you today?" not in [row["completion"][0]["content"] for row in rows]
    assert {"role": "assistant", "content": "How may I help you today?"} in rows[-1]["prompt"]


def test_a_customer_who_speaks_first_answers_silence() -> None:
    said: list[tuple[Role, str]] = [("customer", "Hello?"), ("agent", "Hello, this is Lan.")]
    (row,) = customer_rows(dialogue(said=said), find_campaign("save_the_children", get_settings()))
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert row["prompt"][1]["content"].startswith("…")


def test_in_other_campaigns_the_customer_asks_and_doubts_what_they_did_in_the_call() -> None:
    data = find_campaign("lantern_local", get_settings())
    question = next(intent for intent in data.intents if intent.kind == "question")
    doubt = next(intent for intent in data.intents if intent.kind == "objection")
    turns = [
        DialogueTurn(role="agent", text="Hello."),
        DialogueTurn(role="customer", text="What is it?", intent=question.name),
        DialogueTurn(role="agent", text="A shop page."),
        DialogueTurn(role="customer", text="Not for me.", intent=doubt.name),
    ]
    given = dialogue(campaign="lantern_local").model_copy(update={"turns": turns})
    plain = given.model_copy(update={"turns": [turn.model_copy(update={"intent": ""}) for turn in turns]})
    system = next(customer_rows(given, data))["prompt"][0]["content"]
    assert data.campaign.title["en"] in system
    assert system != next(customer_rows(plain, data))["prompt"][0]["content"]


def test_replies_that_speak_for_the_seller_are_paired_with_the_real_line() -> None:
    rows = list(customer_rows(dialogue(), find_campaign("save_the_children", get_settings())))
    seller = [
        "Our donors are happy. How can I help you?",
        "It gives children food and schooling. Would you give a little?",
    ]
    assert inverted_pair(rows[0], "Customer: Who are you?") is None
    for row, said in zip(rows[1:], seller, strict=True):
        pair = inverted_pair(row, said)
        assert pair is not None
        assert pair["rejected"][0]["content"] == said
        assert pair["chosen"] == row["completion"]
        assert pair["prompt"] == row["prompt"]
        assert (pair["pool"], pair["split"], pair["dialogue"]) == ("inverted", "train", "d-1")
        assert "completion" not in pair


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "model")


Row = dict[str, Any]


def saying(line: str) -> Callable[..., Iterator[list[tuple[int, str]]]]:
    """Return a customer's model that says one line to everything."""

    def said(_run: RunFile, rows: Sequence[Row], *_: object) -> Iterator[list[tuple[int, str]]]:
        yield [(at, line) for at in range(len(rows))]

    return said


def corpus(folder: Path) -> Path:
    path = folder / "corpus.jsonl"
    splits: list[Split] = ["train", "train", "train", "dev", "test"]
    write_dialogues(path, [dialogue(f"d-{number}", split) for number, split in enumerate(splits)])
    return path


def first_stage(base: Path, tmp_path: Path, *more: str) -> RunFile:
    given = ["--model", str(base), "--output_dir", str(tmp_path / "run"), "--report_to", "none", "--max_length", "4096"]
    return train_customer(corpus(tmp_path), CONFIGS / "customer_tiny.yaml", [*given, *more], get_settings())


def second_stage(folder: Path) -> Path:
    """Return the shipped recipe, for prompts of a token a byte."""
    path = folder / "dpo.yaml"
    path.write_text(
        f"base: {CONFIGS / 'customer_dpo_tiny.yaml'}\nmax_length: 4096\nreport_to: none\nlearning_rate: 0.01\n"
    )
    return path


def test_both_stages_train_and_are_not_done_twice(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = first_stage(base, tmp_path)
    assert run.about["steps"] == 4
    learnt = load_file(run.folder / "adapter" / "adapter_model.safetensors")
    assert all(weight.any() for name, weight in learnt.items() if "lora_B" in name)
    assert {row["split"] for row in read_rows(run.folder / "rows.jsonl", "prompt", "completion")} == {"train", "dev"}

    monkeypatch.setattr(training.customer, "_said", saying("How may I help you today?"))
    told: list[str] = []
    pairs = write_pairs(run, get_settings(), contexts=5, told=told.append)
    assert pairs is not None
    found = read_rows(pairs, "prompt", "chosen", "rejected", "pool")
    assert len(found) == 5
    assert {row["split"] for row in found} == {"train"}
    assert told[-1] == "5 of 5 replies fell out of the part"

    repaired = repair(run, pairs, second_stage(tmp_path), get_settings())
    assert (repaired.folder, repaired.about["steps"]) == (run.folder / "dpo", 2)
    after = load_file(repaired.folder / "adapter" / "adapter_model.safetensors")
    assert after.keys() == learnt.keys()
    assert not any(torch.equal(weight, learnt[name]) for name, weight in after.items())

    before = pairs.read_bytes(), (repaired.folder / "run.json").read_bytes()
    assert first_stage(base, tmp_path).about == run.about
    assert write_pairs(run, get_settings(), contexts=5) == pairs
    repair(run, pairs, second_stage(tmp_path), get_settings())
    assert (pairs.read_bytes(), (repaired.folder / "run.json").read_bytes()) == before

    rows = (run.folder / "rows.jsonl").read_bytes()
    other = tmp_path / "other.jsonl"
    write_dialogues(other, [dialogue("d-0", "train")])
    given = ["--model", str(base), "--output_dir", str(run.folder), "--report_to", "none", "--max_length", "4096"]
    with pytest.raises(BadInput, match="was made of another corpus than"):
        train_customer(other, CONFIGS / "customer_tiny.yaml", given, get_settings())
    assert (run.folder / "rows.jsonl").read_bytes() == rows


def test_a_customer_who_keeps_its_part_needs_no_repair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tiny(tmp_path / "model")
    write_customer_rows(corpus(tmp_path), tmp_path / "rows.jsonl", get_settings())
    run = RunFile(tmp_path, {"base": {"name": "unused"}, "seconds": 0.0})
    monkeypatch.setattr(training.customer, "_said", saying("Who is this?"))
    assert write_pairs(run, get_settings(), contexts=3) is None
    assert write_pairs(run, get_settings(), contexts=3) is None


def test_listening_that_was_killed_goes_on_and_more_contexts_begin_with_those_heard(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_customer_rows(corpus(tmp_path), tmp_path / "rows.jsonl", get_settings())
    run = RunFile(tmp_path, {"base": {"name": str(base)}, "seconds": 0.0})
    (tmp_path / "adapter").mkdir()
    asked: list[int] = []

    def killed(_run: object, rows: list[object], *_: object) -> Iterator[list[tuple[int, str]]]:
        yield [(1, "How may I help you today?"), (0, "Who is this?")]
        raise KeyboardInterrupt

    def rest(_run: object, rows: list[object], *_: object) -> Iterator[list[tuple[int, str]]]:
        asked.append(len(rows))
        yield [(at, "Who is this?") for at in range(len(rows))]

    monkeypatch.setattr(training.customer, "_said", killed)
    with pytest.raises(KeyboardInterrupt):
        write_pairs(run, get_settings(), contexts=4)
    assert not (tmp_path / "pairs.jsonl").exists()
    monkeypatch.setattr(training.customer, "_said", rest)
    pairs = write_pairs(run, get_settings(), contexts=4)
    assert pairs is not None
    assert [row["rejected"][0]["content"] for row in read_rows(pairs, "rejected")] == ["How may I help you today?"]
    write_pairs(run, get_settings(), contexts=7)
    write_pairs(run, get_settings(), contexts=2)
    assert asked == [2, 3, 0]


def test_what_is_said_depends_on_the_row_and_the_seed_alone(base: Path, tmp_path: Path) -> None:
    write_customer_rows(corpus(tmp_path), tmp_path / "rows.jsonl", get_settings())
    rows = read_rows(tmp_path / "rows.jsonl", "prompt", "completion")[:3]
    (tmp_path / "model").symlink_to(base)
    run = RunFile(tmp_path, {"base": {"name": "unused"}, "seconds": 0.0})

    def said(some: list[Row], seed: int) -> dict[int, str]:
        return {at: text for batch in training.customer._said(run, some, get_settings(), seed) for at, text in batch}

    whole = said(rows, 1)
    assert whole == said(rows, 1)
    assert whole != said(rows, 2)
    assert [whole[1]] == list(said(rows[1:2], 1).values())
