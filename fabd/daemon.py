"""The composition root: builds the rooms in order, lets them work, and takes them down in the opposite order.

The order of the end matters: first nobody may ask any more, then every machine is made safe and settled, then the
till hears the last records, and then the store is closed.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from fabd.queue.worker import Worker, recover
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

    async def reload(self) -> None:
        """Take the configuration as it stands in the files now, or keep the old one and raise why.

        What runs is not touched: a machine that was changed must be idle. The site, the store and the addresses are
        taken at the next start only. Raises `ConfigError`.
        """
        config = load_configuration(self.directory)
        before = {machine.id: machine for machine in self.house.config.machines}
        after = {machine.id: machine for machine in config.machines}
        changed = [name for name in before if before[name] != after.get(name)]
        problems = [*_unmovable(self.house.config, config), *await self._busy(changed)]
        if problems:
            raise ConfigError(*problems)
        self.house.config = config
        for name in changed:
            await self._dismiss(name)
        for name in after.keys() - self.house.workers.keys():
            await self.employ(after[name])
        log.info("configuration reloaded", machines=len(after), tariff=tariff.tariff_at(config, now().date()).version)

    async def employ(self, machine: Machine) -> None:
        """Build the worker of a machine, and let it work."""
        driver = find_driver(machine.driver)
        settings = driver.Config.model_validate(machine.settings)
        found = await self.house.store.read(lambda c: standing.look(c, self.house.config, machine))
        worker = Worker(
            self.house,
            machine,
            driver,
            partial(driver, settings),
            time_scale=time_scale(machine.settings),
            owes_stop=found.owes_stop,
        )
        self.house.workers[machine.id] = worker
        self.crew.hire(f"machine {machine.id}", worker.work())

    async def health(self) -> HealthView:
        """What is wrong in any room, in words."""
        config = self.house.config
        version = tariff.tariff_at(config, now().date()).version
        mqtt = self.connection
        problems = [w.session.trouble for w in self.house.workers.values() if w.session.trouble is not None]
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

    async def _busy(self, names: list[str]) -> list[Message]:
        """Which of these machines have an attempt under way."""
        busy = []
        for name in names:
            row = await self.house.store.read(partial(standing.open_attempt, machine_id=name))
            if row is not None:
                busy.append(Message(code="reload-machine-busy", params={"machine": name, "job": row.job}))
        return busy

    async def _dismiss(self, name: str) -> None:
        await self.crew.dismiss(f"machine {name}")
        del self.house.workers[name]


@asynccontextmanager
async def running(directory: Path, config: Configuration) -> AsyncIterator[Daemon]:
    """A café at work as long as the context lasts; watch `daemon.crew.failed()` meanwhile.

    Raises `StoreError`, `ConfigError` or `Conflict` when a room cannot be built: nothing is left running then.
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
        for machine in config.machines:
            await daemon.employ(machine)
        crew.hire("dispatcher", Dispatcher(house).work())
        crew.hire("watchdog", sdnotify.feed_watchdog())
        crew.hire("reporting", outside.failed())
        app = api.build(house, reload=daemon.reload, health=daemon.health)
        server = await stack.enter_async_context(serving(app, config.fabd.api.socket))
        crew.hire("api", _outlast(server))
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
    logs.set_up()
    return asyncio.run(_serve(directory))


async def _serve(directory: Path) -> int:
    config = load_configuration(directory)
    stop = asyncio.Event()
    async with running(directory, config) as daemon:
        with _signals(stop, daemon):
            sdnotify.notify("READY=1")
            log.info("open", site=config.fabd.site.id, machines=len(config.machines), version=__version__)
            stopped, failed = own(stop.wait(), "stop"), own(daemon.crew.failed(), "failed")
            await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
            sdnotify.notify("STOPPING=1")
            if failed.done():
                log.critical("a room that all share has ended: the daemon ends with it", exc_info=failed.exception())
            else:
                log.info("closing: every machine is made safe first")
            await end(stopped)
            code = 1 if failed.done() else 0
            await end(failed)
    log.info("closed")
    return code


@contextmanager
def _signals(stop: asyncio.Event, daemon: Daemon) -> Iterator[None]:
    """SIGTERM and SIGINT end the daemon in order, SIGHUP reloads."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = own(_reload(daemon), "reload")
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    handlers = {signal.SIGTERM: stop.set, signal.SIGINT: stop.set, signal.SIGHUP: reload}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


async def _reload(daemon: Daemon) -> None:
    """What SIGHUP asks for: nobody waits for the answer, so it goes to the log, and to `systemctl status`."""
    sdnotify.reloading()
    try:
        await daemon.reload()
    except FabdError as error:
        log.warning("the old configuration is kept", why=str(error))
        sdnotify.notify("STATUS=The old configuration is kept: see the log.")
    finally:
        sdnotify.notify("READY=1")


def _open_books(c: Connection, config: Configuration) -> None:
    """What every start does first: the ledger is there, and what a power cut left open is ended."""
    ledger.open_book(c, config.fabd.site.id, now())
    adopting = frozenset(machine.id for machine in config.machines if find_driver(machine.driver).adopts)
    for job in recover(c, config, adopting):
        log.warning("held for a person: the daemon ended in the middle of it", job=job)


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
