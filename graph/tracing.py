"""One trace a turn, for LangSmith, when `LANGSMITH_API_KEY` is set.

The runs of a turn are collected by a callback handler of our own and leave the process masked, after the turn, in the background
(`graph.trace_delivery`). LangSmith's default tracer sends as it goes, unmasked: importing this module switches it off for the
process, whatever the environment says.
"""

import os
import re
import traceback
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, Protocol
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langsmith import configure, tracing_context, uuid7

from graph.personal import campaign_of, said_before
from graph.records import TurnRecord
from graph.settings import Settings
from graph.trace_delivery import Delivery, Run, delivery_for, target
from graph.trace_masking import Masker, forms, introduced, known_values

configure(enabled=False)

CHILD_METADATA = frozenset(
    {
        "langgraph_step",
        "langgraph_node",
        "ls_provider",
        "ls_model_name",
        "ls_model_type",
        "ls_temperature",
        "usage_metadata",
    }
)
"""What is sent of a node's or model call's own metadata; everything else stays here."""
REMEMBERED_CALLS = 1000
"""Calls whose introduced names are kept in memory."""


class Turn(Protocol):
    """What a trace reads of the turn that is being answered."""

    @property
    def call(self) -> str:
        """Id of the call."""

    @property
    def turn(self) -> int:
        """Number of the turn."""

    @property
    def customer(self) -> str:
        """The customer's line."""

    @property
    def header(self) -> Mapping[str, Any]:
        """The call's header: `campaign`, `profile`, `strategy`, `model`."""


@dataclass
class _Step:
    """One run below the turn: the graph, a node, a model call."""

    id: UUID
    parent: UUID | None
    name: str
    kind: Literal["chain", "llm"]
    inputs: object
    metadata: dict[str, Any]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    first_token: datetime | None = None
    ended: datetime | None = None
    outputs: object = None
    error: str = ""


class _Collector(BaseCallbackHandler):
    """Notes the runs of one turn as they come; nothing is copied, masked or sent here."""

    run_inline = True

    def __init__(self) -> None:
        self._steps: dict[UUID, _Step] = {}

    def take(self) -> list[_Step]:
        """Return the runs in the order of their start; what comes later is not noted."""
        steps, self._steps = self._steps, {}
        return list(steps.values())

    def _start(self, kind: Literal["chain", "llm"], run_id: UUID, inputs: object, given: Mapping[str, Any]) -> None:
        metadata = given.get("metadata") or {}
        name = given.get("name") or metadata.get("ls_model_name") or "model"
        self._steps[run_id] = _Step(run_id, given.get("parent_run_id"), name, kind, inputs, metadata)

    def _end(self, run_id: UUID, outputs: object, error: BaseException | None = None) -> None:
        step = self._steps.get(run_id)
        if step:
            step.ended, step.outputs = datetime.now(UTC), outputs
            step.error = "".join(traceback.format_exception(error)) if error else ""

    def on_chain_start(self, serialized: dict[str, Any], inputs: dict[str, Any], *, run_id: UUID, **given: Any) -> None:
        """Note that the graph or a node starts."""
        self._start("chain", run_id, inputs, given)

    def on_chain_end(self, outputs: dict[str, Any], *, run_id: UUID, **given: Any) -> None:
        """Note what it returned."""
        self._end(run_id, outputs)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **given: Any) -> None:
        """Note what it raised."""
        self._end(run_id, None, error)

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **given: Any
    ) -> None:
        """Note that the model is asked."""
        self._start("llm", run_id, {"messages": messages}, given)

    def on_llm_new_token(self, token: str | list[str | dict[str, Any]], *, run_id: UUID, **given: Any) -> None:
        """Note when the first token came; a piece of text is never noted: cut up, a phone number is not recognised."""
        step = self._steps.get(run_id)
        if step and step.first_token is None:
            step.first_token = datetime.now(UTC)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **given: Any) -> None:
        """Note what the model said."""
        self._end(run_id, response)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **given: Any) -> None:
        """Note why the model's answer ended early, and what there was of it."""
        self._end(run_id, given.get("response"), error)


_collector: ContextVar[_Collector | None] = ContextVar("turn_collector", default=None)


@lru_cache(maxsize=1)
def _register() -> None:
    from langchain_core.tracers.context import register_configure_hook

    register_configure_hook(_collector, inheritable=True)


@dataclass
class TurnTrace:
    """The trace of a turn that is being answered."""

    settings: Settings
    turn: Turn
    project: str
    delivery: Delivery
    collector: _Collector = field(default_factory=_Collector)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished: bool = False
    id: UUID = field(default_factory=uuid7)
    """Of the root run."""

    def finish(self, record: TurnRecord) -> None:
        """Note the trace's id on the record, and hand the turn over; it is masked and sent in the background."""
        record["why"]["trace"] = str(self.id)
        self._hand_over(record, "")

    def fail(self, error: BaseException) -> None:
        """Hand over a turn that left no record."""
        if not self.finished:
            self._hand_over(None, "".join(traceback.format_exception(error)))

    def _hand_over(self, record: TurnRecord | None, error: str) -> None:
        self.finished = True
        steps, ended = self.collector.take(), datetime.now(UTC)
        self.delivery.put(lambda: {"runs": _runs(self, steps, ended, record, error)})


class NoTrace:
    """Stands where nothing is traced."""

    def finish(self, record: TurnRecord) -> None:
        """Do nothing."""


@contextmanager
def turn_trace(settings: Settings, turn: Turn) -> Iterator[TurnTrace | NoTrace]:
    """Trace what the graph does inside the `with`, if LangSmith's key is set; the caller then calls `finish`.

    Args:
        settings: Names the home, where traces wait until they are sent.
        turn: The turn; its text and its header's profile are sent masked, the header's other values but campaign and model not.
    """
    to = target()
    with tracing_context(enabled=False):
        if to is None:
            yield NoTrace()
            return
        _register()
        trace = TurnTrace(settings, turn, to.project, delivery_for(settings, to))
        token = _collector.set(trace.collector)
        try:
            yield trace
        except BaseException as error:
            trace.fail(error)
            raise
        finally:
            _collector.reset(token)


_introduced: OrderedDict[tuple[str, str], set[str]] = OrderedDict()
"""Names by which customers introduced themselves, per home and call; used by one thread, the delivery's."""


def _names(trace: TurnTrace, steps: list[_Step], record: TurnRecord | None) -> list[str]:
    turn, settings = trace.turn, trace.settings
    key = (os.fspath(settings.home), turn.call)
    if key not in _introduced:
        _introduced[key] = said_before(settings, turn.call)
        while len(_introduced) > REMEMBERED_CALLS:
            _introduced.popitem(last=False)
    _introduced[key].update(introduced([{"customer": turn.customer}, *(step.inputs for step in steps)]))
    slots = dict(record["why"].get("slots", {})) if record else {}
    for step in steps:
        for state in (step.inputs, step.outputs):
            if isinstance(state, Mapping) and isinstance(state.get("slots"), Mapping):
                slots |= state["slots"]
    campaign = campaign_of(settings, turn.header["campaign"])
    known = known_values(turn.header.get("profile", {}), slots, campaign)
    return [*known, *(form for name in _introduced[key] for form in forms(name))]


def _thread(call: str, masker: Masker) -> str:
    """Return the thread's id: the call's, or a hash of it if somebody named the call by personal data."""
    made_here = re.fullmatch(r"[0-9a-f]{12}", call) and not call.isdigit()
    if made_here or masker.text(call) == call:
        return call
    return "call-" + sha256(call.encode()).hexdigest()[:12]


def _segment(started: datetime, run: UUID) -> str:
    return f"{started:%Y%m%dT%H%M%S%f}Z{run}"


def _runs(trace: TurnTrace, steps: list[_Step], ended: datetime, record: TurnRecord | None, error: str) -> list[Run]:
    """Build the turn's runs, masked; the first is the root and has no parent."""
    masker = Masker(_names(trace, steps, record))
    turn, root = trace.turn, trace.id
    thread = _thread(turn.call, masker)
    stage = record["stage"] if record else "unfinished"
    runs: list[Run] = [
        {
            "id": str(root),
            "trace_id": str(root),
            "dotted_order": _segment(trace.started, root),
            "name": f"{turn.header['campaign']}/{stage}",
            "run_type": "chain",
            "session_name": trace.project,
            "start_time": trace.started.isoformat(),
            "end_time": ended.isoformat(),
            "inputs": {"messages": [{"role": "user", "content": masker.text(turn.customer)}]},
            "outputs": _answer(record, thread, masker) if record else None,
            "error": masker.text(error) or None,
            "extra": {"metadata": {"thread_id": thread, **masker.plain(_metadata(turn, record)), **_hash(record)}},
        }
    ]
    order = {root: runs[0]["dotted_order"]}
    for step in steps:
        parent = step.parent if step.parent in order else root
        order[step.id] = f"{order[parent]}.{_segment(step.started, step.id)}"
        metadata = {name: value for name, value in step.metadata.items() if name in CHILD_METADATA}
        outputs, usage = _outputs(step.outputs)
        if usage:
            metadata["usage_metadata"] = usage
        unended = "" if step.ended else "still running when the turn ended"
        runs.append(
            {
                "id": str(step.id),
                "trace_id": str(root),
                "parent_run_id": str(parent),
                "dotted_order": order[step.id],
                "name": step.name,
                "run_type": step.kind,
                "session_name": trace.project,
                "start_time": step.started.isoformat(),
                "end_time": (step.ended or ended).isoformat(),
                "inputs": _object(masker.plain(step.inputs), "input"),
                "outputs": _object(masker.plain(outputs), "output"),
                "error": masker.text(step.error or unended) or None,
                "events": [{"name": "new_token", "time": step.first_token.isoformat()}] if step.first_token else [],
                "extra": {"metadata": {"thread_id": thread, "turn": turn.turn, **masker.plain(metadata)}},
            }
        )
    return runs


def _metadata(turn: Turn, record: TurnRecord | None) -> dict[str, object]:
    known: dict[str, object] = {
        "turn": turn.turn,
        "campaign": turn.header["campaign"],
        "model": turn.header.get("model", ""),
        "ls_agent_type": "root",
    }
    if record is None:
        return known
    why = record["why"]
    return known | {
        "stage_proposed": record["stage_proposed"],
        "stage": record["stage"],
        "stage_reason": record["stage_reason"],
        "intent": record["intent"],
        "confidence": record["confidence"],
        "scripts": [f"{script['id']}@{script['version']}" for script in record["scripts"]],
        "model": why.get("model") or known["model"],
        "rules": [f"{hit['name']}:{hit['severity']}:{hit['action']}" for hit in record["rules"]],
        "latency_ms": record["latency_ms"],
        "tokens": record["tokens"],
        "source": record["source"],
        "outcome": record["outcome"],
    }


def _hash(record: TurnRecord | None) -> dict[str, str]:
    """Return the prompt's hash, which is not masked: ten digits in a row would pass for a phone number."""
    return {"prompt_hash": record["why"].get("prompt_hash", "")} if record else {}


def _answer(record: TurnRecord, thread: str, masker: Masker) -> dict[str, Any]:
    reply = [{"role": "assistant", "content": masker.text(record["reply"])}]
    return {"messages": reply, "record": {**masker.plain(record), "call": thread}}


def _outputs(outputs: object) -> tuple[object, object]:
    """Return a run's outputs in LangSmith's form, and the tokens if a model reported them."""
    if not isinstance(outputs, LLMResult):
        return outputs, None
    generations: list[list[dict[str, object]]] = []
    usage: object = None
    for batch in outputs.generations:
        generations.append([])
        for generation in batch:
            said: dict[str, object] = {"text": generation.text, "type": generation.type}
            if isinstance(generation, ChatGeneration):
                said["message"] = generation.message
                usage = getattr(generation.message, "usage_metadata", None) or usage
            generations[-1].append(said)
    return {"generations": generations}, usage


def _object(value: object, key: str) -> object:
    """Return what LangSmith takes for inputs and outputs: an object, or nothing."""
    return value if value is None or isinstance(value, dict) else {key: value}
