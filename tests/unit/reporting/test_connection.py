"""The connection to the broker: it is kept, it says so once, and it tells no secret."""

import asyncio
import gc
import re
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Never

import pytest

from components import require
from fabd import __version__
from fabd.errors import ConfigError, LinkLost
from fabd.reporting import link
from fabd.reporting.link import Link, Peer
from fabd.reporting.mqtt import Connection, keep_connected, parse
from fabd.tasks import end, own
from fakes.broker import Gate, Mosquitto, free_port
from fakes.counter import QUICK, ROOT, SITE, client, connected, next_on, read, until

STATUS = f"{ROOT}/status"


async def test_online_and_offline_are_there_for_whoever_comes_later(broker: Mosquitto) -> None:
    async with client(broker.port) as somebody:
        async with connected(broker.url) as connection:
            await until(lambda: connection.connected)
            assert await _status(broker) == {"status": "online", "version": __version__}
            await somebody.subscribe(STATUS)
        assert not connection.connected
        said = [read(await next_on(somebody, STATUS))["status"] for _ in range(2)]
    assert said == ["online", "offline"]
    assert await _status(broker) == {"status": "offline", "version": __version__}


async def test_the_broker_says_offline_when_fabd_cannot(broker: Mosquitto) -> None:
    gate = Gate(broker.port)
    async with client(broker.port) as somebody, gate.open(), connected(broker.url_through(gate.port)) as connection:
        await until(lambda: connection.connected)
        await somebody.subscribe(STATUS)
        assert read(await next_on(somebody, STATUS))["status"] == "online"
        await gate.cut()
        assert read(await next_on(somebody, STATUS))["status"] == "offline"
        assert read(await next_on(somebody, STATUS))["status"] == "online"


async def test_an_outage_is_told_once_and_its_end_once(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    async with connected(broker.url) as connection:
        await until(lambda: connection.connected)
        await asyncio.to_thread(broker.kill)
        await until(lambda: connection.problem is not None)
        assert not connection.connected
        await asyncio.sleep(10 * QUICK.longest_s)
        await asyncio.to_thread(broker.start)
        await until(lambda: connection.connected)
        assert connection.problem is None
    assert re.findall(r"mqtt-\w+", capsys.readouterr().out) == ["mqtt-connected", "mqtt-lost", "mqtt-connected"]


async def test_a_broker_that_is_not_there_yet_is_waited_for(broker: Mosquitto) -> None:
    await asyncio.to_thread(broker.stop)
    async with connected(broker.url) as connection:
        await until(lambda: connection.problem is not None)
        await asyncio.to_thread(broker.start)
        await until(lambda: connection.connected)


async def test_a_wrong_password_is_told_without_telling_it(
    broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    async with connected(f"mqtt://fabd:hush@127.0.0.1:{broker.port}") as connection:
        await until(lambda: connection.problem is not None)
        assert connection.problem is not None
        assert connection.problem.code == "mqtt-not-let-in"
        assert "hush" not in f"{connection} {connection.address} {connection.problem}"
    said = capsys.readouterr()
    assert "mqtt-not-let-in" in said.out
    assert "hush" not in said.out + said.err


async def test_a_broker_that_speaks_only_3_1_1_is_spoken_to_so(broker: Mosquitto) -> None:
    gate = Gate(broker.port)
    gate.refuses_mqtt5 = True
    async with gate.open(), connected(broker.url_through(gate.port)) as connection:
        await until(lambda: connection.connected)
        assert gate.protocols == [5, 4]
        assert await _status(broker) == {"status": "online", "version": __version__}
        await gate.cut()
        await until(lambda: len(gate.protocols) == 3 and connection.connected)
        assert gate.protocols == [5, 4, 4]


async def test_a_broker_that_hangs_up_at_once_is_asked_again_soon(broker: Mosquitto) -> None:
    gate = Gate(broker.port)
    gate.shut = True
    async with gate.open(), connected(broker.url_through(gate.port)) as connection:
        await until(lambda: connection.problem is not None)
        gate.shut = False
        async with asyncio.timeout(link.ANSWER_S / 2):
            await until(lambda: connection.connected)


@pytest.mark.parametrize("mute_from_the_start", [True, False])
async def test_a_broker_that_never_answers_counts_as_lost(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch, mute_from_the_start: bool
) -> None:
    monkeypatch.setattr(link, "ANSWER_S", 0.2)
    gate = Gate(broker.port)
    gate.mute = mute_from_the_start

    async def talk(link: Link) -> Never:
        while True:
            await link.publish(f"{ROOT}/usage", b"{}")
            gate.mute = True

    async with gate.open(), connected(broker.url_through(gate.port), [talk]) as connection:
        await until(lambda: connection.problem is not None)
        gate.mute = False
        await until(lambda: connection.connected)


async def test_a_topic_that_may_not_be_subscribed_is_told(broker: Mosquitto) -> None:
    async def listen(link: Link) -> None:
        await link.subscribe(f"{ROOT}/usage/ack/+", lambda message: None)

    gate = Gate(broker.port)  # Mosquitto itself grants what its access list forbids, and then sends nothing
    gate.forbids_subscribing = True
    async with gate.open(), connected(broker.url_through(gate.port), [listen]) as connection:
        await until(lambda: connection.problem is not None)
        assert connection.problem is not None
        assert connection.problem.code == "mqtt-subscribe-refused"
        assert connection.problem.params["topic"] == f"{ROOT}/usage/ack/+"


async def test_a_feed_that_fails_in_another_way_ends_it(broker: Mosquitto) -> None:
    async def fail(link: Link) -> None:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as failed:
        await keep_connected(Connection(parse(broker.url).peer), SITE, [fail], pace=QUICK)
    assert failed.group_contains(ZeroDivisionError)


async def test_the_end_is_the_end_even_if_the_connection_is_lost_meanwhile(broker: Mosquitto) -> None:
    async def lose(link: Link) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LinkLost("mqtt-lost", detail="at the same time")

    connection = Connection(parse(broker.url).peer)
    task = own(keep_connected(connection, SITE, [lose], pace=QUICK), "mqtt")
    await until(lambda: connection.connected)
    async with asyncio.timeout(30):
        await end(task)
    assert task.cancelled()


async def test_the_end_may_come_while_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        task = own(keep_connected(Connection(Peer(host="127.0.0.1", port=silent.getsockname()[1])), SITE, ()), "mqtt")
        await asyncio.sleep(0.1)
        await end(task)
    assert task.cancelled()


async def test_no_cancellation_is_lost_in_a_call_that_is_answered_in_the_same_turn() -> None:
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = own(link._heed(asyncio.wait_for(answer, 10)), "call")
    await asyncio.sleep(0)
    answer.set_result(None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_tls_trusts_the_authority_that_the_url_names(
    broker: Mosquitto, authority: tuple[Path, ssl.SSLContext]
) -> None:
    certificates, server = authority
    gate = Gate(broker.port)
    gate.port = free_port()
    url = f"{broker.url_through(gate.port, 'mqtts')}?ca={certificates}"
    async with gate.open(server), connected(url) as connection:
        await until(lambda: connection.connected)
        assert connection.address == f"mqtts://127.0.0.1:{gate.port}"


# paho forgets the socket of a handshake that failed; the collector closes it.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
async def test_tls_trusts_nobody_else(broker: Mosquitto, authority: tuple[Path, ssl.SSLContext]) -> None:
    _, server = authority
    gate = Gate(broker.port)
    async with gate.open(server), connected(broker.url_through(gate.port, "mqtts")) as connection:
        await until(lambda: connection.problem is not None)
        assert connection.problem is not None
        assert "certificate verify failed" in str(connection.problem.params["detail"])
    gc.collect()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that signed itself, and a server's context with it."""
    certificate, key = tmp_path / "ours.pem", tmp_path / "ours.key"
    new_key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    of = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([require("openssl"), *new_key, *of, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


@pytest.mark.parametrize(
    ("url", "peer"),
    [
        ("mqtt://broker", Peer(host="broker", port=1883)),
        (
            "mqtt://fabd:s%2Fc%40@Broker.Local:1884/",
            Peer(host="broker.local", port=1884, username="fabd", password="s/c@"),
        ),
        ("mqtt://fabd@[::1]", Peer(host="::1", port=1883, username="fabd")),
        ("embedded://127.0.0.1:0", Peer(host="127.0.0.1", port=0)),
    ],
)
def test_an_address_is_read(url: str, peer: Peer) -> None:
    address = parse(url)
    assert address.peer == peer
    assert address.embedded == url.startswith("embedded")
    assert "s/c@" not in f"{address!r} {address.peer}"


def test_tls_has_a_port_of_its_own() -> None:
    peer = parse("mqtts://broker").peer
    assert (peer.port, str(peer)) == (8883, "mqtts://broker:8883")
    assert peer.tls is not None
    assert peer.tls.verify_mode is ssl.CERT_REQUIRED
    assert peer.tls.check_hostname


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker:1883",
        "http://broker",
        "mqtt://",
        "mqtt://user:hush@broker:port",
        "mqtt://user:hush@broker:99999",
        "mqtt://user:hush@broker/topic",
        "mqtt://user:hush@broker?ca=/x",
        "mqtt://user:hush@broker#x",
        "mqtts://user:hush@broker?ca=relative.pem",
        "mqtts://user:hush@broker?ca=/nowhere/ca.pem",
        "mqtts://user:hush@broker?insecure=1",
        "embedded://user:hush@127.0.0.1",
        "mqtt://user:hush@a..b",
        "mqtt://user:hush@[::1",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(url)
    assert "hush" not in str(refused.value)
    assert "[mqtt] url" in str(refused.value)


async def _status(broker: Mosquitto) -> dict[str, str]:
    """What somebody learns who comes now."""
    async with client(broker.port) as late:
        await late.subscribe(STATUS)
        message = await next_on(late, STATUS)
        assert message.retain
        found: dict[str, str] = read(message)
        return found
