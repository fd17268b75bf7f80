"""Hashes the whole ledger again, from the stored bytes, and says exactly where it does not hold.

Nothing is taken for granted of what stands in a row: whoever tampers may have written anything anywhere.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from fabd.messages import Message, Param
from fabd.metering.canonical import sha256_hex
from fabd.metering.chain import GENESIS, EntryKind
from fabd.store import Connection
from fabd.store.schema import attempt, book, entry, outbox
from fabd.views import Say, VerifyView

ROWS_AT_ONCE = 1000


def verify(c: Connection) -> VerifyView:
    """Check bytes against hashes, each entry's link to the one before, the numbering, and the columns.

    Memory stays bounded, however long the ledger. The newest entries, where somebody took them away together with
    their messages, are missed by the tills alone: they were told the head.
    """
    problems: list[Message] = []
    count, newest = 0, 0
    links: tuple[str, ...] = (GENESIS,)
    head: str | None = None
    for row in c.execute(_stored_rows().execution_options(yield_per=ROWS_AT_ONCE)):
        count += 1
        if row.seq != newest + 1:
            problems.append(_problem("ledger-gap", expected=newest + 1, seq=row.seq))
        digest = sha256_hex(row.data)
        if digest != row.hash:
            problems.append(_problem("ledger-bytes-changed", seq=row.seq))
        elif (facts := _facts(row.data)) is None:
            problems.append(_problem("ledger-bytes-unreadable", seq=row.seq))
        else:
            if facts.get("prev") not in links:
                problems.append(_problem("ledger-link-broken", seq=row.seq, before=newest))
            problems.extend(_differing(row, facts))
        # The next entry may continue either: a hash that was tampered with is one problem, not two.
        newest, links, head = row.seq, (row.hash, digest), row.hash
    announced = c.execute(sa.select(sa.func.max(outbox.c.seq))).scalar() or 0
    if announced > newest:
        problems.append(_problem("ledger-end-missing", seq=newest, announced=announced))
    says = tuple(Say.of(problem) for problem in problems)
    return VerifyView(ok=not problems, entries=count, head=head, problems=says)


def _stored_rows() -> sa.Select[Any]:
    """Entries as they lie in the store: bytes and instants need not be what their columns promise."""
    lying: dict[str, sa.ColumnElement[Any]] = {
        "data": sa.cast(entry.c.data, sa.LargeBinary),
        "at": sa.cast(entry.c.at, sa.String),
    }
    columns = [lying[column.name].label(column.name) if column.name in lying else column for column in entry.c]
    return (
        sa.select(*columns, book.c.site, attempt.c.job, attempt.c.number)
        .outerjoin(book, book.c.id == entry.c.book)
        .outerjoin(attempt, attempt.c.id == entry.c.attempt)
        .order_by(entry.c.seq)
    )


def _facts(data: bytes) -> dict[str, object] | None:
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError):  # no JSON, or nested until Python gives up
        return None
    return facts if isinstance(facts, dict) else None


def _differing(row: Any, facts: Mapping[str, object]) -> Iterator[Message]:
    """Where the columns of `row` say something else than its bytes."""
    columns: dict[str, object] = {
        "seq": row.seq,
        "source": f"/{row.site}/ledger/{row.book}",
        "id": row.id,
        "kind": row.kind,
        "time": row.at.removesuffix(".000000").replace(" ", "T") + "Z",
        "revision": row.revision,
        "payer": row.payer,
        "reverses": row.reverses,
        "prev": row.prev,
    }
    if facts.get("kind") == EntryKind.CHARGE:
        columns |= {"job": str(row.job), "attempt": row.number}
    for column, value in columns.items():
        if facts.get(column) != value:
            yield _problem(
                "ledger-column-differs",
                seq=row.seq,
                column=column,
                found=str(value),
                written=str(facts.get(column)),
            )


def _problem(code: str, **params: Param) -> Message:
    return Message(code=code, params=params)
