"""What a call leaves behind: plain, versioned types that serving writes and evaluation and training read.

This module imports nothing of the project and may be imported from anywhere.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

RECORD_VERSION = 1

Source = Literal["model", "repair", "script", "human"]
Action = Literal["blocked", "marked"]
Verdict = Literal["good", "bad", "withdrawn"]
Answering = Literal["scripts", "goals", "few_shot"]
"""`scripts`: this turn's scripts lead the model. `goals`: the stage's goal alone does. `few_shot`: the same few examples in every turn."""


class ScriptRef(TypedDict):
    """A script as it was used."""

    id: str
    version: int


class RuleHit(TypedDict):
    """A guardrail that fired in the turn."""

    name: str
    severity: Literal["low", "medium", "high"]
    action: Action
    """`blocked`: the text was not said. `marked`: recorded only (input side)."""
    reason: str
    text: str
    """What was found, at most 200 characters."""
    claim: NotRequired[str]
    """Which of the campaign's forbidden claims it was; only on `forbidden_claim`."""


class Latency(TypedDict):
    """Milliseconds."""

    understand: float
    retrieve: float
    first_sentence: float
    """From the customer's line to the first released sentence."""
    model: float
    """All model calls of the turn."""
    total: float


class Tokens(TypedDict):
    """Tokens of all model calls of the turn, as the server reports them."""

    prompt: int
    cached: int
    completion: int


class Why(TypedDict, total=False):
    """Everything else that explains the turn: shown by `salesman show`, and part of the export."""

    language: str
    strategy: str
    signals: list[str]
    """Marks on the customer's line: `opt_out`, `handoff`, `asks_identity`, `injection`, `question`, `price`."""
    slots: dict[str, str]
    """What the call knows after this turn."""
    intent_way: Literal["classifier", "model", "signal", "flipped", "none"]
    """Who named the intent. `flipped`: it was replaced on purpose, to measure what wrong intents cost."""
    intent_candidates: list[list[str | float]]
    answering: Answering
    """Absent: `scripts`."""
    scores: list[float]
    """Similarity of the customer's line to each of the turn's `scripts`, 0..1."""
    no_hit: Literal["", "general", "none", "used"]
    """Retrieval: "" = scripts of the intent; `general` = the stage's; `used` = the stage's too, since the call has used up the
    intent's own; `none` = the stage's goal alone."""
    turn_prompt: str
    """The last message as sent."""
    history_from: int
    """First turn that was in the prompt."""
    prompt_hash: str
    model: str
    model_calls: int
    thought: str
    blocked_text: str
    """What the model said and the customer never saw."""
    error: str
    """Which boundary failed (model server, deadline, …), in one line."""
    lead: str
    """A line drawn from the campaign's library that the model was shown."""
    trace: str
    """Id of the turn's run in LangSmith; absent when nothing was traced."""


class TurnRecord(TypedDict, total=False):
    """One turn: the customer's line and the agent's answer. Turn 0 is the opening and has no customer line."""

    call: str
    turn: int
    customer: str
    stage: str
    stage_proposed: str
    stage_reason: str
    intent: str
    confidence: float
    scripts: list[ScriptRef]
    reply: str
    rules: list[RuleHit]
    source: Source
    latency_ms: Latency
    tokens: Tokens
    ended: bool
    outcome: str
    """State of the call after this turn: `open`, `won`, `declined`, `follow_up`, `opted_out`, `handoff`."""
    recovered: bool
    """Present and true when the turn was finished by recovery."""
    at: str
    """ISO time, UTC."""
    why: Why


class Objection(TypedDict):
    """One objection of the customer."""

    intent: str
    turn: int
    scripts: list[ScriptRef]
    resolved_at: int | None
    """Turn in which the customer moved on or agreed; None while it stands."""


class Outcome(TypedDict):
    """What came of the call, as data."""

    status: str
    need: dict[str, str]
    """What was learnt: slot → value."""
    objections: list[Objection]
    offers: list[dict[str, str | int]]
    """`{"turn", "fact"}`: facts with a price or term that the agent stated."""
    commitment: dict[str, str]
    """`what`, `when`, `contact`, `amount`; empty when nothing was agreed."""
    next_step: str


class Mark(TypedDict):
    """Somebody's verdict on a turn. The newest of an author counts; earlier ones are kept beside the record."""

    turn: int
    verdict: Verdict
    reason: str
    better: str
    """What the agent should have said; may be empty."""
    author: str
    at: str
    """ISO time, UTC."""


class ConversationRecord(TypedDict):
    """The whole call."""

    version: int
    call: str
    campaign: str
    language: str
    profile: dict[str, str]
    strategy: str
    model: str
    started_at: str
    ended: bool
    turns: list[TurnRecord]
    outcome: Outcome
    marks: NotRequired[list[Mark]]
    """The verdicts that count, by turn; absent in records of older programs, which is why the version stays."""
