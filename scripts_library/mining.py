"""Draft scripts out of recorded calls that succeeded, for a manager to review.

The agent's answers are grouped by stage and customer intent, embedded and clustered; the medoid of a cluster becomes the
line of a draft, the customers' lines before it its situations. An answer that a guardrail would block never becomes one.
"""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from graph.settings import get_settings
from guardrails.check import check_reply, check_sentence
from guardrails.privacy import mask
from guardrails.sentences import split_sentences
from scripts_library.fact_sheet import fact_sheet
from scripts_library.loading import CampaignData
from scripts_library.persuasion import RecordedCall, RecordedTurn, read_calls
from scripts_library.progress import Progress, part, unwatched
from scripts_library.schema import STAGES, Intent, Language, Script, Stage
from scripts_library.speakers import restore_speakers

if TYPE_CHECKING:
    from guardrails.context import GuardContext
    from serving.embed import Embedder

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
Classify = Callable[[list[str], list[str]], list[str]]
"""(customer lines, what the agent had said before each) → names of intents."""

LONGEST: dict[Language, int] = {"en": 240, "zh": 90}
SHORTEST: dict[Language, int] = {"en": 24, "zh": 8}
MOST_SENTENCES = 2
MOST_CLASSIFIED = 600
"""Lines without a label that are classified; more would take minutes, and bring more of the same."""
GROUP_KEPT = 24
"""Answers of one stage and intent that are embedded."""
AT_ONCE = 64
"""Texts embedded or classified, and answers checked, between two looks at whether to go on."""
PER_CLUSTER = 6
MOST_CLUSTERS = 4

OWN_LIFE: dict[Language, str] = {
    "en": r"\b(?:my (?:own )?(?:wife|husband|kids?|child(?:ren)?|son|daughter|family|mother|father|mom|dad|parents?|friends?|"
    r"brother|sister|house|job|boss|childhood)|as a (?:mother|father|parent)|when i was|i (?:donated|gave|bought|volunteer)|"
    r"i(?:'m| am) (?:from|married|retired)|i live)\b",
    "zh": r"我(?:的)?(?:老公|老婆|先生|太太|孩子|儿子|女儿|爸|妈|父母|朋友|家里)|我(?:自己|本人)?也?(?:买过|用过|捐过|做过老板)|我小时候|我是.{0,4}人$",
}
"""A machine has no life of its own to tell of."""
STEPS: dict[Language, tuple[str, str]] = {"en": ("Say: ", "Ask: "), "zh": ("说：", "问：")}


class Campaigns(Protocol):
    """What mining needs of the library."""

    def campaign(self, name: str) -> CampaignData:
        """Return a campaign with its intents."""
        ...


@dataclass(frozen=True)
class Answer:
    """One answer of an agent in a call that succeeded, and what it answered."""

    call: str
    language: Language
    customer: str
    before: str
    text: str
    intent: str
    stage: Stage | None
    first: bool
    """Whether it is the agent's first answer of the call."""
    late: bool
    """Whether it lies in the last quarter of the call."""


@dataclass(frozen=True)
class Mined:
    """The drafts, and what became of the rest.

    calls: calls that succeeded. answers: their answers. dropped: reason or rule → answers left out because of it.
    """

    scripts: list[Script]
    calls: int
    answers: int
    dropped: dict[str, int]


def language_of(text: str) -> Language:
    """Return `zh` for a text with a CJK character, else `en`."""
    return "zh" if re.search(r"[\u3400-\u9fff]", text) else "en"


def shorten(text: str, language: Language) -> str:
    """Cut an answer to its first two sentences; empty when even the first is too long, or all is too short."""
    kept = ""
    for sentence in split_sentences(text)[:MOST_SENTENCES]:
        longer = f"{kept} {sentence}".strip() if language == "en" else kept + sentence
        if len(longer) > LONGEST[language]:
            break
        kept = longer
    return kept if len(kept) >= SHORTEST[language] else ""


def _breach(text: str, language: Language, rules: "GuardContext") -> str:
    """Return why an answer must not become a script: a rule's name, or what else is wrong; empty when nothing is."""
    if re.search(OWN_LIFE[language], text, re.IGNORECASE):
        return "tells of a life of one's own"
    if "[" in text or mask(text) != text:
        return "holds a name or personal data"
    hits = [hit for sentence in split_sentences(text) for hit in check_sentence(sentence, rules)]
    hits += check_reply(text, rules)
    return hits[0]["name"] if hits else ""


def _label(turn: RecordedTurn, intents: dict[str, Intent]) -> str:
    """Return the intent that the turn's labels name: the last that is more than small talk."""
    known = [act for act in turn.acts if act in intents]
    return next((act for act in reversed(known) if intents[act].kind != "smalltalk"), known[-1] if known else "")


def _answers(call: RecordedCall, intents: dict[str, Intent]) -> Iterator[Answer]:
    """Pair each answer of the agent with the customer's turn before it."""
    language = language_of(" ".join(turn.text for turn in call.turns))
    first, late = True, len(call.turns) * 3 / 4
    for index, turn in enumerate(call.turns):
        if turn.role != "agent" or index == 0:
            continue
        customer = call.turns[index - 1]
        before = call.turns[index - 2].text if index > 1 else ""
        stage = next((stage for stage in STAGES if stage == turn.stage), None)
        label = _label(customer, intents)
        yield Answer(call.id, language, customer.text, before, turn.text, label, stage, first, index >= late)
        first = False


def _sift(answers: Iterable[Answer], data: CampaignData, dropped: Counter[str]) -> Iterator[Answer]:
    """Keep what may become a script, shortened; count the rest by reason."""
    sheets = {language: fact_sheet(data.campaign, language) for language in data.campaign.languages}
    for answer in answers:
        if answer.language not in sheets:
            dropped["language not in the campaign"] += 1
            continue
        text = shorten(answer.text, answer.language)
        reason = _breach(text, answer.language, sheets[answer.language]) if text else "too short or too long"
        if reason:
            dropped[reason] += 1
        else:
            yield replace(answer, text=text)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def nearest_example(data: CampaignData, embedder: "Embedder") -> Classify:
    """Return a classifier that takes the intent of the nearest example; needs no training."""
    pairs = [(intent.name, line) for intent in data.intents for lines in intent.examples.values() for line in lines]
    examples = embedder.query([line for _, line in pairs])

    def classify(lines: list[str], before: list[str]) -> list[str]:
        nearest = (embedder.query([line[:300] for line in lines]) @ examples.T).argmax(axis=1)
        return [pairs[index][0] for index in nearest]

    return classify


def _classified(
    answers: list[Answer], classify: Callable[[], Classify], dropped: Counter[str], progress: Progress
) -> list[Answer]:
    """Give an intent to the answers whose data named none; of very many, an even share."""
    unknown = sorted((a for a in answers if not a.intent), key=lambda a: _digest(a.call, a.customer, a.text))
    if len(unknown) > MOST_CLASSIFIED:
        dropped["beyond what is classified"] += len(unknown) - MOST_CLASSIFIED
    chosen = unknown[:MOST_CLASSIFIED]
    named: list[Answer] = []
    ask = classify() if chosen else None
    for start in range(0, len(chosen), AT_ONCE):
        progress(start, len(chosen))
        some = chosen[start : start + AT_ONCE]
        names = ask([a.customer for a in some], [a.before for a in some]) if ask else []
        named += [replace(answer, intent=name) for answer, name in zip(some, names, strict=True)]
    return [answer for answer in answers if answer.intent] + named


def _embedded(texts: Sequence[str], embedder: "Embedder", progress: Progress) -> Vectors:
    """Return the texts' vectors, shape (n, d)."""
    parts = [embedder.passage([])]
    for start in range(0, len(texts), AT_ONCE):
        progress(start, len(texts))
        parts.append(embedder.passage(texts[start : start + AT_ONCE]))
    return np.concatenate(parts)


def stage_of(answer: Answer, intent: Intent) -> Stage:
    """Return the stage of an answer: the record's own, the intent's, or what its place in the call tells."""
    if answer.stage or intent.stage:
        return answer.stage or intent.stage or "analysis"
    if intent.kind in ("objection", "refusal"):
        return "objection"
    if answer.first:
        return "opening"
    return "close" if answer.late or intent.kind == "agreement" else "analysis"


def _clusters(vectors: Vectors) -> list[list[int]]:
    """Cluster answers; largest cluster first, and in each the medoid first, then the others by nearness to it."""
    from sklearn.cluster import KMeans  # type: ignore[import-untyped]

    count = min(MOST_CLUSTERS, max(1, len(vectors) // PER_CLUSTER), len(np.unique(vectors, axis=0)))
    labels = KMeans(count, n_init=4, random_state=0).fit_predict(vectors) if count > 1 else np.zeros(len(vectors), int)
    clusters = []
    for label in range(count):
        members = np.flatnonzero(labels == label)
        near = vectors[members] @ vectors[members].T
        medoid = near.sum(axis=1).argmax()
        clusters.append([int(members[index]) for index in np.argsort(-near[medoid], kind="stable")])
        clusters[-1].sort(key=lambda index: index != members[medoid])
    return sorted(clusters, key=len, reverse=True)


def _draft(cluster: Sequence[Answer], data: CampaignData, stage: Stage, intent: Intent, author: str) -> Script:
    medoid = cluster[0]
    language = medoid.language
    say, ask = STEPS[language]
    situation = dict.fromkeys(mask(answer.customer)[:200] for answer in cluster)
    return Script(
        id=f"{data.campaign.name}-{stage}-{intent.name}-{_digest(medoid.text)[:8]}"[:100],
        campaign=data.campaign.name,
        stage=stage,
        intent=intent.name,
        language=language,
        title=f"{intent.label.get(language, intent.name)}: {medoid.text}"[:80],
        situation=list(situation)[:5],
        outline=[(ask if text.endswith(("?", "？")) else say) + text for text in split_sentences(medoid.text)],
        say=list(dict.fromkeys(answer.text for answer in cluster))[:2],
        author=author,
        source=medoid.call[:300],
    )


def mine_calls(
    calls: Sequence[RecordedCall],
    data: CampaignData,
    embedder: "Embedder",
    *,
    author: str,
    limit: int,
    classify: Classify | None = None,
    progress: Progress = unwatched,
) -> Mined:
    """Draft scripts out of calls; `mine` for calls that are read already.

    Args:
        calls: Recorded calls with outcomes; only those that succeeded are used.
        data: The campaign and its intents.
        embedder: Makes the vectors that are clustered.
        author: Recorded on the drafts.
        limit: Most drafts to return; every stage and intent has its first before any has its second.
        classify: Names the intents of lines without a label; the nearest example by default.
        progress: Told how far it is; what it raises ends the work.
    """
    intents = {intent.name: intent for intent in data.intents}
    campaign = data.campaign
    agent_texts = [text for fact in campaign.facts for text in fact.text.values()]
    agent_texts += [line for lines in campaign.lines.greeting.values() for line in lines]
    examples = [line for intent in data.intents for lines in intent.examples.values() for line in lines]
    won = [call for call in restore_speakers(calls, agent_texts, examples) if call.won]
    dropped: Counter[str] = Counter()
    found = [answer for call in won for answer in _answers(call, intents)]
    sifted: list[Answer] = []
    for start in range(0, len(found), AT_ONCE):
        part(progress, 0, 40)(start, len(found))
        sifted += _sift(found[start : start + AT_ONCE], data, dropped)
    kept = _classified(sifted, lambda: classify or nearest_example(data, embedder), dropped, part(progress, 40, 70))
    groups: dict[tuple[Language, Stage, str], dict[str, Answer]] = {}
    for answer in kept:
        intent = intents.get(answer.intent)
        if intent is None or intent.kind in ("opt_out", "handoff"):
            dropped["intent that no script answers"] += 1
            continue
        group = groups.setdefault((answer.language, stage_of(answer, intent), intent.name), {})
        if group.setdefault(answer.text.casefold(), answer) is not answer:
            dropped["said before"] += 1
    shares = [sorted(group.values(), key=lambda a: _digest(a.call, a.text))[:GROUP_KEPT] for group in groups.values()]
    vectors = _embedded([answer.text for share in shares for answer in share], embedder, part(progress, 70, 100))
    ranked: list[tuple[int, int, Script]] = []
    start = 0
    for (_, stage, name), share in zip(groups, shares, strict=True):
        for rank, cluster in enumerate(_clusters(vectors[start : start + len(share)])):
            script = _draft([share[index] for index in cluster], data, stage, intents[name], author)
            ranked.append((rank, -len(cluster), script))
        start += len(share)
    progress(100, 100)
    ranked.sort(key=lambda item: (item[0], item[1], item[2].id))
    return Mined([script for _, _, script in ranked[:limit]], len(won), len(found), dict(dropped))


def mine(
    path: Path,
    campaign: str,
    library: Campaigns,
    *,
    author: str,
    limit: int,
    classify: Classify | None = None,
    embedder: "Embedder | None" = None,
    progress: Progress = unwatched,
) -> list[Script]:
    """Draft scripts out of recorded calls; how many answers were left out, and why, goes to the log.

    Args:
        path: A folder like `persuasion_for_good` or a JSONL file; see `read_calls`.
        campaign: Name of the campaign that the drafts are for.
        library: Holds the campaign.
        author: Recorded on the drafts.
        limit: Most drafts to return.
        classify: Names the intents of lines without a label; the nearest example by default.
        embedder: Makes the vectors; the configured one by default.
        progress: Told how far it is.

    Raises:
        BadInput: The data cannot be read.
        Cancelled: `progress` raised it.
    """
    calls = read_calls(path)
    if embedder is None:
        from serving.embed import load_embedder

        embedder = load_embedder(get_settings())
    mined = mine_calls(
        calls,
        library.campaign(campaign),
        embedder,
        author=author,
        limit=limit,
        classify=classify,
        progress=progress,
    )
    reasons = ", ".join(
        f"{reason} {count}" for reason, count in sorted(mined.dropped.items(), key=lambda item: -item[1])
    )
    log.info(
        "%d of %d calls succeeded; %d answers, %d left out (%s); %d drafts",
        mined.calls, len(calls), mined.answers, sum(mined.dropped.values()), reasons, len(mined.scripts),
    )  # fmt: skip
    return mined.scripts
