"""The usage feed, against a real Mosquitto and a till that was written from the contract."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import jsonschema
import pytest
import sqlalchemy as sa
from paho.mqtt.enums import MQTTProtocolVersion

from fabd.metering import ledger, usage_event
from fabd.reporting.acks import MOST_TILLS, Acknowledgements
from fabd.reporting.feed import UsageFeed
from fabd.reporting.mqtt import Connection
from fabd.reporting.replay import Replays
from fabd.reporting.schemas import schema
from fabd.store import Store
from fabd.store.schema import outbox
from fabd.store.schema import till as till_table
from fakes.broker import ACCESS, PASSWORD, Mosquitto
from fakes.counter import ROOT, SITE, client, connected, next_on, read, until, until_async, write_entries
from fakes.till import Till


@asynccontextmanager
async def feeding(
    store: Store, broker: Mosquitto, tills: tuple[str, ...] = (), *, lag_s: float = 3600.0
) -> AsyncIterator[Connection]:
    """The whole usage feed at work."""
    usage = UsageFeed(store, SITE, tills, lag_s=lag_s)
    feeds = (Acknowledgements(store, SITE, tills).run, usage.run, Replays(store, SITE).run)
    async with connected(broker.url, feeds) as connection:
        yield connection


@contextmanager
def at_work(till: Till) -> Iterator[Till]:
    till.start()
    try:
        yield till
    finally:
        till.stop()


@pytest.fixture
def till(tmp_path: Path, broker: Mosquitto) -> Till:
    return Till(tmp_path / "till.sqlite3", broker.port, SITE, password=PASSWORD)


async def acknowledged(store: Store) -> dict[str, int]:
    rows = await store.read(lambda c: c.execute(sa.select(till_table)).all())
    return {row.name: row.acknowledged_seq for row in rows}


async def unsent(store: Store) -> list[int]:
    query = sa.select(outbox.c.seq).where(outbox.c.sent_at.is_(None)).order_by(outbox.c.seq)
    return await store.read(lambda c: list(c.execute(query).scalars()))


async def delivered(store: Store, name: str = "counter") -> None:
    """Wait until the till has acknowledged everything."""
    head = await store.read(ledger.head)
    assert head is not None

    async def complete() -> bool:
        return (await acknowledged(store)).get(name) == head.seq

    await until_async(complete)


@pytest.mark.parametrize("protocol", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
async def test_each_entry_reaches_the_till_once_and_in_order(
    store: Store, broker: Mosquitto, tmp_path: Path, protocol: MQTTProtocolVersion
) -> None:
    till = Till(tmp_path / "till.sqlite3", broker.port, SITE, password=PASSWORD, protocol=protocol)
    before = await write_entries(store, 3)
    with at_work(till):
        async with feeding(store, broker):
            await delivered(store)
            after = await write_entries(store, 120)
            await delivered(store)
    assert till.held() == [*before, *after]
    assert await unsent(store) == []


async def test_every_message_is_as_the_schemas_say_and_the_head_is_the_newest_entry(
    store: Store, broker: Mosquitto, till: Till
) -> None:
    async with client(broker.port) as somebody, feeding(store, broker):
        await somebody.subscribe(f"{ROOT}/usage/#", qos=1)
        with at_work(till):
            [(seq, entry_id, _)] = await write_entries(store, 1)
            event = read(await next_on(somebody, f"{ROOT}/usage"))
            head = read(await next_on(somebody, f"{ROOT}/usage/head"))
            await delivered(store)
        async with client(broker.port) as late:
            await late.subscribe(f"{ROOT}/usage/#", qos=1)
            kept: dict[str, object] = {}
            while len(kept) < 2:
                message = await next_on(late, f"{ROOT}/usage/#")
                kept[message.topic.value.removeprefix(ROOT)] = read(message)
    jsonschema.validate(event, usage_event.schema())
    jsonschema.validate(head, schema("head"))
    assert kept == {"/usage/head": head, "/usage/ack/counter": {"ledger": head["ledger"], "seq": 1, "rejected": []}}
    jsonschema.validate(kept["/usage/ack/counter"], schema("ack"))
    assert (head["seq"], head["id"], head["hash"]) == (seq, entry_id, event["data"]["hash"])
    assert event["source"].endswith(head["ledger"])
    assert (event["ticket"], event["customer"]) == ("K7", None)


@pytest.mark.parametrize("forgets", [False, True])
async def test_a_broker_that_is_killed_again_and_again_loses_and_doubles_nothing(
    store: Store, broker: Mosquitto, till: Till, forgets: bool
) -> None:
    entries = []
    with at_work(till):
        async with feeding(store, broker, ("counter",)) as connection:
            for _ in range(3):
                await until(lambda: connection.connected)
                entries += await write_entries(store, 60)
                await asyncio.to_thread(broker.kill)
                entries += await write_entries(store, 10)
                if forgets:
                    broker.wipe()
                await asyncio.to_thread(broker.start)
            await delivered(store)
    assert sorted(till.held()) == entries
    assert till.received >= len(entries)


async def test_what_was_written_while_fabd_was_not_connected_is_sent_when_it_is(
    store: Store, broker: Mosquitto, till: Till
) -> None:
    with at_work(till):
        async with feeding(store, broker):
            entries = await write_entries(store, 2)
            await delivered(store)
        entries += await write_entries(store, 3)
        assert await unsent(store) == [3, 4, 5]
        async with feeding(store, broker):
            await delivered(store)
    assert till.held() == entries
    assert till.received == len(entries)


async def test_what_was_published_but_not_yet_marked_is_sent_again_and_changes_nothing(
    store: Store, broker: Mosquitto, till: Till
) -> None:
    with at_work(till):
        async with feeding(store, broker):
            entries = await write_entries(store, 5)
            await delivered(store)
        # The crash: the broker and the till have them, but fabd's marks and what it heard of the till are lost.
        await store.transaction(
            lambda c: c.execute(sa.update(outbox).where(outbox.c.seq > 2).values(sent_at=None)).rowcount
        )
        await store.transaction(lambda c: c.execute(sa.delete(till_table)).rowcount)
        async with feeding(store, broker):
            await until(lambda: till.received >= 8)
            await delivered(store)
    assert till.held() == entries
    assert await unsent(store) == []


async def test_a_till_that_was_off_when_the_broker_forgot_it_misses_nothing(
    store: Store, broker: Mosquitto, till: Till
) -> None:
    async with feeding(store, broker, ("counter",)) as connection:
        with at_work(till):
            entries = await write_entries(store, 2)
            await delivered(store)
        await asyncio.to_thread(broker.kill)
        broker.wipe()
        await asyncio.to_thread(broker.start)
        await until(lambda: connection.connected)
        entries += await write_entries(store, 3)
        await until_async(lambda: _is_empty(store))
        with at_work(till):
            await delivered(store)
    assert till.held() == entries


async def test_a_till_that_stays_behind_is_sent_everything_again(store: Store, broker: Mosquitto) -> None:
    async with client(broker.port, "till") as somebody, feeding(store, broker, ("counter",), lag_s=0.3):
        await somebody.subscribe(f"{ROOT}/usage", qos=1)
        await write_entries(store, 3)
        heard = [read(await next_on(somebody, f"{ROOT}/usage"))["data"]["seq"] for _ in range(6)]
        assert heard == [1, 2, 3, 1, 2, 3]
        head = await store.read(ledger.head)
        assert head is not None
        await somebody.publish(f"{ROOT}/usage/ack/counter", json.dumps({"ledger": head.book, "seq": 2}), qos=1)
        heard = []
        while heard[-2:] != [3, 3]:  # one turn from the start may have been under way
            heard.append(read(await next_on(somebody, f"{ROOT}/usage"))["data"]["seq"])


async def test_the_slowest_of_the_named_tills_is_waited_for(store: Store, broker: Mosquitto, till: Till) -> None:
    with at_work(till):
        async with feeding(store, broker, ("counter", "bar")):
            await write_entries(store, 4)
            await delivered(store)
        async with feeding(store, broker, ("counter", "bar")):
            await until(lambda: till.received >= 8)  # `bar` never said anything
    assert len(till.held()) == 4


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\xff\xfe{", "till-message-unreadable"),
        (b"[" * 5000, "till-message-unreadable"),
        (b'{"ledger": "LEDGER", "seq": "2"}', "till-message-unreadable"),
        (b'{"ledger": "LEDGER", "seq": 2.0}', "till-message-unreadable"),
        (b'{"ledger": "LEDGER", "seq": -1}', "till-message-unreadable"),
        (b'{"ledger": "LEDGER", "seq": 99999999999999999999999}', "till-message-unreadable"),
        (b'{"ledger": "LEDGER", "seq": 2, "paid": true}', "till-message-unreadable"),
        (b'{"ledger": "LEDGER", "seq": 4}', "till-beyond-head"),
        (b'{"ledger": "0198c000-0000-7000-8000-000000000000", "seq": 1}', "till-other-ledger"),
    ],
)
async def test_an_acknowledgement_that_cannot_be_is_told_and_ignored(
    store: Store, broker: Mosquitto, capsys: pytest.CaptureFixture[str], payload: bytes, said: str
) -> None:
    await write_entries(store, 3)
    head = await store.read(ledger.head)
    assert head is not None
    good = {"ledger": head.book, "seq": 1}
    async with client(broker.port) as somebody, feeding(store, broker, ("counter", "bar")):
        # Retained: it is there again after each reconnect.
        await somebody.publish(
            f"{ROOT}/usage/ack/counter", payload.replace(b"LEDGER", head.book.encode()), 1, retain=True
        )
        await until(lambda: _said(capsys, said) or payload == b"")
        await somebody.publish(f"{ROOT}/usage/ack/bar", json.dumps(good), qos=1)
        await until_async(lambda: _is(store, {"bar": 1}))


_heard: dict[int, str] = {}


def _said(capsys: pytest.CaptureFixture[str], what: str) -> bool:
    """Whether the log has said `what` by now; reading takes it away, so it is put together."""
    _heard[id(capsys)] = _heard.get(id(capsys), "") + capsys.readouterr().out
    return what in _heard[id(capsys)]


async def _is(store: Store, tills: dict[str, int]) -> bool:
    return await acknowledged(store) == tills


async def _is_empty(store: Store) -> bool:
    return await unsent(store) == []


async def test_an_acknowledgement_is_never_taken_back(store: Store, broker: Mosquitto) -> None:
    await write_entries(store, 3)
    head = await store.read(ledger.head)
    assert head is not None
    async with client(broker.port) as somebody, feeding(store, broker, ("counter", "bar")):
        await until_async(lambda: _is_empty(store))
        for seq, known in ((3, {"counter": 3}), (1, {"counter": 3, "bar": 1})):
            for name in ("counter", "bar")[: len(known)]:
                ack = {"ledger": head.book, "seq": seq}
                await somebody.publish(f"{ROOT}/usage/ack/{name}", json.dumps(ack), qos=1, retain=True)
            await until_async(partial(_is, store, known))


async def test_strangers_cannot_fill_the_store_with_tills(
    store: Store, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    await write_entries(store, 1)
    head = await store.read(ledger.head)
    assert head is not None
    async with client(broker.port) as somebody:
        for number in range(MOST_TILLS + 5):
            ack = json.dumps({"ledger": head.book, "seq": 1})
            await somebody.publish(f"{ROOT}/usage/ack/till-{number}", ack, qos=1, retain=True)
        async with feeding(store, broker):
            await until(lambda: _said(capsys, "till-too-many"))
    assert len(await acknowledged(store)) == MOST_TILLS


async def test_a_till_that_is_not_named_does_not_count_where_others_are(
    store: Store, broker: Mosquitto, till: Till, capsys: pytest.CaptureFixture[str]
) -> None:
    with at_work(till):
        async with feeding(store, broker, ("bar",)):
            entries = await write_entries(store, 2)
            await until(lambda: _said(capsys, "till-unknown"))
            await until(lambda: till.held() == entries)
    assert await acknowledged(store) == {}


async def test_a_rejected_entry_is_told_once(
    store: Store, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = await write_entries(store, 2)
    head = await store.read(ledger.head)
    assert head is not None
    async with client(broker.port) as somebody, feeding(store, broker):
        for seq in (1, 2):
            ack = {"ledger": head.book, "seq": seq, "rejected": [{"id": entries[0][1], "reason": "no such item"}]}
            await somebody.publish(f"{ROOT}/usage/ack/counter", json.dumps(ack), qos=1, retain=True)
            await until_async(partial(_is, store, {"counter": seq}))
    assert _said(capsys, "no such item")
    assert _heard[id(capsys)].count("till-rejected") == 1


async def test_a_broker_that_forbids_the_feed_is_told_and_nothing_counts_as_sent(
    store: Store, broker: Mosquitto, till: Till
) -> None:
    broker.allow(ACCESS.replace("user fabd\n", f"user fabd\ntopic deny {ROOT}/usage\n"))
    with at_work(till):
        async with feeding(store, broker) as connection:
            await until(lambda: connection.connected)
            entries = await write_entries(store, 2)
            await until(lambda: connection.problem is not None)
            assert connection.problem is not None
            assert connection.problem.code == "mqtt-publish-refused"
            assert connection.problem.params["topic"] == f"{ROOT}/usage"
            assert await unsent(store) == [1, 2]
            broker.allow(ACCESS)
            await delivered(store)
    assert till.held() == entries


async def test_the_end_of_the_daemon_waits_until_the_outbox_is_empty(store: Store, broker: Mosquitto) -> None:
    usage = UsageFeed(store, SITE, ())
    await write_entries(store, 120)
    async with connected(broker.url, [usage.run]):
        await usage.emptied()
    assert await unsent(store) == []
