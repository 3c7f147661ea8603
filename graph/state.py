"""State of a call in the graph: plain data only, one group of keys per writer.

| key | written by |
|---|---|
| `call` `campaign` `profile` `strategy` `turn` `customer` `asked_language` `released_before` `shown` `withheld` | the session (input of a turn) |
| `language` `understood` `slots` | `understand` |
| `stage` `move` `objections` `refusals` | `advance` |
| `plan` `used_scripts` | the stage nodes (`opening`, `analysis`, `objection`, `close`) |
| `draft` | `respond` |
| `said` `history` `offers` | `guard` |
| `ended` | `ended` |

`handoff` alone writes over others: a person's answer is a turn of its own (`turn`, `customer`, `said`, `history`), and giving the
call back changes `move`.

Groups that hold one turn (`understood`, `move`, `plan`, `draft`, `said`) are overwritten each turn. What grows is bounded:
`history` by `guard`'s window, `used_scripts` by its length; the whole transcript lives in the record, never here.
This module imports nothing of the project but `graph.records` and may be imported from anywhere.
"""

from typing import Literal

from typing_extensions import TypedDict

from graph.records import Objection, RuleHit, ScriptRef, Source, Tokens

Route = Literal["stage", "fixed"]
"""`stage`: a stage node plans and the model speaks. `fixed`: an approved line of the campaign answers."""

After = Literal["end", "handoff", "ended"]
"""Where the turn goes after `guard`."""


class ModelUse(TypedDict):
    """Model calls of one node in one turn."""

    calls: int
    ms: float
    tokens: Tokens


class Understood(TypedDict, total=False):
    """What the customer's line means."""

    intent: str
    confidence: float
    """0..1, calibrated; 0 when there was no customer line."""
    way: Literal["classifier", "model", "signal", "flipped", "none"]
    candidates: list[list[str | float]]
    """Best intents with probabilities, best first."""
    signals: list[str]
    rules: list[RuleHit]
    """Marks on the customer's line."""
    error: str
    """Where the model alone should name the intent: why it did not."""
    ms: float
    use: ModelUse


class Move(TypedDict, total=False):
    """The manager's decision (AI-Salesman: Sales proposes, Manager adjudicates)."""

    proposed: str
    reason: str
    route: Route
    fixed: str
    """For route `fixed`: the group of `FixedLines` that answers."""
    after: After
    outcome: str
    """State of the call: `open`, `won`, `declined`, `follow_up`, `opted_out`, `handoff`."""
    intent: str
    repeats: int
    """Turns in a row with this stage and intent, this one included."""
    other_script: bool
    """True when the loop guard asks for a script that was not used yet."""


class Plan(TypedDict, total=False):
    """This turn's outline (DOGA)."""

    scripts: list[ScriptRef]
    scores: list[float]
    """Similarity of the customer's line to each script."""
    no_hit: Literal["", "general", "none", "used"]
    situation: str
    """What the first script is for, or the stage's goal."""
    outline: list[str]
    lead: str
    """An approved line shown to the model as an example."""
    lines: list[str]
    """Approved lines, filled, best first: what is said when the model's words are not."""
    ms: float


class Draft(TypedDict, total=False):
    """What the model said."""

    released: list[str]
    """Sentences that passed the rules and that the customer has seen."""
    blocked: str
    """Text that was stopped; never seen by the customer."""
    hits: list[RuleHit]
    error: str
    """Why the model's answer cannot be used, one line; empty when it can."""
    thought: str
    model: str
    turn_prompt: str
    prompt_hash: str
    history_from: int
    use: ModelUse


class Said(TypedDict, total=False):
    """The turn's answer."""

    reply: str
    source: Source
    rules: list[RuleHit]
    thought: str
    blocked: str
    error: str
    use: ModelUse


class Exchange(TypedDict):
    """One earlier turn as the model reads it."""

    turn: int
    customer: str
    reply: str


class CallState(TypedDict, total=False):
    """State, and update, of every node."""

    call: str
    """Id of the call; also the checkpointer's thread id."""
    campaign: str
    profile: dict[str, str]
    """The customer's profile; absent fields are unknown."""
    strategy: str
    """Id of a strategy of the campaign."""
    turn: int
    """0 is the opening."""
    customer: str
    """The customer's line; empty in the opening."""
    asked_language: str
    """`en` or `zh` fixed for the call; empty: the reply follows the customer."""
    released_before: list[str]
    """Recovery only: sentences that the customer saw before the process died."""

    shown: list[str]
    """Ids of scripts that this call is given first (A/B tests)."""
    withheld: list[str]
    """Ids of scripts that this call is never given (A/B tests)."""

    language: str
    """Language of the reply."""
    understood: Understood
    slots: dict[str, str]
    """What the call knows: slot → value."""

    stage: str
    """Adjudicated stage."""
    move: Move
    objections: list[Objection]
    refusals: int
    """Times that the customer said no to the offer."""

    plan: Plan
    used_scripts: list[str]
    """Ids of the scripts shown lately, newest last, at most 30."""

    draft: Draft

    said: Said
    history: list[Exchange]
    """The window of earlier turns that the prompt holds."""
    offers: list[dict[str, str | int]]
    """Facts with numbers that the agent stated: `{"turn", "fact"}`, each fact once."""

    ended: bool
    """True once the call is over."""
