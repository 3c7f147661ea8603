"""A run of synthesis: nothing is made twice, nothing is lost, and what goes wrong is told in one line."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from graph.errors import BadInput, ModelUnavailable
from serving.fakes import FakeReply
from tests.training.synthesis.teachers import FakeTeacher, Write, good, transcript, written
from training.corpus.schema import read_dialogues, write_dialogues
from training.synthesis.commands import synthesise as command
from training.synthesis.filters.chain import USUAL, stages
from training.synthesis.made import FILE, read_made
from training.synthesis.run import KEPT, METHODS, RETENTION, synthesise
from training.synthesis.scene import Workshop
from training.synthesis.teacher import Teacher

Shop = Callable[..., tuple[Workshop, FakeTeacher]]


def run(shop: Workshop, out: Path, methods: list[str] | None = None, limit: int = 4, **more: Any) -> Any:
    chain = stages(USUAL, lambda name: shop.data.campaign, lambda: pytest.fail("no judge"))
    return synthesise(shop, out, methods or ["prefix", "extraction"], limit, chain, **more)


def test_every_method_is_made_filtered_and_reported(make_shop: Shop, tmp_path: Path) -> None:
    shop, _ = make_shop(good())
    told: list[tuple[int, int, float]] = []
    found = run(shop, tmp_path, list(METHODS), progress=lambda *one: told.append(one))
    assert {name: figures["made"] for name, figures in found.items()} == dict.fromkeys(METHODS, 4)
    assert [one[:2] for one in told] == [(number, 16) for number in range(1, 17)]
    assert told[-1][2] == 0
    kept = read_dialogues(tmp_path / KEPT)
    assert len(kept) == sum(figures["kept"] for figures in found.values()) > 0
    assert all(one.source.model == "fake-teacher" and one.source.prompt_hash for one in kept)
    assert json.loads((tmp_path / RETENTION).read_text("utf-8")) == found


def test_a_second_run_makes_nothing_twice_and_goes_on_to_a_larger_limit(make_shop: Shop, tmp_path: Path) -> None:
    shop, model = make_shop(good())
    run(shop, tmp_path)
    asked = model.asked
    run(shop, tmp_path)
    assert model.asked == asked
    run(shop, tmp_path, limit=6)
    ids = [one.id for one in read_made(tmp_path)]
    assert len(ids) == len(set(ids)) == 12


def test_what_is_made_can_be_filtered_again_without_a_teacher(make_shop: Shop, tmp_path: Path) -> None:
    shop, _ = make_shop(good())
    found = run(shop, tmp_path, ["prefix"])
    alone = replace(shop, teacher=Teacher(lambda: pytest.fail("nothing is to be asked"), "fake-teacher"))
    assert run(alone, tmp_path, ["prefix"]) == found


def test_a_killed_run_goes_on_where_it_was(make_shop: Shop, tmp_path: Path) -> None:
    shop, _ = make_shop(good())
    run(shop, tmp_path)
    path = tmp_path / FILE
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 30])
    left = {one.id for one in read_made(tmp_path)}
    assert len(left) == 7
    run(shop, tmp_path)
    assert len({one.id for one in read_made(tmp_path)}) == 8


def test_a_teacher_that_dies_half_way_is_told_and_nothing_is_lost(make_shop: Shop, tmp_path: Path) -> None:
    teacher, lock, calls = good(), threading.Lock(), [0]

    def write(kind: str, last: str) -> str | FakeReply:
        with lock:
            calls[0] += 1
        return teacher(kind, last) if calls[0] <= 3 else FakeReply(error="connection lost")

    shop, _ = make_shop(write)
    with pytest.raises(ModelUnavailable, match="does not answer") as caught:
        run(shop, tmp_path, ["prefix"], limit=12, at_once=1)
    assert "the same command goes on" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [one.failure for one in read_made(tmp_path)] == ["", "", ""]
    assert calls[0] == 3 + 3

    shop, _ = make_shop(good())
    assert run(shop, tmp_path, ["prefix"], limit=12)["prefix"]["made"] == 12


def test_a_hiccup_of_the_server_costs_one_dialogue_until_the_next_run(make_shop: Shop, tmp_path: Path) -> None:
    teacher, calls = good(), [0]

    def write(kind: str, last: str) -> str | FakeReply:
        calls[0] += 1
        return FakeReply(error="hiccup") if calls[0] == 2 else teacher(kind, last)

    shop, _ = make_shop(write)
    with pytest.raises(ModelUnavailable, match=r"1 of 5 dialogues are missing; .* the same command goes on"):
        run(shop, tmp_path, ["prefix"], limit=5, at_once=1)
    assert (tmp_path / KEPT).read_text("utf-8").count("\n") == 4, "what there is was filtered all the same"
    assert run(shop, tmp_path, ["prefix"], limit=5, at_once=1)["prefix"]["made"] == 5


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (lambda kind, last: "", "an empty answer"),
        (lambda kind, last: "Of course! Here it is.", "no JSON object"),
        (lambda kind, last: json.dumps({"turns": [{"customer": "Hi", "agent": ""}]}), "no exchange"),
    ],
)
def test_a_teacher_that_writes_nonsense_is_reported_and_not_asked_for_ever(
    make_shop: Shop, tmp_path: Path, write: Write, why: str
) -> None:
    shop, model = make_shop(write)
    found = run(shop, tmp_path, ["prefix"])
    assert found["prefix"]["kept"] == 0
    assert found["prefix"]["dropped"]["schema"]["count"] == 4
    assert why in found["prefix"]["dropped"]["schema"]["examples"][0]
    assert (tmp_path / KEPT).read_text("utf-8") == ""
    asked = model.asked
    assert run(shop, tmp_path, ["prefix"]) == found
    assert model.asked == asked == 8


def test_swapped_sides_are_dropped_as_role_inversion(make_shop: Shop, tmp_path: Path) -> None:
    swapped = [
        {"customer": "Our charity is here for children. How can I help you today?", "agent": "I have never heard of that before."},
        {"customer": "Would you like to donate a little of your payment?", "agent": "I'm not sure about that, really."},
    ]  # fmt: skip
    shop, _ = make_shop(lambda kind, last: json.dumps({"turns": swapped}))
    found = run(shop, tmp_path, ["prefix"])
    assert found["prefix"]["kept"] == 0
    assert found["prefix"]["dropped"]["inversion"]["count"] == 4


def test_a_folder_goes_on_only_as_it_was_begun(make_shop: Shop, tmp_path: Path) -> None:
    shop, _ = make_shop(good())
    run(shop, tmp_path, ["prefix"], limit=1)
    with pytest.raises(BadInput, match=r"seed 0 there, 1 now.*give another --out") as caught:
        run(replace(shop, seed=1, customer="other-model"), tmp_path, ["prefix"], limit=1)
    assert "customer '' there, 'other-model' now" in str(caught.value)


def test_a_dialogue_has_the_split_of_its_seed(make_shop: Shop, tmp_path: Path) -> None:
    seeds = [transcript(f"call-{number}", "dev" if number % 2 else "train") for number in range(8)]
    shop, _ = make_shop(good(), transcripts=seeds)
    run(shop, tmp_path, ["extraction", "role_play"], limit=8)
    splits = {one.id: one.split for one in seeds}
    made = [one.dialogue for one in read_made(tmp_path) if one.dialogue]
    assert {one.split for one in made} == {"train", "dev"}
    assert all(one.split == splits[one.source.seeds[0]] for one in made)


def test_two_models_of_a_played_call_are_both_named(make_shop: Shop, tmp_path: Path) -> None:
    shop, _ = make_shop(good(), customer="other-model")
    run(shop, tmp_path, ["role_play", "prefix"], limit=1)
    models = {one.method: one.dialogue.source.model for one in read_made(tmp_path) if one.dialogue}
    assert models == {"role_play": "fake-teacher; customer: other-model", "prefix": "fake-teacher"}


def test_methods_that_cannot_be_are_named(make_shop: Shop, tmp_path: Path) -> None:
    shop, _ = make_shop(good(), transcripts=[])
    with pytest.raises(BadInput, match=r"Method 'extraction' has nothing to make dialogues from.*--seeds"):
        run(shop, tmp_path, ["extraction"])
    with pytest.raises(BadInput, match="Method 'dream' is unknown"):
        run(shop, tmp_path, ["dream"])


def test_a_file_that_is_not_ours_is_named_with_its_line(make_shop: Shop, tmp_path: Path) -> None:
    shop, _ = make_shop(good())
    run(shop, tmp_path, ["prefix"], limit=1)
    with (tmp_path / FILE).open("a") as file:
        file.write('{"id": "x"}\n')
    with pytest.raises(BadInput, match="line 2: not what synthesis writes"):
        run(shop, tmp_path, ["prefix"], limit=1)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, loaded_home: Path) -> Callable[..., Any]:
    """Return what calls the command, with a good teacher."""
    monkeypatch.setattr("evaluation.judging.model.load_judge", lambda settings: FakeTeacher(write=good()))
    app = Typer()
    app.command()(command)
    return lambda *arguments: CliRunner().invoke(app, [str(one) for one in arguments])


def test_the_command_makes_a_corpus_and_prints_the_table(cli: Callable[..., Any], tmp_path: Path) -> None:
    out, seeds = tmp_path / "out", tmp_path / "seeds.jsonl"
    write_dialogues(seeds, [transcript(f"call-{number}") for number in range(8)])
    said = cli("--out", out, "--methods", "prefix,extraction", "--limit", 2, "--seeds", seeds)
    assert said.exit_code == 0, said.output
    assert "prefix" in said.stdout.splitlines()[0]
    assert "kept" in said.output
    assert (out / KEPT).is_file()
    figures = json.loads(cli("--out", out, "--methods", "prefix", "--limit", 2, "--json").stdout)
    assert figures["prefix"]["made"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--language", "zh"), "has no 'zh'"),
        (("--filters", "shine"), "Filter 'shine' is unknown"),
        (("--methods", "extraction"), "give --seeds"),
        (("--seeds", "missing.jsonl"), "does not exist"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(
    cli: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    said = cli("--out", tmp_path / "out", *arguments)
    assert isinstance(said.exception, BadInput)
    assert message in str(said.exception)


def test_written_exchanges_of_the_fake_are_sound() -> None:
    assert len({one["customer"] for one in [*written(1), *written(2)]}) == 6
