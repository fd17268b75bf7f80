"""What a Marlin says: each line named, and what it tells remembered. No clock, no wire."""

import re
from enum import Enum, auto

from fabd.drivers.marlin_lines import is_framing_error, resend_number, temperatures
from fabd.errors import MachineFault
from fabd.model import Temperature

AT_TARGET_C = 3.0
"""So near is there, for a machine that waits: Marlin's TEMP_WINDOW and TEMP_BED_WINDOW are 1."""

_HALTED = b"Printer halted"  # language.h: STR_ERR_KILLED, "Printer halted. kill() called!"
_REFUSED_MOVES = re.compile(
    rb"(cold|too long) extrusion prevented", re.IGNORECASE
)  # language.h: STR_ERR_COLD_EXTRUDE_STOP
_UNKNOWN = re.compile(rb'echo: ?Unknown command: ?"(.+)"')
_FIRMWARE = re.compile(rb"FIRMWARE_NAME: ?(.*?)(?: [A-Z_]+:|$)")


class Said(Enum):
    """What one line is."""

    OK = auto()
    OK_WITH_TEMPERATURES = auto()  # the answer to M105, and to nothing else that is sent
    RESEND = auto()
    BUSY = auto()
    START = auto()
    TEMPERATURES = auto()
    UNKNOWN_COMMAND = auto()
    OTHER = auto()


class Voice:
    """Feed it lines with `hear`; its attributes are the newest that the machine told."""

    def __init__(self) -> None:
        self.temperatures: tuple[Temperature, ...] = ()
        self.heats = False
        """By the last temperatures, a heater is on its way to its target, or the machine waits for one (`W:`)."""
        self.firmware = ""
        self.capabilities: set[str] = set()
        """What `M115` says to be there: `AUTOREPORT_TEMP`, `EMERGENCY_PARSER` ..."""
        self.asked_number = 0
        """The line number of the last `Resend`."""
        self.unknown_command = b""
        self.paused = False
        """Somebody paused at the machine (`//action:pause`), and did not resume there yet."""
        self.waits_for_user = False
        """The machine waits for its own button (`busy: paused for user`)."""
        self.halted = False
        """The firmware stopped for good: it hears nothing until it is reset."""

    def hear(self, line: bytes) -> Said:
        """Take one line without its end. Raises `MachineFault` with the machine's own words when it says no."""
        if line == b"ok":
            return Said.OK
        if line.startswith(b"ok "):
            return Said.OK_WITH_TEMPERATURES if self._take_temperatures(line) else Said.OK
        number = resend_number(line)
        if number is not None:
            self.asked_number = number
            return Said.RESEND
        if line.startswith((b"echo:busy:", b"busy:")):
            self.waits_for_user = b"paused for" in line
            return Said.BUSY
        if line.startswith((b"Error:", b"!!")):
            return self._error(line)
        if line.startswith(b"//"):
            return self._action(line)
        if self._take_temperatures(line):
            return Said.TEMPERATURES
        return self._other(line)

    def _take_temperatures(self, line: bytes) -> bool:
        found = temperatures(line)
        if found:
            self.temperatures = found
            away = (heater.target_c > 0 and abs(heater.target_c - heater.current_c) > AT_TARGET_C for heater in found)
            self.heats = b" W:" in line or any(away)
        return bool(found)

    def _error(self, line: bytes) -> Said:
        if is_framing_error(line):
            return Said.OTHER  # a Resend follows
        words = line.removeprefix(b"Error:").decode("utf-8", "replace").strip()
        if _HALTED in line:
            self.halted = True
            raise MachineFault("marlin-halted", words=words)
        raise MachineFault("marlin-error", words=words)

    def _action(self, line: bytes) -> Said:
        """Host actions (Marlin docs, "Host action commands"). Prompts are answered at the machine's own panel."""
        action = line.removeprefix(b"//").strip().removeprefix(b"action:").split(b" ")[0]
        if action in (b"pause", b"paused"):
            self.paused = True
        elif action in (b"resume", b"resumed"):
            self.paused = False
        elif action in (b"cancel", b"kill", b"poweroff", b"shutdown", b"disconnect"):
            raise MachineFault("marlin-canceled-at-machine", action=action.decode("ascii"))
        return Said.OTHER

    def _other(self, line: bytes) -> Said:
        if line == b"start":
            self.temperatures, self.paused, self.waits_for_user, self.halted = (), False, False, False
            return Said.START
        if line.startswith(b"Cap:"):
            name, _, value = line[4:].decode("ascii", "replace").partition(":")
            (self.capabilities.add if value.strip() == "1" else self.capabilities.discard)(name)
        elif (firmware := _FIRMWARE.search(line)) is not None:
            self.firmware = firmware[1].decode("utf-8", "replace")
        elif (unknown := _UNKNOWN.match(line)) is not None:
            self.unknown_command = unknown[1]
            return Said.UNKNOWN_COMMAND
        elif _REFUSED_MOVES.search(line):
            raise MachineFault("marlin-error", words=line.removeprefix(b"echo:").decode("utf-8", "replace").strip())
        return Said.OTHER
