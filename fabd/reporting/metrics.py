"""Serves the figures to Prometheus, on an address of their own.

A scrape is one short request and one answer, so this is all the HTTP that it takes: everything is done within a few
seconds or the connection is dropped, and there are never more than a few at a time. Whoever is slow only delays
himself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from prometheus_client import Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from fabd.config.model import MetricsSettings
from fabd.errors import ConfigError
from fabd.messages import Message
from fabd.queue import show
from fabd.queue.house import House
from fabd.reporting.figures import Odometer, families, figures
from fabd.reporting.mqtt import Connection
from fabd.tasks import end, own

log = structlog.get_logger(__name__)

SCRAPE_S = 10.0
"""How long one scrape may take, from its first byte to its last."""
MOST_SCRAPES = 16
LONGEST_REQUEST_BYTES = 8192
LAG_EVERY_S = 1.0
LAG_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@asynccontextmanager
async def serving(house: House, settings: MetricsSettings, connection: Connection | None) -> AsyncIterator[str]:
    """Serve the metrics of `house` as long as the context lasts; gives their URL. `connection`: that to the broker.

    Raises `ConfigError` when the address cannot be used.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    page = _Page(house, connection)
    scrapes: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(scrapes) >= MOST_SCRAPES:
            writer.transport.abort()
            return
        task = own(_scrape(page, reader, writer), "scrape")
        scrapes.add(task)
        task.add_done_callback(scrapes.discard)
        task.add_done_callback(_tell_of_failure)

    host, server = await _listen(settings.listen, accept)
    lag = own(page.watch_loop(), "event loop lag")
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}/metrics"
    finally:
        server.close()
        for task in (lag, *scrapes):
            await end(task)
        await server.wait_closed()


class _Page:
    """What a scrape is answered with."""

    def __init__(self, house: House, connection: Connection | None) -> None:
        self._house = house
        self._connection = connection
        self._odometer = Odometer()
        self._process = ProcessCollector(registry=None)
        self._lag = Histogram(
            "fabd_event_loop_lag_seconds",
            "By how much the daemon's loop was late for an appointment, once a second.",
            buckets=LAG_BUCKETS_S,
            registry=None,
        )

    async def render(self) -> bytes:
        """The figures of this moment, in Prometheus' text format."""
        mqtt = self._house.config.fabd.mqtt
        tills = () if mqtt is None else mqtt.tills
        machines = await show.machines(self._house)
        seen = await self._house.store.read(partial(figures, odometer=self._odometer, named_tills=tills))
        connected = None if self._connection is None else self._connection.connected
        ours = families(seen, machines, mqtt_connected=connected)
        return generate_latest(_Collected([*ours, *self._lag.collect(), *self._process.collect()]))

    async def watch_loop(self) -> None:
        """Measure how late the loop is."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._lag.observe(max(0.0, loop.time() - due_s))


class _Collected(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


async def _scrape(page: _Page, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(SCRAPE_S):
            method, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b" ")
            status, body = HTTPStatus.OK, b""
            if method != b"GET":
                status = HTTPStatus.METHOD_NOT_ALLOWED
            elif rest.partition(b" ")[0].partition(b"?")[0] != b"/metrics":
                status = HTTPStatus.NOT_FOUND
            else:
                body = await page.render()
            writer.write(_head(status, len(body)) + body)
            writer.close()
            await writer.wait_closed()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # gone, slow (a TimeoutError is an OSError), or no HTTP: its own loss
    finally:
        writer.transport.abort()


def _head(status: HTTPStatus, length: int) -> bytes:
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {CONTENT_TYPE_PLAIN_0_0_4}",
        f"Content-Length: {length}",
        "Connection: close",
    ]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET")
    return "\r\n".join([*lines, "", ""]).encode()


async def _listen(
    address: str, accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]
) -> tuple[str, asyncio.Server]:
    parts = urlsplit(f"tcp://{address}")
    try:
        server = await asyncio.start_server(accept, parts.hostname, parts.port, limit=LONGEST_REQUEST_BYTES)
    except OSError as error:
        message = Message(code="metrics-not-listening", params={"address": address, "detail": str(error)})
        raise ConfigError(message) from error
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
    return host, server


def _tell_of_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("metrics-scrape-failed", detail=str(error), exc_info=error)
