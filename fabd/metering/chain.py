"""The ledger's rows: which ledger this is, and how an entry is chained to the one before.

An entry is what was written: its canonical JSON bytes, stored as they were hashed and never made again from columns.
The bytes hold the entry's own number, id, source and time and the hash of the entry before, so that the hash covers
all by which a till tells entries apart; columns repeat some of it for searching, and `verify` compares them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from fabd import clock
from fabd.errors import StoreError
from fabd.metering.canonical import canonical, sha256_hex
from fabd.store import Connection
from fabd.store.schema import book as book_table
from fabd.store.schema import entry as entry_table
from fabd.store.schema import outbox

GENESIS = "0" * 64
"""The hash that the first entry of all continues."""
CHAIN_KEYS = frozenset({"seq", "prev", "source", "id", "time", "clock_behind_s", "kind", "reverses"})
"""What `append` writes into an entry beside the facts that it is given."""


class EntryKind(StrEnum):
    CHARGE = "charge"
    REVERSAL = "reversal"
    CLOSURE = "closure"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True, slots=True)
class Book:
    """One ledger. `parent` is the ledger that it was restored from a backup of."""

    id: str
    parent: str | None
    site: str
    opened_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One row of the ledger. `data` is what `hash` covers; `attempt` is set for charges only."""

    seq: int
    book: str
    id: str
    kind: EntryKind
    at: datetime
    attempt: int | None
    revision: int
    payer: str
    reverses: str | None
    data: bytes
    prev: str
    hash: str

    def facts(self) -> dict[str, Any]:
        """What the entry says, read from its bytes."""
        facts: dict[str, Any] = json.loads(self.data)
        return facts


def source(book: Book) -> str:
    """What names this ledger to tills for ever: `/wazemmes/ledger/<uuid>`."""
    return f"/{book.site}/ledger/{book.id}"


def open_book(c: Connection, site_id: str, at: datetime) -> Book:
    """The current ledger of this store, made at the first call; raises `StoreError` when it is another site's."""
    parents = sa.select(book_table.c.parent).where(book_table.c.parent.is_not(None))
    row = c.execute(sa.select(book_table).where(book_table.c.id.not_in(parents))).one_or_none()
    if row is None:
        book = Book(id=str(clock.uuid7()), parent=None, site=site_id, opened_at=at)
        c.execute(sa.insert(book_table).values(id=book.id, parent=None, site=site_id, opened_at=at))
        return book
    if row.site != site_id:
        raise StoreError("ledger-of-another-site", found=row.site, site=site_id)
    return Book(**row._asdict())


def head(c: Connection) -> Entry | None:
    """The newest entry; `None` while there is none."""
    row = c.execute(sa.select(entry_table).order_by(entry_table.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else entry_of(row)


def entry_of(row: sa.Row[Any]) -> Entry:
    """The entry in a row of the table `entry`."""
    columns = {column.name: getattr(row, column.name) for column in entry_table.c}
    return Entry(**{**columns, "kind": EntryKind(row.kind)})


def append(
    c: Connection,
    book: Book,
    kind: EntryKind,
    facts: Mapping[str, object],
    *,
    at: datetime,
    attempt: int | None = None,
    reverses: str | None = None,
) -> Entry:
    """Write one entry behind the newest, and its message to the till, in the caller's transaction.

    `facts` must hold `payer` and `revision`, and none of `CHAIN_KEYS`. Time never falls along the chain: where the clock shows
    less than the newest entry (a Pi that booted without a network), that entry's time is taken and
    `clock_behind_s` says by how much the clock was behind.
    """
    if overlap := CHAIN_KEYS & facts.keys():
        raise ValueError(f"the chain itself writes {sorted(overlap)}")
    if at.tzinfo is None:
        raise ValueError(f"a naive datetime reached the ledger: {at}")
    newest = head(c)
    clock_at = at.astimezone(UTC).replace(microsecond=0)
    entry_at = clock_at if newest is None else max(clock_at, newest.at)
    seq, prev = (1, GENESIS) if newest is None else (newest.seq + 1, newest.hash)
    entry_id = str(clock.uuid7())
    data = canonical(
        {
            **facts,
            "seq": seq,
            "prev": prev,
            "source": source(book),
            "id": entry_id,
            "time": stamp(entry_at),
            "clock_behind_s": int((entry_at - clock_at).total_seconds()),
            "kind": kind.value,
            "reverses": reverses,
        }
    )
    row = {
        "seq": seq,
        "book": book.id,
        "id": entry_id,
        "kind": kind.value,
        "at": entry_at,
        "attempt": attempt,
        "revision": facts["revision"],
        "payer": facts["payer"],
        "reverses": reverses,
        "data": data,
        "prev": prev,
        "hash": sha256_hex(data),
    }
    c.execute(sa.insert(entry_table).values(row))
    c.execute(sa.insert(outbox).values(seq=seq, sent_at=None))
    return Entry(**{**row, "kind": kind})  # type: ignore[arg-type]


def stamp(at: datetime) -> str:
    """An instant as entries write it: `2026-01-10T15:04:05Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
