"""A printer's state as its commands make it: one fold over G-code, of a whole file or line by line.

True to Marlin 2.1. It serves where a file is analysed, and to drivers that count what a machine acknowledged, so
that estimate and measure come from the same arithmetic (see `Extrusion` for what is counted as filament).
"""

from collections.abc import Callable, Mapping
from math import inf
from types import MappingProxyType
from typing import ClassVar

from fabd.errors import JobRejected
from fabd.formats.gcode_arc import arc_around, offset_of_radius
from fabd.formats.gcode_extrusion import Extrusion
from fabd.formats.gcode_settings import SETTINGS
from fabd.formats.gcode_time import MotionTime
from fabd.formats.gcode_words import LIMIT, Words, code_of, number_of, shown, words_of
from fabd.model import Extents

_MOVE_WORDS = frozenset({b"G", b"X", b"Y", b"Z", b"E", b"F", b"S"})  # S: the power of a laser, nothing for a printer
_ARC_WORDS = _MOVE_WORDS | {b"I", b"J", b"R"}
_AXES = ((0, b"X"), (1, b"Y"), (2, b"Z"))
_USUAL = frozenset({b"G1 ", b"G0 "})  # nearly every line of a file
_INITIAL_SPEED_MM_S = 25.0  # Marlin: feedrate_mm_s = MMM_TO_MMS(1500) (motion.cpp)
_RETRACT_MM, _RETRACT_MM_S = 3.0, 45.0  # Marlin: RETRACT_LENGTH, RETRACT_FEEDRATE (Configuration_adv.h)


class MotionState:
    """Feed it commands, read its attributes: millimetres, seconds, degrees, in the machine's own coordinates.

    It begins as a printer does after power-on and homing: at 0, absolute, in millimetres, with tool 0.
    """

    __slots__ = (
        "_high_mm",
        "_low_mm",
        "_speed_mm_s",
        "bed_c",
        "e_relative",
        "extrusion",
        "homed",
        "nozzle_c",
        "position_mm",
        "relative",
        "shift_mm",
        "speed_factor",
        "time",
        "unit_mm",
    )

    def __init__(self) -> None:
        self.extrusion = Extrusion()
        self.time = MotionTime()
        self.position_mm = [0.0, 0.0, 0.0]
        self.homed = False
        self.nozzle_c = 0.0
        """The highest temperature asked of any nozzle; `bed_c` likewise."""
        self.bed_c = 0.0
        self.shift_mm = [0.0, 0.0, 0.0]  # what `G92` adds to the machine's coordinates
        self._low_mm = [inf, inf, inf]
        self._high_mm = [-inf, -inf, -inf]
        self.relative = False
        self.e_relative = False
        self.unit_mm = 1.0
        self._speed_mm_s = _INITIAL_SPEED_MM_S
        self.speed_factor = 1.0

    @property
    def filament_mm(self) -> float:
        """Filament used so far. Never falls."""
        return self.extrusion.used_mm

    @property
    def net_e_mm(self) -> float:
        """The active tool's E movements so far, with their sign."""
        return self.extrusion.net_mm

    @property
    def time_s(self) -> float:
        """The time of all moves but the last, whose end depends on what follows. Never falls."""
        return self.time.total_s

    @property
    def extents(self) -> Extents | None:
        """The box of all coordinates that moves went to, arcs between them included; `None` before any in X and Y."""
        (x_low, y_low, z_low), (x_high, y_high, z_high) = self._low_mm, self._high_mm
        if inf in (x_low, y_low):
            return None
        z_low, z_high = (0.0, 0.0) if z_low == inf else (z_low, z_high)
        return Extents(
            x_min_mm=x_low, y_min_mm=y_low, z_min_mm=z_low, x_max_mm=x_high, y_max_mm=y_high, z_max_mm=z_high
        )

    def feed(self, command: bytes, line: int = 0) -> None:
        """Take one command, as `command_of` gives it. `line` is its number in the file, for the message.

        What has no effect on the attributes is ignored. Raises `JobRejected` for what cannot be read.
        """
        effect = MotionState._move if command[:3] in _USUAL else self._EFFECTS.get(code_of(command))
        if effect is None:
            return
        try:
            effect(self, {} if effect is MotionState._stand else words_of(command))
        except ValueError as error:
            raise JobRejected("gcode-unreadable", line=line, command=shown(command)) from error

    def _move(self, words: Words) -> None:
        if not words.keys() <= _MOVE_WORDS:
            raise ValueError("a word that moves do not have")
        self._set_speed(words)
        x0, y0, z0 = self.position_mm
        self.position_mm = x, y, z = self._target(words)
        self.time.move(x - x0, y - y0, z - z0, self._extrude(words), self._speed_mm_s * self.speed_factor)

    def _arc(self, words: Words, clockwise: bool) -> None:
        if not words.keys() <= _ARC_WORDS:
            raise ValueError("a word that arcs do not have")
        self._set_speed(words)
        x, y, z = self.position_mm
        self.position_mm = target = self._target(words)
        start, end = (x, y), (target[0], target[1])
        if b"R" in words:
            offset = offset_of_radius(start, end, number_of(words[b"R"]) * self.unit_mm, clockwise=clockwise)
        else:
            offset = number_of(words.get(b"I", b"0")) * self.unit_mm, number_of(words.get(b"J", b"0")) * self.unit_mm
        arc = arc_around(start, end, offset, clockwise=clockwise)
        for reached in arc.outermost():
            self._reach(0, reached[0])
            self._reach(1, reached[1])
        points = list(arc.points())
        dz_mm, de_mm = (target[2] - z) / len(points), self._extrude(words) / len(points)
        for next_x, next_y in points:
            self.time.move(next_x - x, next_y - y, dz_mm, de_mm, self._speed_mm_s * self.speed_factor)
            x, y = next_x, next_y

    def _set_speed(self, words: Words) -> None:
        number = words.get(b"F")
        if number is not None:
            speed_mm_s = number_of(number) * self.unit_mm / 60.0
            if speed_mm_s > 0:  # Marlin passes over `F0` (GcodeSuite::get_destination_from_command)
                self._speed_mm_s = speed_mm_s

    def _target(self, words: Words) -> list[float]:
        """Where a move goes, in the machine's coordinates."""
        target = self.position_mm.copy()
        for axis, letter in _AXES:
            number = words.get(letter)
            if number is None:
                continue
            mm = number_of(number) * self.unit_mm
            mm = target[axis] + mm if self.relative else mm - self.shift_mm[axis]
            if not -LIMIT < mm < LIMIT:
                raise ValueError("a coordinate beyond all measure")
            target[axis] = mm
            if not self._low_mm[axis] <= mm <= self._high_mm[axis]:
                self._reach(axis, mm)
        return target

    def _reach(self, axis: int, mm: float) -> None:
        self._low_mm[axis] = min(self._low_mm[axis], mm)
        self._high_mm[axis] = max(self._high_mm[axis], mm)

    def _extrude(self, words: Words) -> float:
        """Move E as the words say; returns the length of filament moved."""
        number = words.get(b"E")
        if number is None:
            return 0.0
        value = number_of(number) * self._e_unit
        return self.extrusion.move(value if self.e_relative else value - self.extrusion.position)

    @property
    def _e_unit(self) -> float:
        """Inches count for E too, to the third power where E is a volume (`axis_unit_factor` in Marlin's parser.h)."""
        return self.unit_mm**3 if self.extrusion.volumetric else self.unit_mm

    def _clockwise(self, words: Words) -> None:
        self._arc(words, clockwise=True)

    def _counter_clockwise(self, words: Words) -> None:
        self._arc(words, clockwise=False)

    def _dwell(self, words: Words) -> None:
        seconds = number_of(words[b"S"]) if b"S" in words else number_of(words.get(b"P", b"0")) / 1000.0
        if seconds < 0:
            raise ValueError("a wait of less than nothing")
        self.time.wait(seconds)

    def _stand(self, _words: Words) -> None:
        self.time.stop()

    def _retract(self, _words: Words) -> None:
        self.time.move(0.0, 0.0, 0.0, _RETRACT_MM, _RETRACT_MM_S)

    def _home(self, words: Words) -> None:
        axes = [axis for axis, letter in _AXES if letter in words] or [0, 1, 2]
        for axis in axes:
            self.position_mm[axis] = 0.0
            self.shift_mm[axis] = 0.0
        self.homed = True
        self.time.stop()

    def _set_position(self, words: Words) -> None:
        """X, Y and Z shift the coordinates, E is set (Marlin's G92.cpp)."""
        for axis, letter in _AXES:
            if letter in words:
                self.shift_mm[axis] = number_of(words[letter]) * self.unit_mm - self.position_mm[axis]
        if b"E" in words:
            self.extrusion.position = number_of(words[b"E"]) * self._e_unit

    def _forget_shift(self, _words: Words) -> None:
        self.shift_mm = [0.0, 0.0, 0.0]

    def _select_tool(self, words: Words) -> None:
        self.extrusion.select(int(words[b"T"]))
        self.time.stop()

    _EFFECTS: ClassVar[Mapping[bytes, Callable[["MotionState", Words], None]]] = MappingProxyType(
        {
            **SETTINGS,
            b"G0": _move,
            b"G1": _move,
            b"G2": _clockwise,
            b"G3": _counter_clockwise,
            b"G4": _dwell,
            b"G10": _retract,
            b"G11": _retract,
            b"G28": _home,
            b"G29": _stand,
            b"G92": _set_position,
            b"G92.1": _forget_shift,
            b"M0": _stand,
            b"M1": _stand,
            b"M400": _stand,
            b"M600": _stand,
            b"T": _select_tool,
        }
    )
