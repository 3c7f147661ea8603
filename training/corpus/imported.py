"""Calls of `persuasion_for_good` as dialogues of the campaign `save_the_children`.

Outcome: `won` where something was given, else `declined`. A customer's dialogue acts are the campaign's intents, the weightiest of a
turn's being the turn's; of the persuader's acts the commonest that is a strategy of the campaign is the dialogue's strategy.

Participants' background is about real people, so it is only counted: every dialogue has the same profile, a value for each field of
which one value holds for more than half of all customers. Nothing of a single participant goes into a dialogue.

Source: Wang et al., "Persuasion for Good", ACL 2019, arXiv 1906.06725.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from nodes.intent_data import kinds_of
from nodes.intent_model import weightiest
from scripts_library.loading import bundled, load_campaign
from scripts_library.persuasion import RecordedTurn, read_calls, role_of, split_of
from scripts_library.schema import IntentKind
from training.corpus.schema import Dialogue, DialogueTurn, Origin

CAMPAIGN = "save_the_children"
INFO = "full_info.csv"
AGES = ((30, "under_30"), (45, "30_to_44"), (60, "45_to_59"))
VALUES = ("care", "fairness", "loyalty", "freedom", "tradition")


def read_persuasion(source: Path) -> list[Dialogue]:
    """Read recorded calls of `persuasion_for_good`.

    Args:
        source: Its folder, or a JSONL file, as `scripts_library.persuasion.read_calls` takes them. A folder without
            `full_info.csv` gives no profile.

    Returns:
        A dialogue each call with at least two turns; split by the call's id.

    Raises:
        BadInput: It cannot be read, or holds no call.
    """
    data = load_campaign(bundled()[CAMPAIGN])
    kinds = kinds_of(data.intents)
    strategies = {strategy.id for strategy in data.campaign.strategies}
    info = source / INFO
    profile = usual_profile(info) if info.is_file() else {}
    return [
        Dialogue(
            id=call.id,
            campaign=CAMPAIGN,
            language="en",
            profile=profile,
            strategy=_strategy(call.turns, strategies),
            turns=[_turn(turn, kinds) for turn in call.turns],
            outcome="won" if call.won else "declined",
            source=Origin(method="imported"),
            split=split_of(call.id),
        )
        for call in read_calls(source)
        if len(call.turns) > 1
    ]


def usual_profile(info: Path) -> dict[str, str]:
    """Return what holds for more than half of all customers, by field of the campaign's profile.

    Args:
        info: `full_info.csv`; its rows are counted and forgotten.
    """
    counted: dict[str, Counter[str]] = {"age_group": Counter(), "cares_for": Counter(), "decides": Counter()}
    with info.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if role_of(row.get("B4")) == "customer":
                for name, value in _background(row).items():
                    counted[name][value] += 1
    return {
        name: value
        for name, counts in counted.items()
        for value, count in counts.most_common(1)
        if count > counts.total() / 2
    }


def _background(row: dict[str, str]) -> dict[str, str]:
    """Return what a row says in the campaign's terms, to be counted; a tie says nothing."""
    found = {}
    if (age := _number(row, "age.x")) is not None:
        found["age_group"] = next((name for limit, name in AGES if age < limit), "60_and_over")
    cares = {name: value for name in VALUES if (value := _number(row, f"{name}.x")) is not None}
    best = [name for name, value in cares.items() if value == max(cares.values())]
    if len(best) == 1:
        found["cares_for"] = best[0]
    reasons, feeling = _number(row, "rational.x"), _number(row, "intuitive.x")
    if reasons is not None and feeling is not None and reasons != feeling:
        found["decides"] = "reasons" if reasons > feeling else "feeling"
    return found


def _number(row: dict[str, str], name: str) -> float | None:
    try:
        return float(row.get(name) or "")
    except ValueError:
        return None


def _strategy(turns: Iterable[RecordedTurn], known: set[str]) -> str:
    acts = Counter(act for turn in turns if turn.role == "agent" for act in turn.acts if act in known)
    return acts.most_common(1)[0][0] if acts else ""


def _turn(turn: RecordedTurn, kinds: dict[str, IntentKind]) -> DialogueTurn:
    acts = [act for act in turn.acts if act in kinds] if turn.role == "customer" else []
    return DialogueTurn(role=turn.role, text=turn.text, intent=weightiest(acts, kinds))
