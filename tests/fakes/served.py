"""The café of `fakes.cafe`, served on a real socket from a thread of its own: for tests that stand before the counter."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fastapi import FastAPI

from fabd import __version__
from fabd.api.app import build
from fabd.api.server import serving
from fabd.views import HealthView
from fakes.cafe import Cafe, cafe
from fakes.scripted import Bench

T = TypeVar("T")


@dataclass
class Served:
    """A café that is open. All but `socket` belong to the other thread: reach them through `do`."""

    cafe: Cafe
    app: FastAPI
    socket: Path
    loop: asyncio.AbstractEventLoop
    closing: asyncio.Event
    reload_fails: list[Exception] = field(default_factory=list)
    """What the next reloads raise."""

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` in the café's loop."""

        async def doing() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(doing(), self.loop).result()

    def close(self) -> None:
        """What SIGTERM does; returns at once."""
        with suppress(RuntimeError):  # its loop is closed: that has been done
            self.loop.call_soon_threadsafe(self.closing.set)


@contextmanager
def served(directory: Path, bench: Bench | None = None) -> Iterator[Served]:
    """One printer, `mk4`, behind the API; `bench` says what it does, else all ends well."""
    opened: Future[Served] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(directory, bench or Bench(), opened)), name="served")
    thread.start()
    try:
        counter = opened.result()
        try:
            yield counter
        finally:
            counter.close()
    finally:
        thread.join()


async def _serve(directory: Path, bench: Bench, opened: "Future[Served]") -> None:
    try:
        async with cafe(directory, mk4=bench) as open_cafe:
            await _serve_cafe(open_cafe, directory / "fabd.sock", opened)
    except BaseException as error:
        if opened.done():
            raise
        opened.set_exception(error)


async def _serve_cafe(open_cafe: Cafe, socket: Path, opened: "Future[Served]") -> None:
    fails: list[Exception] = []

    async def reload() -> None:
        if fails:
            raise fails.pop()

    async def health() -> HealthView:
        return HealthView(
            version=__version__,
            site="test",
            ok=True,
            socket=str(socket),
            mqtt=None,
            mqtt_connected=False,
            metrics=None,
            tariff="example",
            tariff_is_example=True,
            locale="en",
        )

    app = build(open_cafe.house, reload=reload, health=health)
    counter = Served(open_cafe, app, socket, asyncio.get_running_loop(), asyncio.Event(), fails)
    async with serving(app, socket):
        opened.set_result(counter)
        await counter.closing.wait()
