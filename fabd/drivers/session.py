"""Keeps one machine's driver connected, and makes the machine safe on every unhappy end.

Drivers never retry, back off or reconnect; here it is done once, for all of them. A stop that could not be
delivered is owed, and goes first when the machine is back. Whatever a driver raises leaves here as a `FabdError`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from fabd.drivers.contract import Attempt, Driver
from fabd.errors import FabdError, LinkLost, MachineFault
from fabd.model import Message, Phase, Reading
from fabd.tasks import outlive_cancellation, own

FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0
IDLE_READ_S = 2.0
"""How often an idle machine is looked at: a pulled cable is noticed within this time."""
SILENCE_S = 30.0
"""A driver reports every second, and answers a read at once; one that is silent for this long hangs."""
STOP_S = 20.0
"""How long a machine may take to acknowledge that it is safe, before the stop counts as owed."""
LET_GO_S = 2.0
"""How long a driver may take to end a run that is cancelled; a stop does not wait longer than that for anything."""

log = structlog.get_logger(__name__)


class Session:
    """One machine, connected or on the way to be. `reading` is the latest known; `trouble` says what is wrong."""

    def __init__(self, machine: str, build: Callable[[], Driver], *, owes_stop: bool = False) -> None:
        self.machine = machine
        self.reading = Reading(phase=Phase.IDLE)
        self.trouble: Message | None = Message(code="machine-connecting")
        self.owes_stop = owes_stop
        self._build = build
        self._driver: Driver | None = None
        self._here = asyncio.Event()
        self._lost = asyncio.Event()
        self._stopping = asyncio.Lock()
        self._running = False

    @property
    def connected(self) -> bool:
        """Whether the machine answers, and we owe it no stop."""
        return self._driver is not None and not self.owes_stop

    async def keep(self) -> None:
        """Connect, watch, reconnect; never returns. An outage is logged once, the return once."""
        back_off_s = FIRST_BACK_OFF_S
        try:
            while True:
                try:
                    with self._in_words():
                        async with self._build() as driver:
                            await self._greet(driver)
                            back_off_s = FIRST_BACK_OFF_S
                            await self._watch(driver)
                except FabdError as error:
                    self._lose(error.message)
                await asyncio.sleep(back_off_s)
                back_off_s = min(back_off_s * 2, LONGEST_BACK_OFF_S)
        finally:
            self._driver = None
            self._here.clear()

    async def here(self) -> None:
        """Wait until the machine is connected."""
        await self._here.wait()

    async def run(self, attempt: Attempt, *, leave_running: Callable[[BaseException], bool]) -> None:
        """Run `attempt`; returns when its end is proven.

        Raises `LinkLost` (also for a driver that hangs), `MachineFault` (also for a bug of the driver) or
        `JobRejected`. On every unhappy end, cancellation among them, the machine is made safe before this returns,
        unless `leave_running` says of that end that the machine shall go on without us.
        """
        driver = self._connected_driver()
        self._running = True
        run = own(driver.run(attempt), f"run {self.machine}")
        try:
            with self._in_words():
                await self._until_done(run, attempt)
        except BaseException as error:
            safe = self._make_safe(driver, run, attempt, stop=not leave_running(error))
            await outlive_cancellation(own(safe, f"make {self.machine} safe"))
            if isinstance(error, LinkLost | MachineFault):
                self._lose(error.message)  # after a fault nothing is known: begin with a fresh connection
            raise
        finally:
            self._running = False

    async def pause(self) -> None:
        """Make it safe to wait; raises `LinkLost` or `MachineFault`."""
        with self._in_words():
            await self._connected_driver().pause()

    async def resume(self) -> None:
        """Undo `pause`; raises `LinkLost` or `MachineFault`."""
        with self._in_words():
            await self._connected_driver().resume()

    async def stop(self) -> None:
        """Heaters off, pen up, needle stopped; once begun, no cancellation cuts it.

        Raises `LinkLost` or `MachineFault` where it cannot be delivered: then it is owed, and goes first over a fresh
        connection.
        """
        self.owes_stop = True
        await outlive_cancellation(own(self._stop(), f"stop {self.machine}"))

    async def _stop(self) -> None:
        async with self._stopping:
            self.owes_stop = True  # one that was delivered before this one says nothing of it
            if self._driver is None:
                raise self._not_connected()
            try:
                await self._deliver_stop(self._driver)
            except FabdError as error:
                self._lose(error.message)
                raise

    def _connected_driver(self) -> Driver:
        if self._driver is None or self.owes_stop:
            raise self._not_connected()
        return self._driver

    def _not_connected(self) -> LinkLost:
        return LinkLost("machine-not-connected", machine=self.machine)

    async def _until_done(self, run: "asyncio.Task[None]", attempt: Attempt) -> None:
        """Wait for `run`, as long as it reports."""
        last, loop = attempt.last, asyncio.get_running_loop()
        heard_s = loop.time()
        while not run.done():
            await asyncio.wait([run], timeout=1.0)
            if attempt.last is not last:
                last, heard_s = attempt.last, loop.time()
                if last is not None:
                    self.reading = last
            elif loop.time() - heard_s > SILENCE_S:
                raise self._silent(last)
        if run.cancelled():  # by something inside of the driver: nobody here did
            raise MachineFault("driver-failed", detail=repr(asyncio.CancelledError()))
        run.result()

    async def _make_safe(self, driver: Driver, run: "asyncio.Task[None]", attempt: Attempt, *, stop: bool) -> None:
        run.cancel()
        await asyncio.wait([run], timeout=LET_GO_S)
        run.add_done_callback(_hear_no_more)
        hangs = not run.done()
        if stop:
            try:
                await self.stop()
            except FabdError as error:
                log.warning("stop is owed", machine=self.machine, why=str(error))
            else:
                await self._take_final_reading(driver, attempt)
        if hangs:
            log.error("the driver does not end its run: it gets a fresh connection", machine=self.machine)
            self._lose(Message(code="driver-hangs", params={"machine": self.machine}))

    async def _take_final_reading(self, driver: Driver, attempt: Attempt) -> None:
        """What the machine acknowledged until it stopped is what counts; without it, what was reported before does."""
        try:
            final = await self._read(driver)
            last = attempt.last
            if final.used and (last is None or final.position >= last.position):
                attempt.report(final)
        except FabdError as error:
            log.warning("no final reading", machine=self.machine, why=str(error))

    async def _deliver_stop(self, driver: Driver) -> None:
        try:
            async with asyncio.timeout(STOP_S):
                with self._in_words():
                    await driver.stop()
        except TimeoutError as error:
            raise LinkLost("machine-stop-unanswered", machine=self.machine, limit_s=STOP_S) from error
        self.owes_stop = False

    async def _read(self, driver: Driver) -> Reading:
        try:
            async with asyncio.timeout(SILENCE_S):
                with self._in_words():
                    return await driver.read()
        except TimeoutError as error:
            raise self._silent(self.reading) from error

    async def _greet(self, driver: Driver) -> None:
        """A machine is there when it has answered, and when no stop is owed to it any more."""
        await self._deliver_owed_stop(driver)
        self.reading = await self._read(driver)
        await self._deliver_owed_stop(driver)  # somebody may have wanted one meanwhile
        self._driver, self.trouble = driver, None
        self._lost.clear()
        self._here.set()
        log.info("machine connected", machine=self.machine)

    async def _deliver_owed_stop(self, driver: Driver) -> None:
        if self.owes_stop:
            await self._deliver_stop(driver)
            log.info("owed stop delivered", machine=self.machine)

    async def _watch(self, driver: Driver) -> None:
        """Look at the machine while nothing runs, until it is lost; raises `LinkLost` when it is gone."""
        while not self._lost.is_set():
            try:
                async with asyncio.timeout(IDLE_READ_S):
                    await self._lost.wait()
            except TimeoutError:
                if not self._running:
                    self.reading = await self._read(driver)

    def _silent(self, last: Reading | None) -> LinkLost:
        found = last or Reading(phase=Phase.IDLE)
        return LinkLost(
            "machine-silent", machine=self.machine, limit_s=SILENCE_S, phase=found.phase, position=found.position
        )

    def _lose(self, why: Message) -> None:
        if self._driver is not None or self.trouble is None or self.trouble.code == "machine-connecting":
            log.warning("machine lost", machine=self.machine, code=why.code, params=dict(why.params))
        self._driver, self.trouble = None, why
        self.reading = Reading(phase=Phase.IDLE)  # nobody knows any more how hot it is
        self._here.clear()
        self._lost.set()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """What nobody expected of a driver becomes a fault of its machine: it stops that machine, and no other."""
        try:
            yield
        except FabdError:
            raise
        except Exception as error:
            log.exception("driver failed", machine=self.machine)
            raise MachineFault("driver-failed", detail=repr(error)) from error


def _hear_no_more(run: "asyncio.Task[None]") -> None:
    """What a run raises after it was cancelled is of no interest."""
    if not run.cancelled():
        run.exception()
