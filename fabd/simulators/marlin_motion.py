"""The axes of a simulated printer: how far, how long, and how much filament, counted by its own arithmetic.

On purpose this shares nothing with the analysis of G-code: the ledger is checked against it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

HOMING_S = 17.5
"""What `G28` took on a real one."""
_FIRMWARE_RETRACT_MM = 3.0  # Configuration_adv.h: RETRACT_LENGTH
_FIRMWARE_RETRACT_MM_S = 45.0  # RETRACT_FEEDRATE

Words = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One entry of the planner: machine seconds, and millimetres of filament with their sign, on one tool."""

    lasts_s: float
    filament_mm: float
    tool: int


class Axes:
    """Where the head is told to be, and in which modes it is told so. Begins as after a reset."""

    def __init__(self) -> None:
        self.x = self.y = self.z = self.e = 0.0
        self.relative = self.e_relative = False
        self.tool = 0
        self.flow: dict[int, float] = {}
        self.area_mm2: dict[int, float] = {}
        self.volumetric = False
        self.inch = 1.0
        self.feed_mm_min = 1500.0
        self.feed_percent = 100.0
        self.retracted = False

    def line(self, words: Words) -> Move:
        """`G0`, `G1`."""
        dx, dy, dz = self._go(words)
        return self._move(math.sqrt(dx * dx + dy * dy + dz * dz), self._extrude(words))

    def arc(self, words: Words, *, clockwise: bool) -> Move:
        """`G2`, `G3`, by centre (`I`, `J`) or radius (`R`)."""
        x0, y0 = self.x, self.y
        dx, dy, dz = self._go(words)
        if "R" in words:
            centre = _centre(dx, dy, words["R"] * self.inch, clockwise=clockwise)
        else:
            centre = words.get("I", 0.0) * self.inch, words.get("J", 0.0) * self.inch
        begin = math.atan2(-centre[1], -centre[0])
        sweep = (math.atan2(self.y - y0 - centre[1], self.x - x0 - centre[0]) - begin) % math.tau
        if clockwise:
            sweep = math.tau - sweep
        if dx == dy == 0 or sweep == 0:
            sweep = math.tau
        return self._move(math.hypot(math.hypot(*centre) * sweep, dz), self._extrude(words))

    def retract(self, *, recover: bool) -> Move:
        """`G10`, `G11`: the firmware's own retraction, which E does not show."""
        if self.retracted is not recover:
            return Move(lasts_s=0.0, filament_mm=0.0, tool=self.tool)
        self.retracted = not recover
        length_mm = _FIRMWARE_RETRACT_MM if recover else -_FIRMWARE_RETRACT_MM
        return Move(lasts_s=_FIRMWARE_RETRACT_MM / _FIRMWARE_RETRACT_MM_S, filament_mm=length_mm, tool=self.tool)

    def home(self, words: Words) -> Move:
        """`G28`: the named axes, or all."""
        named = {"X", "Y", "Z"} & words.keys() or {"X", "Y", "Z"}
        for axis in named:
            setattr(self, axis.lower(), 0.0)
        return Move(lasts_s=HOMING_S * len(named) / 3, filament_mm=0.0, tool=self.tool)

    def set_position(self, words: Words) -> None:
        """`G92`: from now on the head is said to be there. Nothing moves."""
        for axis in ("X", "Y", "Z", "E"):
            if axis in words:
                setattr(self, axis.lower(), words[axis] * self.inch)

    def set_filament(self, words: Words) -> None:
        """`M200 D`: E in cubic millimetres of filament this thick; `D0` or `S0` ends it."""
        tool = int(words.get("T", self.tool))
        if words.get("D"):
            self.area_mm2[tool] = math.pi * (words["D"] / 2) ** 2
        if "D" in words or "S" in words:
            self.volumetric = words.get("D", 1.0) != 0 and words.get("S", 1.0) != 0

    def _go(self, words: Words) -> tuple[float, float, float]:
        if words.get("F", 0.0) > 0:
            self.feed_mm_min = words["F"] * self.inch
        before = self.x, self.y, self.z
        for axis in ("X", "Y", "Z"):
            if axis in words:
                here = getattr(self, axis.lower()) if self.relative else 0.0
                setattr(self, axis.lower(), here + words[axis] * self.inch)
        return self.x - before[0], self.y - before[1], self.z - before[2]

    def _extrude(self, words: Words) -> float:
        if "E" not in words:
            return 0.0
        asked = words["E"] * self.inch
        steps = asked if self.e_relative else asked - self.e
        self.e += steps
        area_mm2 = self.area_mm2.get(self.tool, math.pi * 0.875**2) if self.volumetric else 1.0
        return steps * self.flow.get(self.tool, 1.0) / area_mm2

    def _move(self, way_mm: float, filament_mm: float) -> Move:
        speed_mm_s = self.feed_mm_min / 60 * self.feed_percent / 100
        return Move(lasts_s=(way_mm or abs(filament_mm)) / speed_mm_s, filament_mm=filament_mm, tool=self.tool)


def _centre(dx: float, dy: float, radius: float, *, clockwise: bool) -> tuple[float, float]:
    """The centre of an arc, seen from its start (Marlin: G2_G3.cpp, `R`)."""
    half = math.hypot(dx, dy) / 2
    if half == 0:
        return 0.0, 0.0
    height = math.sqrt(max(radius * radius - half * half, 0.0))
    side = -height if clockwise is (radius > 0) else height
    return dx / 2 - dy / (2 * half) * side, dy / 2 + dx / (2 * half) * side


class Odometer:
    """What the machine really did since it was built: it survives every reset."""

    def __init__(self) -> None:
        self.machine_s = 0.0
        """Time in motion, in the machine's own seconds."""
        self._net_mm: dict[int, float] = {}
        self._most_mm: dict[int, float] = {}

    @property
    def filament_mm(self) -> float:
        """Filament that left the spools and was not drawn back: the highest sum of each tool."""
        return sum(self._most_mm.values())

    def add(self, move: Move, share: float = 1.0) -> None:
        """`move` was made, or a share of it."""
        self.machine_s += move.lasts_s * share
        net_mm = self._net_mm.get(move.tool, 0.0) + move.filament_mm * share
        self._net_mm[move.tool] = net_mm
        self._most_mm[move.tool] = max(self._most_mm.get(move.tool, 0.0), net_mm)
