"""The tables of the script store.

| table | one row is |
|---|---|
| `campaign` | a campaign with its intents, as loaded and edited last |
| `campaign_revision` | one version of a campaign's facts, forbidden claims and rubric; never changed, never deleted |
| `script` | the head of a script: its latest version, the version that customers may hear, and what the index holds |
| `script_revision` | one version of a script: payload, who, when, which action; never changed, never deleted |
| `script_meta` | the schema's version, and which index and embedding model are in use |
"""

import json

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, Text, insert, select

from graph.errors import BadInput
from scripts_library.database import writing

SCHEMA = "1"
CAMPAIGN_PARTS = ("facts", "forbidden", "rubric")
"""What people edit of a campaign; the rest comes from its folder alone."""
TABLES = MetaData()
CAMPAIGN = Table(
    "campaign",
    TABLES,
    Column("name", String(64), primary_key=True),
    Column("payload", Text, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("loaded_at", String(40), nullable=False),
    Column("loaded_by", String(100), nullable=False),
)
CAMPAIGN_REVISION = Table(
    "campaign_revision",
    TABLES,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("payload", Text, nullable=False),
    Column("author", String(100), nullable=False),
    Column("at", String(40), nullable=False),
    Column("action", String(16), nullable=False),
)
SCRIPT = Table(
    "script",
    TABLES,
    Column("id", String(100), primary_key=True),
    Column("campaign", String(64), nullable=False, index=True),
    Column("language", String(8), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("intent", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("published_version", Integer),
    Column("indexed_version", Integer),
    Column("indexed_in", String(300)),
)
REVISION = Table(
    "script_revision",
    TABLES,
    Column("id", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("payload", Text, nullable=False),
    Column("author", String(100), nullable=False),
    Column("at", String(40), nullable=False),
    Column("action", String(16), nullable=False),
)
META = Table("script_meta", TABLES, Column("key", String(32), primary_key=True), Column("value", Text, nullable=False))


def prepare(engine: Engine) -> None:
    """Make the tables if need be, begin the history of campaigns loaded before there was one, and refuse newer tables.

    Raises:
        BadInput: The database was made by a newer version of the project.
    """
    TABLES.create_all(engine)
    with engine.connect() as connection:
        version = connection.scalar(select(META.c.value).where(META.c.key == "schema"))
    if version is None:
        with writing(engine) as connection:
            connection.execute(insert(META), [{"key": "schema", "value": SCHEMA}, {"key": "index", "value": ""}])
    elif version != SCHEMA:
        raise BadInput(f"The script store has schema {version}, this program knows {SCHEMA}; update the program")
    with engine.connect() as connection:
        first = _without_history(connection)
    if first:
        with writing(engine) as connection:
            connection.execute(insert(CAMPAIGN_REVISION), first)


def campaign_parts(payload: str) -> str:
    """Return what of a campaign has a history, as JSON, from the row's whole payload."""
    campaign = json.loads(payload)["campaign"]
    return json.dumps({part: campaign.get(part, []) for part in CAMPAIGN_PARTS}, ensure_ascii=False)


def _without_history(connection: Connection) -> list[dict[str, object]]:
    """Return the first revision of each campaign that has none."""
    known = select(CAMPAIGN_REVISION.c.name)
    return [
        {
            "name": row.name,
            "version": 1,
            "payload": campaign_parts(row.payload),
            "author": row.loaded_by,
            "at": row.loaded_at,
            "action": "load",
        }
        for row in connection.execute(select(CAMPAIGN).where(CAMPAIGN.c.name.not_in(known)))
    ]
