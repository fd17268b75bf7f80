"""The conversation with a Marlin: numbered lines that arrive once and in order, and everything it says, heard at once.

Marlin takes only the line whose number follows the last one, with a fitting checksum; for anything else it says
`Error:...`, `Resend: <number>` and an `ok` that belongs to the `Resend` (Marlin 2.1, queue.cpp). Here a resend replays
the same bytes under the same number, from a history; nothing is renumbered on the way.
"""

import asyncio
from collections.abc import Callable

from fabd.drivers.marlin_lines import frame, takes_long
from fabd.drivers.marlin_voice import Said, Voice
from fabd.drivers.marlin_window import LineWindow
from fabd.drivers.wire import Wire
from fabd.errors import FabdError, LinkLost, MachineFault
from fabd.formats.gcode_words import shown
from fabd.tasks import end, own

QUIET_S = 0.05
"""No answer for this long: what was under way has arrived (an FTDI adapter holds bytes back for 16 ms)."""
RESEND_OK_S = 0.5
"""How long the `ok` behind a `Resend` may take; some firmwares never send it."""
RETRY_S = 3.0
"""How long the answer to a fence may take, after the last sign that the machine is busy (each 2 s: `M113`)."""
UNKNOWN_BUSY_S = 900.0
"""How long a slow command may take on a machine that never says that it is busy: probing a large bed."""
LONGEST_REPLY_BYTES = 4096


class MarlinLink:
    """A Marlin on a wire. What goes wrong here makes everybody fail who waits here, now and later."""

    def __init__(self, wire: Wire, name: str, silence_s: float) -> None:
        self.voice = Voice()
        self.turn = 0
        """Who may send: `interrupt` begins a new turn, and whoever sends under an old one fails."""
        self.reports = False
        """Whether the machine was asked to tell its temperatures each second: then its silence is noticed always."""
        self.was_busy = False
        """Whether the machine ever said that it is busy: it lives, though it may not answer yet."""
        self._wire, self._name, self._silence_s = wire, name, silence_s
        self._loop = asyncio.get_running_loop()
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._window = LineWindow()
        self._question = 0  # the line that asks for temperatures
        self._patient = False  # the line under way may take long
        self._resend_due = self._resend_ok = False
        self._fences = 0
        self._met = False  # a fence was ever answered: before, a board may still be starting
        self._answers = self._oks = 0
        self._told_temperatures = self._tells_temperatures = False
        self._heard_s = self._sign_s = self._busy_s = self._loop.time()
        self._partial = b""
        self._reader = own(self._read(), f"replies {name}")
        self._reader.add_done_callback(self._reader_ended)
        self._watch_timer = self._loop.call_later(1.0, self._watch)

    async def close(self) -> None:
        """Let go of the wire."""
        self._watch_timer.cancel()
        await end(self._reader)
        self._wire.close()

    def check(self) -> None:
        """Raises what went wrong here: `LinkLost`, or the machine's own `MachineFault`."""
        if isinstance(self._failure, FabdError):
            message = self._failure.message
            raise type(self._failure)(message.code, **message.params) from self._failure
        if self._failure is not None:
            raise self._failure

    async def failure(self) -> None:
        """Wait until something goes wrong, and raise it."""
        while True:
            await self._failed.wait()
            self.check()

    async def resumed_at_machine(self) -> None:
        """Wait until nobody holds the program at the machine's own panel."""
        while self.voice.paused:
            await self._heard()

    async def settled(self) -> bool:
        """Wait until no line is under way, and return True; or False at once when the one under way takes long."""
        while self._fences or self._window.acknowledged < self._window.wanted:
            self.check()
            if self._patient:
                return False
            await self._heard()
        return True

    def interrupt(self) -> None:
        """Whoever sends now fails, there. The machine's faults are forgotten, so that it can be made safe."""
        self.turn += 1
        self.voice.paused = False
        if isinstance(self._failure, MachineFault):
            self._failure = None
            self._failed.clear()
        self._wake()

    async def send(self, command: bytes, turn: int) -> None:
        """Send one command; returns when the machine has taken it.

        Raises `LinkLost` when it does not answer, `MachineFault` when it says no, was reset, or cannot be made to
        take a line, or when it was stopped since `turn` began.
        """
        self._check_turn(turn)
        number = self._window.add(command)
        self._patient = takes_long(command)
        self._sign_s = self._loop.time()
        if command == b"M105":
            self._question = number
        while self._window.acknowledged < number:
            if self._resend_due:
                await self._rewind(turn)
            elif (line := self._window.next_frame()) is not None:
                await self._wire.write(line)
            else:
                await self._heard()
            self._check_turn(turn)

    async def fence(
        self,
        *commands: bytes,
        turn: int,
        limit_s: float,
        ahead: bytes = b"",
        patient: bool = False,
        proven: Callable[[], bool] = lambda: True,
    ) -> None:
        """Begin a new line and new numbers, say `commands` at once, and wait until the machine has answered them all.

        All of it is said again where it may have been lost. The last command is `M105`: a machine that has once
        answered it with temperatures must do so again. `ahead` goes first, without numbers. `patient` gives a machine
        more time that says that it is busy. Raises `LinkLost` when the limit has passed.
        """
        if self.voice.halted:
            raise LinkLost("marlin-deaf", wire=self._name)
        said = b"\n" + ahead + frame(0, b"M110 N0") + b"".join(frame(n, c) for n, c in enumerate(commands, start=1))
        answers = ahead.count(b"\n") + 1 + len(commands)
        self._fences += 1
        try:
            async with asyncio.timeout(limit_s) as limit:
                while True:
                    self._renumber(len(commands))
                    await self._wire.write(said)
                    answered = await self._answered(turn, answers, proven, limit if patient else None, limit_s)
                    await self._quiet()
                    if answered and not self._resend_due:
                        break
        except TimeoutError as error:
            raise LinkLost("marlin-silent", wire=self._name, awaited=shown(commands[0]), limit_s=limit_s) from error
        finally:
            self._fences -= 1
            self._resend_due = False
            self._wake()
        self._met = True
        self._tells_temperatures |= self._told_temperatures

    def _renumber(self, last: int) -> None:
        self._window.renumber(last)
        self._question = self._oks = 0
        self._resend_due = self._told_temperatures = False

    async def _answered(
        self, turn: int, answers: int, proven: Callable[[], bool], limit: asyncio.Timeout | None, limit_s: float
    ) -> bool:
        """Whether the machine answered the fence; if it did not, the fence must be said again."""
        said_s = self._loop.time()
        while True:
            self._check_turn(turn)
            told = self._told_temperatures or (not self._tells_temperatures and self._oks >= answers)
            if told and proven():
                return True
            if self._resend_due:
                return False
            if limit is not None:
                limit.reschedule(max(self._busy_s + limit_s, limit.when() or 0.0))
            try:
                async with asyncio.timeout_at(max(said_s, self._busy_s) + RETRY_S):
                    await self._heard()
            except TimeoutError:
                return False

    async def _rewind(self, turn: int) -> None:
        """Go back to the line that the machine asks for, once nothing is under way any more."""
        give_up_s = self._loop.time() + RESEND_OK_S
        while self._loop.time() < give_up_s:
            answers = self._answers
            await asyncio.sleep(QUIET_S)
            self._check_turn(turn)
            if self._resend_ok and answers == self._answers:
                break
        self._resend_due = self._resend_ok = False
        self._window.rewind(self.voice.asked_number)

    async def _quiet(self) -> None:
        """Wait until no more answers come."""
        answers = -1
        while answers != self._answers:
            answers = self._answers
            await asyncio.sleep(QUIET_S)

    async def _heard(self) -> None:
        """Wait until the machine says something, or until something goes wrong."""
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _check_turn(self, turn: int) -> None:
        if self._failure is not None:
            self.check()
        if turn != self.turn:
            raise MachineFault("marlin-stopped", wire=self._name)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self._failed.set()
            self._wake()

    async def _read(self) -> None:
        while True:
            self._take(await self._wire.read())

    def _reader_ended(self, reader: "asyncio.Task[None]") -> None:
        if not reader.cancelled() and (error := reader.exception()) is not None:
            self._fail(error)

    def _take(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()[-LONGEST_REPLY_BYTES:]  # no Marlin says more; a wrong baud rate does
        for line in lines:
            try:
                said = self.voice.hear(line.strip())
            except MachineFault as fault:
                self._fail(fault)
            else:
                self._understand(said)
        self._wake()

    def _understand(self, said: Said) -> None:
        if said is Said.OK or said is Said.OK_WITH_TEMPERATURES:
            self._take_ok(told=said is Said.OK_WITH_TEMPERATURES)
        elif said is Said.TEMPERATURES and self._patient and self.voice.heats:
            self._sign_s = self._heard_s  # told of themselves, they are no sign that anything else goes on
        elif said is Said.BUSY:
            self.was_busy = True
            self._busy_s = self._sign_s = self._heard_s
        elif said is Said.RESEND:
            self._answers += 1
            self._sign_s = self._heard_s
            self._resend_due, self._resend_ok = True, False
        elif said is Said.START:
            self._answers += 1
            self._restarted()
        elif (
            said is Said.UNKNOWN_COMMAND and not self._fences and not self._window.was_sent(self.voice.unknown_command)
        ):
            self._fail(MachineFault("marlin-misheard", heard=shown(self.voice.unknown_command)))

    def _take_ok(self, *, told: bool) -> None:
        self._answers += 1
        self._sign_s = self._heard_s
        self.voice.waits_for_user = False
        if self._fences:
            self._oks += 1
            self._told_temperatures |= told
        elif self._resend_due:
            self._resend_ok = True
        elif told or not self._tells_temperatures or self._window.acknowledged + 1 != self._question:
            self._window.take_ok()  # else it answers something, but not the question for temperatures

    def _restarted(self) -> None:
        self.reports = False
        if self._fences:
            self._resend_due = True  # it may have heard nothing of the fence
        elif self._met:
            self._fail(MachineFault("marlin-reset", wire=self._name))

    def _watch(self) -> None:
        """Notice silence: of a line's answer, or of a machine that was asked to report each second."""
        self._watch_timer = self._loop.call_later(1.0, self._watch)
        overdue = self._overdue()
        if overdue is not None:
            self._fail(LinkLost("marlin-silent", wire=self._name, awaited=shown(overdue), limit_s=self._silence_s))

    def _overdue(self) -> bytes | None:
        """What should have been answered by now, if anything."""
        now_s = self._loop.time()
        silent_s, waited_s = now_s - self._heard_s, now_s - self._sign_s
        if not self._fences and waited_s > self._silence_s:
            # A firmware that never said that it is busy may still be: as long as it says anything, it has more time.
            may_be_busy = self._patient and not self.was_busy and silent_s <= self._silence_s
            if not may_be_busy or waited_s > UNKNOWN_BUSY_S:
                return self._window.awaited
        return b"M155" if self.reports and silent_s > self._silence_s else None
