"""TeleBot's six metrics as far as they can be computed, and the scenarios of its published run.

Computed are repetition, diversity and knowledge grounding: 0 or 1 a call, with a reason, beside the judge's answers to the same
questions (rubric `telebot`). Consistency, conversationality and strategy-following are judged only.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations, pairwise

from evaluation.judging.transcript import tokens
from evaluation.measures.metric import Metric, Score
from evaluation.measures.replay import Replay, Said
from evaluation.scenarios.schema import PROPENSITY, CallOutcome, Scenario, Success, Tier
from evaluation.scenarios.tiers import CHECKS
from graph.errors import BadInput
from guardrails.rules_facts import FACT_RULES
from guardrails.sentences import split_sentences
from scripts_library.loading import CampaignData
from scripts_library.schema import IntentKind, Language, Script

COMPUTED = ("repetition", "diversity", "knowledge_grounding")
METRICS = (
    Metric("telebot_computed.repetition", "telebot", "TeleBot, computed: no repetition", "higher", "share"),
    Metric("telebot_computed.diversity", "telebot", "TeleBot, computed: diversity", "higher", "share"),
    Metric(
        "telebot_computed.knowledge_grounding", "telebot", "TeleBot, computed: knowledge grounding", "higher", "share"
    ),
)
ALIKE = 0.6
"""Two questions, or two replies to similar lines, that share this part of their word pairs are the same in other words."""
_REPETITION = "repetition"
_FACTS = frozenset(rule.name for rule in FACT_RULES)


def computed(replay: Replay) -> list[Score]:
    """Return what can be computed of TeleBot's six for one call.

    Source: TeleBot's definitions of repetition ("no redundant intents"), diversity ("varied replies to similar content") and
    knowledge grounding ("nothing that is not in the context"); the thresholds are ours.
    """
    said = [one for one in replay.turns if one.by_agent and one.turn["customer"]]
    return [_repetition(said), _diversity(said), _grounding(said)]


def _repetition(said: list[Said]) -> Score:
    """1 when no reply says, and no question asks, what an earlier one did."""
    asked: list[tuple[int, str]] = []
    for one in said:
        if any(hit["name"] == _REPETITION for hit in one.hits):
            return _score(_REPETITION, 0, f"turn {one.number} repeats an earlier reply", [one.number])
        for question in _questions(one.turn["reply"]):
            if before := next((number for number, earlier in asked if overlap(question, earlier) >= ALIKE), None):
                return _score(
                    _REPETITION, 0, f"turn {one.number} asks again what turn {before} asked", [before, one.number]
                )
            asked.append((one.number, question))
    return _score(_REPETITION, 1 if said else None, f"{len(said)} replies, none repeats another", [])


def _diversity(said: list[Said]) -> Score:
    """1 when every two lines of one intent are answered differently; None when no two lines are alike."""
    pairs = [
        (first, second)
        for first, second in combinations(said, 2)
        if (first.meant or first.turn["intent"]) == (second.meant or second.turn["intent"]) != ""
    ]
    for first, second in pairs:
        if (shared := overlap(first.turn["reply"], second.turn["reply"])) >= ALIKE:
            reason = f"turns {first.number} and {second.number}: similar lines, replies {shared:.0%} the same"
            return _score("diversity", 0, reason, [first.number, second.number])
    reason = f"{len(pairs)} pairs of similar lines, all answered differently" if pairs else "no two similar lines"
    return _score("diversity", 1 if pairs else None, reason, [])


def _grounding(said: list[Said]) -> Score:
    """1 when no reply states a number, promise, result or claim that neither facts nor customer support."""
    for one in said:
        for hit in one.hits:
            if hit["name"] in _FACTS:
                return _score(
                    "knowledge_grounding", 0, f"turn {one.number}, {hit['name']}: “{hit['text']}”", [one.number]
                )
    return _score("knowledge_grounding", 1 if said else None, f"{len(said)} replies, nothing unsupported", [])


def _score(name: str, value: int | None, reason: str, turns: list[int]) -> Score:
    return {"metric": f"telebot_computed.{name}", "value": value, "reason": reason, "turns": turns}


def _questions(reply: str) -> list[str]:
    return [part for part in split_sentences(reply) if part.rstrip("\"'”’」） ").endswith(("?", "？"))]


def overlap(first: str, second: str) -> float:
    """Return the share of word pairs (of Chinese, pairs of characters) that two texts have in common (Jaccard, 0..1)."""
    mine, theirs = _pairs(first), _pairs(second)
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 1.0


def _pairs(text: str) -> frozenset[tuple[str, ...]]:
    words = tokens(text)
    return frozenset(pairwise(words)) or frozenset((word,) for word in words)


def agreement_with_judge(scores: Mapping[str, Iterable[Score]]) -> dict[str, dict[str, float | int | None]]:
    """Compare the computed metrics with the judge's answers to the same questions.

    Args:
        scores: All scores by call, computed and judged.

    Returns:
        For each computed metric `n` (calls with both), `share` of them with the same answer, and Cohen's `kappa` (None where
        it is not defined: one of the two never varies, or there is no call).
    """
    found: dict[str, dict[str, float | int | None]] = {}
    for name in COMPUTED:
        pairs: list[tuple[float, float]] = []
        for call in scores.values():
            value = {score["metric"]: score["value"] for score in call}
            ours, theirs = value.get(f"telebot_computed.{name}"), value.get(f"telebot.{name}")
            if ours is not None and theirs is not None:
                pairs.append((ours, float(theirs >= 0.5)))
        same = sum(a == b for a, b in pairs) / len(pairs) if pairs else None
        found[name] = {"n": len(pairs), "share": same, "kappa": _kappa(pairs)}
    return found


def _kappa(pairs: list[tuple[float, float]]) -> float | None:
    """Return Cohen's kappa of two raters who say 0 or 1.

    Source: Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20 (1960).
    """
    n = len(pairs)
    if len({a for a, _ in pairs}) < 2 or len({b for _, b in pairs}) < 2:
        return None
    seen = sum(a == b for a, b in pairs) / n
    yes_a, yes_b = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    chance = yes_a * yes_b + (1 - yes_a) * (1 - yes_b)
    return (seen - chance) / (1 - chance)


PERSONA: dict[Language, str] = {"en": "A busy person who speaks briefly.", "zh": "一位话不多的大忙人。"}
REASON: dict[Language, str] = {"en": "The call came in, and the offer may be of use.", "zh": "电话打来了，也许用得上。"}
SEED_KINDS: tuple[IntentKind, ...] = ("question", "information", "interest", "objection")
"""A line of these may open a talk; a goodbye or a phone number may not."""
GOOD_ENDS: list[CallOutcome] = ["won", "follow_up"]


def telebot_scenarios(
    data: CampaignData, language: Language, n: int = 100, per: int = 3, seed: int = 0
) -> list[Scenario]:
    """Return the scenarios of TeleBot's published run: scripts × sampled profiles and strategies, 100 × 3 = 300 sessions.

    TeleBot draws from transcripts that its model was not trained on; here a seed script is one situation of the campaign's
    scripts (its customer line opens the talk, its intent is the objection or question), drawn so that every script comes once
    before one comes twice. Hold the run with `without_seeds`, so that no agent has seen these lines.

    Args:
        data: The campaign with its scripts.
        language: Of the calls.
        n: Seed scripts.
        per: Sampled pairs of profile and strategy for each.
        seed: Of every draw.

    Raises:
        BadInput: The campaign has fewer than `n` situations in this language.
    """
    drawn = random.Random(f"{seed}|{data.campaign.name}|{language}")
    kinds = {intent.name: intent.kind for intent in data.intents}
    held = [one for one in data.scripts if one.language == language and kinds.get(one.intent) in SEED_KINDS]
    seeds = [(place, drawn.random(), one, line) for one in held for place, line in enumerate(one.situation)]
    if len(seeds) < n:
        raise BadInput(f"Campaign {data.campaign.name} has {len(seeds)} situations in {language}; {n} were asked for.")
    seeds.sort(key=lambda entry: entry[:2])
    return [
        _scenario(data, script, line, kinds.get(script.intent, ""), f"{number:03d}-{copy}", drawn)
        for number, (_, _, script, line) in enumerate(seeds[:n])
        for copy in range(per)
    ]


def without_seeds(data: CampaignData, scenarios: Iterable[Scenario]) -> CampaignData:
    """Return the campaign without the customer's lines that scenarios open with, in scripts and in intents' examples.

    What scripts say stays. Where no other line is known, a script's title or an intent's label stands for them.
    """
    seeds = {one.opening for one in scenarios}

    def rest(lines: list[str], instead: str) -> list[str]:
        return [line for line in lines if line not in seeds] or [instead]

    scripts = tuple(one.model_copy(update={"situation": rest(one.situation, one.title)}) for one in data.scripts)
    intents = tuple(
        one.model_copy(
            update={
                "examples": {language: rest(known, one.label[language]) for language, known in one.examples.items()}
            }
        )
        for one in data.intents
    )
    return replace(data, scripts=scripts, intents=intents)


def _persona(data: CampaignData, profile: Mapping[str, str], language: Language) -> str:
    """Return who the customer is: what the agent knows of them, they know as well."""
    labels = {field.name: field.label[language] for field in data.campaign.profile}
    told = [f"{labels[name]}: {value}" for name, value in profile.items()]
    return f"{PERSONA[language]} {'; '.join(told)}".strip()


def _scenario(data: CampaignData, script: Script, line: str, kind: str, number: str, drawn: random.Random) -> Scenario:
    tier: Tier = drawn.choice(list(PROPENSITY))
    profile = {field.name: drawn.choice(field.values) for field in data.campaign.profile if field.values}
    return Scenario(
        id=f"telebot-{data.campaign.name}-{script.language}-{number}",
        campaign=data.campaign.name,
        language=script.language,
        tier=tier,
        propensity=PROPENSITY[tier],
        persona=_persona(data, profile, script.language),
        reason=REASON[script.language],
        opening=line,
        profile=profile,
        strategy=drawn.choice(data.campaign.strategies).id,
        objections=[script.intent] if kind == "objection" else [],
        questions=[script.intent] if kind == "question" else [],
        success=Success(outcomes=GOOD_ENDS),
        checks=list(CHECKS),
        source="generated",
    )
