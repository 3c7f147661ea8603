"""The customer's side of dialogues as rows: what a customer's model is sent in evaluation, and what the real customer said.

Source: SalesLLM, arXiv 2604.07054 (CustomerLM): system = who the customer is, user = the seller's turn, assistant = the customer's reply;
then pairs of a reply that fell out of the part and a better one.

Departures:
1. Who the customer is comes from the situation that everybody in the data shares, as participants' own background is private.
2. The better reply of a pair is what the real customer said there, not what a judge and people wrote.
3. A reply counts as fallen out of the part when evaluation's gate says so (rules), not a judge: pairs cost nothing and are the same every time.
"""

from collections.abc import Iterable, Iterator, Mapping
from string import Template
from typing import Any, cast

from evaluation.customers.gates import speaks_as_seller
from evaluation.customers.likeness import scenario_of
from evaluation.customers.persona import clean, lay_out, private_prompt
from evaluation.customers.real_lines import CAMPAIGN
from evaluation.scenarios.schema import Scenario
from graph.records import TurnRecord
from scripts_library.loading import CampaignData
from scripts_library.persuasion import RecordedCall
from scripts_library.schema import IntentKind, Language
from training.corpus.prompts import ROLES
from training.corpus.rows import Message, PreferenceRow, SFTRow
from training.corpus.schema import Dialogue

SITUATION: dict[Language, tuple[str, str]] = {
    "en": ("Somebody who is called about: $title", "The phone rang; nothing is decided yet."),
    "zh": ("接到一个电话的人，电话里说的是：$title", "电话响了就接了，什么都还没决定。"),
}
"""Who the customer of a campaign's calls is, and why they talk; persuasion_for_good has its own (`scenario_of`)."""


def customer_rows(dialogue: Dialogue, data: CampaignData) -> Iterator[SFTRow]:
    """Yield a row for each of the customer's lines, but for those that the gate would call a seller's.

    Args:
        dialogue: Of any split; test dialogues are for measuring, and `read_rows` refuses their rows.
        data: Its campaign.
    """
    system = private_prompt(_situation(dialogue, data), data)
    turns = [TurnRecord(customer="", reply="")]
    for place, turn in enumerate(dialogue.turns):
        if turn.role == "agent":
            turns[-1] = TurnRecord(customer=turns[-1]["customer"], reply=turn.text)
            continue
        if not speaks_as_seller(turn.text, [before["reply"] for before in turns]):
            messages = lay_out(system, turns, dialogue.language)
            yield SFTRow(
                dialogue=dialogue.id,
                turn=place,
                campaign=dialogue.campaign,
                language=dialogue.language,
                stage=turn.stage,
                intent=turn.intent,
                split=dialogue.split,
                method=dialogue.source.method,
                prompt=[Message(role=ROLES[one.type], content=str(one.content)) for one in messages],
                completion=[Message(role="assistant", content=turn.text)],
            )
        turns.append(TurnRecord(customer=turn.text, reply=""))


def inverted_pair(row: Mapping[str, Any], said: str) -> PreferenceRow | None:
    """Pair what a customer's model said with the real line, if it fell out of the part; no words at all count as that.

    Args:
        row: Of `customer_rows`.
        said: The model's answer to its prompt.

    Returns:
        The pair, of the pool `inverted`; None where the model kept its part.
    """
    line = clean(said)
    if not speaks_as_seller(line, _replies(row["prompt"])):
        return None
    shared = {name: value for name, value in row.items() if name != "completion"}
    rejected = [Message(role="assistant", content=line)]
    return cast(PreferenceRow, {**shared, "chosen": row["completion"], "rejected": rejected, "pool": "inverted"})


def _replies(prompt: Iterable[Message]) -> list[str]:
    """Return what the agent has said in a prompt."""
    return [message["content"] for message in prompt if message["role"] == "user"]


def _situation(dialogue: Dialogue, data: CampaignData) -> Scenario:
    """Return the scenario of a dialogue's customer; what they ask and doubt is what they do in the dialogue."""
    if dialogue.campaign == CAMPAIGN:
        return scenario_of(RecordedCall(dialogue.id, (), 0.0))
    persona, reason = (
        Template(text).substitute(title=data.campaign.title[dialogue.language]) for text in SITUATION[dialogue.language]
    )
    kinds = {intent.name: intent.kind for intent in data.intents}

    def done(kind: IntentKind) -> list[str]:
        said = [turn.intent for turn in dialogue.turns if turn.role == "customer" and kinds.get(turn.intent) == kind]
        return list(dict.fromkeys(said))

    return Scenario.model_validate(
        {
            "id": f"real-{dialogue.id}",
            "campaign": dialogue.campaign,
            "language": dialogue.language,
            "tier": "medium",
            "propensity": 0.5,
            "persona": persona,
            "reason": reason,
            "questions": done("question"),
            "objections": done("objection"),
            "success": {"outcomes": ["won"]},
            "checks": ["outcome"],
        }
    )
