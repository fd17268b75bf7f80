"""A real store with a ledger, a real Mosquitto, and a till."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fabd.metering import ledger
from fabd.store import Store
from fakes.broker import Mosquitto, mosquitto
from unit.metering.samples import AT


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "store")
    with store._engine.begin() as c:
        ledger.open_book(c, "wazemmes", AT)
    yield store
    store.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running
