"""The rule buyer: a customer without a model, whose hidden mood the agent's words move.

It has a trust, an interest, a patience and a price limit that nobody sees. What the agent says is read by the detectors of
`acts.py` and moves them by the steps of `EFFECTS`; one draw per scenario and seed, the same whatever the agent does,
decides against the chance of `Mood.chance`. So two agents that meet the same customer differ by what they said alone.
The steps are chosen, not fitted to real calls: the buyer ranks agents by whether they answer, care, ask and let go, and its
share of sales is no forecast.
"""

from dataclasses import dataclass, field
from itertools import zip_longest
from math import exp, log
from random import Random

from evaluation.customers.acts import Acts, Ear, quantities
from evaluation.customers.protocol import Note
from evaluation.customers.wording import Wording
from evaluation.scenarios.schema import Scenario
from graph.records import ConversationRecord
from scripts_library.loading import CampaignData

EFFECTS: dict[str, tuple[float, float, float]] = {
    "answered": (0.08, 0.10, 0.0),
    "understood": (0.06, 0.02, 0.0),
    "unanswered": (-0.04, -0.08, -0.08),
    "asked": (0.02, 0.03, 0.0),
    "proposed": (0.0, 0.03, 0.0),
    "too_early": (-0.05, -0.03, -0.05),
    "presses": (-0.20, -0.10, -0.30),
    "repeats": (-0.08, -0.05, -0.20),
    "beside": (-0.05, -0.08, -0.15),
    "long": (0.0, -0.03, -0.10),
    "empty": (-0.10, -0.10, -0.30),
    "too_dear": (0.0, -0.12, 0.0),
}
"""What the agent did → change of trust, interest and patience, each 0..1."""
WEARS = 0.5
"""Share of the patience that a call of the scenario's length takes by itself."""
PULL = 3.0
"""Log-odds that full trust, or full interest, adds to the chance to buy; as much is lost at none."""
NOT_ASKED = 1.0
TOO_DEAR = 2.0
"""Log-odds lost where no next step was proposed, and where only prices above the limit were heard."""
WINDOW = 3
"""Own lines before which no customer decides."""


@dataclass
class Mood:
    """What the customer hides; it starts undecided.

    limit: the most it would pay at middling interest; interest moves it by a quarter either way.
    """

    propensity: float
    limit: float | None
    trust: float = 0.5
    interest: float = 0.5
    patience: float = 1.0
    proposed: bool = False
    dear: bool = False

    def feel(self, *effects: str, wear: float = 0.0) -> None:
        """Move by what the agent did, within 0..1."""
        for trust, interest, patience in (EFFECTS[name] for name in effects):
            self.trust += trust
            self.interest += interest
            self.patience += patience
        self.trust = min(1.0, max(0.0, self.trust))
        self.interest = min(1.0, max(0.0, self.interest))
        self.patience = max(0.0, self.patience - wear)

    def pays(self) -> float | None:
        """Return the most that the customer would pay now."""
        return None if self.limit is None else self.limit * (0.75 + 0.5 * self.interest)

    def chance(self) -> float:
        """Return the chance to buy: the scenario's propensity, moved by trust, interest, prices and whether it was asked for."""
        prior = min(0.99, max(0.01, self.propensity))
        odds = log(prior / (1 - prior)) + PULL * (self.trust - 0.5) + PULL * (self.interest - 0.5)
        odds -= (0.0 if self.proposed else NOT_ASKED) + (TOO_DEAR if self.dear else 0.0)
        return 1 / (1 + exp(-odds))


def effects_of(acts: Acts, *, waits: bool, objection: bool, early: bool) -> list[str]:
    """Return what a reply did to the customer, as names of `EFFECTS`.

    Args:
        acts: Of the reply.
        waits: Whether a question or an objection waited for an answer.
        objection: Whether it was an objection.
        early: Whether the call is too young for a proposal.
    """
    effects = [name for name in ("empty", "presses", "repeats", "beside", "long") if getattr(acts, name)]
    settled = acts.settles(objection=objection)
    if waits:
        effects.append("answered" if settled else "unanswered")
    if objection and acts.empathises:
        effects.append("understood")
    if acts.asks and (settled or not waits):
        effects.append("asked")
    if acts.proposes and not acts.presses:
        effects.append("too_early" if early else "proposed")
    return effects


@dataclass
class _Line:
    text: str
    intent: str
    note: Note


@dataclass
class _Play:
    """The call so far, replayed: everything that the next line depends on."""

    mood: Mood
    agenda: list[str]
    known: list[str]
    hidden: dict[str, str]
    heard: list[tuple[str, str]] = field(default_factory=list)
    """Customer line and reply of the turns that were replayed."""
    notes: list[Note] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)
    acts: Acts = field(default_factory=Acts)
    said: int = 0
    standing: str = ""
    """The question or objection that waits for an answer."""
    insisted: bool = False
    decided: str = ""
    refused: bool = False
    """The customer has said its no aloud."""
    agreed: bool = False
    """The customer has said its yes aloud."""
    ending: list[str] = field(default_factory=list)
    next: _Line | None = None
    """The line that was planned and not yet seen in the record."""


class RuleBuyer:
    """A deterministic, seeded customer.

    Its line is a pure function of scenario, seed and the words of the record, so a run that was killed goes on where it
    stood; a replay is kept, so a call costs linear time. It takes every figure at its word (see `acts.py`).

    Args:
        scenario: The customer's questions, objections, facts, limits and propensity.
        campaign: What the agent may say; unknown to the customer except as "this answers my question".
        seed: Draws the wording, the decision and whether pressure ends in an opt-out.
    """

    name = "rule"

    def __init__(self, scenario: Scenario, campaign: CampaignData, seed: int) -> None:
        self._scenario, self._seed = scenario, seed
        self._wording = Wording(campaign.campaign.name, campaign.intents, scenario.language)
        self._ear = Ear(campaign, scenario.language, scenario.if_asked)
        self._slots = {slot.name: slot.kind for slot in campaign.campaign.slots}
        self._play = self._start()

    def next_line(self, record: ConversationRecord) -> str | None:
        """Return the customer's next line; None once it has said its last, and when the call is over."""
        play = self._replay(record)
        if record["ended"]:
            return None
        if play.next is None:
            play.next = self._say(play)
        return play.next.text if play.next else None

    def notes(self, record: ConversationRecord) -> list[Note]:
        """Return intent and mood of each line that the record holds."""
        return list(self._replay(record).notes)

    def _draw(self, what: str) -> float:
        return Random(f"{self._scenario.id}|{self._seed}|{what}").random()

    def _start(self) -> _Play:
        scenario = self._scenario
        pairs = zip_longest(scenario.questions, scenario.objections)
        return _Play(
            mood=Mood(scenario.propensity, scenario.price_limit),
            agenda=[intent for pair in pairs for intent in pair if intent],
            known=list(scenario.known),
            hidden=dict(scenario.if_asked),
        )

    def _replay(self, record: ConversationRecord) -> _Play:
        turns = [(turn.get("customer", ""), turn.get("reply", "")) for turn in record["turns"]]
        done = len(self._play.heard)
        if self._play.heard != turns[:done]:
            self._play, done = self._start(), 0
        for number, (customer, reply) in enumerate(turns[done:], start=done):
            self._live(self._play, record["turns"][number].get("turn", number), customer, reply)
        return self._play

    def _live(self, play: _Play, number: int, customer: str, reply: str) -> None:
        """Go through one turn of the record: the customer's line, then the agent's reply."""
        if customer:
            line = play.next or self._say(play)
            if line:
                play.notes.append({**line.note, "turn": number})
            play.next = None
        earlier = [said for _, said in play.heard if said]
        play.heard.append((customer, reply))
        if customer:
            play.acts = self._ear.hear(reply, customer, play.standing, earlier, refused=play.refused)
            self._feel(play)

    def _feel(self, play: _Play) -> None:
        """Let the reply move the mood, and settle what it settled."""
        acts, mood = play.acts, play.mood
        objection = bool(play.standing) and self._wording.kind(play.standing) == "objection"
        settled = acts.settles(objection=objection)
        early = play.said < WINDOW - 1
        effects = effects_of(acts, waits=bool(play.standing), objection=objection, early=early)
        if acts.proposes and not acts.presses:
            mood.proposed = mood.proposed or not early
        limit = mood.pays()
        if acts.prices and limit is not None:
            if min(acts.prices) > limit and not mood.dear:
                effects.append("too_dear")
            mood.dear = min(acts.prices) > limit
        mood.feel(*effects, wear=WEARS / self._scenario.patience)
        if settled or play.insisted:
            play.standing, play.insisted = "", False
        if play.refused and acts.presses and self._opts_out():
            play.decided, play.ending = "opts_out", [self._wording.first("opt_out")]

    def _opts_out(self) -> bool:
        """Tell whether pressure makes this customer opt out for good; the less inclined, the likelier."""
        return self._draw("opts_out") < 0.8 - 0.6 * self._scenario.propensity

    def _buys(self, play: _Play) -> bool:
        return self._draw("decision") < play.mood.chance()

    def _decide(self, play: _Play) -> None:
        """Decide where a decision is due, and lay out the end of the call."""
        over = not (play.agenda or play.standing)
        if play.mood.patience <= 0:
            play.decided, play.ending = "hangs_up", [self._wording.first("goodbye")]
        elif play.said < min(WINDOW, self._scenario.patience):
            return
        elif self._buys(play) and (over or play.acts.proposes or play.said >= self._scenario.patience):
            play.decided, play.ending = "buys", list(self._wording.roles.after_yes)
        elif over or play.said >= self._scenario.patience:
            play.decided = "declines"
            play.ending = [self._wording.first("refusal"), self._wording.first("goodbye")]

    def _say(self, play: _Play) -> _Line | None:
        """Choose the next line and take it off what there is to say."""
        if not play.decided and play.said:
            self._decide(play)
        chosen = self._choose(play)
        if chosen is None:
            return None
        text, intent = chosen
        play.said += 1
        mood = play.mood
        note = Note(turn=0, trust=mood.trust, interest=mood.interest, patience=mood.patience)
        note["asked"] = [name for name in (play.standing, *play.agenda) if name]
        if self._wording.is_known(intent):
            note["intent"] = intent
        if play.decided:
            note["decided"] = play.decided
        return _Line(text, intent, note)

    def _choose(self, play: _Play) -> tuple[str, str] | None:
        asked = [name for name in play.acts.slots if name in play.hidden and not self._commits(name)]
        if asked and (not play.decided or (play.agreed and play.ending)):
            return self._reveal(play, asked)
        if play.decided:
            return self._end(play)
        if not play.said:
            return self._open(play)
        if play.standing:
            play.insisted = True
            return self._line(play, play.standing), play.standing
        if play.agenda:
            play.standing = play.agenda.pop(0)
            line = self._line(play, play.standing)
            told = play.known.pop(0) if play.known and play.acts.asks else ""
            return self._joined(told, line), play.standing
        intent = self._wording.roles.tells or self._wording.first("information")
        return (play.known.pop(0) if play.known else self._line(play, intent)), intent

    def _commits(self, slot: str) -> bool:
        """Tell whether a slot is a commitment, which nobody gives before it has decided to buy."""
        return self._role(slot) in (self._wording.roles.contact, self._wording.roles.amount)

    def _role(self, slot: str) -> str:
        """Return the intent that telling a slot is meant as."""
        roles, kind = self._wording.roles, self._slots.get(slot)
        if kind in ("phone", "datetime", "email") and roles.contact:
            return roles.contact
        if kind == "amount" and roles.amount:
            return roles.amount
        return roles.tells or self._wording.first("information")

    def _open(self, play: _Play) -> tuple[str, str]:
        intent = self._wording.first("smalltalk")
        return (self._scenario.opening, "") if self._scenario.opening else (self._line(play, intent), intent)

    def _reveal(self, play: _Play, slots: list[str]) -> tuple[str, str]:
        return self._joined(*(play.hidden.pop(name) for name in slots)), self._role(slots[0])

    def _end(self, play: _Play) -> tuple[str, str] | None:
        """Say the next line of the end; what the scenario has of contact or amount is given in its place."""
        if not play.ending:
            return None
        intent = play.ending.pop(0)
        play.refused = play.refused or self._wording.kind(intent) == "refusal"
        play.agreed = play.agreed or self._wording.kind(intent) == "agreement"
        own = [name for name in play.hidden if self._commits(name) and self._role(name) == intent]
        return self._reveal(play, own) if own else (self._line(play, intent), intent)

    def _line(self, play: _Play, intent: str) -> str:
        """Return the next line for an intent, in this customer's own order; no amount beyond its limit."""
        lines, limit = self._wording.lines(intent), play.mood.pays()
        if intent == self._wording.roles.amount and limit is not None:
            lines = [line for line in lines if all(q.value <= limit for q in quantities(line))] or lines
        order = Random(f"{self._scenario.id}|{self._seed}|{intent}").sample(lines, len(lines))
        play.used[intent] = play.used.get(intent, -1) + 1
        return order[play.used[intent] % len(order)]

    def _joined(self, *parts: str) -> str:
        spoken = [part.rstrip("。." if index < len(parts) - 1 else "") for index, part in enumerate(parts) if part]
        return ("。" if self._scenario.language == "zh" else ". ").join(spoken)
