import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage

from graph.errors import BadInput, ModelUnavailable
from graph.settings import Settings
from serving import chat
from serving.chat import load_chat_model, model_label, prefill
from serving.fakes import FakeReply, ScriptedChatModel
from tests.serving.fault_server import Behaviour, FaultServer

ASKED = [SystemMessage("You sell lanterns."), HumanMessage("How much?")]


@pytest.fixture(autouse=True)
def _forget_loaded_models() -> Iterator[None]:
    chat._fake.cache_clear()
    chat._remote.cache_clear()
    yield
    chat._fake.cache_clear()
    chat._remote.cache_clear()


def settings(tmp_path: Path, **given: str) -> Settings:
    return Settings(_env_file=None, home=tmp_path, cache=tmp_path, **given)  # type: ignore[arg-type,call-arg]


def test_a_server_by_setting_streams_with_its_token_counts(tmp_path: Path) -> None:
    with FaultServer("ok", text="It is free for you.") as server:
        model = load_chat_model(settings(tmp_path, llm_base_url=server.base_url, llm_api_key="secret"))
        whole: AIMessageChunk | None = None
        for chunk in model.stream(ASKED, max_tokens=50):
            assert isinstance(chunk, AIMessageChunk)
            whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.text == "It is free for you."
    assert whole.usage_metadata is not None
    assert (whole.usage_metadata["output_tokens"], whole.usage_metadata["input_token_details"]) == (
        5,
        {"cache_read": 0},
    )
    assert server.headers[0]["authorization"] == "Bearer secret"
    assert server.requests[0]["model"] == "fault"


@pytest.mark.parametrize(
    ("given", "name", "label", "model", "why"),
    [
        ({}, None, "first model at 127.0.0.1:{port}", "fault", "the server's first model"),
        ({"llm_model": "seven"}, None, "seven at 127.0.0.1:{port}", "seven", "the setting's model"),
        ({"llm_model": "seven"}, "judge", "seven at 127.0.0.1:{port}", "judge", "an explicit name"),
        (
            {"llm": "fake/echo"},
            None,
            "first model at 127.0.0.1:{port}",
            "fault",
            "the URL wins over the embedded model",
        ),
        ({}, "fake/echo", "first model at 127.0.0.1:{port}", None, "an explicit fake wins over the URL"),
    ],
)
def test_what_decides_the_model(
    tmp_path: Path, given: dict[str, str], name: str | None, label: str, model: str | None, why: str
) -> None:
    with FaultServer("ok") as server:
        chosen = settings(tmp_path, llm_base_url=server.base_url, **given)
        load_chat_model(chosen, name=name).invoke(ASKED)
    assert [body["model"] for body in server.requests] == ([model] if model else []), why
    assert model_label(chosen) == label.format(port=server.base_url.split(":")[2].removesuffix("/v1"))


def test_a_model_is_loaded_once(tmp_path: Path) -> None:
    one = load_chat_model(settings(tmp_path, llm="fake/scripted"))
    assert load_chat_model(settings(tmp_path, llm="fake/scripted")) is one


@pytest.mark.parametrize(("think", "sent"), [(None, None), ("true", True), ("false", False)])
def test_thinking_is_switched_only_when_the_setting_is_given(
    tmp_path: Path, think: str | None, sent: bool | None
) -> None:
    with FaultServer("ok") as server:
        given = {} if think is None else {"think": think}
        load_chat_model(settings(tmp_path, llm_base_url=server.base_url, **given)).invoke(ASKED)
    assert server.requests[0].get("chat_template_kwargs", {}).get("enable_thinking") is sent


@pytest.mark.parametrize("behaviour", ["slow", "429", "500", "cut", "stall"])
def test_a_failing_server_raises_in_time_and_is_asked_once(tmp_path: Path, behaviour: Behaviour) -> None:
    with FaultServer(behaviour) as server:
        model = load_chat_model(settings(tmp_path, llm_base_url=server.base_url))
        with pytest.raises(openai.OpenAIError):
            list(model.stream(ASKED, timeout=0.3))
    assert len(server.requests) == 1


def test_a_schema_is_sent_and_answered(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"intent": {"enum": ["price"]}}, "required": ["intent"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "intent", "schema": schema}}
    with FaultServer("ok") as server:
        said = load_chat_model(settings(tmp_path, llm_base_url=server.base_url)).invoke(ASKED, response_format=wanted)
    assert json.loads(str(said.text)) == {"intent": "price"}
    assert server.requests[0]["response_format"] == wanted


def test_a_server_that_is_down_is_named_with_the_way_out(tmp_path: Path) -> None:
    with FaultServer("ok") as server:
        url = server.base_url
    with pytest.raises(ModelUnavailable, match=r"SALESMAN_LLM_BASE_URL=http://127.* does not answer"):
        load_chat_model(settings(tmp_path, llm_base_url=url))


def test_a_catalogue_miss_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'gpt-9' is not in the catalogue.*SALESMAN_LLM_BASE_URL"):
        load_chat_model(settings(tmp_path, llm="gpt-9"))


def test_a_script_of_replies_is_read_from_a_file_and_begins_again(tmp_path: Path) -> None:
    path = tmp_path / "replies.yaml"
    path.write_text("- Good morning!\n- {text: Half an, error: connection lost}\n- {json: {intent: price}}\n")
    model = load_chat_model(settings(tmp_path, llm=f"fake/scripted:{path}"))
    assert [chunk.text for chunk in model.stream(ASKED)] == ["Good", " morning!", ""]
    heard = []
    with pytest.raises(openai.APIConnectionError, match="connection lost"):
        heard.extend(chunk.text for chunk in model.stream(ASKED))
    assert model.invoke(ASKED, response_format={"type": "json_schema"}).text == '{"intent": "price"}'
    assert model.invoke(ASKED).text == "Good morning!"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- {text: hi, colour: red}", "reply 0.*colour: Extra"),
        ("- fine\n- 3", "reply 1"),
        ("just a line", "reply list.*list"),
        ("- [", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_script_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "replies.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadInput, match=said):
        load_chat_model(settings(tmp_path), name=f"fake/scripted:{path}")


def test_an_unknown_fake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected fake/echo, fake/scripted"):
        load_chat_model(settings(tmp_path), name="fake/news")


def test_the_echo_repeats_the_customer_and_counts_tokens(tmp_path: Path) -> None:
    model = load_chat_model(settings(tmp_path), name="fake/echo")
    first, second = model.invoke(ASKED), model.invoke(ASKED)
    assert first.text == "How much?"
    assert first.usage_metadata == {
        "input_tokens": 7,
        "output_tokens": 2,
        "total_tokens": 9,
        "input_token_details": {"cache_read": 0},
    }
    assert second.usage_metadata is not None
    assert second.usage_metadata["input_token_details"] == {"cache_read": 7}


def test_a_scripted_delay_beyond_the_requests_patience_is_a_timeout() -> None:
    model = ScriptedChatModel(replies=[FakeReply(text="late", delay=30)])
    with pytest.raises(openai.APITimeoutError):
        model.invoke(ASKED, timeout=0.01)


def test_prefilling_a_model_without_slots_does_nothing(tmp_path: Path) -> None:
    with FaultServer("ok") as server:
        prefill(load_chat_model(settings(tmp_path, llm_base_url=server.base_url)), "You sell lanterns.")
    assert server.requests == []
