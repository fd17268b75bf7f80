"""One connection to the broker, from CONNECT to its end: publish, subscribe, read. What comes after is `mqtt`'s.

Everything that we publish goes at QoS 1, one message in flight. Topic names are whole; nothing is added to them.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Never, TypeVar

import aiomqtt
from aiomqtt import Message, ProtocolVersion
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from fabd import tasks
from fabd.errors import LinkLost

KEEPALIVE_S = 30
"""A dead broker is noticed after one and a half times this (MQTT 5.0, section 3.1.2.10)."""
ANSWER_S = 10.0
"""How long the broker may take to acknowledge, before the connection counts as lost."""
LONGEST_INCOMING_BYTES = 256 * 1024
"""What we are willing to be sent: an acknowledgement with a thousand rejections fits."""
MOST_WAITING_MESSAGES = 1000
UNSUPPORTED_PROTOCOL_VERSION = 0x84
"""CONNACK reason code (MQTT 5.0, section 3.2.2.2); paho makes it of a 3.1.1 broker's return code 1 as well."""
FAILURE = 0x80
"""Reason codes from here on are refusals (MQTT 5.0, section 2.4; 3.1.1, section 3.9.3)."""

T = TypeVar("T")
Handler = Callable[[Message], None]


class Mqtt5Refused(LinkLost):
    """The broker speaks MQTT 3.1.1 only."""


class TopicRefused(LinkLost):
    """The broker's access list forbids a topic. An MQTT 3.1.1 broker cannot say so for a publish."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """Where a broker is, and who we are there. `str()` of it shows no secret."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    mqtt5: bool = True
    """Whether to speak MQTT 5; else 3.1.1."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{host}:{self.port}"


class Link:
    """A connection that stands. Every method raises `LinkLost` once it does not stand any more."""

    def __init__(self, client: "_Client", *, mqtt5: bool) -> None:
        self.mqtt5 = mqtt5
        self._client = client
        self._handlers: list[tuple[str, Handler]] = []
        self._slot = asyncio.Lock()

    async def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, properties: Properties | None = None
    ) -> None:
        """Publish, and wait until the broker has acknowledged; raises `TopicRefused` when it says no."""
        async with self._slot:
            self._client.refusal = None
            with _wrapped():
                await _heed(self._client.publish(topic, payload, qos=1, retain=retain, properties=properties))
            if self._client.refusal is not None:
                raise TopicRefused("mqtt-publish-refused", topic=topic, detail=self._client.refusal)

    async def subscribe(self, topic_filter: str, handler: Handler) -> None:
        """Have `handler` called for what arrives on `topic_filter`; it must not block."""
        self._handlers.append((topic_filter, handler))
        with _wrapped():
            granted = await _heed(self._client.subscribe(topic_filter, qos=1))
        code = granted[0]
        if (code if isinstance(code, int) else code.value) >= FAILURE:
            raise TopicRefused("mqtt-subscribe-refused", topic=topic_filter, detail=str(code))

    async def read(self) -> Never:
        """Hand what arrives to the handlers until the connection is lost."""
        with _wrapped():
            async for message in self._client.messages:
                # A broker may send what we did not ask for: amqtt does, with retained messages.
                for topic_filter, handler in self._handlers:
                    if message.topic.matches(topic_filter):
                        handler(message)
        raise LinkLost("mqtt-lost", detail="")


@asynccontextmanager
async def connect(peer: Peer, *, identifier: str, will: aiomqtt.Will) -> AsyncIterator[Link]:
    """Connect as `identifier`, and leave in order.

    The identifier must stay the same from one connection to the next: the broker then ends what is left of the
    old connection, and sends its Will, before the new one begins, and not minutes later.

    Raises `LinkLost`; `Mqtt5Refused` when the broker says that it cannot.
    """
    client = _Client(
        peer.host,
        peer.port,
        username=peer.username,
        password=peer.password,
        tls_context=peer.tls,
        identifier=identifier,
        protocol=ProtocolVersion.V5 if peer.mqtt5 else ProtocolVersion.V311,
        clean_session=None if peer.mqtt5 else True,  # what must not be forgotten stands in the store
        properties=properties(PacketTypes.CONNECT, MaximumPacketSize=LONGEST_INCOMING_BYTES) if peer.mqtt5 else None,
        will=will,
        keepalive=KEEPALIVE_S,
        timeout=ANSWER_S,
        max_queued_incoming_messages=MOST_WAITING_MESSAGES,
    )
    try:
        with _wrapped():
            await _open(client)
        yield Link(client, mqtt5=peer.mqtt5)
    finally:
        with suppress(aiomqtt.MqttError):
            await client.close()


async def _open(client: "_Client") -> None:
    opening = tasks.own(client.__aenter__(), "mqtt-connect")
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The socket is opened in a thread that nobody can stop; it is ours to close afterwards.
        await asyncio.wait([opening])
        opening.exception()
        raise


class _Client(aiomqtt.Client):
    """aiomqtt's client, with three things that it leaves out; tests hold them against a real broker."""

    refusal: str | None = None
    """Why the broker refused the last message that it acknowledged."""

    async def close(self) -> None:
        """Disconnect; also where a connection was never completed, which `__aexit__` does not expect."""
        if self._connected.done() and self._connected.exception() is None:
            await self.__aexit__(None, None, None)
            return
        self._client.disconnect()
        if self._connected.done():
            self._connected.exception()  # nobody waits for it any more

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        # aiomqtt takes any PUBACK for a success: one that says "not authorized" too.
        if reason_code.is_failure:
            self.refusal = str(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, *rest: Any) -> None:
        # aiomqtt would wait for the CONNACK of a broker that has hung up.
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError(str(reason_code)))
        super()._on_disconnect(client, userdata, flags, reason_code, *rest)


async def _heed(call: Coroutine[Any, Any, T]) -> T:
    """Await `call`, and let no cancellation get lost in it.

    aiomqtt waits with `asyncio.wait_for`, which forgets a cancellation that comes in the same turn as the answer
    (python/cpython#86296, mended in Python 3.12).
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    result = await call
    if task.cancelling() > before:
        raise asyncio.CancelledError
    return result


def properties(packet: int, **values: object) -> Properties:
    """MQTT 5 properties by the names that paho gives them (MQTT 5.0, section 2.2.2.2, without the spaces)."""
    made = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(made, name, value)
    return made


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except MqttConnectError as error:
        if getattr(error.rc, "value", None) == UNSUPPORTED_PROTOCOL_VERSION:
            raise Mqtt5Refused("mqtt-5-refused") from error
        raise LinkLost("mqtt-not-let-in", detail=str(error)) from error
    except aiomqtt.MqttError as error:
        raise LinkLost("mqtt-lost", detail=str(error)) from error
