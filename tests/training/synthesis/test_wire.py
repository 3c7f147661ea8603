"""Synthesis against a server that speaks the OpenAI protocol, over a real connection."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation.judging.model import load_judge
from evaluation.scenarios.loading import bundled_campaigns
from graph.errors import ModelUnavailable
from graph.settings import Settings
from tests.serving.fault_server import FaultServer
from tests.training.synthesis.teachers import written
from training.synthesis.filters.chain import USUAL, stages
from training.synthesis.made import read_made
from training.synthesis.run import synthesise
from training.synthesis.scene import Workshop
from training.synthesis.teacher import Teacher


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer("ok", answer={"turns": written()}, model="big-teacher") as running:
        yield running


@pytest.fixture
def run(server: FaultServer, tmp_path: Path) -> Callable[..., Any]:
    settings = Settings(home=tmp_path, judge="big-teacher", judge_base_url=server.base_url, _env_file=None)  # type: ignore[call-arg]
    data = bundled_campaigns()["save_the_children"]
    shop = Workshop(data, "en", Teacher(lambda: load_judge(settings), settings.judge), settings)
    chain = stages(USUAL, lambda name: data.campaign, lambda: pytest.fail("no judge"))
    return lambda limit: synthesise(shop, tmp_path / "out", ["prefix"], limit, chain, at_once=1)


def test_the_server_is_asked_for_a_bounded_answer_by_a_schema(
    server: FaultServer, run: Callable[..., Any], tmp_path: Path
) -> None:
    run(2)
    (one, other) = server.requests
    assert one["model"] == "big-teacher"
    assert one["response_format"]["json_schema"]["schema"]["required"] == ["turns"]
    assert (one.get("max_tokens") or one.get("max_completion_tokens")) == 420
    assert one["seed"] != other["seed"]
    assert [made.dialogue.source.model for made in read_made(tmp_path / "out") if made.dialogue] == ["big-teacher"] * 2


@pytest.mark.parametrize("fault", ["429", "500", "broken_json", "cut"])
def test_a_fault_of_the_server_leaves_the_dialogue_to_be_made(
    server: FaultServer, run: Callable[..., Any], tmp_path: Path, fault: Any
) -> None:
    server.behave("ok", fault, "ok")
    with pytest.raises(ModelUnavailable, match="1 of 3 dialogues are missing"):
        run(3)
    assert run(3)["prefix"]["made"] == 3


def test_a_server_that_only_fails_stops_the_run_with_one_line(server: FaultServer, run: Callable[..., Any]) -> None:
    server.behave("ok", "500")
    with pytest.raises(ModelUnavailable, match="once the server answers, the same command goes on"):
        run(40)
    assert len(server.requests) == 1 + 3
    server.behave("ok")
    assert run(4)["prefix"]["made"] == 4
