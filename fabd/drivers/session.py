"""Keeps one machine's driver connected, and makes the machine safe on every unhappy end.

Drivers never retry, back off or reconnect; here it is done once, for all of them. A stop that could not be
delivered is owed, and goes first when the machine is back.
"""

import asyncio
from collections.abc import Callable

import structlog

from fabd.drivers.contract import Attempt, Driver
from fabd.errors import FabdError, LinkLost, MachineFault
from fabd.model import Message, Phase, Reading
from fabd.tasks import end, outlive_cancellation, own

FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0
IDLE_READ_S = 2.0
"""How often an idle machine is looked at: a pulled cable is noticed within this time."""
SILENCE_S = 30.0
"""A driver reports every second; one that is silent for this long hangs."""
STOP_S = 20.0
"""How long a machine may take to acknowledge that it is safe, before the stop counts as owed."""

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
        self._running = False

    @property
    def connected(self) -> bool:
        """Whether the machine answers, and owes us nothing."""
        return self._driver is not None

    async def keep(self) -> None:
        """Connect, watch, reconnect; never returns. An outage is logged once, the return once."""
        back_off_s = FIRST_BACK_OFF_S
        while True:
            try:
                async with self._build() as driver:
                    if self.owes_stop:
                        await self._deliver_stop(driver)
                        log.info("owed stop delivered", machine=self.machine)
                    self._found(driver)
                    back_off_s = FIRST_BACK_OFF_S
                    await self._watch(driver)
            except FabdError as error:
                self._lose(error.message)
            except Exception as error:  # a bug in one driver is one machine's trouble, in words
                log.exception("driver failed", machine=self.machine)
                self._lose(Message(code="driver-failed", params={"detail": repr(error)}))
            await asyncio.sleep(back_off_s)
            back_off_s = min(back_off_s * 2, LONGEST_BACK_OFF_S)

    async def here(self) -> None:
        """Wait until the machine is connected."""
        await self._here.wait()

    async def run(self, attempt: Attempt, *, leave_running: Callable[[], bool]) -> None:
        """Run `attempt`; returns when its end is proven.

        Raises what the driver raises, or `LinkLost` when it hangs. On every unhappy end, cancellation among them,
        the machine is made safe before this returns, unless `leave_running()` says that it shall go on without us.
        """
        driver = self._driver
        if driver is None:
            raise LinkLost("machine-not-connected", machine=self.machine)
        self._running = True
        run = own(driver.run(attempt), f"run {self.machine}")
        try:
            await self._until_done(run, attempt)
        except BaseException as error:
            safe = own(self._make_safe(driver, run, attempt, stop=not leave_running()), f"stop {self.machine}")
            await outlive_cancellation(safe)
            if isinstance(error, LinkLost | MachineFault):
                self._lose(error.message)  # after a fault nothing is known: begin with a fresh connection
            raise
        finally:
            self._running = False

    async def pause(self) -> None:
        """Make it safe to wait; raises `LinkLost` or `MachineFault`."""
        await self._connected_driver().pause()

    async def resume(self) -> None:
        """Undo `pause`; raises `LinkLost` or `MachineFault`."""
        await self._connected_driver().resume()

    async def stop(self) -> None:
        """Heaters off, pen up, needle stopped; where it cannot be delivered it is owed, and raises `LinkLost`."""
        self.owes_stop = True
        await self._deliver_stop(self._connected_driver())

    def _connected_driver(self) -> Driver:
        if self._driver is None:
            raise LinkLost("machine-not-connected", machine=self.machine)
        return self._driver

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
                raise LinkLost(
                    "machine-silent",
                    machine=self.machine,
                    limit_s=SILENCE_S,
                    phase=last.phase if last else Phase.IDLE,
                    position=last.position if last else 0,
                )
        await run

    async def _make_safe(self, driver: Driver, run: "asyncio.Task[None]", attempt: Attempt, *, stop: bool) -> None:
        await end(run)
        if not stop:
            return
        try:
            await self.stop()
            final = await driver.read()
        except FabdError as error:
            log.warning("stop is owed", machine=self.machine, why=str(error))
        except Exception:  # whatever a driver does here, the attempt must still be settled
            log.exception("stop failed, and is owed", machine=self.machine)
        else:
            last = attempt.last
            if final.used and (last is None or final.position >= last.position):
                attempt.report(final)

    async def _deliver_stop(self, driver: Driver) -> None:
        try:
            async with asyncio.timeout(STOP_S):
                await driver.stop()
        except TimeoutError as error:
            raise LinkLost("machine-stop-unanswered", machine=self.machine, limit_s=STOP_S) from error
        self.owes_stop = False

    async def _watch(self, driver: Driver) -> None:
        """Look at the machine while nothing runs; raises `LinkLost` when it is gone."""
        while not self._lost.is_set():
            if not self._running:
                self.reading = await driver.read()
            try:
                async with asyncio.timeout(IDLE_READ_S):
                    await self._lost.wait()
            except TimeoutError:
                continue

    def _found(self, driver: Driver) -> None:
        self._driver, self.trouble = driver, None
        self._lost.clear()
        self._here.set()
        log.info("machine connected", machine=self.machine)

    def _lose(self, why: Message) -> None:
        if self._driver is not None or self.trouble is None or self.trouble.code == "machine-connecting":
            log.warning("machine lost", machine=self.machine, code=why.code, params=dict(why.params))
        self._driver, self.trouble = None, why
        self._here.clear()
        self._lost.set()
