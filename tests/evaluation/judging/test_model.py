from typing import Any

from pydantic import SecretStr

from evaluation.judging.model import load_judge
from graph.settings import Settings


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


def test_a_fake_judge_is_taken_even_where_the_agent_has_a_server() -> None:
    assert load_judge(settings(judge="fake/echo", llm_base_url="http://agent:2/v1"))._llm_type == "fake"
