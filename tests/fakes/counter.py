"""What tests of the reporting room do at the counter: write entries, connect, listen."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt

from fabd.metering import ledger
from fabd.reporting.mqtt import Connection, Feed, Pace, keep_connected, parse
from fabd.store import Connection as Rows
from fabd.store import Store
from fabd.tasks import end, own
from fakes.broker import PASSWORD
from unit.metering.samples import AT, add_attempt, charge, line

SITE = "wazemmes"
ROOT = f"fab/v1/{SITE}"
QUICK = Pace(first_s=0.02, longest_s=0.1)


async def write_entries(store: Store, count: int) -> list[tuple[int, str, int]]:
    """Charge `count` finished attempts, each in a transaction of its own; their numbers, ids and totals."""

    def write(c: Rows) -> tuple[int, str, int]:
        book = ledger.open_book(c, SITE, AT)
        newest = ledger.head(c)
        number = 1 if newest is None else newest.seq + 1
        attempt = add_attempt(c, number=number)
        entry = ledger.post_charge(c, book, charge(attempt, attempt=number, lines=(line(100 + number),)), AT)
        return entry.seq, entry.id, 100 + number

    return [await store.transaction(write) for _ in range(count)]


@asynccontextmanager
async def connected(url: str, feeds: Sequence[Feed] = ()) -> AsyncIterator[Connection]:
    """fabd's side, kept connected as in the daemon."""
    connection = Connection(parse(url).peer)
    task = own(keep_connected(connection, SITE, feeds, pace=QUICK), "mqtt")
    try:
        yield connection
    finally:
        failed = task.done()
        await end(task)
        if failed:
            raise AssertionError("keep_connected ended") from task.exception()


@asynccontextmanager
async def client(
    port: int, user: str | None = "anybody", *, protocol: aiomqtt.ProtocolVersion = aiomqtt.ProtocolVersion.V5
) -> AsyncIterator[aiomqtt.Client]:
    """Somebody else on the broker."""
    password = None if user is None else PASSWORD
    async with aiomqtt.Client("127.0.0.1", port, username=user, password=password, protocol=protocol) as somebody:
        yield somebody


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def until_async(true: Callable[[], Awaitable[object]]) -> None:
    """Wait until something that has to be asked for is so."""
    async with asyncio.timeout(30):
        while not await true():
            await asyncio.sleep(0.01)


async def next_on(somebody: aiomqtt.Client, topic: str) -> aiomqtt.Message:
    """The next message on `topic`; others are passed over."""
    async with asyncio.timeout(30):
        async for message in somebody.messages:
            if message.topic.matches(topic):
                return message
    raise AssertionError("the connection ended")


def read(message: aiomqtt.Message) -> Any:
    """What a message says."""
    assert isinstance(message.payload, bytes)
    return json.loads(message.payload)
