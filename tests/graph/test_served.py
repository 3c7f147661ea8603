"""What was promoted is what settings say, unless somebody says otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.runs.variants import Variant
from graph.served import PROMOTIONS, Served, served
from graph.settings import Settings

MODEL = "qwen2.5-coder-0.5b-instruct"


def settings(home: Path, **given: Any) -> Settings:
    return Settings(home=home, llm=MODEL, _env_file=None, **given)  # type: ignore[call-arg]


@pytest.fixture
def promoted(tmp_path: Path) -> Path:
    """Return a home in which an adapter that thinks was promoted."""
    record = {"action": "promote", "model": MODEL, "adapter": "served/abc.gguf", "think": True}
    (tmp_path / PROMOTIONS).write_text(json.dumps(record) + "\n", encoding="utf-8")
    return tmp_path


def test_the_promoted_adapter_is_the_default_and_thinks_as_it_passed(promoted: Path) -> None:
    found = settings(promoted)
    assert (found.llm_adapter, found.think) == (str(promoted / "served/abc.gguf"), True)
    assert settings(promoted, think=False).think is False


def test_another_model_or_server_is_served_alone(promoted: Path) -> None:
    other = Settings(home=promoted, llm="smollm2-135m-instruct", _env_file=None)  # type: ignore[call-arg]
    assert (other.llm_adapter, other.think) == ("", False)
    assert settings(promoted, llm_base_url="http://x/v1").think is False


@pytest.mark.parametrize(("given", "adapter"), [("none", ""), ("own.gguf", "own.gguf")])
def test_what_is_said_wins_over_what_was_promoted(
    promoted: Path, monkeypatch: pytest.MonkeyPatch, given: str, adapter: str
) -> None:
    assert settings(promoted, llm_adapter=given).llm_adapter == adapter
    monkeypatch.setenv("SALESMAN_LLM_ADAPTER", given)
    found = settings(promoted)
    assert (found.llm_adapter, found.think) == (adapter, False)


@pytest.mark.parametrize(
    ("variant", "adapter"),
    [
        ({}, "served/abc.gguf"),
        ({"adapter": "none"}, ""),
        ({"model": "smollm2-135m-instruct"}, ""),
        ({"model": MODEL}, "served/abc.gguf"),
    ],
)
def test_a_variant_has_the_served_adapter_only_with_the_served_model(
    promoted: Path, variant: dict[str, str], adapter: str
) -> None:
    found = Variant(name="a", **variant).settings(settings(promoted))  # type: ignore[arg-type]
    assert found.llm_adapter == (str(promoted / adapter) if adapter else "")


def test_an_adapter_that_ships_without_a_gates_result_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "adapters" / "one").mkdir(parents=True)
    about = {"base": {"name": MODEL}, "recipe": {"think": True}}
    (tmp_path / "adapters" / "one" / "run.json").write_text(json.dumps(about), encoding="utf-8")
    assert served(tmp_path / "home", MODEL, tmp_path / "adapters") == Served()


@pytest.mark.parametrize(
    ("variant", "thinks"),
    [({}, True), ({"adapter": "own.gguf"}, False), ({"adapter": "own.gguf", "think": True}, True)],
)
def test_an_adapter_of_a_variant_does_not_think_because_the_served_one_does(
    promoted: Path, variant: dict[str, Any], thinks: bool
) -> None:
    assert Variant(name="v", **variant).settings(settings(promoted)).think is thinks
