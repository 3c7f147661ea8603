"""The revisions in SQL: every change of a script is a new row, made by compare-and-set inside a transaction.

Every function works inside the transaction that it is handed; `library.py` says what belongs together.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, insert, or_, select, update

from graph.errors import BadInput, StaleEdit
from scripts_library.loading import CampaignData
from scripts_library.schema import Campaign, Intent, Script
from scripts_library.tables import CAMPAIGN, META, REVISION, SCRIPT

Action = Literal["add", "revise", "publish", "archive", "roll_back", "import", "load"]
_BOOKKEEPING = {"version", "author", "updated_at"}


@dataclass(frozen=True)
class Revision:
    """One version of a script, and how it came about."""

    script: Script
    action: str
    author: str
    at: str
    """ISO time, UTC."""


@dataclass(frozen=True)
class Head:
    """Where a script stands: its latest version and the one that is live (None: no customer hears it)."""

    script: Script
    published_version: int | None


@dataclass(frozen=True)
class IndexInfo:
    """The index in use: the tag at the end of its collections' names, and the model that made its vectors."""

    tag: str
    embedder: str
    dimension: int


@dataclass(frozen=True)
class CampaignStamp:
    """Which files a campaign was loaded from, and when it was loaded or edited last."""

    hash: str
    origin: str
    """`bundled`: follows the program; `folder`: somebody's own."""
    loaded_at: str


@dataclass(frozen=True)
class IndexState:
    """One script as it should be in the index: `script` (None: not at all), and the collection it lies in now."""

    id: str
    script: Script | None
    indexed_in: str | None


def content(script: Script) -> dict[str, Any]:
    """Return what a person wrote (status included), as plain data, without version, author and time."""
    return script.model_dump(mode="json", exclude=_BOOKKEEPING)


def changed_fields(old: Script, new: Script) -> list[str]:
    """Return the names of the fields in which two versions differ, bookkeeping aside."""
    before, after = content(old), content(new)
    return [field for field in after if before[field] != after[field]]


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


# --- scripts -------------------------------------------------------------------------------------------------------


def insert_scripts(connection: Connection, scripts: Sequence[Script], author: str, action: Action) -> None:
    """Insert new scripts with the version and status that they carry; their ids must be new."""
    if not scripts:
        return
    at = now().isoformat()
    connection.execute(insert(SCRIPT), [{"id": script.id, **_head(script)} for script in scripts])
    connection.execute(insert(REVISION), [_revision(script, author, at, action) for script in scripts])


def change(
    connection: Connection,
    script_id: str,
    base_version: int,
    author: str,
    action: Action,
    edit: Callable[[Script], Script],
) -> Script:
    """Add one revision if `base_version` is still the latest.

    Args:
        connection: A writing transaction.
        script_id: The script.
        base_version: The version that the editor saw.
        author: Who edits.
        action: What the revision is called in the history.
        edit: From the version edited to the new text; pure, since it also explains a refusal.

    Returns:
        The new version.

    Raises:
        BadInput: No such script or version, or nothing would change.
        StaleEdit: Somebody saved first; shows both versions.
    """
    latest = revision(connection, script_id)
    if latest.script.version != base_version:
        raise _stale(connection, script_id, base_version, latest, edit)
    fresh = edit(latest.script)
    if not changed_fields(latest.script, fresh) and action != "publish":
        raise BadInput(f"Script {script_id!r}: version {base_version} says that already; nothing to save")
    saved = fresh.model_copy(update={"version": base_version + 1, "author": author, "updated_at": now()})
    head = _head(saved)
    if saved.status == "draft":
        del head["published_version"]
    hit = connection.execute(
        update(SCRIPT).where(SCRIPT.c.id == script_id, SCRIPT.c.version == base_version).values(**head)
    )
    if hit.rowcount != 1:
        raise _stale(connection, script_id, base_version, revision(connection, script_id), edit)
    connection.execute(insert(REVISION), [_revision(saved, author, now().isoformat(), action)])
    return saved


def revision(connection: Connection, script_id: str, version: int | None = None) -> Revision:
    """Return one version of a script; the latest when none is named.

    Raises:
        BadInput: No such script or version.
    """
    latest = connection.scalar(select(SCRIPT.c.version).where(SCRIPT.c.id == script_id))
    if latest is None:
        raise BadInput(f"Script {script_id!r} is not in the library; `salesman scripts list` shows the ids")
    wanted = latest if version is None else version
    row = connection.execute(
        select(REVISION).where(REVISION.c.id == script_id, REVISION.c.version == wanted)
    ).one_or_none()
    if row is None:
        raise BadInput(f"Script {script_id!r} has no version {version}; the latest is {latest}")
    return _read(row)


def history(connection: Connection, script_id: str) -> list[Revision]:
    """Return all versions of a script, oldest first.

    Raises:
        BadInput: No such script.
    """
    rows = connection.execute(select(REVISION).where(REVISION.c.id == script_id).order_by(REVISION.c.version)).all()
    if not rows:
        raise BadInput(f"Script {script_id!r} is not in the library; `salesman scripts list` shows the ids")
    return [_read(row) for row in rows]


def heads(connection: Connection, campaign: str | None = None, *, live: bool = False) -> list[Head]:
    """Return every script of a campaign (None: of all) by id: its latest version, or the live one only."""
    version = SCRIPT.c.published_version if live else SCRIPT.c.version
    query = select(REVISION.c.payload, SCRIPT.c.published_version).join(
        REVISION, and_(REVISION.c.id == SCRIPT.c.id, REVISION.c.version == version)
    )
    if campaign is not None:
        query = query.where(SCRIPT.c.campaign == campaign)
    rows = connection.execute(query.order_by(SCRIPT.c.id)).all()
    return [Head(Script.model_validate_json(payload), published) for payload, published in rows]


def edited_ids(connection: Connection, campaign: str) -> set[str]:
    """Return the scripts of a campaign that somebody changed after they were loaded from a folder."""
    query = (
        select(REVISION.c.id)
        .join(SCRIPT, SCRIPT.c.id == REVISION.c.id)
        .where(SCRIPT.c.campaign == campaign, REVISION.c.action != "load")
    )
    return set(connection.scalars(query.distinct()))


def find_heads(connection: Connection, ids: Iterable[str]) -> dict[str, Script]:
    """Return the latest version of those ids that exist."""
    found: dict[str, Script] = {}
    wanted = list(ids)
    for start in range(0, len(wanted), 500):
        query = (
            select(REVISION.c.payload)
            .join(SCRIPT, and_(REVISION.c.id == SCRIPT.c.id, REVISION.c.version == SCRIPT.c.version))
            .where(SCRIPT.c.id.in_(wanted[start : start + 500]))
        )
        for payload in connection.scalars(query):
            script = Script.model_validate_json(payload)
            found[script.id] = script
    return found


# --- campaigns -----------------------------------------------------------------------------------------------------


def save_campaign(connection: Connection, data: CampaignData, hash_: str, origin: str, author: str) -> None:
    """Write or replace a campaign's row."""
    connection.execute(delete(CAMPAIGN).where(CAMPAIGN.c.name == data.campaign.name))
    row = {"name": data.campaign.name, "payload": campaign_payload(data), "hash": hash_}
    row |= {"origin": origin, "loaded_at": now().isoformat(), "loaded_by": author}
    connection.execute(insert(CAMPAIGN), [row])


def campaign_payload(data: CampaignData) -> str:
    """Return a campaign with its intents as its row holds them."""
    payload = {
        "campaign": data.campaign.model_dump(mode="json"),
        "intents": [intent.model_dump(mode="json") for intent in data.intents],
    }
    return json.dumps(payload, ensure_ascii=False)


def campaign_stamps(connection: Connection) -> dict[str, CampaignStamp]:
    """Return name → which files every campaign was loaded from, and when."""
    query = select(CAMPAIGN.c.name, CAMPAIGN.c.hash, CAMPAIGN.c.origin, CAMPAIGN.c.loaded_at).order_by(CAMPAIGN.c.name)
    return {name: CampaignStamp(*stamp) for name, *stamp in connection.execute(query)}


def read_campaign(connection: Connection, name: str) -> CampaignData:
    """Return a campaign of the library with its intents, without its scripts."""
    data = json.loads(connection.execute(select(CAMPAIGN.c.payload).where(CAMPAIGN.c.name == name)).scalar_one())
    intents = tuple(Intent.model_validate(intent) for intent in data["intents"])
    return CampaignData(Campaign.model_validate(data["campaign"]), intents)


# --- what the index holds ------------------------------------------------------------------------------------------


def index_info(connection: Connection, *, lock: bool = False) -> IndexInfo | None:
    """Return the index in use; None before the first one.

    Args:
        connection: A reading or writing transaction.
        lock: Hold every other writer of the index off until the transaction ends (SQLite's `writing` does so anyway).
    """
    query: Select[str] = select(META.c.value).where(META.c.key == "index")
    value = connection.scalar(query.with_for_update() if lock else query)
    return IndexInfo(**json.loads(value)) if value else None


def set_index(connection: Connection, info: IndexInfo) -> None:
    """Name the index in use: everything that lies in another one is behind from now on."""
    connection.execute(update(META).where(META.c.key == "index").values(value=json.dumps(vars(info))))


def behind_ids(connection: Connection, tag: str) -> list[str]:
    """Return the scripts whose published version is not what the index with this tag holds, by collection."""
    head = SCRIPT.c
    query = select(head.id).where(
        or_(head.published_version.is_distinct_from(head.indexed_version), head.indexed_in.not_like(f"%.{tag}"))
    )
    order = (head.campaign, head.language, head.stage, head.intent, head.id)
    return list(connection.scalars(query.order_by(*order)))


def index_state(connection: Connection, ids: Sequence[str]) -> list[IndexState]:
    """Return what should be in the index, and where it lies now, for at most some hundreds of scripts."""
    query = (
        select(SCRIPT.c.id, REVISION.c.payload, SCRIPT.c.indexed_in)
        .outerjoin(REVISION, and_(REVISION.c.id == SCRIPT.c.id, REVISION.c.version == SCRIPT.c.published_version))
        .where(SCRIPT.c.id.in_(ids))
    )
    rows = connection.execute(query)
    return [IndexState(id_, Script.model_validate_json(payload) if payload else None, at) for id_, payload, at in rows]


def mark_indexed(connection: Connection, marks: Sequence[tuple[str, int | None, str | None]]) -> None:
    """Record what the index holds: (script id, version, collection) each."""
    if marks:
        statement = (
            update(SCRIPT)
            .where(SCRIPT.c.id == bindparam("of"))
            .values(indexed_version=bindparam("held"), indexed_in=bindparam("place"))
        )
        connection.execute(statement, [{"of": id_, "held": version, "place": where} for id_, version, where in marks])


def _head(script: Script) -> dict[str, Any]:
    return {
        "campaign": script.campaign,
        "language": script.language,
        "stage": script.stage,
        "intent": script.intent,
        "status": script.status,
        "version": script.version,
        "published_version": script.version if script.status == "published" else None,
    }


def _revision(script: Script, author: str, at: str, action: Action) -> dict[str, Any]:
    payload = script.model_dump_json()
    return {
        "id": script.id,
        "version": script.version,
        "payload": payload,
        "author": author,
        "at": at,
        "action": action,
    }


def _read(row: Row[Any]) -> Revision:
    return Revision(Script.model_validate_json(row.payload), row.action, row.author, row.at)


def _stale(
    connection: Connection, script_id: str, base_version: int, latest: Revision, edit: Callable[[Script], Script]
) -> StaleEdit:
    base = revision(connection, script_id, base_version).script
    yours, theirs = edit(base), latest.script
    return StaleEdit(
        f"Script {script_id!r} was saved by somebody else first. "
        f"Yours, on version {base_version}: {_difference(base, yours)}. "
        f"Theirs, version {theirs.version} ({latest.action} by {latest.author or 'unknown'}, {latest.at[:19]}Z): "
        f"{_difference(base, theirs)}. Nothing was saved; make your change on version {theirs.version}"
    )


def _difference(old: Script, new: Script) -> str:
    before, after = content(old), content(new)
    parts = [f"{field} {_brief(before[field])} → {_brief(after[field])}" for field in changed_fields(old, new)]
    return "; ".join(parts) or "no change"


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:157] + "…"
