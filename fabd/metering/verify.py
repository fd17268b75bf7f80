"""Hashes the whole ledger again, from the stored bytes, and says exactly where it does not hold."""

import json
from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from fabd.messages import Message
from fabd.metering.canonical import sha256_hex
from fabd.metering.chain import GENESIS, Entry, EntryKind, entry_of, stamp
from fabd.store import Connection
from fabd.store.schema import attempt, book, entry, outbox
from fabd.views import Say, VerifyView

ROWS_AT_ONCE = 1000


def verify(c: Connection) -> VerifyView:
    """Check bytes against hashes, each entry's link to the one before, the numbering, and the columns.

    Memory stays bounded, however long the ledger. What a thief of the newest entries leaves no trace of, the
    tills know: they were told the head.
    """
    problems: list[Message] = []
    count, newest, links = 0, 0, {GENESIS}
    head: str | None = None
    for found, expected_columns in _rows(c):
        count += 1
        if found.seq != newest + 1:
            problems.append(Message(code="ledger-gap", params={"expected": newest + 1, "seq": found.seq}))
        digest = sha256_hex(found.data)
        if digest != found.hash:
            problems.append(Message(code="ledger-bytes-changed", params={"seq": found.seq}))
        else:
            facts: dict[str, object] = json.loads(found.data)
            if facts.get("prev") not in links:
                problems.append(Message(code="ledger-link-broken", params={"seq": found.seq, "before": newest}))
            problems.extend(_differing(found.seq, facts, expected_columns))
        # The next entry may continue what stands there or what was hashed: a tampered hash is one problem, not two.
        newest, links, head = found.seq, {found.hash, digest}, found.hash
    announced = c.execute(sa.select(sa.func.max(outbox.c.seq))).scalar() or 0
    if announced > newest:
        problems.append(Message(code="ledger-end-missing", params={"seq": newest, "announced": announced}))
    return VerifyView(ok=not problems, entries=count, head=head, problems=tuple(Say.of(problem) for problem in problems))


def _rows(c: Connection) -> Iterator[tuple[Entry, Mapping[str, object]]]:
    """Each entry, with what its columns say that its bytes must say."""
    query = (
        sa.select(entry, book.c.site, attempt.c.job, attempt.c.number)
        .outerjoin(book, book.c.id == entry.c.book)
        .outerjoin(attempt, attempt.c.id == entry.c.attempt)
        .order_by(entry.c.seq)
    )
    for row in c.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
        found = entry_of(row)
        columns: dict[str, object] = {
            "seq": found.seq,
            "source": f"/{row.site}/ledger/{found.book}",
            "id": found.id,
            "kind": found.kind.value,
            "time": stamp(found.at),
            "revision": found.revision,
            "payer": found.payer,
            "reverses": found.reverses,
            "prev": found.prev,
        }
        if found.kind is EntryKind.CHARGE:
            columns |= {"job": str(row.job), "attempt": row.number}
        yield found, columns


def _differing(seq: int, facts: Mapping[str, object], columns: Mapping[str, object]) -> Iterator[Message]:
    for column, value in columns.items():
        if facts.get(column) != value:
            params = {"seq": seq, "column": column, "found": str(value), "written": str(facts.get(column))}
            yield Message(code="ledger-column-differs", params=params)
