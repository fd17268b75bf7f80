"""Keeps the café connected to its broker: for ever, saying so once, with a Will for the day that it cannot.

`keep_connected` owns the connection and the topic `status`; the feeds that it is given own the other topics and are begun
anew with each connection.
"""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import aiomqtt
import structlog

import fabd
from fabd.errors import ConfigError, LinkLost
from fabd.messages import Message
from fabd.reporting.link import Link, Mqtt5Refused, Peer, connect
from fabd.reporting.schemas import Online, encode, root
from fabd.tasks import own

log = structlog.get_logger(__name__)

PORTS = {"mqtt": 1883, "mqtts": 8883, "embedded": 1883}
"""Well-known ports (IANA: `mqtt`, `secure-mqtt`)."""
FAREWELL_S = 2.0
"""How long the last word, `offline`, may take when the daemon ends; else the Will says it."""

Feed = Callable[[Link], Coroutine[Any, Any, None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long to wait before connecting again: doubled each time, and from the start again once it held."""

    first_s: float = 1.0
    longest_s: float = 30.0


@dataclass(slots=True)
class Connection:
    """Whether we are connected now, for metrics and health. `problem` says why not, from the first failure on."""

    peer: Peer
    connected: bool = False
    problem: Message | None = None

    @property
    def address(self) -> str:
        """Where the broker is, for people; shows no secret."""
        return str(self.peer)


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """What `[mqtt] url` says. `embedded` asks for a broker of our own at that place."""

    peer: Peer
    embedded: bool


def parse(url: str) -> Address:
    """Read `mqtt://user:password@host:port`, `mqtts://...?ca=/path/to/ca.pem` or `embedded://127.0.0.1:1883`.

    Without `ca`, TLS trusts what the system trusts. User and password are percent-decoded. Raises `ConfigError`,
    which never shows the password.
    """
    try:
        parts = urlsplit(url)
        port, query = parts.port, parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise _wrong("mqtt-url-unreadable") from error
    if parts.scheme not in PORTS or not host or parts.path not in ("", "/") or parts.fragment:
        raise _wrong("mqtt-url-unreadable")
    embedded = parts.scheme == "embedded"
    if set(query) - ({"ca"} if parts.scheme == "mqtts" else set()) or (embedded and parts.username is not None):
        raise _wrong("mqtt-url-unreadable")
    peer = Peer(
        host=host,
        port=PORTS[parts.scheme] if port is None else port,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=_tls(parts, query.get("ca", [])),
    )
    return Address(peer=peer, embedded=embedded)


async def keep_connected(connection: Connection, site: str, feeds: Sequence[Feed], *, pace: Pace | None = None) -> None:
    """Stay connected until cancelled; then say `offline`, and leave.

    Each feed is run with each new connection, and cancelled when that is lost. A feed that raises anything but
    `LinkLost` ends this task, and with it the daemon.
    """
    pace = pace or Pace()
    loop, us = asyncio.get_running_loop(), asyncio.current_task()
    assert us is not None
    pause_s = pace.first_s
    while True:
        began_s = loop.time()
        problem: LinkLost | None = None
        try:
            # A task group may lose a cancellation, or leave its task marked as cancelled (Python 3.11): so it has a
            # task of its own, and ours knows whether somebody ends us.
            await own(_one_connection(connection, site, feeds), "mqtt connection")
        except* LinkLost as lost:
            problem = _first(lost)
        finally:
            connection.connected = False
        assert problem is not None  # a connection ends by being lost, or with us
        if us.cancelling():
            raise asyncio.CancelledError
        if connection.peer.mqtt5 and isinstance(problem, Mqtt5Refused):
            connection.peer = replace(connection.peer, mqtt5=False)
            continue
        if connection.problem is None:
            log.warning(problem.message.code, broker=connection.address, **problem.message.params)
        connection.problem = problem.message
        if loop.time() - began_s > pace.longest_s:
            pause_s = pace.first_s
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, pace.longest_s)


async def _one_connection(connection: Connection, site: str, feeds: Sequence[Feed]) -> None:
    topic = f"{root(site)}/status"
    offline = encode(Online(status="offline", version=fabd.__version__))
    will = aiomqtt.Will(topic, offline, qos=1, retain=True)
    async with connect(connection.peer, identifier=f"fabd-{site}", will=will) as link:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(link.read(), name="mqtt-read")  # first: it is what notices a loss
                await link.publish(topic, encode(Online(status="online", version=fabd.__version__)), retain=True)
                connection.connected, connection.problem = True, None
                log.info(
                    "mqtt-connected", broker=connection.address, protocol="5" if connection.peer.mqtt5 else "3.1.1"
                )
                for number, feed in enumerate(feeds):
                    group.create_task(feed(link), name=f"mqtt-feed-{number}")
        except asyncio.CancelledError:
            with suppress(LinkLost, TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await link.publish(topic, offline, retain=True)
            raise


def _first(lost: BaseExceptionGroup[LinkLost]) -> LinkLost:
    """One of the errors that ended a connection: each task may have met the same end."""
    found = lost.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def _tls(parts: SplitResult, ca: list[str]) -> ssl.SSLContext | None:
    if parts.scheme != "mqtts":
        return None
    if len(ca) > 1 or any(not Path(path).is_absolute() for path in ca):
        raise _wrong("mqtt-url-unreadable")
    try:
        return ssl.create_default_context(cafile=ca[0] if ca else None)
    except OSError as error:
        raise _wrong("mqtt-ca-unreadable", path=ca[0] if ca else "", detail=str(error)) from error


def _wrong(code: str, **params: str) -> ConfigError:
    return ConfigError(Message(code=code, params=params))
