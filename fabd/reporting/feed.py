"""The usage feed: every entry of the ledger to the tills, in order, one in flight, until they have said so.

The cursor is the number of the entry that was published last. With each connection it begins at the lowest
acknowledgement, and it goes back there when a till lags; a till with a unique index on `(source, id)` takes what it
knows for nothing. The broker's own acknowledgement frees the slot, and proves nothing.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
import structlog
from paho.mqtt.packettypes import PacketTypes

from fabd.clock import now
from fabd.metering import ledger
from fabd.reporting.acks import waited_for
from fabd.reporting.link import Link, properties
from fabd.reporting.schemas import Head, encode, root
from fabd.store import Connection, Store
from fabd.store.schema import outbox
from fabd.views import EntryView

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
"""CloudEvents 1.0, JSON format; MQTT protocol binding, section 3.2: structured mode."""
BATCH = 100
"""Entries that are read, published and marked together; a crash in between costs a resend of as many."""
LAG_S = 15.0
"""How long a till may stay where it is, behind the ledger, before it is sent everything again; then doubled."""
LONGEST_LAG_S = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far everybody is, by numbers of entries, in one snapshot; 0 is before the first."""

    head: int
    sent: int
    """What follows was never published."""
    acknowledged: int
    """What every till holds; where there is no till to wait for, what the broker took."""


class UsageFeed:
    """Publishes `usage` and `usage/head` of one site; `run` is its part of one connection."""

    def __init__(self, store: Store, site: str, named: Sequence[str], *, lag_s: float = LAG_S) -> None:
        self._store = store
        self._root = root(site)
        self._position = partial(position, named=named)
        self._lag_s = lag_s

    async def run(self, link: Link) -> None:
        """Serve one connection until it is lost."""
        cursor = (await self._store.read(self._position)).acknowledged
        patience = _Patience(self._lag_s)
        announced: int | None = None
        while True:
            seen = self._store.version
            cursor = await self._publish_after(link, cursor)
            if announced != cursor:
                await self._announce(link, cursor)
                announced = cursor
            at = await self._store.read(self._position)
            if patience.is_over(at):
                log.info("till-resend", above=at.acknowledged)
                cursor = at.acknowledged
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(patience.until_s):
                    await self._store.changed(seen)

    async def emptied(self) -> None:
        """Wait until the broker has taken everything."""
        while True:
            seen = self._store.version
            at = await self._store.read(self._position)
            if at.sent == at.head:
                return
            await self._store.changed(seen)

    async def _publish_after(self, link: Link, cursor: int) -> int:
        """Publish all that follows `cursor`; returns where that ended."""
        while batch := await self._store.read(partial(ledger.entries, after=cursor, limit=BATCH)):
            for entry in batch:
                await publish_entry(link, f"{self._root}/usage", entry)
            await self._store.transaction(partial(_mark_sent, first=batch[0].seq, last=batch[-1].seq))
            cursor = batch[-1].seq
        return cursor

    async def _announce(self, link: Link, seq: int) -> None:
        """Retain the newest entry that was published; nothing, while the ledger is empty."""
        payload = b""
        if seq > 0:
            entry = await self._store.read(partial(ledger.entry_at, seq=seq))
            book = entry.source.rpartition("/")[2]
            payload = encode(Head(ledger=book, seq=seq, id=entry.event_id, hash=str(entry.data["hash"])))
        await link.publish(f"{self._root}/usage/head", payload, retain=True)


class _Patience:
    """How long tills may stay behind without moving before they are sent everything again; then twice as long."""

    def __init__(self, lag_s: float) -> None:
        self._first_s = self._lag_s = lag_s
        self._acknowledged: int | None = None
        self.until_s = 0.0

    def is_over(self, at: Position) -> bool:
        """Whether to send everything again now; `until_s` is when to ask next."""
        now_s = asyncio.get_running_loop().time()
        if at.acknowledged == at.head or at.acknowledged != self._acknowledged:
            self._lag_s, self._acknowledged = self._first_s, at.acknowledged
            over = False
        elif now_s < self.until_s:
            return False
        else:
            self._lag_s = min(2 * self._lag_s, LONGEST_LAG_S)
            over = True
        self.until_s = now_s + self._lag_s
        return over


def position(c: Connection, named: Sequence[str]) -> Position:
    """Where the feed and the tills stand."""
    newest = ledger.head(c)
    if newest is None:
        return Position(head=0, sent=0, acknowledged=0)
    sent = c.execute(
        sa.select(outbox.c.seq).where(outbox.c.sent_at.is_not(None)).order_by(outbox.c.seq.desc()).limit(1)
    ).scalar()
    acknowledged = min(waited_for(c, named, newest.book).values(), default=newest.seq)
    return Position(head=newest.seq, sent=sent or 0, acknowledged=min(acknowledged, sent or 0))


async def publish_entry(link: Link, topic: str, entry: EntryView, correlation: bytes | None = None) -> None:
    """Publish one entry as its event; `correlation` goes back to whoever asked for it over MQTT 5."""
    told = {"ContentType": CONTENT_TYPE} | ({} if correlation is None else {"CorrelationData": correlation})
    payload = json.dumps(ledger.event(entry), ensure_ascii=False, separators=(",", ":")).encode()
    await link.publish(topic, payload, properties=properties(PacketTypes.PUBLISH, **told) if link.mqtt5 else None)


def _mark_sent(c: Connection, first: int, last: int) -> None:
    fresh = outbox.c.seq.between(first, last) & outbox.c.sent_at.is_(None)
    c.execute(sa.update(outbox).where(fresh).values(sent_at=now()))
