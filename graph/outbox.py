"""Outcomes of calls for a webhook: kept in the transaction that ends the call, and sent until the receiver has taken them.

Kept are the outcomes of calls that finish while SALESMAN_WEBHOOK_URL is set: a webhook that is set later hears of no earlier call.
Requests follow Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, `webhook-timestamp`, `webhook-signature`. A message
keeps its id however often it is sent, so that a receiver can tell a repetition. A call's messages go out in order. Whoever sends
claims a message for `LEASE` seconds: two processes never send one at the same time, and what a killed process had claimed is sent
again, with the same id, when its claim has run out.
"""

import ipaddress
import json
import logging
import random
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from sqlalchemy import Engine, func, select, update

from graph.call_tables import call_table, outbox_table
from graph.errors import BadInput
from graph.personal import call_masker
from graph.settings import Settings
from scripts_library.database import engine_for, writing

log = logging.getLogger(__name__)

LEASE = 60.0
"""Seconds for which a claim holds; longer than any request."""
TIMEOUT = 15.0
"""Seconds that the receiver has to answer."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0
"""Seconds before the second attempt, doubled with each further one, and where doubling ends."""
POLL = 1.0
"""Seconds between two looks into an empty outbox."""


@dataclass(frozen=True)
class Message:
    """An outcome in the outbox."""

    id: str
    """What `webhook-id` says."""
    call: str
    at: str
    status: str
    attempts: int
    sent_at: str | None
    error: str
    """What went wrong last."""


@dataclass(frozen=True)
class Receiver:
    """Where outcomes go, checked."""

    url: str
    secret: str

    @classmethod
    def of(cls, settings: Settings) -> "Receiver | None":
        """Return the webhook of the settings, or None when there is none.

        Raises:
            BadInput: The URL would send customers' data in clear over a network, or the secret is missing or no base64.
        """
        url, secret = settings.webhook_url.strip(), settings.webhook_secret.get_secret_value().strip()
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"SALESMAN_WEBHOOK_URL {url!r} is no web address; write it as https://host/path.")
        if parts.scheme == "http" and not _local(parts.hostname):
            raise BadInput(
                f"SALESMAN_WEBHOOK_URL goes to {parts.hostname} unencrypted; use https:// (http:// is for this machine alone)."
            )
        from standardwebhooks.webhooks import Webhook

        try:
            Webhook(secret).sign("test", datetime.now(UTC), "")
        except Exception as error:
            raise BadInput(
                "SALESMAN_WEBHOOK_SECRET must be whsec_ and base64, the same as the receiver's; "
                "make one with: echo whsec_$(openssl rand -base64 32)"
            ) from error
        return cls(url, secret)


def _local(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def messages(engine: Engine, *, unsent: bool = True, limit: int = 100) -> list[Message]:
    """Return what is in the outbox, oldest first; `unsent=False` adds what the receiver has taken."""
    query = select(outbox_table).order_by(outbox_table.c.id).limit(limit)
    if unsent:
        query = query.where(outbox_table.c.sent_at.is_(None))
    with engine.connect() as connection:
        return [
            Message(
                row["message"],
                row["call"],
                row["at"],
                json.loads(row["outcome"])["status"],
                row["attempts"],
                row["sent_at"],
                row["error"],
            )
            for row in connection.execute(query).mappings()
        ]


class Outbox:
    """Sends what is in the outbox of one home."""

    def __init__(self, settings: Settings, receiver: Receiver, *, lease: float = LEASE) -> None:
        """Prepare to send.

        Args:
            settings: Name the home.
            receiver: Where to.
            lease: Seconds for which a claim holds.
        """
        self._settings, self._receiver, self._lease = settings, receiver, lease
        self._engine = engine_for(settings)
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def send_due(self, *, now: bool = False) -> tuple[int, int]:
        """Send each message that is due, once, and return how many were taken and how many were not.

        Args:
            now: Also those that still pause after a failed attempt.
        """
        taken = failed = 0
        since = time.time()
        if now:
            with writing(self._engine) as connection:
                paused = outbox_table.c.sent_at.is_(None) & (outbox_table.c.claimed_until < since)
                connection.execute(update(outbox_table).where(paused).values(next_at=0.0))
        while not self._stopped.is_set() and (row := self._claim(since)) is not None:
            error = self._try(row)
            self._settle(row, error)
            taken, failed = taken + (not error), failed + bool(error)
        return taken, failed

    def start(self) -> None:
        """Send in the background until `stop`."""
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more; a request that is under way is waited for, at most a second, and else sent again later."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(1.0)

    def _run(self) -> None:
        told = False
        while not self._stopped.is_set():
            try:
                _, failed = self.send_due()
                if failed and not told:
                    log.warning("The webhook takes no outcomes; they wait: `salesman outbox list` tells why.")
                told = bool(failed) or told
            except Exception as error:  # noqa: BLE001 - the thread's boundary: a database that is away comes back
                log.warning("outbox: %s: %s", type(error).__name__, error)
                self._stopped.wait(FIRST_PAUSE)
            self._stopped.wait(POLL)

    def _claim(self, due_at: float) -> Mapping[str, Any] | None:
        """Take a message that was due at a time, that nobody holds, and that is the first unsent one of its call.

        The index of unsent messages by `next_at` finds it without sorting. A claimed message is not due before its claim
        runs out, so that claims to come do not meet it.
        """
        now, table = time.time(), outbox_table
        earlier = table.alias()
        unsent = func.coalesce(earlier.c.sent_at, "") == ""  # IS NULL makes PostgreSQL read all unsent messages
        ahead = select(func.count()).where(earlier.c.call == table.c.call, earlier.c.id < table.c.id, unsent)
        due = (table.c.sent_at.is_(None), table.c.next_at <= due_at, table.c.claimed_until < now)
        query = select(table).where(*due, ahead.scalar_subquery() == 0).order_by(table.c.next_at).limit(1)
        with writing(self._engine) as connection:
            row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
            if row is None:
                return None
            until = now + self._lease
            claim = {"claim": uuid.uuid4().hex, "claimed_until": until, "attempts": row["attempts"] + 1}
            connection.execute(update(table).where(table.c.id == row["id"]).values(next_at=until, **claim))
            return {**row, **claim}

    def _try(self, row: Mapping[str, Any]) -> str:
        """Send a message and return what went wrong; whatever it is, the message keeps it and waits."""
        try:
            return self._post(row)
        except Exception as error:  # noqa: BLE001 - one message that cannot be made must not stop the others
            return f"{type(error).__name__}: {error}"[:300]

    def _post(self, row: Mapping[str, Any]) -> str:
        """Send a message and return what the receiver answered instead of taking it."""
        from standardwebhooks.webhooks import Webhook

        body = json.dumps(self._content(row), ensure_ascii=False)
        at = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": row["message"],
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(self._receiver.secret).sign(row["message"], at, body),
        }
        with self._client.stream("POST", self._receiver.url, content=body.encode(), headers=headers) as answer:
            return "" if answer.is_success else f"HTTP {answer.status_code}"

    def _content(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the receiver reads, without personal data."""
        columns = (call_table.c.campaign, call_table.c.language, call_table.c.strategy, call_table.c.model)
        query = select(*columns, call_table.c.started_at).where(call_table.c.id == row["call"])
        with self._engine.connect() as connection:
            header = dict(connection.execute(query).mappings().one())
        masker = call_masker(self._settings, row["call"])
        outcome = masker.plain(json.loads(row["outcome"]))
        return {
            "type": "call.outcome",
            "timestamp": row["at"],
            "data": {"call": masker.text(row["call"]), **header, "outcome": outcome},
        }

    def _settle(self, row: Mapping[str, Any], error: str) -> None:
        """Note that a message was taken, or when to try again; a claim that has run out belongs to somebody else."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(row["attempts"] - 1, 20))
        if error:
            changed = {"next_at": time.time() + pause * random.uniform(0.8, 1.2), "error": error}
            changed["claimed_until"] = time.time()
        else:
            changed = {"sent_at": datetime.now(UTC).isoformat(timespec="seconds"), "error": ""}
        with writing(self._engine) as connection:
            mine = (outbox_table.c.id == row["id"]) & (outbox_table.c.claim == row["claim"])
            connection.execute(update(outbox_table).where(mine).values(**changed))


def start_outbox(settings: Settings) -> Outbox | None:
    """Send outcomes in the background if the settings name a webhook; the caller stops it.

    Raises:
        BadInput: As `Receiver.of`.
    """
    receiver = Receiver.of(settings)
    if receiver is None:
        return None
    outbox = Outbox(settings, receiver)
    outbox.start()
    return outbox
