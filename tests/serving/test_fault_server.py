import json
import time
import warnings

import httpx
import openai
import pytest

from tests.serving.fault_server import PROMISE_EN, PROMISE_ZH, Behaviour, FaultServer

ASK = {"model": "fault", "messages": [{"role": "user", "content": "hello"}]}


def client(server: FaultServer, timeout: float = 5.0) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key="x", max_retries=0, timeout=timeout)


def said(server: FaultServer, line: str = "hello") -> str:
    with client(server) as api:
        stream = api.chat.completions.create(
            model="fault",
            messages=[{"role": "user", "content": line}],
            stream=True,
            stream_options={"include_usage": True},
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@pytest.mark.parametrize("text", ["Good morning! It is $1.50, isn't it?", "您好！每月三百九十九元。\n可以吗？", ""])
def test_a_streamed_answer_arrives_letter_for_letter(text: str) -> None:
    with FaultServer("ok", text=text) as server:
        assert said(server) == text


def test_usage_counts_the_prefix_that_two_requests_share() -> None:
    with FaultServer("ok", text="one two three") as server, httpx.Client() as http:
        counts = [
            http.post(
                f"{server.base_url}/chat/completions", json={"messages": [{"role": "user", "content": "a" * n}]}
            ).json()["usage"]
            for n in (400, 800)
        ]
    assert [c["prompt_tokens"] for c in counts] == [100, 200]
    assert [c["prompt_tokens_details"]["cached_tokens"] for c in counts] == [0, 100]
    assert [c["completion_tokens"] for c in counts] == [3, 3]


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("broken_json", json.JSONDecodeError),
        ("cut", openai.APIConnectionError),
        ("slow", openai.APITimeoutError),
        ("stall", openai.APITimeoutError),
    ],
)
def test_each_fault_shows_as_its_error_in_a_streaming_client(behaviour: Behaviour, error: type[Exception]) -> None:
    with FaultServer(behaviour) as server, client(server, timeout=0.3) as api, pytest.raises(error):
        list(api.chat.completions.create(model="fault", messages=[{"role": "user", "content": "x"}], stream=True))


def test_the_promise_comes_in_the_customers_language() -> None:
    with FaultServer("promise") as server:
        assert said(server, "how much?") == PROMISE_EN
        assert said(server, "多少钱？") == PROMISE_ZH


def test_behaviours_are_used_up_in_order_and_the_last_stays() -> None:
    with FaultServer("500", "ok", text="fine") as server, httpx.Client() as http:
        codes = [http.post(f"{server.base_url}/chat/completions", json=ASK).status_code for _ in range(3)]
        server.behave("429")
        codes.append(http.post(f"{server.base_url}/chat/completions", json=ASK).status_code)
    assert codes == [500, 200, 200, 429]
    assert len(server.requests) == 4


def test_a_schema_gets_an_instance_or_the_given_answer() -> None:
    schema = {"type": "object", "properties": {"intent": {"enum": ["price", "busy"]}}, "required": ["intent"]}
    asked = {**ASK, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
    answers = []
    for given in (None, {"intent": "busy"}):
        with FaultServer("ok", answer=given) as server, httpx.Client() as http:
            reply = http.post(f"{server.base_url}/chat/completions", json=asked).json()
            answers.append(json.loads(reply["choices"][0]["message"]["content"]))
    assert answers == [{"intent": "price"}, {"intent": "busy"}]


def test_stopping_does_not_wait_for_a_slow_answer() -> None:
    with warnings.catch_warnings(), client(server := FaultServer("slow").start(), timeout=0.2) as api:
        warnings.simplefilter("error")
        with pytest.raises(openai.APITimeoutError):
            api.chat.completions.create(model="fault", messages=[{"role": "user", "content": "x"}])
        began = time.perf_counter()
        server.stop()
    assert time.perf_counter() - began < 1.0
