"""A finished call, turn by turn, with what the guardrails' rules know at each: a said reply is judged as the guard judges it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from evaluation.runs.results import CallResult
from evaluation.scenarios.schema import Scenario
from graph.records import RuleHit, TurnRecord
from guardrails.check import check_reply
from guardrails.context import GuardContext
from guardrails.privacy import find_personal
from guardrails.quantities import allowed_quantities
from nodes.advance import OPT_OUT_CONFIDENCE
from nodes.prompting import PROMPT_MARKS
from scripts_library.fact_sheet import fact_sheet
from scripts_library.loading import CampaignData
from scripts_library.schema import Campaign, Intent, IntentKind, Language


@dataclass(frozen=True)
class Said:
    """One turn of a call, with what a rule needs to judge its reply."""

    number: int
    """Running number over all sessions, from 0; with one session the turn's own."""
    session: int
    turn: TurnRecord
    meant: str
    """Intent that the customer says they meant; empty where the customer does not tell."""
    kind: IntentKind | None
    """Kind of what was meant, else of what the agent understood; None for the opening."""
    rules: GuardContext

    @cached_property
    def hits(self) -> list[RuleHit]:
        """The rules that the reply breaks as it was said; none where a person spoke."""
        return check_reply(self.turn["reply"], self.rules) if self.by_agent else []

    @property
    def by_agent(self) -> bool:
        """Whether the agent spoke, not a person who took over."""
        return self.turn["source"] != "human"

    @property
    def led_by_stage(self) -> bool:
        """Whether the stage's scripts or goal led the turn; a fixed line (greeting, opt-out, farewell …) has no stage to follow."""
        why = self.turn["why"]
        return self.by_agent and bool(self.turn["scripts"] or why.get("turn_prompt") or why.get("error"))


@dataclass(frozen=True)
class Replay:
    """A finished call as the measures read it.

    Args:
        result: A call without an error.
        scenario: What the call was about.
        data: Its campaign.
    """

    result: CallResult
    scenario: Scenario
    data: CampaignData

    @cached_property
    def turns(self) -> list[Said]:
        """All turns of all sessions, in order; what was said is carried over to a follow-up session, a refusal is not."""
        kinds = {intent.name: intent for intent in self.data.intents}
        found: list[Said] = []
        earlier: list[str] = []
        heard: list[str] = []
        for session, record in enumerate(self.result["sessions"]):
            notes = self.result["notes"][session] if session < len(self.result["notes"]) else []
            meant = {note["turn"]: note.get("intent", "") for note in notes if "turn" in note}
            refused = opted_out = False
            for turn in record["turns"]:
                intent = meant.get(turn["turn"], "")
                kind = _kind(turn, intent, kinds) if turn["customer"] else None
                refused = refused or kind == "refusal"
                opted_out = opted_out or kind == "opt_out" or turn["outcome"] == "opted_out"
                heard.append(turn["customer"])
                rules = _rules(self.data.campaign, turn, record["profile"], heard, earlier)
                rules = replace(rules, refused=refused, opted_out=opted_out)
                found.append(Said(len(found), session, turn, intent, kind, rules))
                earlier.append(turn["reply"])
        return found

    @property
    def status(self) -> str:
        """The call's outcome after its last session."""
        return self.result["sessions"][-1]["outcome"]["status"]

    @property
    def decided(self) -> str:
        """What the customer had decided at the end of the last session, `undecided` included; empty where it does not tell.

        A customer tells if its lines carry a mood: one who was hung up on before it decided is undecided.
        """
        notes = self.result["notes"][-1] if self.result["notes"] else []
        tells = any("trust" in note or "decided" in note for note in notes)
        return notes[-1].get("decided", "undecided") if tells else ""

    @property
    def slots(self) -> dict[str, str]:
        """What the call knows at its end."""
        return self.turns[-1].turn["why"].get("slots", {}) if self.turns else {}


def _kind(turn: TurnRecord, meant: str, intents: Mapping[str, Intent]) -> IntentKind | None:
    """Return the kind of what the customer meant, else of what the agent understood; a flipped intent tells nothing."""
    if meant in intents:
        return intents[meant].kind
    understood = intents.get(turn["intent"])
    if understood is None or turn["why"].get("intent_way") == "flipped":
        return None
    sure = turn["why"].get("intent_way") == "signal" or turn["confidence"] >= OPT_OUT_CONFIDENCE
    return "refusal" if understood.kind == "opt_out" and not sure else understood.kind


def _rules(
    campaign: Campaign, turn: TurnRecord, profile: Mapping[str, str], heard: list[str], earlier: list[str]
) -> GuardContext:
    language: Language = "zh" if turn["why"].get("language") == "zh" else "en"
    slots = turn["why"].get("slots", {})
    return replace(
        _sheet(_Identity(campaign), language),
        slots=slots,
        slot_quantities=allowed_quantities(slots.values()),
        personal=(*profile.values(), *(value for text in heard for value in find_personal(text))),
        heard=turn["customer"],
        earlier=tuple(earlier),
        asked_identity="asks_identity" in turn["why"].get("signals", []),
    )


@dataclass(frozen=True)
class _Identity:
    """A campaign as a key: campaigns hold lists and cannot be hashed, and are told apart as objects."""

    campaign: Campaign

    def __hash__(self) -> int:
        return id(self.campaign)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.campaign is self.campaign


@lru_cache(maxsize=256)
def _sheet(key: _Identity, language: Language) -> GuardContext:
    return fact_sheet(key.campaign, language, PROMPT_MARKS)
