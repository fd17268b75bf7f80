"""Builds the ways to the outside over MQTT for a house, and takes them down in order."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any, Protocol

from fabd.config.model import MqttSettings
from fabd.queue import show
from fabd.queue.house import House
from fabd.reporting.acks import Acknowledgements
from fabd.reporting.broker import own_broker
from fabd.reporting.feed import UsageFeed
from fabd.reporting.mqtt import Connection, keep_connected, parse
from fabd.reporting.replay import Replays
from fabd.reporting.states import JobStates, MachineStates

__all__ = ["Connection", "connect"]

LAST_RECORDS_S = 5.0
"""How long the end of the daemon waits for the broker to take the last records; the next start goes on from there."""


class Tasks(Protocol):
    """Whoever runs what never returns, and notices when it does."""

    def hire(self, name: str, work: Coroutine[Any, Any, Any]) -> None: ...

    async def dismiss(self, name: str) -> None: ...


async def connect(house: House, settings: MqttSettings, stack: AsyncExitStack, tasks: Tasks) -> Connection:
    """Keep the house connected as `settings` say, until `stack` is left: then the outbox is emptied first.

    Raises `ConfigError` for an address that cannot be used, and `LinkLost` when a broker of our own does not start;
    that a broker elsewhere is down is no error.
    """
    site, address = house.config.fabd.site.id, parse(settings.url)
    peer = address.peer
    if address.embedded:
        directory = house.store.path / "broker"
        peer = (await stack.enter_async_context(own_broker(peer.host, peer.port, directory))).peer
    connection = Connection(peer)
    usage = UsageFeed(house.store, site, settings.tills)
    feeds = (
        MachineStates(house.store, site, partial(show.machines, house)).run,
        JobStates(house.store, site).run,
        Acknowledgements(house.store, site, settings.tills).run,
        usage.run,
        Replays(house.store, site).run,
    )
    tasks.hire("mqtt", keep_connected(connection, site, feeds))
    stack.push_async_callback(tasks.dismiss, "mqtt")
    stack.push_async_callback(_empty, usage, connection)
    return connection


async def _empty(usage: UsageFeed, connection: Connection) -> None:
    if not connection.connected:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_RECORDS_S):
            await usage.emptied()
