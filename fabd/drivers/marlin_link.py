"""The conversation with a Marlin: numbered lines that arrive once and in order, and everything it says, heard at once.

Marlin takes only the line whose number follows the last one, with a fitting checksum; for anything else it says
`Error:...`, `Resend: <number>` and an `ok` that belongs to the `Resend` (Marlin 2.1, queue.cpp). Here a resend replays
the same bytes under the same number, from a history; nothing is renumbered on the way.
"""

import asyncio
from collections.abc import Callable

from fabd.drivers.marlin_lines import frame, takes_long
from fabd.drivers.marlin_voice import Said, Voice
from fabd.drivers.wire import Wire
from fabd.errors import FabdError, LinkLost, MachineFault
from fabd.tasks import end, own

WINDOW = 1
"""Lines under way: one waits for its `ok` before the next one goes."""
HISTORY = 64
MOST_RESENDS = 10
"""How often in a row the same line may be asked for."""
QUIET_S = 0.05
"""No answer for this long: what was under way has arrived (an FTDI adapter holds bytes back for 16 ms)."""
RESEND_OK_S = 0.5
"""How long the `ok` behind a `Resend` may take; some firmwares never send it."""
RETRY_S = 2.0
"""How long an answer to a fence may take on a machine that does not say that it is busy."""
LONGEST_REPLY_BYTES = 4096


class MarlinLink:
    """A Marlin on a wire. What goes wrong here makes everybody fail who waits here, now and later."""

    def __init__(self, wire: Wire, name: str, silence_s: float) -> None:
        self.voice = Voice()
        self.turn = 0
        """Who may send: `interrupt` begins a new turn, and whoever sends under an old one fails."""
        self._wire = wire
        self._name = name
        self._silence_s = silence_s
        self._loop = asyncio.get_running_loop()
        self._failure: BaseException | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._history: dict[int, bytes] = {}
        self._wanted = self._sent = self._acknowledged = 0  # line numbers; acknowledged <= sent <= wanted
        self._patient = False  # whether the line under way may take long
        self._resend_due = self._resend_ok = False
        self._resent = (0, 0)  # the line that was asked for last, and how often in a row
        self._fencing = False
        self._oks = 0
        self._told_temperatures = self._tells_temperatures = False
        self._autoreports = False
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
        """Wait until something goes wrong; raises it."""
        while True:
            self.check()
            await self._heard()

    async def resumed_at_machine(self) -> None:
        """Wait until nobody holds the program at the machine's own panel."""
        while self.voice.paused:
            await self._heard()

    async def settled(self) -> bool:
        """Wait until no line is under way, and return True; or False at once when the one under way takes long."""
        while self._fencing or self._acknowledged < self._wanted:
            if self._patient:
                return False
            self.check()
            await self._heard()
        return True

    def interrupt(self) -> None:
        """Whoever sends now fails, at this place; the machine's faults are forgotten, so that it can be made safe."""
        self.turn += 1
        if isinstance(self._failure, MachineFault):
            self._failure = None
        self._wake()

    async def send(self, command: bytes, turn: int) -> None:
        """Send one command; returns when the machine has taken it.

        Raises `LinkLost` when it does not answer, `MachineFault` when it says no, was reset, or does not understand
        a line however often it is repeated, or when it was stopped since `turn` began.
        """
        self._check_turn(turn)
        number = self._wanted + 1
        self._wanted = number
        self._history[number] = frame(number, command)
        self._history.pop(number - HISTORY, None)
        self._patient = takes_long(command)
        self._sign_s = self._loop.time()
        while self._acknowledged < number:
            if self._resend_due:
                await self._rewind(turn)
            elif self._sent < number and self._sent - self._acknowledged < WINDOW:
                self._sent += 1
                await self._wire.write(self._history[self._sent])
            else:
                await self._heard()
            self._check_turn(turn)

    async def fence(
        self, *commands: bytes, ahead: bytes = b"", limit_s: float, proven: Callable[[], bool] = lambda: True
    ) -> None:
        """Begin a new line and new numbers, say `commands` at once, and prove that the machine has answered them all.

        It is said again where it may have been lost. The last command is `M105`: a machine that has once answered it
        with temperatures must do so again. `ahead` goes first, without numbers. A machine that says that it is busy
        has more time, unless this is in a hurry (`ahead`). Raises `LinkLost` when the limit has passed.
        """
        turn = self.turn
        frames = [b"\n", ahead, frame(0, b"M110 N0"), *(frame(n, c) for n, c in enumerate(commands, 1))]
        answers = ahead.count(b"\n") + 1 + len(commands)

        def answered() -> bool:
            told = self._told_temperatures or (not self._tells_temperatures and self._oks >= answers)
            return told and proven()

        self._fencing = True
        try:
            async with asyncio.timeout(limit_s) as limit:
                while not answered() or not self._oks:
                    self._renumber(len(commands))
                    await self._wire.write(b"".join(frames))
                    await self._await_answers(turn, answered, None if ahead else limit, limit_s)
                await self._quiet()
        except TimeoutError as error:
            raise LinkLost("marlin-silent", wire=self._name, awaited=commands[0].decode(), limit_s=limit_s) from error
        finally:
            self._fencing = False
            self._wake()
        self._tells_temperatures |= self._told_temperatures
