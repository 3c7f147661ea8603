"""The shape of a scenario: who the customer is, what they hide, and what counts as success."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from scripts_library.schema import Data, Language, Line, Name

Tier = Literal["easy", "medium", "hard", "very_hard", "adversarial"]
PROPENSITY: dict[Tier, float] = {"easy": 0.80, "medium": 0.50, "hard": 0.20, "very_hard": 0.10, "adversarial": 0.05}
"""The customer's inclination to buy before the call (SalesLLM, arXiv 2604.07054, table C.4)."""
Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
ScenarioId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,99}$")]
Check = Literal["outcome", "slots", "facts", "respect", "disclosure", "legal_moves", "latency"]
"""What a call of the scenario must pass to count as a success; see `evaluation.measures.success`."""
CallOutcome = Literal["won", "follow_up", "declined", "opted_out", "handoff", "open"]


class Success(Data):
    """What makes a call of the scenario a success. A customer who cannot be won may still be treated well."""

    outcomes: list[CallOutcome] = Field(min_length=1, description="Any of these, as `Outcome.status` tells.")
    slots: list[Name] = Field(default_factory=list, description="Slots that must be known at the end.")


class Scenario(Data):
    """One customer with one reason to talk. Without success criteria or checks it is an error."""

    id: ScenarioId
    campaign: Name
    language: Language
    tier: Tier
    propensity: float = Field(ge=0, le=1, description="Inclination to buy before the call.")
    product: str = Field(
        default="", description="Which of the campaign's offers the customer is after; empty: the campaign's."
    )
    persona: Line = Field(description="Who the customer is and how they speak; private.")
    reason: Line = Field(description="Why they talk at all; private.")
    opening: str = Field(
        default="", max_length=600, description="The customer's first line; empty: the customer's own choice."
    )
    profile: dict[str, str] = Field(
        default_factory=dict, description="What the agent knows beforehand (campaign's profile schema)."
    )
    strategy: str = Field(default="", description="Id of the agent's strategy; empty: the campaign's first.")
    known: list[Line] = Field(default_factory=list, description="What the customer tells freely.")
    if_asked: dict[Name, Line] = Field(
        default_factory=dict, description="Slot → what the customer says of it, only when asked."
    )
    questions: list[Name] = Field(default_factory=list, description="Intents the customer asks about, in this order.")
    objections: list[Name] = Field(default_factory=list, description="Hidden objections (intents), in this order.")
    price_limit: float | None = Field(
        default=None, ge=0, description="Most the customer would pay, in the campaign's currency."
    )
    patience: int = Field(
        default=6, ge=1, le=40, description="Agent turns the customer gives before a decision is due."
    )
    customer_prompt: str = Field(
        default="", max_length=20_000, description="A prompted customer's own text, e.g. SalesLLM's."
    )
    success: Success
    checks: list[Check] = Field(min_length=1)
    max_turns: int = Field(default=10, ge=1, le=60, description="Customer lines in one session at most.")
    max_latency: float = Field(default=10.0, gt=0, le=120, description="Seconds that a turn of the agent may take.")
    sessions: int = Field(default=1, ge=1, le=3, description="1, and up to two follow-up sessions after a refusal.")
    products: Literal[1, 6, 15] = Field(default=1, description="Products the agent has to sell, the target among them.")
    source: Literal["generated", "written", "salesllm"] = "written"
