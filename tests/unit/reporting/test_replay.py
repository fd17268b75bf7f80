"""Older entries, again, for a till that asks."""

import json
from collections.abc import AsyncIterator

import aiomqtt
import pytest
from aiomqtt import ProtocolVersion
from paho.mqtt.packettypes import PacketTypes

from fabd.metering import ledger
from fabd.reporting import replay
from fabd.reporting.link import properties
from fabd.reporting.replay import Replays
from fabd.reporting.schemas import Replay
from fabd.store import Store
from fakes.broker import Mosquitto
from fakes.counter import ROOT, SITE, client, connected, next_on, read, until, write_entries

FAR = 10**6


@pytest.fixture
async def book(store: Store) -> str:
    """A ledger with five entries; its id."""
    await write_entries(store, 5)
    head = await store.read(ledger.head)
    assert head is not None
    return head.book


@pytest.fixture
async def serving(store: Store, broker: Mosquitto, book: str) -> AsyncIterator[None]:
    async with connected(broker.url, [Replays(store, SITE).run]) as connection:
        await until(lambda: connection.connected)
        yield


async def ask(somebody: aiomqtt.Client, book: str, first: int, last: int, **more: object) -> None:
    # What is asked before fabd has subscribed is lost: a till repeats it.
    wanted = {"ledger": book, "from": first, "to": last}
    told = properties(PacketTypes.PUBLISH, **more) if more else None
    await somebody.publish(f"{ROOT}/usage/replay", json.dumps(wanted), qos=1, properties=told)


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize("protocol", [ProtocolVersion.V311, ProtocolVersion.V5])
async def test_a_till_is_given_what_it_asks_for_on_the_common_topic(
    broker: Mosquitto, book: str, protocol: ProtocolVersion
) -> None:
    async with client(broker.port, "till", protocol=protocol) as till:
        await till.subscribe(f"{ROOT}/usage", qos=1)
        await ask(till, book, 2, 4)
        assert [await _seq(till, f"{ROOT}/usage") for _ in range(3)] == [2, 3, 4]


@pytest.mark.usefixtures("serving")
async def test_over_mqtt_5_the_answer_goes_where_it_was_asked_for(broker: Mosquitto, book: str) -> None:
    async with client(broker.port) as till:
        await till.subscribe("till/answers", qos=1)
        await ask(till, book, 5, 5, ResponseTopic="till/answers", CorrelationData=b"seven")
        answer = await next_on(till, "till/answers")
        assert answer.properties is not None
        assert answer.properties.CorrelationData == b"seven"  # type: ignore[attr-defined]
        assert answer.properties.ContentType.startswith("application/cloudevents+json")  # type: ignore[attr-defined]
        assert read(answer)["data"]["seq"] == 5


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(
    "topic",
    [f"{ROOT}/status", f"{ROOT}/machine/mk4/state", f"{ROOT}/usage/ack/counter", "fab/v1/other/usage", "$SYS/x"],
)
async def test_no_answer_can_pass_for_something_else_that_fabd_says(
    broker: Mosquitto, book: str, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client(broker.port) as till:
        await till.subscribe("till/answers", qos=1)
        await till.subscribe(topic, qos=1)
        await ask(till, book, 1, 1, ResponseTopic=topic)
        await ask(till, book, 2, 2, ResponseTopic="till/answers")
        assert await _seq(till, "till/answers") == 2
    assert "till-replay-topic-refused" in capsys.readouterr().out


@pytest.mark.usefixtures("serving")
async def test_a_topic_that_the_broker_forbids_is_told_and_ends_nothing(
    broker: Mosquitto, book: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client(broker.port) as till:
        await till.subscribe(f"{ROOT}/usage", qos=1)
        await ask(till, book, 1, 1, ResponseTopic="elsewhere")  # fabd may use fab/# only
        await ask(till, book, 2, 2)
        assert await _seq(till, f"{ROOT}/usage") == 2
    said = capsys.readouterr().out
    assert "mqtt-publish-refused" in said
    assert "mqtt-connected" not in said  # the first was before


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 2), (5, 6), (1, FAR)])
async def test_entries_that_are_not_there_are_not_given(
    broker: Mosquitto, book: str, first: int, last: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client(broker.port) as till:
        await till.subscribe(f"{ROOT}/usage", qos=1)
        await ask(till, book, first, last)
        await ask(till, "0198c000-0000-7000-8000-000000000000", 1, 1)
        await ask(till, book, 3, 3)
        assert await _seq(till, f"{ROOT}/usage") == 3
    assert capsys.readouterr().out.count("till-replay-refused") == 2


@pytest.mark.usefixtures("serving")
async def test_a_request_brings_a_page_at_most_and_says_so(
    broker: Mosquitto, book: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replay, "MOST_REPLAYED", 2)
    async with client(broker.port) as till:
        await till.subscribe(f"{ROOT}/usage", qos=1)
        await ask(till, book, 1, 5)
        await ask(till, book, 5, 5)
        assert [await _seq(till, f"{ROOT}/usage") for _ in range(3)] == [1, 2, 5]
    assert "till-replay-shortened" in capsys.readouterr().out


async def test_a_retained_request_is_not_answered_after_each_reconnect(
    store: Store, broker: Mosquitto, book: str
) -> None:
    async with client(broker.port) as till:
        await till.subscribe(f"{ROOT}/usage", qos=1)
        wanted = Replay.model_validate({"ledger": book, "from": 1, "to": 1}).model_dump_json(by_alias=True)
        await till.publish(f"{ROOT}/usage/replay", wanted, qos=1, retain=True)
        async with connected(broker.url, [Replays(store, SITE).run]) as connection:
            await until(lambda: connection.connected)
            await ask(till, book, 2, 2)
            assert await _seq(till, f"{ROOT}/usage") == 2


async def _seq(somebody: aiomqtt.Client, topic: str) -> int:
    number: int = read(await next_on(somebody, topic))["data"]["seq"]
    return number
