"""Likeness to real customers, teacher-forced on held-out calls."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from evaluation.customers import commands
from evaluation.customers.likeness import ChanceCustomer, held_out, keep_likeness, likeness, likeness_of_kind, prefixes
from evaluation.customers.protocol import Note
from evaluation.customers.real_lines import real_lines
from evaluation.customers.rule import RuleBuyer
from evaluation.scenarios.schema import Scenario
from graph.records import ConversationRecord
from graph.settings import get_settings
from scripts_library.persuasion import RecordedCall, RecordedTurn, split_of
from serving.embed import Vectors, load_embedder
from tests.evaluation.customers.samples import CHARITY

CALL = RecordedCall(
    "made-up",
    (
        RecordedTurn("customer", "Hello there!"),
        RecordedTurn("agent", "Have you heard of Save the Children?"),
        RecordedTurn("customer", "Yes."),
        RecordedTurn("agent", "Would you like to give?"),
        RecordedTurn("customer", "I would like to know more first."),
    ),
    0.0,
)


class Parrot:
    """Says what the real customer says."""

    name = "parrot"

    def __init__(self, lines: dict[int, str | None]) -> None:
        self._lines = lines
        self.heard: list[list[tuple[str, str]]] = []

    def next_line(self, record: ConversationRecord) -> str | None:
        self.heard.append([(turn["customer"], turn["reply"]) for turn in record["turns"]])
        return self._lines[len(record["turns"]) - 1]

    def notes(self, record: ConversationRecord) -> list[Note]:
        return []


def test_the_real_line_itself_is_wholly_alike_and_short_lines_do_not_count() -> None:
    parrot = Parrot({0: "Hello there!", 1: "Yes.", 2: "I would like to know more first."})
    rows = likeness(lambda scenario: parrot, [CALL], load_embedder(get_settings()))
    assert [row.real for row in rows] == ["Hello there!", "I would like to know more first."]
    for row in rows:
        assert [row.bleu, row.rouge_1, row.rouge_2, row.rouge_l, row.cosine] == pytest.approx([1] * 5, abs=1e-3)


def test_each_line_is_asked_for_with_the_real_call_before_it() -> None:
    parrot = Parrot({0: "a", 1: "b", 2: "c"})
    likeness(lambda scenario: parrot, [CALL], load_embedder(get_settings()))
    opening = ("", "")
    first = ("Hello there!", "Have you heard of Save the Children?")
    assert parrot.heard == [[opening], [opening, first], [opening, first, ("Yes.", "Would you like to give?")]]


def test_lines_that_speak_for_the_seller_are_counted() -> None:
    parrot = Parrot({0: "How can I help you today?", 1: "b", 2: "Would you like to give, or know more first?"})
    rows = likeness(lambda scenario: parrot, [CALL], load_embedder(get_settings()))
    assert [row.inverted for row in rows] == [1.0, 0.0]


def test_a_silent_customer_is_counted_and_scores_nothing() -> None:
    told: list[tuple[int, int]] = []
    silent = Parrot({0: None, 1: None, 2: "  "})
    rows = likeness(
        lambda scenario: silent, [CALL], load_embedder(get_settings()), lambda done, of: told.append((done, of))
    )
    assert {(row.said, row.bleu, row.cosine) for row in rows} == {("", 0.0, 0.0)}
    assert told == [(1, 1)]


def test_held_out_calls_are_of_the_test_split_and_share_no_call_with_the_lines_that_customers_say() -> None:
    calls = held_out()
    assert len(calls) > 200
    assert {split_of(call.id) for call in calls} == {"test"}
    assert held_out(3) == calls[:3]


def test_chance_draws_real_lines_the_same_ones_every_time() -> None:
    said = set()
    for call in held_out(2):
        for record, _ in prefixes(call):
            one, other = (ChanceCustomer(_scenario(call.id)).next_line(record) for _ in range(2))
            assert one == other
            said.add(one)
    assert len(said) > 10
    assert said <= {line.text for line in real_lines()}


def test_a_rule_buyer_can_be_forced_along_a_real_call() -> None:
    call = held_out(1)[0]
    rows = likeness(lambda scenario: RuleBuyer(scenario, CHARITY, 1), [call], load_embedder(get_settings()))
    assert sum(bool(row.said) for row in rows) >= 3


def _scenario(name: str) -> Scenario:
    from tests.evaluation.customers.samples import of

    return of(CHARITY, id=f"real-{name}")


class Letters:
    """Embeds a text as the counts of its letters."""

    name = "letters"
    dimension = 26

    def query(self, texts: Sequence[str]) -> Vectors:
        counts = np.array([[1 + text.lower().count(chr(97 + n)) for n in range(26)] for text in texts], np.float32)
        unit: Vectors = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return unit


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr("serving.embed.load_embedder", lambda settings: Letters())
    app = typer.Typer()
    app.command()(commands.customers)
    return app


def test_the_command_prints_every_kind_beside_chance_and_keeps_it(command: typer.Typer, own_home: Path) -> None:
    assert likeness_of_kind(own_home, "rule", "") is None
    found = CliRunner().invoke(command, ["--kinds", "rule", "--limit", "2", "--json"])
    assert found.exit_code == 0, found.output
    report = json.loads(found.stdout)
    assert report["calls"] == 2
    assert list(report["customers"]) == ["chance", "rule"]
    for row in report["customers"].values():
        assert row["lines"] + row["silent"] >= 15
        assert 0 <= row["rouge_1"]["low"] <= row["rouge_1"]["value"] <= row["rouge_1"]["high"] <= 1
        assert row["cosine"]["value"] > row["bleu"]["value"]
    shown = CliRunner().invoke(command, ["--kinds", "rule", "--limit", "1"])
    assert [line.split()[0] for line in shown.stdout.splitlines()[1:]] == ["customer", "chance", "rule"]
    kept = likeness_of_kind(own_home, "rule", "any")
    assert kept and kept["calls"] == 1 and datetime.fromisoformat(kept["at"]).tzinfo
    assert set(kept) == {*report["customers"]["rule"], "calls", "model", "at"}


def test_kinds_are_compared_with_the_first_one_line_by_line(
    command: typer.Typer, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    seller = "How may I help you today?"
    said = {
        "first": {0: seller, 1: seller, 2: seller},
        "second": {0: "Hello there!", 1: seller, 2: None},
    }
    monkeypatch.setattr("evaluation.customers.kinds.make_customer", lambda kind, *_: Parrot(said[kind]))
    longer = RecordedCall(CALL.id, tuple(replace(turn, text=f"{turn.text} Well then.") for turn in CALL.turns), 0.0)
    monkeypatch.setattr("evaluation.customers.likeness.held_out", lambda limit: [longer])
    found = json.loads(CliRunner().invoke(command, ["--kinds", "first,second", "--json"]).stdout)["less"]
    assert found["base"] == "first"
    assert found["second"]["lines"] == 2
    assert found["second"]["inverted"]["value"] == -0.5
    assert found["second"]["bleu"]["value"] > 0
    shown = CliRunner().invoke(command, ["--kinds", "first,second"]).stdout
    assert "second less first, on 2 lines that neither left unsaid:" in shown
    assert "inverted" in shown and "−0.500, p 1.000" in shown


def test_another_measurement_leaves_the_other_kinds_as_they_were(tmp_path: Path) -> None:
    def held(kind: str) -> Any:
        return likeness_of_kind(tmp_path, kind, "small")

    keep_likeness(tmp_path, {"rule": {"lines": 3}, "chance": {"lines": 1}}, 2, "small")
    before = held("rule")
    keep_likeness(tmp_path, {"persona": {"lines": 4}, "chance": {"lines": 9}}, 5, "small")
    assert held("rule") == before and held("persona")["lines"] == 4
    assert (held("chance")["lines"], held("chance")["calls"]) == (9, 5)
    with pytest.raises(TypeError):
        keep_likeness(tmp_path, {"rule": {"lines": object()}}, 1, "small")
    assert held("rule") == before
    (tmp_path / "likeness.json").write_text("{")
    assert held("rule") is None


def test_likeness_of_a_prompted_customer_is_that_of_its_model(tmp_path: Path) -> None:
    keep_likeness(tmp_path, {kind: {"lines": 1} for kind in ("persona", "rule", "trained:own")}, 2, "small")
    found = {kind: likeness_of_kind(tmp_path, kind, "bigger") for kind in ("persona", "rule", "trained:own")}
    assert found["persona"] is None and found["rule"] and found["trained:own"]


@pytest.mark.parametrize("kinds", ["", " , ", "recorded", "rule,recorded"])
def test_kinds_that_cannot_be_measured_are_refused(command: typer.Typer, kinds: str) -> None:
    from graph.errors import BadInput

    found = CliRunner().invoke(command, ["--kinds", kinds])
    assert isinstance(found.exception, BadInput)
