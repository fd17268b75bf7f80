"""One worker for each machine: takes the attempt that was claimed for it, runs it, settles it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from fabd.clock import now
from fabd.config.model import Machine
from fabd.drivers.contract import Driver
from fabd.drivers.session import Session
from fabd.errors import FabdError, LinkLost, MachineFault, StoreError
from fabd.metering import meter
from fabd.model import Message, Outcome, Phase, Program, Reading
from fabd.queue import endings, files, rows, standing
from fabd.queue.attempt import OpenAttempt
from fabd.queue.endings import Ending
from fabd.queue.house import House
from fabd.queue.settle import reading_from_json, reading_to_json, settle
from fabd.queue.wishes import Wishes
from fabd.store import Connection
from fabd.store.schema import attempt as attempts
from fabd.tasks import end, outlive_cancellation, own

CHECKPOINT_S = 10.0
"""How much a crash may cost the café, in seconds of metering; each checkpoint is a write to an SD card."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Glance:
    """A machine at one moment, beyond its rows. `progress` goes from 0 to 1; `None` while nothing runs."""

    machine: Machine
    connected: bool
    owes_stop: bool
    trouble: Message | None
    reading: Reading
    progress: float | None
    remaining_s: float | None


class Worker:
    """Runs one machine. Everything it does is in rows; what it holds is only what runs now."""

    def __init__(
        self, house: House, machine: Machine, driver: type[Driver], build: Callable[[], Driver], *, time_scale: float
    ) -> None:
        self.machine = machine
        self.driver = driver
        self.session = Session(machine.id, build)
        self.attempt: OpenAttempt | None = None
        self.retiring = False
        """Set before a reload takes the machine away: nothing is claimed for it any more."""
        self._sample = build()  # never connected: answers `check` and `estimate_s`
        self._house = house
        self._time_scale = time_scale
        self._whole_s: float | None = None
        self._failed: Message | None = None
        self._running: asyncio.Task[None] | None = None
        self._canceled_by: str | None = None
        self._leaving = False

    # --- what others ask of it ---------------------------------------------------------------------------

    @property
    def takes_jobs(self) -> bool:
        """Whether the machine is there, and somebody works it."""
        return self.session.connected and not self.retiring and self._failed is None

    @property
    def trouble(self) -> Message | None:
        """What is wrong with the machine; `None` when nothing is."""
        return self._failed or self.session.trouble

    def glance(self) -> Glance:
        """How the machine is right now. Call it in the loop: in another thread, things would change meanwhile."""
        attempt = self.attempt
        reading, progress, remaining_s = self.session.reading, None, None
        if attempt is not None:
            reading = attempt.last or Reading(phase=Phase.PREPARING)
            progress = meter.progress(reading, attempt.program)
            remaining_s = reading.remaining_s
            if remaining_s is None and self._whole_s is not None:
                remaining_s = (1 - progress) * self._whole_s
        return Glance(
            machine=self.machine,
            connected=self.session.connected,
            owes_stop=self.session.owes_stop,
            trouble=self.trouble,
            reading=reading,
            progress=progress,
            remaining_s=remaining_s,
        )

    def objections(self, program: Program) -> Sequence[Message]:
        """Why this machine cannot make `program`; a driver that cannot even say that is a reason too."""
        try:
            return tuple(self._sample.check(program))
        except Exception as error:  # a bug of a driver must not stop the jobs of other machines
            log.exception("driver failed to check a program", machine=self.machine.id)
            return (Message(code="driver-failed", params={"detail": repr(error)}),)

    def estimate_s(self, program: Program) -> float:
        """How long this machine takes for `program`, in seconds of machine time; raises `MachineFault`."""
        try:
            return self._sample.estimate_s(program)
        except Exception as error:  # likewise
            log.exception("driver failed to estimate a program", machine=self.machine.id)
            raise MachineFault("driver-failed", detail=repr(error)) from error

    async def emergency(self, by: str) -> None:
        """Stop the machine at once, and end what it makes; raises as `Session.stop` does."""
        self._cancel(by)  # nothing more is sent from here on
        await self.session.stop()

    # --- its work ----------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Work until cancelled; then make the machine safe, or leave it to itself where its driver adopts.

        Raises `StoreError`: nobody can work without rows. Whatever else goes wrong is this machine's trouble alone.
        """
        found = await self._house.store.read(lambda c: standing.look(c, self._house.config, self.machine))
        self.session.owes_stop |= found.owes_stop
        keeper = own(self.session.keep(), f"session {self.machine.id}")
        try:
            while True:
                row = await self._next_attempt()
                conduct = own(self._conduct(row), f"attempt {row.id}")
                try:
                    await asyncio.shield(conduct)
                except asyncio.CancelledError:
                    self._leave()
                    await outlive_cancellation(conduct)
                    raise
        except StoreError:
            raise
        except Exception as error:  # the supervisor of one machine: the others go on
            log.exception("this machine is not worked any more", machine=self.machine.id)
            await self._give_up(error)
        finally:
            await end(keeper)

    async def _next_attempt(self) -> Any:
        while True:
            seen = self._house.store.version
            row = await self._house.store.read(lambda c: standing.open_attempt(c, self.machine.id))
            if row is not None:
                return row
            await self._house.store.changed(seen)

    def _leave(self) -> None:
        self._leaving = True
        if self._running is not None:
            self._running.cancel()

    def _cancel(self, by: str) -> None:
        if self._running is not None:
            self._canceled_by = self._canceled_by or by
            self._running.cancel()

    async def _give_up(self, error: Exception) -> None:
        """Stop the machine, say so, and touch nothing any more until the daemon is started again."""
        self._failed = Message(code="machine-given-up", params={"detail": repr(error)})
        with suppress(FabdError):
            await self.session.stop()
        await asyncio.get_running_loop().create_future()

    async def _conduct(self, row: Any) -> None:
        """Run the attempt of `row` to its end and settle it. Nobody cancels this; `_leave` cancels the run inside."""
        if row.state != "claimed" and not self.driver.adopts:  # it was begun before: it is never begun twice
            await self._settle(row.id, endings.interrupted("host-restarted"))
            return
        self._canceled_by = None
        self._running = run = own(self._run(row), f"run attempt {row.id}")
        if self._leaving:
            run.cancel()
        wishes = Wishes(self._house.store, self.session, row.id, lambda: self.attempt, self._cancel)
        beside = [
            own(wishes.follow(), f"wishes {row.id}"),
            own(self._checkpoint(row.id), f"checkpoints {row.id}"),
        ]
        await asyncio.wait([run, *beside], return_when=asyncio.FIRST_COMPLETED)
        failed = next((task.exception() for task in beside if task.done() and not task.cancelled()), None)
        if failed is not None:
            run.cancel()
        await asyncio.wait([run])
        await end(*beside)
        self._running = None
        if run.cancelled() and self._leaving and self._canceled_by is None and self.driver.adopts:
            await self._hand_over(row.id)
        else:
            await self._close(row.id, self._ending(run, failed))

    def _ending(self, run: "asyncio.Task[None]", failed: BaseException | None) -> Ending:
        if not run.cancelled():
            return endings.of_run(run)
        if self._canceled_by is not None:
            return endings.canceled(self._canceled_by)
        return endings.interrupted("host-stopped") if failed is None else endings.of_error(failed)

    async def _run(self, row: Any) -> None:
        store = self._house.store
        program = await store.read(lambda c: rows.program_of_job(c, row.job))
        file = await asyncio.to_thread(files.verified, store.path, program.runs_sha256)
        with suppress(MachineFault):  # then nobody knows what is left
            self._whole_s = self.estimate_s(program)
        self.attempt = OpenAttempt(
            store=store,
            machine=self.machine.id,
            attempt_id=row.id,
            ticket=row.ticket,
            program=program,
            file=file,
            last=_last_known(row),
            time_scale=self._time_scale,
        )
        await store.transaction(lambda c: _mark_running(c, row.id))
        log.info("attempt runs", machine=self.machine.id, job=row.job, attempt=row.number, ticket=row.ticket)
        await self._run_or_adopt(self.attempt)

    async def _run_or_adopt(self, attempt: OpenAttempt) -> None:
        """A machine that goes on without us is found again after a lost link; with the others the attempt ends."""
        while True:
            if self.driver.adopts:
                await self.session.here()
            try:
                await self.session.run(attempt, leave_running=self._goes_on)
            except LinkLost:
                if not self.driver.adopts:
                    raise
            else:
                return

    def _goes_on(self, error: BaseException) -> bool:
        """Whether the machine shall go on without us, although our run of it ends with `error`."""
        return self.driver.adopts and self._canceled_by is None and (self._leaving or isinstance(error, LinkLost))

    async def _checkpoint(self, attempt_id: int) -> None:
        """Write the latest reading now and then, beside the stream: the stream never waits for the store."""
        written: Reading | None = None
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            reading = None if self.attempt is None else self.attempt.last
            if reading is not None and reading is not written:
                written = reading
                await self._house.store.transaction(partial(_write_reading, attempt_id=attempt_id, reading=reading))

    async def _hand_over(self, attempt_id: int) -> None:
        """The machine goes on; the next start takes it up from here."""
        if self.attempt is not None:
            reading = self.attempt.close()
            await self._house.store.transaction(partial(_write_reading, attempt_id=attempt_id, reading=reading))

    async def _close(self, attempt_id: int, ending: Ending) -> None:
        if self.driver.adopts and ending.outcome is not Outcome.COMPLETED:
            with suppress(FabdError):  # then it is owed. Also where no run was there to be stopped: it may go on
                await self.session.stop()
        await self._settle(attempt_id, ending)

    async def _settle(self, attempt_id: int, ending: Ending) -> None:
        reading = None if self.attempt is None else self.attempt.close()
        owes_stop = self.session.owes_stop
        config = self._house.config

        def write(c: Connection) -> None:
            settle(c, config, attempt_id, ending, reading)
            standing.write(c, self.machine.id, owes_stop=owes_stop)

        await self._house.store.transaction(write)
        self.attempt = self._whole_s = None
        log.info("attempt ended", machine=self.machine.id, attempt=attempt_id, outcome=ending.outcome.value)


def _last_known(row: Any) -> Reading | None:
    """What is known of an attempt that was begun before; `None` for one that begins now."""
    if row.reading is not None:
        return reading_from_json(row.reading)
    return Reading(phase=Phase.PREPARING) if row.state == "running" else None


def _mark_running(c: Connection, attempt_id: int) -> None:
    c.execute(
        attempts.update()
        .where(attempts.c.id == attempt_id, attempts.c.state == "claimed")
        .values(state="running", started_at=now())
    )


def _write_reading(c: Connection, *, attempt_id: int, reading: Reading) -> None:
    c.execute(attempts.update().where(attempts.c.id == attempt_id).values(reading=reading_to_json(reading)))
