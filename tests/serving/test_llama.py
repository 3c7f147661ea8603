"""The embedded server for real, on the smallest model of the catalogue."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from graph.errors import BadInput, ModelUnavailable
from graph.settings import Settings, get_settings
from serving.chat import load_chat_model, prefill
from serving.download import pull
from serving.launch import serve
from serving.llama import EmbeddedServer, embedded_server, start, stop_embedded

MODEL = "smollm2-135m-instruct"
FACTS = "You sell lanterns. " + " ".join(f"Lantern {n} costs {n * 7} dollars." for n in range(30))
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def weights() -> Path:
    return pull(MODEL, get_settings().cache)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return Settings(_env_file=None, home=home, cache=get_settings().cache, llm=MODEL, turn_deadline=60, llm_base_url="")  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def model(weights: Path, chosen: Settings) -> Iterator[BaseChatModel]:
    yield load_chat_model(chosen)
    stop_embedded()


def cached(model: BaseChatModel, messages: list[BaseMessage]) -> tuple[str, int, int]:
    said = model.invoke(messages, max_tokens=8, temperature=0)
    assert isinstance(said, AIMessage)
    assert said.usage_metadata is not None
    counts = said.usage_metadata
    return str(said.text), counts["input_tokens"], counts["input_token_details"]["cache_read"]


def test_interleaved_calls_are_answered_from_their_own_prefixes(model: BaseChatModel, chosen: Settings) -> None:
    prefill(model, FACTS)
    calls: dict[str, list[BaseMessage]] = {name: [SystemMessage(FACTS)] for name in ("Ann", "Bo", "Cy")}
    for turn in range(3):
        for name, messages in calls.items():
            messages.append(HumanMessage(f"{name} here. What about lantern {turn}?"))
            text, prompt, found = cached(model, messages)
            assert prompt - found < 60, f"{name}, turn {turn}: {prompt - found} of {prompt} tokens were read anew"
            messages.append(AIMessage(text))
    assert [path.suffix for path in sorted((chosen.home / "prefixes").iterdir())] == [".json", ".kv"]


def test_a_prompt_read_by_an_earlier_server_is_not_read_again(
    model: BaseChatModel, weights: Path, chosen: Settings
) -> None:
    prefill(model, FACTS)
    later = start(weights, home=chosen.home, model=MODEL)
    body = {"messages": [{"role": "system", "content": FACTS}, {"role": "user", "content": "Hello?"}], "max_tokens": 1}
    with later.keeper.slot([f"system\n{FACTS}", "human\nHello?"]) as number:
        answer = httpx.post(f"{later.base_url}/chat/completions", json={**body, "id_slot": number}, timeout=60)
    later.close()
    counts = answer.json()["usage"]
    assert counts["prompt_tokens"] - counts["prompt_tokens_details"]["cached_tokens"] < 20


def test_a_json_schema_is_kept(model: BaseChatModel) -> None:
    schema = {
        "type": "object",
        "properties": {"intent": {"enum": ["price", "busy"]}},
        "required": ["intent"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "intent", "schema": schema}}
    said = model.invoke([HumanMessage("It is too expensive.")], response_format=wanted, max_tokens=99, temperature=0)
    assert json.loads(str(said.text))["intent"] in ("price", "busy")


def test_a_request_that_is_given_up_frees_its_slot(model: BaseChatModel) -> None:
    messages = [HumanMessage("Count to one thousand.")]
    with pytest.raises(openai.OpenAIError):
        model.invoke(messages, max_tokens=2000, timeout=0.001)
    stream = model.stream(messages, max_tokens=2000)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert cached(model, messages)[0]


def test_one_server_serves_the_process(weights: Path, chosen: Settings, model: BaseChatModel) -> None:
    assert load_chat_model(chosen) is model
    server = embedded_server(weights, home=chosen.home, model=MODEL)
    assert server is embedded_server(weights, home=chosen.home, model=MODEL)


def test_missing_and_broken_files_are_told_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really")
    with pytest.raises(BadInput, match=r"nowhere\.gguf does not exist"):
        start(tmp_path / "nowhere.gguf", home=tmp_path)
    with pytest.raises(BadInput, match=r"Adapter .*nowhere\.gguf does not exist"):
        start(broken, home=tmp_path, adapter=tmp_path / "nowhere.gguf")
    with pytest.raises(ModelUnavailable, match=r"did not start on .*broken\.gguf: .*llama\.log") as caught:
        start(broken, home=tmp_path)
    assert "\n" not in str(caught.value)


HOLD = """
import contextlib, sys, threading, time
from pathlib import Path
from serving.llama import embedded_server
from langchain_core.messages import HumanMessage
from serving.embedded_chat import EmbeddedChatModel
server = embedded_server(Path(sys.argv[1]), home=Path(sys.argv[2]))
model = EmbeddedChatModel.of(server, api_key="none", max_retries=0)
stream = model.stream([HumanMessage("Count to one thousand.")], max_tokens=3000)
next(stream)
def listen():
    with contextlib.suppress(Exception):
        list(stream)
threading.Thread(target=listen, daemon=True).start()
print(server.process.pid, flush=True)
if sys.argv[3] == "stay":
    time.sleep(60)
"""


@pytest.mark.parametrize("way", ["leave", "kill"])
def test_the_server_goes_with_its_owner_even_in_mid_answer(weights: Path, tmp_path: Path, way: str) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(weights), str(tmp_path), "stay" if way == "kill" else way],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert owner.stdout is not None
    server = int(owner.stdout.readline())
    if way == "kill":
        owner.kill()
    _, complaints = owner.communicate(timeout=20)
    assert (owner.returncode, complaints) == (-signal.SIGKILL if way == "kill" else 0, "")
    deadline = time.monotonic() + 10
    while _runs(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(server)


def test_serving_in_the_foreground_ends_with_the_signal(weights: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from graph.settings import Settings; from serving.launch import serve; "
        f"serve('llama.cpp', '{MODEL}', None, '127.0.0.1', 0, Settings(home=Path({str(tmp_path)!r})))"
    )
    served = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert served.stderr is not None
    line = served.stderr.readline()
    url = next(word for word in line.split() if word.startswith("http"))
    assert httpx.get(f"{url}/models", timeout=20).json()["data"][0]["id"] == MODEL
    served.send_signal(signal.SIGTERM)
    served.communicate(timeout=20)
    assert served.returncode == 0


def test_a_port_that_is_taken_is_told(weights: Path, tmp_path: Path, model: BaseChatModel, chosen: Settings) -> None:
    server: EmbeddedServer = embedded_server(weights, home=chosen.home, model=MODEL)
    port = int(server.base_url.split(":")[2].removesuffix("/v1"))
    with pytest.raises(ModelUnavailable, match="did not start"):
        serve("llama.cpp", MODEL, None, "127.0.0.1", port, chosen.model_copy(update={"home": tmp_path}))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
