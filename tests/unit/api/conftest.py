from collections.abc import Iterator
from pathlib import Path

import pytest

from fabd.client import Client
from fakes.served import Served, served


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as counter:
        yield counter


@pytest.fixture
def client(counter: Served) -> Iterator[Client]:
    with Client(counter.socket) as client:
        yield client
