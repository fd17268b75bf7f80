"""A vinyl cutter that is not there: HP-GL into a byte buffer, immediate escape sequences, speed on each axis.

It reads HP-GL in its own way, and shares no code with the driver or the format. What it answers is from the HP 7470A
Interfacing and Programming Manual (chapters 8 and 10); the numbers of its errors too.
"""

import random
from collections import deque
from dataclasses import dataclass

from fabd.simulators.hpgl_commands import SEPARATORS, command_length, numbers

CUT_MM_S = 60.0
TRAVEL_MM_S = 120.0
"""On each axis by itself: a diagonal is faster, as on real cutters."""
LIFT_S = 0.08
UNITS_PER_MM = 40
HELD_S = 3.0
"""How long somebody holds the machine at its panel, in its own time."""

ESC = 0x1B
BAD_ESCAPE = 11
DAMAGED = 15
OVERFLOW = 16
COMMAND_UNKNOWN = 1
WRONG_PARAMETERS = 2

_FAULTS = frozenset({"panel-pause", "lever-up", "damaged-byte"})
_DIALECTS = frozenset({"silent", "pu-stays", "early-answers"})

Point = tuple[int, int]


@dataclass(slots=True)
class Odometer:
    """What the machine itself counted since it was built; `vinyl_mm` is the furthest feed."""

    cut_mm: float = 0.0
    travel_mm: float = 0.0
    vinyl_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class _Motion:
    until_s: float
    to: Point
    down: bool


class SimulatedCutter:
    """One cutter. `strokes` is the geometry that it cut, in plotter units; a stroke begins where the pen came down.

    `speed` makes it live faster; `baud` limits how fast bytes arrive (0: at once); `buffer` is its size in bytes.
    `faults`, at an instant chosen by `seed`: `panel-pause` and `lever-up` (for `HELD_S`), `damaged-byte`.
    `dialect`: `silent` answers nothing, `pu-stays` does not move on `PUx,y`, `early-answers` tells as its position
    where it is bound for, while it moves. Both take several, with commas.
    """

    def __init__(
        self,
        *,
        seed: str = "0",
        speed: str = "1",
        baud: str = "0",
        buffer: str = "1024",
        faults: str = "",
        dialect: str = "",
    ) -> None:
        self.odometer = Odometer()
        self.strokes: list[list[Point]] = []
        self.position: Point = (0, 0)
        self.pen_down = False
        self.selected = 0
        self.refused = 0
        self.overflowed_bytes = 0
        self.most_buffered_bytes = 0
        self._speed = float(speed)
        self._byte_s = 10 / (int(baud) * self._speed) if int(baud) else 0.0
        self._buffer_bytes = int(buffer)
        self._dialect = _chosen(dialect, _DIALECTS)
        self._plan_faults(int(seed), _chosen(faults, _FAULTS))
        if self._speed <= 0 or int(baud) < 0 or self._buffer_bytes < 1:
            raise ValueError("speed and buffer are above 0, baud is 0 or above")
        self._buffer = bytearray()
        self._arriving: deque[tuple[float, int]] = deque()
        self._escape = bytearray()
        self._said = bytearray()
        self._targets: deque[Point] = deque()
        self._motion: _Motion | None = None
        self._held_until_s = 0.0
        self._held_bit = 0
        self._transmission_error = 0
        self._command_error = 0
        self._now_s = 0.0

    def step(self, now_s: float, received: bytes = b"") -> bytes:
        """Let time pass until `now_s`, then take `received`; returns what the machine says."""
        at_s = max(now_s, self._arriving[-1][0]) if self._arriving else now_s
        for byte in received:
            at_s += self._byte_s
            self._arriving.append((at_s, byte))
        while (due_s := self.next_s()) is not None and due_s <= now_s:
            self._now_s = max(self._now_s, due_s)
            self._next_event()
        self._now_s = max(self._now_s, now_s)
        said = bytes(self._said)
        self._said.clear()
        return b"" if "silent" in self._dialect else said

    def next_s(self) -> float | None:
        """When something happens by itself: a byte arrives, a motion ends, somebody lets go of the panel."""
        due = [self._arriving[0][0]] if self._arriving else []
        if self._motion is not None:
            due.append(self._motion.until_s)
        elif self._held_bit:
            due.append(self._held_until_s)
        return min(due, default=None)

    def plugged(self, now_s: float) -> bytes:
        """A cutter says nothing of its own."""
        return self.step(now_s)

    @property
    def at_rest(self) -> bool:
        """Whether nothing moves, and nothing waits to."""
        return not (self._motion or self._targets or self._buffer or self._arriving)

    def _next_event(self) -> None:
        if self._motion is not None and self._motion.until_s <= self._now_s:
            self._end_motion(self._motion)
        elif self._held_bit and self._motion is None and self._held_until_s <= self._now_s:
            self._held_bit = 0
        else:
            self._hear(self._arriving.popleft()[1])
        while not self._held_bit and (self._motion is None or self._may_answer_early()) and self._go_on():
            pass

    def _may_answer_early(self) -> bool:
        return "early-answers" in self._dialect and not self._targets and self._buffer.startswith(b"OA")

    # --- bytes

    def _hear(self, byte: int) -> None:
        if byte == ESC:
            if self._escape:
                self._transmission_error = BAD_ESCAPE
            self._escape = bytearray([ESC])
        elif self._escape:
            self._escape.append(byte)
            self._hear_escape()
        else:
            self._keep(byte)

    def _keep(self, byte: int) -> None:
        """A byte of HP-GL, into the buffer if there is room."""
        self._heard_bytes += 1
        if self._heard_bytes == self._damaged_byte:
            self._transmission_error = DAMAGED
            byte ^= 0x08
        if len(self._buffer) < self._buffer_bytes:
            self._buffer.append(byte)
            self.most_buffered_bytes = max(self.most_buffered_bytes, len(self._buffer))
        else:
            self.overflowed_bytes += 1
            self._transmission_error = OVERFLOW

    def _hear_escape(self) -> None:
        """Two characters behind ESC make an immediate command."""
        if len(self._escape) == 2 and self._escape[1] != ord("."):
            self._escape.clear()
            self._transmission_error = BAD_ESCAPE
        if len(self._escape) < 3:
            return
        letter = chr(self._escape[2])
        self._escape.clear()
        if letter == "B":
            self._say(self._buffer_bytes - len(self._buffer))
        elif letter == "O":
            self._say((0 if self._buffer else 8) | self._held_bit)
        elif letter == "E":
            self._say(self._transmission_error)
            self._transmission_error = 0
        elif letter == "L":
            self._say(self._buffer_bytes)
        elif letter == "K":
            self._buffer.clear()
            self._targets.clear()
        elif letter not in "JR":
            self._transmission_error = BAD_ESCAPE

    def _say(self, *values: int) -> None:
        self._said += ",".join(str(value) for value in values).encode() + b"\r"

    # --- commands

    def _go_on(self) -> bool:
        """Begin the next motion, or take the next whole command; whether there was one."""
        if self._targets:
            self._begin_motion(self._targets.popleft())
            return True
        length = command_length(self._buffer)
        if length is None:
            return False
        command = bytes(self._buffer[:length]).strip(bytes(SEPARATORS)).decode("ascii", "replace")
        del self._buffer[:length]
        if command:
            self._obey(command[:2].upper(), command[2:])
        return True

    def _obey(self, name: str, text: str) -> None:
        values = numbers(text)
        if values is None:
            self._refuse(WRONG_PARAMETERS)
        elif name in ("PA", "PU", "PD"):
            self._plot(name, values)
        elif name in ("IN", "SP"):
            self.selected = values[0] if values else 0
            self._move_pen(down=False)
        elif name == "OA":
            self._say(*(self._motion.to if self._motion else self.position), int(self.pen_down))
        elif name == "OS":
            self._say(24 | int(self.pen_down) | (32 if self._command_error else 0))
        elif name == "OE":
            self._say(self._command_error)
            self._command_error = 0
        elif name == "OI":
            self._said += b"7470A\r"
        elif name not in ("VS", "FS"):
            self._refuse(COMMAND_UNKNOWN)

    def _plot(self, name: str, values: list[int]) -> None:
        if name != "PA":
            self._move_pen(down=name == "PD")
        if len(values) % 2:
            self._refuse(WRONG_PARAMETERS)
        elif not (name == "PU" and "pu-stays" in self._dialect):
            self._targets.extend(zip(values[::2], values[1::2], strict=True))

    def _refuse(self, error: int) -> None:
        self.refused += 1
        self._command_error = self._command_error or error

    # --- motion

    def _move_pen(self, *, down: bool) -> None:
        if down is self.pen_down:
            return
        self.pen_down = down
        if down:
            self.strokes.append([self.position])
        self._motion = _Motion(self._now_s + LIFT_S / self._speed, self.position, down)

    def _begin_motion(self, to: Point) -> None:
        self._motions += 1
        if self._motions == self._held_motion:
            self._held_bit, self._held_until_s = self._hold_bit, self._now_s + HELD_S / self._speed
        across, along = abs(to[0] - self.position[0]), abs(to[1] - self.position[1])
        speed_mm_s = CUT_MM_S if self.pen_down else TRAVEL_MM_S
        takes_s = max(across, along) / UNITS_PER_MM / speed_mm_s / self._speed
        self._motion = _Motion(self._now_s + takes_s, to, self.pen_down)

    def _end_motion(self, motion: _Motion) -> None:
        self._motion = None
        if motion.to == self.position:
            return
        way_mm = ((motion.to[0] - self.position[0]) ** 2 + (motion.to[1] - self.position[1]) ** 2) ** 0.5 / UNITS_PER_MM
        if motion.down:
            self.odometer.cut_mm += way_mm
            self.strokes[-1].append(motion.to)
        else:
            self.odometer.travel_mm += way_mm
        self.position = motion.to
        self.odometer.vinyl_mm = max(self.odometer.vinyl_mm, motion.to[0] / UNITS_PER_MM)

    # --- faults

    def _plan_faults(self, seed: int, faults: frozenset[str]) -> None:
        chance = random.Random(seed)  # noqa: S311  # a seeded fault, no secret
        self._motions = 0
        self._heard_bytes = 0
        self._held_motion = chance.randint(2, 9) if faults & {"panel-pause", "lever-up"} else 0
        self._hold_bit = 32 if "lever-up" in faults else 16
        self._damaged_byte = chance.randint(40, 120) if "damaged-byte" in faults else 0


def _chosen(text: str, known: frozenset[str]) -> frozenset[str]:
    words = frozenset(text.split(",")) if text else frozenset()
    if unknown := words - known:
        raise ValueError(f"{', '.join(sorted(unknown))}: expected some of {', '.join(sorted(known))}")
    return words
