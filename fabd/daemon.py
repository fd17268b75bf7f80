"""The composition root: builds the rooms in order, lets them work, and takes them down in the opposite order.

The order of the end matters: first nobody may ask any more, then every machine is made safe and settled, then the
till hears the last records, and then the store is closed.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Never

import structlog

from fabd import __version__, sdnotify
from fabd.api import app as api
from fabd.api.server import serving
from fabd.clock import now
from fabd.config import Configuration
from fabd.config.model import Machine
from fabd.crew import Crew
from fabd.drivers.registry import find_driver, load_configuration, time_scale
from fabd.errors import ConfigError, FabdError
from fabd.metering import ledger, tariff
from fabd.model import Message
from fabd.queue import standing
from fabd.queue.dispatcher import Dispatcher
from fabd.queue.house import House
from fabd.queue.recovery import recover
from fabd.queue.worker import Worker
from fabd.reporting import logs, metrics, report
from fabd.store import Connection, Store
from fabd.tasks import end, own
from fabd.views import HealthView, Say

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Daemon:
    """A café at work. `mqtt` and `metrics` are where they really are, as text for people; `None`: not configured."""

    directory: Path
    house: House
    crew: Crew
    connection: report.Connection | None = None
    metrics: str | None = None
    _reloading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reload(self) -> None:
        """Take the configuration as it stands in the files now, or keep the old one and raise why.

        What runs is not touched: a machine that was changed must be idle. The site, the store and the addresses are
        taken at the next start only. Raises `ConfigError`.
        """
        async with self._reloading:
            config = load_configuration(self.directory)
            version = tariff.tariff_at(config, tariff.day_of(config, now())).version
            problems = _unmovable(self.house.config, config)
            if problems:
                raise ConfigError(*problems)
            await self._exchange(config)
        log.info("configuration reloaded", machines=len(config.machines), tariff=version)

    def employ(self) -> None:
        """Have each machine of the configuration worked."""
        self._take(self.house.config, self._workers(self.house.config))

    async def _exchange(self, config: Configuration) -> None:
        """Take `config` in place of the old one; raises `ConfigError` where that would touch what runs."""
        workers = self._workers(config)
        leaving = [worker for name, worker in self.house.workers.items() if workers.get(name) is not worker]
        for worker in leaving:
            worker.retiring = True
        try:
            # In a transaction, so that it comes after each claim that did not see them retire.
            busy = await self.house.store.transaction(partial(_busy, workers=leaving))
            if busy:
                raise ConfigError(*busy)
        except BaseException:
            for worker in leaving:
                worker.retiring = False
            raise
        for worker in leaving:
            await self.crew.dismiss(f"machine {worker.machine.id}")
        self._take(config, workers)

    def _take(self, config: Configuration, workers: dict[str, Worker]) -> None:
        new = [worker for name, worker in workers.items() if self.house.workers.get(name) is not worker]
        self.house.config, self.house.workers = config, workers
        for worker in new:
            self.crew.hire(f"machine {worker.machine.id}", worker.work())

    def _workers(self, config: Configuration) -> dict[str, Worker]:
        """A worker for each machine of `config`: the one that it has, where nothing changed."""
        workers = {}
        for machine in config.machines:
            known = self.house.workers.get(machine.id)
            workers[machine.id] = known if known is not None and known.machine == machine else self._worker(machine)
        return workers

    def _worker(self, machine: Machine) -> Worker:
        driver = find_driver(machine.driver)
        settings = driver.Config.model_validate(machine.settings)
        scale = time_scale(machine.settings)
        return Worker(self.house, machine, driver, partial(driver, settings), time_scale=scale)

    async def health(self) -> HealthView:
        """What is wrong in any room, in words."""
        config = self.house.config
        version = tariff.tariff_at(config, tariff.day_of(config, now())).version
        mqtt = self.connection
        problems = [worker.trouble for worker in self.house.workers.values() if worker.trouble is not None]
        if mqtt is not None and mqtt.problem is not None:
            problems.append(mqtt.problem)
        return HealthView(
            version=__version__,
            site=config.fabd.site.id,
            ok=not problems,
            problems=tuple(Say.of(problem) for problem in problems),
            socket=str(config.fabd.api.socket),
            mqtt=None if mqtt is None else mqtt.address,
            mqtt_connected=mqtt is not None and mqtt.connected,
            metrics=self.metrics,
            tariff=version,
            tariff_is_example=version == "example",
            locale=config.fabd.site.locale,
        )


@asynccontextmanager
async def running(directory: Path, config: Configuration) -> AsyncIterator[Daemon]:
    """A café at work as long as the context lasts; watch `daemon.crew.failed()` meanwhile.

    Raises `StoreError`, `ConfigError` or `Conflict` when a room cannot be built: nothing is left running then.
    Nothing is started before every room stands, and nothing any more once one is taken down.
    """
    async with AsyncExitStack() as stack:
        store = Store.open(config.fabd.store.path)
        stack.callback(store.close)
        house = House(config=config, store=store)
        await store.transaction(partial(_open_books, config=config))
        outside = await stack.enter_async_context(Crew())
        daemon = Daemon(directory=directory, house=house, crew=Crew())
        await _report(daemon, stack, outside)
        crew = await stack.enter_async_context(daemon.crew)
        daemon.employ()
        crew.hire("reporting", outside.failed())
        app = api.build(house, reload=daemon.reload, health=daemon.health)
        server = await stack.enter_async_context(serving(app, config.fabd.api.socket))
        crew.hire("api", _outlast(server))
        crew.hire("dispatcher", Dispatcher(house).work())
        stack.push_async_callback(crew.dismiss, "dispatcher")
        yield daemon


async def _report(daemon: Daemon, stack: AsyncExitStack, outside: Crew) -> None:
    """Open the ways to the outside that are configured."""
    house, settings = daemon.house, daemon.house.config.fabd
    if settings.mqtt is not None:
        daemon.connection = await report.connect(house, settings.mqtt, stack, outside)
    if settings.metrics is not None:
        daemon.metrics = await stack.enter_async_context(metrics.serving(house, settings.metrics, daemon.connection))


def serve(directory: Path) -> int:
    """Run the daemon until SIGTERM or SIGINT; returns the exit code.

    Raises `ConfigError`, `StoreError`, `Conflict` or `LinkLost` when it cannot begin.
    """
    os.umask(0o027)  # what it writes holds people's names: nobody but its own account and group reads it
    logs.set_up()
    return asyncio.run(_serve(directory))


async def _serve(directory: Path) -> int:
    stop, hang_up = asyncio.Event(), asyncio.Event()
    with _signals({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: hang_up}):
        watchdog = own(sdnotify.feed_watchdog(), "watchdog")
        try:
            code = await _serve_until(stop, hang_up, directory)
        finally:
            await end(watchdog)
    log.info("closed")
    return code


async def _serve_until(stop: asyncio.Event, hang_up: asyncio.Event, directory: Path) -> int:
    config = load_configuration(directory)
    async with running(directory, config) as daemon:
        sdnotify.notify("READY=1")
        log.info("open", site=config.fabd.site.id, machines=len(config.machines), version=__version__)
        stopped, failed = own(stop.wait(), "stop"), own(daemon.crew.failed(), "failed")
        reloads = own(_reload_on(hang_up, daemon), "reloads")
        await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
        sdnotify.notify("STOPPING=1")
        error = failed.exception() if failed.done() else None
        if error is None:
            log.info("closing: every machine is made safe first")
        else:
            why = str(error.__cause__ or error)
            log.critical("a room that all share has ended: the daemon ends with it", why=why, exc_info=error)
        await end(stopped, failed, reloads)
    return 0 if error is None else 1


@contextmanager
def _signals(meanings: Mapping[signal.Signals, asyncio.Event]) -> Iterator[None]:
    """From the first moment to the last, a signal sets its event and does nothing else, however often it comes.

    A second SIGTERM must not cut short what makes the machines safe.
    """
    loop = asyncio.get_running_loop()

    def tell(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(meanings[signal.Signals(number)].set)

    for number in meanings:
        signal.signal(number, tell)
    try:
        yield
    finally:
        for number in meanings:
            # All is safe, and the exit code shall say so. The loop's own handlers would leave a moment in which one kills.
            signal.signal(number, signal.SIG_IGN)


async def _reload_on(hang_up: asyncio.Event, daemon: Daemon) -> Never:
    """Reload at each SIGHUP: nobody waits for the answer, so it goes to the log, and to `systemctl status`."""
    while True:
        await hang_up.wait()
        hang_up.clear()
        sdnotify.reloading()
        status = ""
        try:
            await daemon.reload()
        except Exception as error:  # whatever is wrong with the files: the café goes on as it was
            known = isinstance(error, FabdError)
            log.warning("the old configuration is kept", why=str(error), exc_info=None if known else error)
            status = "The old configuration is kept: see the log."
        sdnotify.notify(f"STATUS={status}\nREADY=1")


def _open_books(c: Connection, config: Configuration) -> None:
    """What every start does first: the ledger is there, and what a power cut left open is ended."""
    ledger.open_book(c, config.fabd.site.id, now())
    adopting = frozenset(machine.id for machine in config.machines if find_driver(machine.driver).adopts)
    recover(c, config, adopting)


def _busy(c: Connection, workers: Iterable[Worker]) -> list[Message]:
    """Which of their machines have an attempt under way."""
    busy = []
    for worker in workers:
        row = standing.open_attempt(c, worker.machine.id)
        if row is not None:
            busy.append(Message(code="reload-machine-busy", params={"machine": worker.machine.id, "job": row.job}))
    return busy


def _unmovable(before: Configuration, after: Configuration) -> list[Message]:
    """What a reload cannot take, because it is open: the site, the store, and the addresses."""
    problems = []
    for key, value in before.fabd:
        new = getattr(after.fabd, key)
        if value != new and key != "api":
            problems.append(Message(code="reload-needs-restart", params={"key": key}))
    if before.fabd.api.socket != after.fabd.api.socket:
        problems.append(Message(code="reload-needs-restart", params={"key": "api.socket"}))
    return problems


async def _outlast(server: "asyncio.Task[None]") -> None:
    """Wait for the API's server, which ends before its context does only when it failed."""
    await asyncio.wait([server])
    server.result()
