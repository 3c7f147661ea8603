"""The one door to the graph: start a call, take a turn, let a person answer, read the record.

Every caller (command line, app, simulators, tests) goes through `Calls`. A turn is kept before it is worked on and answered exactly
once: a lease admits one writer, an idempotency key makes a retry return the same reply, and what a killed process left
unfinished is finished by whoever comes next.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from langgraph.types import Command

from graph.build import SalesGraph, build_graph
from graph.calls import CallStore, contact_hash
from graph.checkpoints import close_checkpointer, keep_latest, open_checkpointer
from graph.compose import Turn, compose
from graph.context import USUAL, Context, Understanding
from graph.errors import BadInput, CallEnded, ModelUnavailable, SalesmanError
from graph.failure import state_after_failure
from graph.lease import lease
from graph.outcome import outcome_of
from graph.preview import fresh_header, fresh_state
from graph.records import Answering, ConversationRecord, TurnRecord
from graph.settings import Settings, get_settings
from graph.starting import carried_over, check_start, given_for, known_stage, resume
from graph.state import CallState
from graph.tracing import turn_trace
from nodes.resources import get_resources
from nodes.respond import system_prompt
from nodes.understand import language_of
from scripts_library.database import engine_for
from scripts_library.schema import Language
from serving.slots import aside

log = logging.getLogger(__name__)

OnSentence = Callable[[str], None]
"""Called with each sentence as it is released."""
OnRecord = Callable[[TurnRecord], None]
"""Called with a turn that is kept, while its lease is still held: what it shows counts as delivered when it returns."""

RECURSION_LIMIT = 25


def _unheard(sentence: str) -> None:
    """Take a sentence that nobody listens to."""


class Calls:
    """Holds calls, many at once, from any thread."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        answering: Answering = "scripts",
        understanding: Understanding = USUAL,
    ) -> None:
        """Open what calls stand on.

        Args:
            settings: The process's own by default.
            answering: What the model's prompt is made of; other than `scripts` for comparisons, and told by each turn's record.
            understanding: How customers' lines are understood; other than the default for comparisons.
        """
        self.settings = settings or get_settings()
        self.answering: Answering = answering
        self.understanding = understanding
        self.resources = get_resources(self.settings)
        self.engine = engine_for(self.settings)
        self.store = CallStore(self.engine, webhook=bool(self.settings.webhook_url.strip()))
        self.saver = open_checkpointer(self.settings)
        self.graph = build_graph(self.saver)
        self._unkept = build_graph()
        self._warm: set[str] = set()
        self._ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
        """Work for the next turn, done while the customer reads."""

    def start(
        self,
        campaign: str,
        *,
        call: str | None = None,
        language: str | None = None,
        profile: Mapping[str, str] | None = None,
        strategy: str | None = None,
        contact: str = "",
        after: str = "",
        on_sentence: OnSentence = _unheard,
    ) -> TurnRecord:
        """Open a call and say the greeting (turn 0).

        Args:
            campaign: Name of a campaign of the library.
            call: Id to use; a new one by default.
            language: `en` or `zh` for the whole call; by default the reply follows the customer.
            profile: What is known of the customer; field names from the campaign's profile schema.
            strategy: Id of one of the campaign's strategies; the first by default.
            contact: Phone number or another id of the customer, to respect and remember an opt-out; kept as a hash.
            after: Id of an earlier call with this customer: what was said and learnt there is known here.
            on_sentence: Called with each sentence of the greeting.

        Raises:
            BadInput: Unknown campaign, language, profile field, strategy or earlier call, or the call's id is taken.
            CallEnded: This contact has opted out, or did in the earlier call.
        """
        data = self.resources.campaign(campaign).campaign
        chosen = check_start(data, language, profile or {}, strategy)
        call = call or uuid.uuid4().hex[:12]
        if after and self.store.header(after)["outcome"]["status"] == "opted_out":
            raise CallEnded(f"Call {after} ended with an opt-out: no other may follow it.")
        hashed = contact_hash(contact)
        if (before := self.store.opted_out(hashed)) is not None:
            raise CallEnded(f"This contact opted out in call {before}: it may not be called again.")
        with lease(self.settings, self.engine, call):
            if self.store.exists(call):
                raise BadInput(f"Call '{call}' exists already; continue it, or leave the id away for a new call.")
            from serving.chat import model_label

            self.store.open(
                call,
                {
                    "campaign": campaign,
                    "language": language or "",
                    "profile": dict(profile or {}),
                    "strategy": chosen,
                    "model": model_label(self.settings),
                    "contact": hashed,
                },
                after,
            )
            header = self.store.header(call)
            turn = self.store.begin(call, "opening", "")
            record = self._customer_turn(call, turn, "", on_sentence, header)
        given = given_for(header, call, turn, "")
        given["language"] = record["why"]["language"]
        self._ahead.submit(self._read_ahead, given, self.answering)
        return record

    def for_model(self, name: str) -> "Calls":
        """Return calls answered by another model, on the same home: all but the model is shared.

        Args:
            name: A name of the catalogue, or `fake/…`; with a server of `SALESMAN_LLM_BASE_URL`, a name of its own.
        """
        field = "llm_model" if self.settings.llm_base_url else "llm"
        settings = self.settings.model_copy(update={field: name})
        return Calls(settings, answering=self.answering, understanding=self.understanding)

    def idle(self) -> None:
        """Wait until the work for the next turn is done."""
        self._ahead.submit(lambda: None).result()

    def close(self) -> None:
        """Give the database's connections back; the object is not used afterwards."""
        self._ahead.shutdown(cancel_futures=True)
        self.engine.dispose()
        close_checkpointer(self.saver)

    def warm_up(self, campaign: str) -> None:
        """Load what a call of this campaign needs, once, so that no turn's deadline pays for it.

        Raises:
            BadInput: Unknown campaign.
            ModelUnavailable: Weights or server cannot be had.
        """
        if campaign not in self._warm:
            self.resources.library.warm()
            self.resources.intent_model(campaign).predict("hello", "", turn=1)
            self._reach_model()
            self._warm.add(campaign)

    def _reach_model(self) -> None:
        """Load the model; a server of somebody else's that is down may come back, so calls go on with approved lines."""
        try:
            self.resources.model  # noqa: B018 - loaded on access
        except ModelUnavailable as error:
            if not self.settings.llm_base_url:
                raise
            log.warning("%s Calls go on with approved lines.", error)

    def _read_ahead(self, given: CallState, answering: Answering) -> None:
        """Let the model server read a call's system prompt: while the customer hears the greeting, or before a what-if answer."""
        from serving.chat import prefill

        try:
            prefill(self.resources.model, system_prompt(given, self.resources, answering))
        except SalesmanError as error:
            log.info("call %s: its system prompt was not read ahead: %s", given["call"], error)

    def turn(
        self,
        call: str,
        text: str,
        *,
        key: str | None = None,
        on_sentence: OnSentence = _unheard,
        on_record: OnRecord | None = None,
    ) -> TurnRecord:
        """Take one line of the customer and answer it.

        Args:
            call: Id of the call.
            text: The customer's line.
            key: Idempotency key; the same key returns the same turn, however often it is asked.
            on_sentence: Called with each sentence as it is released, from this thread.
            on_record: Called with the turn before the lease is given up; until it returns, `recover` will show the turn again.

        Raises:
            BadInput: Unknown call, or an empty line.
            CallBusy: Another writer did not finish in time.
            CallEnded: The customer has opted out of this call.
        """
        if not text.strip():
            raise BadInput("The customer's line is empty; type what the customer says.")
        key = key or uuid.uuid4().hex
        with lease(self.settings, self.engine, call):
            left, known = self.store.met(call, key)
            if left:
                self._finish(call, left)
                known = self.store.by_key(call, key)
            if known:
                return self._deliver(cast(TurnRecord, known["record"]), on_record)
            header = self.store.header(call)
            if header["outcome"]["status"] == "opted_out":
                raise CallEnded(f"Call {call} ended with an opt-out: the customer may not be spoken to again.")
            turn = self.store.begin(call, key, text.strip())
            return self._deliver(self._customer_turn(call, turn, text.strip(), on_sentence, header), on_record)

    def recover(self, call: str, on_record: OnRecord | None = None) -> TurnRecord | None:
        """Finish the turn that a killed process left, or return the last one if it was never shown; None when all is well."""
        with lease(self.settings, self.engine, call):
            left = self.store.unfinished(call)
            shown = self._finish(call, left) if left else self.store.undelivered(call)
            return self._deliver(shown, on_record) if shown else None

    def _deliver(self, record: TurnRecord, on_record: OnRecord | None) -> TurnRecord:
        if on_record:
            on_record(record)
        self.store.delivered(record["call"], record["turn"])
        return record

    def human(self, call: str, text: str, *, give_back: bool = False, key: str | None = None) -> TurnRecord | None:
        """Answer a waiting call as a person; the line goes out as the agent's.

        Args:
            call: Id of a call whose outcome is `handoff`.
            text: The person's line; empty only together with `give_back`.
            give_back: Whether the agent goes on with the customer's next line.
            key: Idempotency key.

        Raises:
            BadInput: The call does not wait for a person, or there is nothing to say and nothing to give back.
        """
        if not text.strip() and not give_back:
            raise BadInput("The person's line is empty; type what the customer shall read, or give the call back.")
        key = key or uuid.uuid4().hex
        with lease(self.settings, self.engine, call):
            if left := self.store.unfinished(call):
                self._finish(call, left)
            if known := self.store.by_key(call, key):
                return cast(TurnRecord, known["record"])
            if not self.graph.get_state(self._config(call)).interrupts:
                self.store.given_back(call)
                raise BadInput(f"Call {call} does not wait for a person.")
            if not text.strip():
                self._stream(call, resume("", 0, give_back=True), self._context(), _unheard)
                self.store.given_back(call)
                return None
            turn = self.store.begin(call, key, "", human=text.strip())
            header = self.store.header(call)
            return self._answer(Turn(call, turn, "", header), resume(text.strip(), turn, give_back=give_back), _unheard)

    def preview(
        self,
        campaign: str,
        text: str,
        *,
        call: str | None = None,
        language: str | None = None,
        stage: str = "opening",
        profile: Mapping[str, str] | None = None,
        strategy: str | None = None,
        answering: Answering | None = None,
        drafts: Sequence[str] = (),
        on_sentence: OnSentence = _unheard,
    ) -> TurnRecord:
        """Answer a line as a call would, and keep nothing: no turn, no trace, and no live call waits or loses its place.

        Args:
            campaign: Name of a campaign.
            text: The customer's line.
            call: Answer in the present state of this call; else in a fresh one, which the next four arguments describe.
            language: `en` or `zh`; by default the line's.
            stage: Where the fresh call stands; the line itself may move it on.
            profile: What is known of the customer.
            strategy: Id of a strategy.
            answering: What the prompt is made of; as these calls do by default.
            drafts: Ids of scripts whose latest version is used instead of the published one.
            on_sentence: Called with each sentence as it is released, from this thread.

        Returns:
            The turn as it would be recorded. `why.scores` are the similarities of its `scripts`.

        Raises:
            BadInput: An empty line, an unknown call, campaign, language, stage, profile field or strategy.
            ModelUnavailable: The embedded model cannot be started.
        """
        if not text.strip():
            raise BadInput("The customer's line is empty; type what the customer says.")
        data = self.resources.campaign(campaign).campaign
        self.warm_up(campaign)
        if call is None:
            header = fresh_header(data, language, profile or {}, strategy)
            spoken = cast(Language, language or language_of(text, data, ""))
            held = fresh_state(data, spoken, known_stage(stage), header["profile"])
        else:
            header = self.store.header(call)
            if header["campaign"] != campaign:
                raise BadInput(f"Call {call} belongs to campaign {header['campaign']}, not {campaign}.")
            held = cast(CallState, self.graph.get_state(self._config(call)).values)
        turn = Turn(call or "", held.get("turn", 0) + 1, text.strip(), header, answering=answering or self.answering)
        given = cast(CallState, {**held, **given_for(header, turn.call, turn.turn, turn.customer)})
        given["language"] = language_of("" if header["language"] else text, data, held.get("language", ""))
        first: list[float] = []

        def release(sentence: str) -> None:
            first.append((time.monotonic() - context.started) * 1000)
            on_sentence(sentence)

        with aside():
            self._read_ahead(given, turn.answering)
            context = Context(self.settings, answering=turn.answering, drafts=tuple(drafts))
            state = self._stream(turn.call, given, context, release, self._unkept)
        return compose(state, turn, context.started, first[0] if first else 0.0)

    def record(self, call: str) -> ConversationRecord:
        """Return the whole call.

        Raises:
            BadInput: There is no such call.
        """
        return self.store.record(call)

    @staticmethod
    def _config(call: str) -> Any:
        return {"configurable": {"thread_id": call}, "recursion_limit": RECURSION_LIMIT}

    def _context(self) -> Context:
        return Context(self.settings, answering=self.answering, understanding=self.understanding)

    def _customer_turn(
        self, call: str, turn: int, text: str, on_sentence: OnSentence, header: Mapping[str, Any], **left: Any
    ) -> TurnRecord:
        """Run a turn that `begin` has kept; `left` says what a killed process had got to."""
        self.warm_up(header["campaign"])
        given = given_for(header, call, turn, text) | {"released_before": left.get("released", [])}
        if turn == 0 and header["after"]:
            given |= carried_over(self.store.record(header["after"]))
        asked = Turn(call, turn, text, header, answering=self.answering, **left)
        return self._answer(asked, cast(CallState, given), on_sentence)

    def _answer(self, turn: "Turn", given: CallState | Command[Any], on_sentence: OnSentence) -> TurnRecord:
        """Run the graph, and keep what came of it."""
        context = self._context()
        released = list(turn.released)
        first: list[float] = []

        def release(sentence: str) -> None:
            released.append(sentence)
            self.store.release(turn.call, turn.turn, released)
            first.append((time.monotonic() - context.started) * 1000)
            on_sentence(sentence)

        with turn_trace(self.settings, turn) as trace:
            try:
                state = self._stream(turn.call, given, context, release)
            except Exception as error:  # noqa: BLE001 - the customer's boundary: whatever broke, an approved line answers
                log.error("call %s turn %s: %s: %s", turn.call, turn.turn, type(error).__name__, error)
                state = self._after_failure(turn, given, released, release, error)
            record = compose(state, turn, context.started, first[0] if first else 0.0)
            trace.finish(record)
        self._keep(record, state)
        self._ahead.submit(self._embed_ahead, turn.header["campaign"], record["reply"])
        return record

    def _embed_ahead(self, campaign: str, reply: str) -> None:
        """Embed the reply, which is the context of the customer's next line."""
        self.resources.intent_model(campaign).prepare(reply)

    def _stream(
        self,
        call: str,
        given: CallState | Command[Any],
        context: Context,
        release: OnSentence,
        graph: SalesGraph | None = None,
    ) -> CallState:
        state: CallState = {}
        for mode, part in (graph or self.graph).stream(
            given,
            self._config(call),
            context=context,
            stream_mode=["custom", "values"],
            durability=None if graph else "exit",
        ):
            if mode == "custom":
                release(cast(dict[str, str], part)["sentence"])
            else:
                state = cast(CallState, part)
        return state

    def _after_failure(
        self, turn: "Turn", given: CallState | Command[Any], released: list[str], release: OnSentence, error: Exception
    ) -> CallState:
        """Answer with an approved line of the stage that the call is in, and leave the graph where it was."""
        held = cast(CallState, self.graph.get_state(self._config(turn.call)).values)
        campaign = self.resources.campaign(turn.header["campaign"]).campaign
        state = state_after_failure(held, turn, campaign, released, release, error)
        self.graph.update_state(self._config(turn.call), state, as_node="ended")
        return state

    def _keep(self, record: TurnRecord, state: CallState) -> None:
        campaign = self.resources.campaign(state["campaign"]).campaign
        self.store.finish(record["call"], record, outcome_of(state, campaign))
        keep_latest(self.saver, record["call"])

    def _finish(self, call: str, left: Mapping[str, Any]) -> TurnRecord:
        """Finish the turn that a killed process left; the caller holds the lease."""
        header = self.store.header(call)
        state = cast(CallState, self.graph.get_state(self._config(call)).values)
        history = state.get("history", [])
        if history and history[-1]["turn"] == left["turn"]:
            turn = Turn(call, left["turn"], left["customer"], header, left["released"], True, self.answering)
            record = compose(state, turn, time.monotonic(), 0.0)
            self._keep(record, state)
            return record
        if left["human"]:
            turn = Turn(call, left["turn"], "", header, recovered=True)
            return self._answer(turn, resume(left["human"], left["turn"]), _unheard)
        return self._customer_turn(
            call, left["turn"], left["customer"], _unheard, header, released=left["released"], recovered=True
        )
