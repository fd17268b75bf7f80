"""A printer with Marlin 2.1 that is not there: it heats, moves and counts, and speaks as a real one was heard to speak.

`sim://marlin?seed=1&speed=50`: warming up and motion go `speed` times faster than they would. What is said each second
is said each second.
"""

import math
import random
from collections import deque

from fabd.simulators.marlin_firmware import Firmware
from fabd.simulators.marlin_motion import Odometer
from fabd.simulators.marlin_serial import LineRefused, Receiver

QUEUE = 4  # BUFSIZE
REMEMBERED = 200_000


class SimulatedMarlin:
    """One printer. What it really did survives every reset, and every host.

    Parameters, as text since they stand in a URL: `seed` of its bad luck; `speed`; `reset=0` for a board that does not
    reset when its port is opened; `emergency=0` for a firmware without emergency parser; `resend`, the share of lines
    that it takes for damaged; `fault_after` so many commands a heater fails, `reset_after` so many it restarts.
    """

    def __init__(
        self,
        *,
        seed: str = "0",
        speed: str = "1",
        reset: str = "1",
        emergency: str = "1",
        resend: str = "0",
        fault_after: str = "0",
        reset_after: str = "0",
    ) -> None:
        self.odometer = Odometer()
        self.executed: deque[str] = deque(maxlen=REMEMBERED)
        """The commands that were begun, in order, without numbers and checksums; `executed_lines` counts them all."""
        self.executed_lines = 0
        self.refused: deque[str] = deque(maxlen=REMEMBERED)
        """What was asked for again, not known or not done."""
        self._random = random.Random(int(seed))  # noqa: S311 - luck, not secrecy
        self._speed = _at_least(0.001, "speed", speed)
        self._resets_on_open = reset != "0"
        self._emergency_parser = emergency != "0"
        self._resend_share = _at_least(0.0, "resend", resend)
        self._fault_after, self._reset_after = int(fault_after), int(reset_after)
        self._clock_s = 0.0
        self._said: list[str] = []
        self.firmware = self._fresh_firmware()
        self._boot()

    @property
    def nozzle_target_c(self) -> float:
        return self.firmware.nozzle.target_c

    @property
    def bed_target_c(self) -> float:
        return self.firmware.bed.target_c

    @property
    def busy(self) -> bool:
        """Whether a command is under way that was not answered yet."""
        return self._current is not None

    @property
    def lost_bytes(self) -> int:
        """What arrived, and did not fit into the receive buffer, since the last reset."""
        return self._receiver.lost_bytes

    @property
    def at_rest(self) -> bool:
        """Whether nothing moves."""
        return self.firmware.at_rest

    def plugged(self, now_s: float) -> bytes:
        """Opening the port resets most boards."""
        self.step(now_s)
        if self._resets_on_open:
            self._boot()
            self._say("start", "echo:Marlin bugfix-2.1.x", "echo: Last Updated: 2024-01-01 | Author: (simulated)")
        return self._spoken()

    def next_s(self) -> float | None:
        """When the command under way is over, or something must be told."""
        if self._halted:
            return None
        due_s = min(self._over_s, self._report_due_s, self._busy_due_s, self._heat_due_s)
        return None if due_s == math.inf else due_s

    def step(self, now_s: float, received: bytes = b"") -> bytes:
        """Do all that was due, then take `received`; returns what is said."""
        while (due_s := self.next_s()) is not None and due_s <= now_s:
            self._clock_s = max(self._clock_s, due_s)
            self._tell_what_is_due()
            self._work()
        self._clock_s = max(self._clock_s, now_s)
        if received and not self._halted:
            for emergency in self._receiver.arrive(received):
                if self._emergency_parser:
                    self._hurry(emergency)
            self._work()
            self._receiver.overflow()
        self.firmware.settle(self._clock_s)
        return self._spoken()

    def _boot(self) -> None:
        self.firmware.quick_stop(self._clock_s)
        self.firmware = self._fresh_firmware()
        self._receiver = Receiver()
        self._queue: deque[str] = deque()
        self._current: str | None = None
        self._halted = False
        self._over_s = self._report_due_s = self._busy_due_s = self._heat_due_s = math.inf

    def _fresh_firmware(self) -> Firmware:
        return Firmware(
            self.odometer,
            self.refused,
            speed=self._speed,
            emergency_parser=self._emergency_parser,
            now_s=self._clock_s,
        )

    def _work(self) -> None:
        """Fill the queue, and do its commands as long as none of them takes time."""
        while not self._halted:
            if self._current is not None:
                if self._over_s > self._clock_s:
                    break
                self._finish(self._current)
            self._fill_queue()
            if not self._queue:
                break
            self._begin(self._queue.popleft())

    def _fill_queue(self) -> None:
        while len(self._queue) < QUEUE and (line := self._receiver.take_line()) is not None:
            try:
                command = self._receiver.accept(line)
                if line.startswith(b"N") and b"M110" not in line and self._random.random() < self._resend_share:
                    self._receiver.last_number -= 1
                    raise LineRefused(f"checksum mismatch, Last Line: {self._receiver.last_number}")
            except LineRefused as refusal:
                self.refused.append(str(refusal))
                self._receiver.flush()
                self._say(f"Error:{refusal}", f"Resend: {self._receiver.last_number + 1}", "ok")
            else:
                if command:
                    self._queue.append(command)

    def _begin(self, command: str) -> None:
        self._current = command
        self.executed.append(command)
        self.executed_lines += 1
        if command == "M112":
            self._kill("M112 Shutdown")
        elif self.executed_lines == self._fault_after:
            self._say("Error:Heating failed, system stopped! Heater_ID: 0")
            self._kill(None)
        elif self.executed_lines == self._reset_after:
            self._boot()
            self._say("start")
        else:
            self.firmware.heating = False
            self._over_s = self.firmware.do(command, self._clock_s)
            self._say(*self.firmware.said)
            self.firmware.said.clear()
            if self._over_s > self._clock_s:
                self._busy_due_s = self._clock_s + self.firmware.busy_s
                self._heat_due_s = self._clock_s + 1.0 if self.firmware.heating else math.inf

    def _finish(self, command: str) -> None:
        self._current = None
        self._over_s = self._busy_due_s = self._heat_due_s = math.inf
        if command.startswith("M155"):
            self._report_due_s = self._clock_s + self.firmware.report_s
        told = self.firmware.temperatures(self._clock_s) if command.startswith("M105") else ""
        self._say(f"ok{told}")

    def _tell_what_is_due(self) -> None:
        if self._report_due_s <= self._clock_s:
            self._report_due_s = self._clock_s + self.firmware.report_s
            self._say(self.firmware.temperatures(self._clock_s))
        if self._heat_due_s <= self._clock_s < self._over_s:
            self._heat_due_s = self._clock_s + 1.0
            self._say(f"{self.firmware.temperatures(self._clock_s)} W:?")
        if self._busy_due_s <= self._clock_s < self._over_s:
            self._busy_due_s = self._clock_s + self.firmware.busy_s
            self._say("echo:busy: paused for user" if self._over_s == math.inf else "echo:busy: processing")

    def _hurry(self, emergency: bytes) -> None:
        """The emergency parser sees these before anything that waits."""
        waits = self._current is not None and (self.firmware.heating or self._over_s == math.inf)
        if emergency == b"M112":
            self._kill("M112 Shutdown")
        elif emergency == b"M410":
            self.firmware.quick_stop(self._clock_s)
            if self._current is not None and not waits:
                self._over_s = self._clock_s
        elif waits:
            self._over_s = self._clock_s

    def _kill(self, why: str | None) -> None:
        """`kill()`: heaters off, then silence until a reset."""
        self.firmware.quick_stop(self._clock_s)
        self.firmware.heaters_off(self._clock_s)
        self._halted = True
        if why is not None:
            self._say(f"echo:{why}")
        self._say("Error:Printer halted. kill() called!", "//action:poweroff")

    def _say(self, *lines: str) -> None:
        self._said += lines

    def _spoken(self) -> bytes:
        said = "".join(f"{line}\n" for line in self._said).encode("latin-1")
        self._said.clear()
        return said


def _at_least(least: float, name: str, value: str) -> float:
    number = float(value)
    if not least <= number < math.inf:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return number
