"""A real store, new for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fabd.metering import ledger
from fabd.store import Connection, Store
from unit.metering.samples import AT


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def c(store: Store) -> Iterator[Connection]:
    """A transaction that is open for the whole test."""
    with store._engine.begin() as connection:
        yield connection


@pytest.fixture
def book(c: Connection) -> ledger.Book:
    return ledger.open_book(c, "wazemmes", AT)
