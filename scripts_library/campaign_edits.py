"""Facts, forbidden claims and rubric of a campaign: edited by people, with the same guarantees as scripts.

Every function works inside the transaction that it is handed; `campaign_library.py` opens it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import pairwise
from typing import Any, Literal

import yaml
from pydantic import ValidationError
from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from graph.errors import BadInput, StaleEdit
from guardrails.claims import claims_in_reply
from guardrails.context import Forbidden
from scripts_library import store
from scripts_library.checks import Known, check_campaign, suggest
from scripts_library.claim_checks import check_claims
from scripts_library.loading import CampaignData, field_name, join_errors, schema_problems
from scripts_library.problem import Problem
from scripts_library.schema import Campaign, Fact, ForbiddenClaim, Language, RubricLine
from scripts_library.tables import CAMPAIGN, CAMPAIGN_PARTS, CAMPAIGN_REVISION, REVISION, SCRIPT

CampaignAction = Literal["load", "revise", "roll_back"]
Entry = Fact | ForbiddenClaim | RubricLine
_USED = re.compile(r"\{fact\.([^{}]*)\}")


@dataclass(frozen=True)
class CampaignRevision:
    """One version of what people edit of a campaign, and how it came about."""

    version: int
    facts: tuple[Fact, ...]
    forbidden: tuple[ForbiddenClaim, ...]
    rubric: tuple[RubricLine, ...]
    action: str
    author: str
    at: str
    """ISO time, UTC."""

    def entries(self, part: str) -> dict[str, Entry]:
        """Return the entries of a part by id."""
        return {entry.id: entry for entry in getattr(self, part)}


@dataclass(frozen=True)
class EntryChange:
    """One entry that two versions say otherwise; None where a version lacks it."""

    part: str
    """`facts`, `forbidden` or `rubric`."""
    id: str
    before: Entry | None
    after: Entry | None


@dataclass(frozen=True)
class ClaimFound:
    """A recorded reply that a claim catches."""

    call: str
    turn: int
    reply: str
    text: str
    """The words that make the claim."""


def latest_version(connection: Connection, name: str) -> int:
    """Return the version of a campaign's facts, claims and rubric, from 1.

    Raises:
        BadInput: No such campaign.
    """
    query = select(func.max(CAMPAIGN_REVISION.c.version)).where(CAMPAIGN_REVISION.c.name == name)
    version = connection.scalar(query)
    if version is None:
        raise BadInput(f"Campaign {name!r} is not in the library – {suggest(name, store.campaign_stamps(connection))}")
    return int(version)


def revisions(connection: Connection, name: str, newest: int | None = None) -> list[CampaignRevision]:
    """Return every version, or the newest few, oldest first; none for a campaign that the library does not have."""
    table = CAMPAIGN_REVISION
    query = select(table).where(table.c.name == name).order_by(table.c.version.desc()).limit(newest)
    return [_read(row) for row in reversed(connection.execute(query).all())]


def ids_ever(connection: Connection, name: str, part: str) -> frozenset[str]:
    """Return the ids that entries of a part have or once had: none of them may come to mean something else."""
    payloads = connection.scalars(select(CAMPAIGN_REVISION.c.payload).where(CAMPAIGN_REVISION.c.name == name))
    return frozenset(entry["id"] for payload in payloads for entry in json.loads(payload)[part])


def revision(connection: Connection, name: str, version: int) -> CampaignRevision:
    """Return one version.

    Raises:
        BadInput: No such campaign or version.
    """
    latest, table = latest_version(connection, name), CAMPAIGN_REVISION
    row = connection.execute(select(table).where(table.c.name == name, table.c.version == version)).one_or_none()
    if row is None:
        raise BadInput(f"Campaign {name!r} has no version {version}; the latest is {latest}")
    return _read(row)


def edit(
    connection: Connection,
    name: str,
    base_version: int,
    author: str,
    action: CampaignAction,
    parts: Mapping[str, Sequence[Entry | Mapping[str, Any]]],
) -> CampaignData:
    """Save new facts, claims or rubric lines if `base_version` is still the latest.

    Args:
        connection: A writing transaction.
        name: The campaign.
        base_version: The version that the editor saw.
        author: Who edits.
        action: What the revision is called in the history.
        parts: Part → all its entries; parts that are left out stay.

    Returns:
        The campaign as calls see it from their next turn on.

    Raises:
        BadInput: Everything that is wrong with the campaign as it would be, or nothing would change.
        StaleEdit: Somebody saved first; shows both.
    """
    connection.execute(select(CAMPAIGN.c.name).where(CAMPAIGN.c.name == name).with_for_update())
    latest = revision(connection, name, latest_version(connection, name))
    stored = store.read_campaign(connection, name)
    wanted, problems = proposed(stored, parts, fact_uses(connection, name))
    if latest.version != base_version:
        base = revision(connection, name, base_version)
        yours = [change for change in changed_entries(base, wanted) if change.part in parts] if wanted else []
        raise _stale(name, base, latest, yours)
    if problems or wanted is None:
        shown = stored.campaign.model_dump(mode="json") | plain_parts(parts)
        lines = [f"{field_name(shown, problem.loc)}: {problem.text()}" for problem in problems]
        raise BadInput(join_errors(f"Campaign {name!r}", lines))
    if not changed_entries(latest, wanted):
        raise BadInput(f"Campaign {name!r}: version {base_version} says that already; nothing to save")
    _record(connection, wanted, latest.version + 1, author, action)
    data = CampaignData(wanted, stored.intents)
    row = {"payload": store.campaign_payload(data), "loaded_at": store.now().isoformat()}
    connection.execute(update(CAMPAIGN).where(CAMPAIGN.c.name == name).values(row))
    return data


def proposed(
    stored: CampaignData, parts: Mapping[str, Sequence[Entry | Mapping[str, Any]]], uses: Mapping[str, Sequence[str]]
) -> tuple[Campaign | None, list[Problem]]:
    """Return a campaign as it would be, and everything that is wrong with it; None when it has no campaign's shape.

    Args:
        stored: The campaign as it is.
        parts: Part → all its entries as they would be.
        uses: Which scripts lean on which fact (`fact_uses`).
    """
    data = stored.campaign.model_dump(mode="json") | plain_parts(parts)
    campaign, problems = None, list[Problem]()
    try:
        campaign = Campaign.model_validate(data)
    except ValidationError as error:
        problems += schema_problems(error)
    known = Known.of(data, [intent.model_dump(mode="json") for intent in stored.intents])
    problems += check_campaign(data, known)
    gone = [fact.id for fact in stored.campaign.facts if fact.id not in known.facts]
    problems += [
        Problem(("facts",), "a fact in use cannot be removed", fact, f"used by {_list(uses[fact])}; change those first")
        for fact in gone
        if uses.get(fact)
    ]
    return campaign, problems


def load_parts(connection: Connection, data: CampaignData, author: str) -> CampaignData:
    """Return a folder's campaign with what people edited kept, and record a version if that is new.

    An entry that somebody added, changed or removed in the library stays as they left it; all others follow the folder. A
    fact that a script or a line needs stays or comes back in any case.

    Raises:
        BadInput: The folder's campaign does not fit what people edited.
    """
    name, history = data.campaign.name, revisions(connection, data.campaign.name)
    if not history:
        _record(connection, data.campaign, 1, author, "load")
        return data
    latest, edited = history[-1], _edited(history)
    spoken = json.dumps(data.campaign.model_dump(mode="json"), ensure_ascii=False)
    needed = {fact for fact, scripts in fact_uses(connection, name).items() if scripts} | set(_USED.findall(spoken))
    parts: dict[str, list[Entry]] = {}
    for part in CAMPAIGN_PARTS:
        ours: dict[str, Entry] = {entry.id: entry for entry in getattr(data.campaign, part)}
        kept = {key: entry for key, entry in latest.entries(part).items() if (part, key) in edited}
        dropped = {key for key in ours if (part, key) in edited and key not in kept}
        stays = needed if part == "facts" else set[str]()
        left = {key: entry for key, entry in latest.entries(part).items() if key in stays and key not in ours}
        merged = {key: kept.get(key, entry) for key, entry in ours.items() if key not in dropped - stays}
        parts[part] = list((merged | kept | {key: left[key] for key in left if key not in kept}).values())
    campaign, problems = proposed(data, parts, {})
    if problems or campaign is None:
        lines = [
            f"{field_name(data.campaign.model_dump(mode='json') | plain_parts(parts), p.loc)}: {p.text()}"
            for p in problems
        ]
        raise BadInput(join_errors(f"Campaign {name!r}, with what was edited in the library", lines))
    if changed_entries(latest, campaign):
        _record(connection, campaign, latest.version + 1, author, "load")
    return CampaignData(campaign, data.intents, data.scripts)


def uses_stamp(connection: Connection, name: str) -> tuple[int, int, int]:
    """Return what changes whenever `fact_uses` may: versions only grow, and no script is ever deleted."""
    query = select(func.count(), func.sum(SCRIPT.c.version)).where(SCRIPT.c.campaign == name)
    scripts, versions = connection.execute(query).one()
    return latest_version(connection, name), int(scripts), int(versions or 0)


def fact_uses(connection: Connection, name: str) -> dict[str, list[str]]:
    """Return the scripts that lean on each fact of a campaign: in what customers hear or in the latest version.

    Archived scripts are left aside; a script leans on the facts that it names and those whose {fact.…} its lines say.
    """
    live = or_(REVISION.c.version == SCRIPT.c.version, REVISION.c.version == SCRIPT.c.published_version)
    query = (
        select(SCRIPT.c.id, REVISION.c.payload)
        .join(REVISION, and_(REVISION.c.id == SCRIPT.c.id, live))
        .where(SCRIPT.c.campaign == name, SCRIPT.c.status != "archived")
        .order_by(SCRIPT.c.id)
    )
    uses: dict[str, dict[str, None]] = {fact.id: {} for fact in store.read_campaign(connection, name).campaign.facts}
    for script_id, payload in connection.execute(query):
        script = json.loads(payload)
        for fact in {*script["facts"], *_USED.findall("\n".join(script["say"]))}:
            uses.setdefault(fact, {})[script_id] = None
    return {fact: list(scripts) for fact, scripts in uses.items()}


def changed_entries(old: CampaignRevision | Campaign, new: CampaignRevision | Campaign) -> list[EntryChange]:
    """Return what two versions say otherwise, entry by entry; a new order alone changes nothing."""
    changes: list[EntryChange] = []
    for part in CAMPAIGN_PARTS:
        before, after = ({entry.id: entry for entry in getattr(version, part)} for version in (old, new))
        changes += [
            EntryChange(part, key, before.get(key), after.get(key))
            for key in before | after
            if before.get(key) != after.get(key)
        ]
    return changes


def difference(name: str, old: CampaignRevision, new: CampaignRevision) -> str:
    """Return a unified diff of two versions as YAML; empty when they say the same."""
    before, after = (
        yaml.safe_dump(_plain(version), allow_unicode=True, sort_keys=False, width=1000).splitlines()
        for version in (old, new)
    )
    names = (f"{name} version {old.version}", f"{name} version {new.version}")
    return "\n".join(unified_diff(before, after, *names, lineterm=""))


def try_claim(claim: ForbiddenClaim, replies: Iterable[tuple[str, int, str]], language: Language) -> list[ClaimFound]:
    """Return the recorded replies that a claim would catch, published or not, by the mechanism that blocks replies.

    Args:
        claim: The claim.
        replies: Call, turn, text.
        language: Of the replies; the claim's patterns for it are tried.

    Raises:
        BadInput: A pattern is no regular expression, or may take for ever.
    """
    drafted = claim.model_dump(mode="json") | {"status": "draft"}
    problems = check_claims([drafted])
    if problems:
        raise BadInput(join_errors(f"Claim {claim.id!r}", [f"{problem.text()}" for problem in problems]))
    rules = [Forbidden(claim.id, claim.reason, pattern, claim.severity) for pattern in claim.patterns.get(language, [])]
    return [
        ClaimFound(call, turn, reply, made.text)
        for call, turn, reply in replies
        for made in claims_in_reply(reply, rules)
    ]


def plain_parts(parts: Mapping[str, Sequence[Entry | Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return entries as plain data."""
    return {part: [_plain_entry(entry) for entry in entries] for part, entries in parts.items()}


def _plain_entry(entry: Entry | Mapping[str, Any]) -> dict[str, Any]:
    return dict(entry) if isinstance(entry, Mapping) else entry.model_dump(mode="json")


def _plain(version: CampaignRevision | Campaign) -> dict[str, list[dict[str, Any]]]:
    return plain_parts({part: getattr(version, part) for part in CAMPAIGN_PARTS})


def _read(row: Row[Any]) -> CampaignRevision:
    payload = json.loads(row.payload)
    facts = tuple(Fact.model_validate(entry) for entry in payload["facts"])
    forbidden = tuple(ForbiddenClaim.model_validate(entry) for entry in payload["forbidden"])
    rubric = tuple(RubricLine.model_validate(entry) for entry in payload["rubric"])
    return CampaignRevision(row.version, facts, forbidden, rubric, row.action, row.author, row.at)


def _record(connection: Connection, campaign: Campaign, version: int, author: str, action: CampaignAction) -> None:
    payload = json.dumps(_plain(campaign), ensure_ascii=False)
    row = {"name": campaign.name, "version": version, "payload": payload, "author": author, "action": action}
    connection.execute(insert(CAMPAIGN_REVISION), [row | {"at": store.now().isoformat()}])


def _edited(history: Sequence[CampaignRevision]) -> set[tuple[str, str]]:
    """Return part and id of every entry that a person ever added, changed or removed."""
    return {
        (change.part, change.id)
        for old, new in pairwise(history)
        if new.action != "load"
        for change in changed_entries(old, new)
    }


def _stale(name: str, base: CampaignRevision, latest: CampaignRevision, yours: Sequence[EntryChange]) -> StaleEdit:
    return StaleEdit(
        f"Campaign {name!r} was changed by somebody else first. Yours, on version {base.version}: {_told(yours)}. "
        f"Theirs, version {latest.version} ({latest.action} by {latest.author or 'unknown'}, {latest.at[:19]}Z): "
        f"{_told(changed_entries(base, latest))}. Nothing was saved; make your change on version {latest.version}"
    )


def _told(changes: Sequence[EntryChange]) -> str:
    return "; ".join(f"{c.part} {c.id} {_brief(c.before)} → {_brief(c.after)}" for c in changes) or "no change"


def _brief(entry: Entry | None) -> str:
    text = json.dumps(entry.model_dump(mode="json", exclude={"id"}), ensure_ascii=False) if entry else "–"
    return text if len(text) <= 160 else text[:157] + "…"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
