from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from evaluation.judging.model import load_judge
from graph.settings import Settings
from serving import chat


def settings(**values: Any) -> Settings:
    return Settings(llm="fake/echo", _env_file=None, **values)  # type: ignore[call-arg]


def test_the_judge_has_a_server_of_its_own_whatever_serves_the_agent() -> None:
    known = settings(
        judge="gpt-judge",
        judge_base_url="http://judge:1/v1",
        judge_api_key=SecretStr("k"),
        llm_base_url="http://agent:2/v1",
    )
    model: Any = load_judge(known)
    assert (model.model_name, model.openai_api_base) == ("gpt-judge", "http://judge:1/v1")
    assert model.openai_api_key.get_secret_value() == "k"


def test_a_judge_may_have_an_adapter_and_never_has_the_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Path | None]] = []
    monkeypatch.setattr(chat, "_embedded", lambda _, name, adapter: asked.append((name, adapter)))
    known = settings(judge="small", llm_adapter="seller.gguf").model_copy(update={"llm": "small"})
    for judge in ("small", "small+runs/customer.gguf"):
        load_judge(known.model_copy(update={"judge": judge}))
    assert asked == [("small", None), ("small", Path("runs/customer.gguf"))]


def test_a_servers_names_stay_whole() -> None:
    model: Any = load_judge(
        settings(judge="a+b.gguf", judge_base_url="http://judge:1/v1", judge_api_key=SecretStr("k"))
    )
    assert model.model_name == "a+b.gguf"


def test_a_fake_judge_is_taken_even_where_the_agent_has_a_server() -> None:
    assert load_judge(settings(judge="fake/echo", llm_base_url="http://agent:2/v1"))._llm_type == "fake"
