"""A small café for tests: the real queue, store and metering, over machines that do what the test says."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fabd.clock import now
from fabd.config import Configuration
from fabd.config.load import load
from fabd.metering import ledger, members
from fabd.model import Meter, PositionUnit, Program, UsageCurve
from fabd.queue import files, intake, rows, show, standing
from fabd.queue.dispatcher import Dispatcher
from fabd.queue.house import Caller, House, Wish
from fabd.queue.recovery import recover
from fabd.queue.worker import Worker
from fabd.store import Store
from fabd.tasks import end, own
from fabd.views import EntryView, JobView, MachineView
from fakes.scripted import Bench, Scripted, ScriptedAdopter

LEA = Caller(account="pi", uid=1000, administrator=True, facilitator=True, sender=True, person="lea")
KIOSK = Caller(account="kiosk", uid=1001, administrator=False, facilitator=False, sender=True)

FABD_TOML = """
[site]
id = "test"
name = "Test"
[store]
path = "{store}"
[api]
socket = "{store}/fabd.sock"
"""
MACHINE_TOML = """
[[machine]]
id = "{id}"
name = "{id}"
kind = "printer"
driver = "marlin"
clears_itself = {clears_itself}
[machine.settings]
url = "sim://marlin?seed={seed}"
"""


@dataclass
class Cafe:
    """The house with its benches by machine; `crash()` drops everything but the disk, as a power cut does."""

    directory: Path
    house: House
    benches: dict[str, Bench]
    adopts: bool = False
    time_scale: float = 1.0
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def open(self) -> None:
        """What the daemon does at its start."""
        adopting = frozenset(self.benches) if self.adopts else frozenset[str]()
        await self.house.store.transaction(lambda c: recover(c, self.house.config, adopting))
        await self.house.store.transaction(lambda c: ledger.open_book(c, "test", now()))
        for machine in self.house.config.machines:
            self.house.workers[machine.id] = worker = self._worker(machine.id)
            self.tasks.append(own(worker.work(), f"work {machine.id}"))
        self.dispatch()
        for machine in self.house.config.machines:
            if self.benches[machine.id].plugged:
                await self.house.workers[machine.id].session.here()

    def dispatch(self) -> Dispatcher:
        """Let a dispatcher work."""
        dispatcher = Dispatcher(self.house)
        self.tasks.append(own(dispatcher.work(), "dispatcher"))
        return dispatcher

    async def stop_dispatching(self) -> None:
        """Nothing is claimed any more, but what the test claims."""
        (task,) = (task for task in self.tasks if task.get_name() == "dispatcher")
        self.tasks.remove(task)
        await end(task)

    def _worker(self, machine_id: str) -> Worker:
        machine = standing.configured(self.house.config, machine_id)
        driver = ScriptedAdopter if self.adopts else Scripted
        build = partial(driver, Scripted.Config(), self.benches[machine_id])
        return Worker(self.house, machine, driver, build, time_scale=self.time_scale)

    async def close(self) -> None:
        """SIGTERM."""
        for task in reversed(self.tasks):
            await end(task)
        self.tasks.clear()
        self.house.store.close()

    async def reopen(self) -> None:
        """The daemon is started again, on the same disk, before the same machines."""
        self.house = House(config=self.house.config, store=Store.open(self.house.store.path))
        await self.open()

    async def member(self, name: str, level: str | None = None, *, facilitator: bool = False) -> None:
        """Add somebody, at a level on printers."""
        config = self.house.config
        await self.house.store.transaction(
            lambda c: members.add(c, name, facilitator=facilitator, customer=f"C-{name}", at=now())
        )
        if level is not None:
            await self.house.store.transaction(
                lambda c: members.grant(c, config, name, "printer", level, by="lea", at=now())
            )

    async def send(
        self, wish: Wish, caller: Caller = LEA, *, key: str | None = None, content: bytes = b"G1"
    ) -> JobView:
        """Submit a file that was read before: 100 bytes long, 1000 mm of filament, 600 s."""
        upload = self.directory / "upload"
        upload.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        program = Program(
            format="gcode",
            sha256=sha256,
            runs_sha256=sha256,
            size_bytes=len(content),
            unit=PositionUnit.BYTES,
            length=100,
            extents=None,
            curve=UsageCurve(
                positions=(0, 100), used={Meter.FILAMENT_MM: (0.0, 1000.0), Meter.MACHINE_S: (0.0, 600.0)}
            ),
        )
        files.keep_bytes(self.house.store.path, content)
        await self.house.store.transaction(lambda c: rows.keep_program(c, program))
        return await intake.submit(self.house, upload, wish, caller, key)

    async def job(self, number: int = 1) -> JobView:
        return await show.job(self.house, str(number))

    async def machine(self, name: str = "mk4") -> MachineView:
        return await show.machine(self.house, name)

    async def entries(self) -> list[EntryView]:
        return await self.house.store.read(ledger.entries)

    async def until(self, true: Callable[[JobView], bool], number: int = 1) -> JobView:
        """Wait until the job is so."""
        async with asyncio.timeout(10):
            while not true(job := await self.job(number)):
                for task in self.tasks:
                    if task.done():
                        await task  # a room that fell is why it is not so
                await asyncio.sleep(0.01)
        return job


def configuration(directory: Path, machines: tuple[str, ...], *, clears_itself: bool = False) -> Configuration:
    """The shipped levels, tariff and materials, with printers of these names."""
    (directory / "fabd.toml").write_text(FABD_TOML.format(store=directory / "store"))
    tables = [
        MACHINE_TOML.format(id=name, seed=seed, clears_itself=str(clears_itself).lower())
        for seed, name in enumerate(machines)
    ]
    (directory / "machines.toml").write_text("".join(tables))
    return load(directory)


@asynccontextmanager
async def cafe(
    directory: Path,
    machines: tuple[str, ...] = ("mk4",),
    *,
    adopts: bool = False,
    clears_itself: bool = False,
    **benches: Bench,
) -> AsyncIterator[Cafe]:
    """An open café; what a test does not script ends well."""
    config = configuration(directory, machines, clears_itself=clears_itself)
    house = House(config=config, store=Store.open(config.fabd.store.path))
    open_cafe = Cafe(directory, house, {name: benches.get(name, Bench()) for name in machines}, adopts=adopts)
    await open_cafe.open()
    try:
        yield open_cafe
    finally:
        await open_cafe.close()
