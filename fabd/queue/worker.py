"""One worker for each machine: takes the attempt that was claimed for it, runs it, settles it."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from fabd.clock import now
from fabd.config import Configuration
from fabd.config.model import Machine
from fabd.drivers.contract import Driver
from fabd.drivers.session import Session
from fabd.errors import FabdError, JobRejected, LinkLost
from fabd.metering import meter
from fabd.model import Fault, JobState, Message, Outcome, Phase, Reading
from fabd.queue import files, rows, standing, states
from fabd.queue.attempt import OpenAttempt
from fabd.queue.house import House
from fabd.queue.settle import Ending, reading_from_json, reading_to_json, settle
from fabd.store import Connection
from fabd.store.schema import attempt as attempts
from fabd.tasks import end, outlive_cancellation, own

CHECKPOINT_S = 10.0
"""How much a crash may cost the café, in seconds of metering; each checkpoint is a write to an SD card."""

log = structlog.get_logger(__name__)


class Worker:
    """Runs one machine. Everything it does is in rows; what it holds is only what runs now."""

    def __init__(
        self,
        house: House,
        machine: Machine,
        driver: type[Driver],
        build: Callable[[], Driver],
        *,
        time_scale: float,
        owes_stop: bool,
    ) -> None:
        self.machine = machine
        self.driver = driver
        self.sample = build()  # never connected: answers `check` and `estimate_s`
        self.session = Session(machine.id, build, owes_stop=owes_stop)
        self.attempt: OpenAttempt | None = None
        self._house = house
        self._time_scale = time_scale
        self._running: asyncio.Task[None] | None = None
        self._leaving = False

    @property
    def progress(self) -> float | None:
        """How far the attempt under way is, from 0 to 1; `None` while nothing runs."""
        if self.attempt is None:
            return None
        return 0.0 if self.attempt.last is None else meter.progress(self.attempt.last, self.attempt.program)

    @property
    def remaining_s(self) -> float | None:
        """How much machine time is left: what the driver says, else what this machine's estimate leaves."""
        if self.attempt is None or self.progress is None:
            return None
        if self.attempt.last is not None and self.attempt.last.remaining_s is not None:
            return self.attempt.last.remaining_s
        return (1 - self.progress) * self.sample.estimate_s(self.attempt.program)

    async def work(self) -> None:
        """Work until cancelled; then make the machine safe, or leave it to itself where its driver adopts.

        What a driver raises is settled here. What the store raises gets out: nobody can work without rows.
        """
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

    async def _conduct(self, row: Any) -> None:
        """Run the attempt of `row` to its end and settle it. Nobody cancels this; `_leave` cancels the run inside."""
        canceled_by: list[str] = []
        self._running = run = own(self._run(row), f"run attempt {row.id}")
        wishes = own(self._follow_wishes(row.id, run, canceled_by), f"wishes {row.id}")
        await asyncio.wait([run])
        await end(wishes)
        self._running = None
        if not run.cancelled() or canceled_by:
            await self._settle(row.id, _ending_of(run, canceled_by))
        elif not self.driver.adopts:
            await self._settle(row.id, _aborted(Message(code="host-stopped"), Fault.MACHINE, JobState.HELD))
        elif self.attempt is not None:  # the machine goes on; the next start takes it up from here
            reading = self.attempt.close()
            await self._house.store.transaction(partial(_write_reading, attempt_id=row.id, reading=reading))

    async def _run(self, row: Any) -> None:
        store = self._house.store
        program = await store.read(lambda c: rows.program_of_job(c, row.job))
        file = await asyncio.to_thread(files.verified, store.path, program.runs_sha256)
        self.attempt = attempt = OpenAttempt(
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
        checkpoints = own(self._checkpoint(row.id, attempt), f"checkpoints {row.id}")
        try:
            await self._run_or_adopt(attempt)
        finally:
            await end(checkpoints)

    async def _run_or_adopt(self, attempt: OpenAttempt) -> None:
        """A machine that goes on without us is found again after a lost link; with the others the attempt ends."""
        adopts = self.driver.adopts
        while True:
            if adopts:
                await self.session.here()
            try:
                await self.session.run(attempt, leave_running=lambda: self._leaving and adopts)
            except LinkLost:
                if not adopts:
                    raise
            else:
                return

    async def _follow_wishes(self, attempt_id: int, run: "asyncio.Task[None]", canceled_by: list[str]) -> None:
        """Do what people ask of the attempt: its row says what they want, and this makes it so.

        A machine may take a while to pause; a cancel does not wait for that.
        """
        paused = False
        pausing: asyncio.Task[bool] | None = None
        try:
            while True:
                seen = self._house.store.version
                wish, by = await self._house.store.read(lambda c: rows.wish_of(c, attempt_id))
                if wish == "cancel":
                    canceled_by.append(by or "-")
                    run.cancel()
                    return
                if pausing is not None and pausing.done():
                    paused, pausing = pausing.result(), None
                if pausing is None and (wish == "pause") is not paused and self.attempt is not None:
                    pausing = own(self._pause(attempt_id, self.attempt, paused=not paused), f"pause {attempt_id}")
                await self._house.store.changed(seen)
        finally:
            if pausing is not None:
                await end(pausing)

    async def _pause(self, attempt_id: int, attempt: OpenAttempt, *, paused: bool) -> bool:
        """Pause or resume the machine, and write down how that went; whether it is paused now."""
        failed: Message | None = None
        try:
            if paused:
                attempt.shut()
                await self.session.pause()
            else:
                await self.session.resume()
                attempt.open()
        except FabdError as error:
            log.warning("pause or resume failed", machine=self.machine.id, why=str(error))
            attempt.open()
            failed = error.message
        await self._house.store.transaction(partial(_mark_paused, attempt_id=attempt_id, paused=paused, failed=failed))
        return paused and failed is None

    async def _checkpoint(self, attempt_id: int, attempt: OpenAttempt) -> None:
        """Write the latest reading now and then, beside the stream: the stream never waits for the store."""
        written: Reading | None = None
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            reading = attempt.last
            if reading is not None and reading is not written:
                written = reading
                await self._house.store.transaction(partial(_write_reading, attempt_id=attempt_id, reading=reading))

    async def _settle(self, attempt_id: int, ending: Ending) -> None:
        reading = None if self.attempt is None else self.attempt.close()
        owes_stop = self.session.owes_stop
        config = self._house.config

        def close(c: Connection) -> None:
            settle(c, config, attempt_id, ending, reading)
            standing.write(c, self.machine.id, owes_stop=owes_stop)

        await self._house.store.transaction(close)
        self.attempt = None
        log.info("attempt ended", machine=self.machine.id, attempt=attempt_id, outcome=ending.outcome.value)


def _ending_of(run: "asyncio.Task[None]", cancels: list[str]) -> Ending:
    """What an attempt's end means, from how its task ended."""
    if run.cancelled():
        by = Message(code="job-canceled-by-user", params={"by": cancels[0] if cancels else "-"})
        return Ending(outcome=Outcome.CANCELED, fault=Fault.MEMBER, reasons=(by,), job_state=JobState.CANCELED)
    error = run.exception()
    if error is None:
        return Ending(outcome=Outcome.COMPLETED, fault=Fault.NONE)
    if isinstance(error, JobRejected):
        return _aborted(error.message, Fault.MEMBER, JobState.ABORTED)
    if isinstance(error, FabdError):
        return _aborted(error.message, Fault.MACHINE, JobState.ABORTED)
    # A bug in a driver stops this machine, in words, and no other.
    log.error("driver failed", exc_info=error)
    return _aborted(Message(code="driver-failed", params={"detail": repr(error)}), Fault.MACHINE, JobState.ABORTED)


def _aborted(reason: Message, fault: Fault, job_state: JobState) -> Ending:
    return Ending(outcome=Outcome.ABORTED, fault=fault, reasons=(reason,), job_state=job_state)


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


def _mark_paused(c: Connection, *, attempt_id: int, paused: bool, failed: Message | None) -> None:
    job_id = rows.job_of_attempt(c, attempt_id)
    if failed is not None:
        rows.set_reasons(c, job_id, failed)
        c.execute(attempts.update().where(attempts.c.id == attempt_id).values(wish=None))
    elif paused:
        states.move(c, job_id, JobState.STOPPED, Message(code="paused"))
    else:
        states.move(c, job_id, JobState.PROCESSING)


def _write_reading(c: Connection, *, attempt_id: int, reading: Reading) -> None:
    c.execute(attempts.update().where(attempts.c.id == attempt_id).values(reading=reading_to_json(reading)))


def recover(c: Connection, config: Configuration, adopting: frozenset[str]) -> list[int]:
    """After a start: end what was under way on machines that cannot go on without us; returns the jobs held.

    Such a machine may still be hot: its open attempt is an owed stop. The job waits for a person.
    """
    held = []
    for row in rows.open_attempts(c):
        if row.machine in adopting and row.state == "running":
            continue
        reading = None if row.reading is None else reading_from_json(row.reading)
        settle(c, config, row.id, _aborted(Message(code="host-restarted"), Fault.MACHINE, JobState.HELD), reading)
        standing.write(c, row.machine, owes_stop=True)
        held.append(row.job)
    return held
