import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fabd.metering import ledger
from fabd.metering.canonical import sha256_hex
from fabd.store import Connection, Store
from fabd.views import VerifyView
from unit.metering.samples import AT, add_attempt, charge

ENTRIES = 5


@pytest.fixture
async def file(store: Store) -> Path:
    """A ledger of four charges, and a reversal of the second, in a file."""

    def fill(c: Connection) -> None:
        book = ledger.open_book(c, "wazemmes", AT)
        for number in range(1, ENTRIES):
            ledger.post_charge(c, book, charge(add_attempt(c, number=number), attempt=number), AT)
        ledger.reverse(c, book, ledger.entry_at(c, 2).event_id, AT, "test")

    await store.transaction(fill)
    return store.path / "fabd.sqlite3"


@pytest.fixture
def tamper(file: Path) -> Iterator[sqlite3.Connection]:
    """Somebody with the file and a database tool, whom no constraint holds."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("PRAGMA ignore_check_constraints=ON")
        yield connection


def found(view: VerifyView) -> list[tuple[str, object]]:
    return [(problem.code, problem.params["seq"]) for problem in view.problems]


@pytest.mark.usefixtures("file")
async def test_an_untouched_ledger_verifies(store: Store) -> None:
    head = await store.read(ledger.head)
    assert head is not None
    assert await store.read(ledger.verify) == VerifyView(ok=True, entries=ENTRIES, head=head.hash)


async def test_an_empty_ledger_verifies(store: Store) -> None:
    assert await store.read(ledger.verify) == VerifyView(ok=True, entries=0, head=None)


@pytest.mark.parametrize("seq", range(1, ENTRIES + 1))
@pytest.mark.parametrize(
    ("statement", "code"),
    [
        # The bytes: one digit of a price (which makes them text), all of them, another entry's.
        ("data = replace(data, '42700', '12700')", "ledger-bytes-changed"),
        ("data = x'00ff'", "ledger-bytes-changed"),
        ("data = '{}'", "ledger-bytes-changed"),
        ("data = (SELECT data FROM entry AS other WHERE other.seq = entry.seq % 5 + 1)", "ledger-bytes-changed"),
        ("hash = '" + "a" * 64 + "'", "ledger-bytes-changed"),
        ("hash = ''", "ledger-bytes-changed"),
        # The columns beside them.
        ("prev = '" + "b" * 64 + "'", "ledger-column-differs"),
        ("id = 'forged'", "ledger-column-differs"),
        ("kind = 'note'", "ledger-column-differs"),
        ("kind = 'nonsense'", "ledger-column-differs"),
        ("at = '2026-06-01 11:00:00.000000'", "ledger-column-differs"),
        ("at = 'yesterday'", "ledger-column-differs"),
        ("revision = 7", "ledger-column-differs"),
        ("revision = 'x'", "ledger-column-differs"),
        ("payer = 'm_000000000000'", "ledger-column-differs"),
        ("reverses = 'nothing'", "ledger-column-differs"),
        ("book = 'another'", "ledger-column-differs"),
    ],
)
async def test_tampering_is_found_at_the_entry(
    store: Store, tamper: sqlite3.Connection, seq: int, statement: str, code: str
) -> None:
    tamper.execute(f"UPDATE entry SET {statement} WHERE seq = ?", [seq])
    view = await store.read(ledger.verify)
    assert not view.ok
    assert found(view) == [(code, seq)]


@pytest.mark.parametrize("seq", range(1, ENTRIES))
async def test_a_charge_that_was_moved_to_another_attempt_is_found(
    store: Store, tamper: sqlite3.Connection, seq: int
) -> None:
    tamper.execute("UPDATE entry SET attempt = 99 WHERE seq = ?", [seq])
    assert {problem.params["column"] for problem in (await store.read(ledger.verify)).problems} == {"job", "attempt"}


@pytest.mark.parametrize("seq", range(1, ENTRIES))
async def test_an_entry_that_was_rewritten_with_a_matching_hash_breaks_the_chain_behind_it(
    store: Store, tamper: sqlite3.Connection, seq: int
) -> None:
    (data,) = tamper.execute("SELECT data FROM entry WHERE seq = ?", [seq]).fetchone()
    forged = data.replace(b"42700", b"12700")
    assert forged != data
    tamper.execute("UPDATE entry SET data = ?, hash = ? WHERE seq = ?", [forged, sha256_hex(forged), seq])
    assert found(await store.read(ledger.verify)) == [("ledger-link-broken", seq + 1)]


@pytest.mark.parametrize("forged", [b"\xff", b"[]", b'{"seq":', b"[" * 100_000])
async def test_bytes_that_are_no_entry_are_found(store: Store, tamper: sqlite3.Connection, forged: bytes) -> None:
    tamper.execute("UPDATE entry SET data = ?, hash = ? WHERE seq = 5", [forged, sha256_hex(forged)])
    assert found(await store.read(ledger.verify)) == [("ledger-bytes-unreadable", 5)]


async def test_facts_of_another_shape_are_found(store: Store, tamper: sqlite3.Connection) -> None:
    forged = b'{"prev":[],"seq":{}}'
    tamper.execute("UPDATE entry SET data = ?, hash = ? WHERE seq = 5", [forged, sha256_hex(forged)])
    assert {code for code, _ in found(await store.read(ledger.verify))} == {
        "ledger-link-broken",
        "ledger-column-differs",
    }


@pytest.mark.parametrize("seq", range(1, ENTRIES))
async def test_an_entry_that_was_taken_out_is_found(store: Store, tamper: sqlite3.Connection, seq: int) -> None:
    tamper.execute("DELETE FROM entry WHERE seq = ?", [seq])
    tamper.execute("DELETE FROM outbox WHERE seq = ?", [seq])
    assert found(await store.read(ledger.verify)) == [("ledger-gap", seq + 1), ("ledger-link-broken", seq + 1)]


async def test_a_newest_entry_that_was_taken_away_is_missed(store: Store, tamper: sqlite3.Connection) -> None:
    tamper.execute("DELETE FROM entry WHERE seq = 5")
    assert found(await store.read(ledger.verify)) == [("ledger-end-missing", 4)]


async def test_a_renumbered_entry_is_found(store: Store, tamper: sqlite3.Connection) -> None:
    tamper.execute("UPDATE entry SET seq = 6 WHERE seq = 5")
    view = await store.read(ledger.verify)
    assert found(view) == [("ledger-gap", 6), ("ledger-column-differs", 6)]


async def test_two_entries_that_changed_places_are_found(store: Store, tamper: sqlite3.Connection) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        tamper.execute("UPDATE entry SET seq = ? WHERE seq = ?", [new, old])
    view = await store.read(ledger.verify)
    assert not view.ok
    assert {seq for _, seq in found(view)} == {2, 3, 4}


async def test_every_place_is_told_not_just_the_first(store: Store, tamper: sqlite3.Connection) -> None:
    tamper.execute("UPDATE entry SET data = x'00' WHERE seq IN (1, 4)")
    view = await store.read(ledger.verify)
    assert found(view) == [("ledger-bytes-changed", 1), ("ledger-bytes-changed", 4)]
    assert view.entries == ENTRIES
    assert "Entry 4: its bytes do not have its hash" in view.problems[1].text
