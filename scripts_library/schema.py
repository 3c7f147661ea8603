"""The shape of a campaign: what `campaign.yaml`, `intents.yaml` and `scripts.yaml` may say.

Pydantic at the edge: files are checked against these models with ``extra="forbid"`` and become frozen objects.
Text that a customer may hear or a model may read is kept per language (`Text`), so that one campaign serves both.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Language = Literal["en", "zh"]
Stage = Literal["opening", "analysis", "objection", "close"]
STAGES: tuple[Stage, ...] = ("opening", "analysis", "objection", "close")
ANY_INTENT = "any"
"""Intent of a stage's general scripts: what is fetched when the intent has none of its own."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,62}$")]
"""Names of campaigns, intents, facts, slots, strategies: lower case, digits, `_`, `-`."""
ScriptId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{1,99}$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
Text = dict[Language, Line]
Lines = dict[Language, list[Line]]


class Data(BaseModel):
    """Frozen, and refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Agent(Data):
    """Who calls."""

    name: Text
    organisation: Text
    disclosure: Text = Field(description="What is said when the customer asks whether this is a human or a machine.")


class Fact(Data):
    """Something the agent may say. The numbers in its text are the numbers it may say."""

    id: Name
    text: Text
    valid_until: date | None = None


class Allowed(Data):
    """What may be said beyond the facts: number phrases (``"24/7"``) and approved promise phrases."""

    numbers: list[str] = Field(default_factory=list)
    promises: dict[Language, list[str]] = Field(default_factory=dict)


class ForbiddenClaim(Data):
    """A claim that must never be made, as regular expressions (case-insensitive) per language.

    Every published claim is blocked wherever it is made, whatever its severity. A draft blocks nothing.
    """

    id: Name
    reason: Line
    patterns: dict[Language, list[str]] = Field(description="In one of the campaign's languages at least.")
    severity: Literal["low", "medium", "high"] = "high"
    status: Literal["published", "draft"] = "published"
    must_match: list[Line] = Field(default_factory=list, description="Test lines that the patterns must catch.")
    must_not_match: list[Line] = Field(default_factory=list, description="Test lines that they must let pass.")
    source: str = Field(default="", max_length=300, description="Where it came from, e.g. `call ab12 turn 3`.")


class RubricLine(Data):
    """One thing that a good reply does, in words: what people and models judge replies by."""

    id: Name
    text: Text = Field(description="In one of the campaign's languages at least.")
    status: Literal["published", "draft"] = "published"
    source: str = Field(default="", max_length=300, description="Where it came from, e.g. `call ab12 turn 3`.")


class ProfileField(Data):
    """One field of the customer's profile (TeleBot's ``{profile}``)."""

    name: Name
    label: Text
    values: list[str] = Field(default_factory=list, description="Allowed values; empty allows any short text.")
    personal: bool = Field(default=False, description="Masked in traces, and never sent to the model but as data.")


class Strategy(Data):
    """One calling tip (TeleBot's ``{strategy}``)."""

    id: Name
    level: Literal["goal", "flow", "tactic"]
    text: Text


class Slot(Data):
    """Something the call should learn from the customer.

    kind: `amount` (money), `quantity`, `datetime` (callback time), `phone`, `email`, `name`; `choice` is found by
    keywords (`values`: value → keywords per language); `intent` is set by the customer's intent (`intents`: intent → value).
    """

    name: Name
    kind: Literal["amount", "quantity", "datetime", "phone", "email", "name", "choice", "intent"]
    label: Text
    ask: Text | None = Field(default=None, description="How the agent asks for it.")
    minimum: float | None = None
    maximum: float | None = None
    values: dict[str, dict[Language, list[str]]] = Field(default_factory=dict)
    intents: dict[Name, str] = Field(default_factory=dict)


class StagePlan(Data):
    """One stage of the SOP: its goal, and the slots or intents that mean it is done."""

    goal: Text
    exit_slots: list[Name] = Field(default_factory=list)
    exit_intents: list[Name] = Field(default_factory=list)
    fallback: Lines = Field(description="Approved lines for this stage when no script line can be used.")


class Sop(Data):
    """The standard operating procedure: stages, legal moves, and what must be known before `close`."""

    stages: dict[Stage, StagePlan]
    moves: dict[Stage, list[Stage]]
    close_requires: list[Name] = Field(default_factory=list, description="Slots that must be filled before `close`.")
    repeat_limit: int = Field(
        default=3, ge=2, le=10, description="Turns in one stage and intent before the loop guard."
    )


class FixedLines(Data):
    """Approved lines of the campaign for moments that no script covers."""

    greeting: Lines = Field(description="The opening, turn 0; may use {placeholders} of the profile.")
    opt_out: Lines = Field(description="Confirms an opt-out; the call ends with it.")
    handoff: Lines = Field(description="Says that a person will take over.")
    holding: Lines = Field(description="Answers each line while a person is awaited.")
    farewell: Lines = Field(description="Ends a call politely.")
    off_topic: Lines = Field(description="Answers attempts to override the agent, and what lies outside the campaign.")


class Campaign(Data):
    """`campaign.yaml`: who calls, what for, what may be said, and in which order."""

    name: Name
    title: Text
    languages: list[Language] = Field(min_length=1)
    agent: Agent
    goal: Text
    currency: str = Field(description="ISO code of its money, e.g. USD.")
    facts: list[Fact] = Field(min_length=1)
    allowed: Allowed = Allowed()
    forbidden: list[ForbiddenClaim] = Field(default_factory=list)
    rubric: list[RubricLine] = Field(default_factory=list)
    internal_terms: dict[Language, list[str]] = Field(default_factory=dict)
    profile: list[ProfileField] = Field(default_factory=list)
    strategies: list[Strategy] = Field(min_length=1)
    slots: list[Slot] = Field(default_factory=list)
    sop: Sop
    lines: FixedLines
    max_chars: dict[Language, int] = Field(description="Longest reply, in characters.")


IntentKind = Literal[
    "smalltalk",
    "question",
    "information",
    "interest",
    "objection",
    "refusal",
    "agreement",
    "goodbye",
    "opt_out",
    "handoff",
    "off_topic",
]


class Intent(Data):
    """One customer intent of `intents.yaml`.

    stage: where this intent leads; absent means "stay where the call is".
    kind: what the manager makes of it. `objection` opens an objection, `refusal` is a "no" to the offer (further pressure
    is a breach), `agreement` answers an open objection or commits, `opt_out` ends the call for good, `handoff` stops for a person.
    """

    name: Name
    kind: IntentKind
    stage: Stage | None = None
    label: Text
    examples: Lines = Field(description="What customers say, per language.")


class Script(Data):
    """One script of the library; one revision of it when stored.

    say: approved lines. `{placeholders}` are filled strictly from profile, facts (`{fact.<id>}`) and slots; a line that
    cannot be filled is not used. outline: the steps of a good answer. avoid: what not to do.
    """

    id: ScriptId
    campaign: Name
    stage: Stage
    intent: Name = Field(description="A name from `intents.yaml`, or `any` for the stage's general scripts.")
    language: Language
    title: Line
    situation: list[Line] = Field(min_length=1, description="Example customer lines; retrieval compares with these.")
    outline: list[Line] = Field(min_length=1)
    say: list[Line] = Field(min_length=1)
    avoid: list[Line] = Field(default_factory=list)
    facts: list[Name] = Field(default_factory=list, description="Facts that the lines lean on.")
    status: Literal["draft", "published", "archived"] = "draft"
    version: int = Field(default=1, ge=1)
    author: str = Field(default="", max_length=100)
    updated_at: datetime | None = None
    valid_until: date | None = None
    source: str = Field(default="", max_length=300, description="Where it came from, e.g. the id of a recorded call.")
