"""What a simulated Marlin does for each command, and how long it takes: the machine behind the line protocol."""

import math
import re
from collections import deque
from collections.abc import Mapping

from fabd.simulators.marlin_heat import AMBIENT_C, Heater
from fabd.simulators.marlin_motion import Axes, Move, Odometer

PLANNER = 16  # BLOCK_BUFFER_SIZE
COLDEST_EXTRUSION_C = 170.0  # EXTRUDE_MINTEMP
NOZZLE_WARMS_C_S, NOZZLE_COOLS_C_S = 3.0, 1.0
BED_WARMS_C_S, BED_COOLS_C_S = 1.0, 0.3
"""They warm up in the machine's own time, and cool in the caller's: the hosts of fast machines are no faster."""

_CODE = re.compile(r"([GMT])[ ]*0*(\d+)")
_WORD = re.compile(r"([A-Z])[ ]*([-+]?(?:\d+\.?\d*|\.\d+))?")
_WITHOUT_EFFECT = re.compile(
    r"G17|M(?:17|18|73|7[5-7]|84|108|110|117|20[13-6]|211|300|413|420|862|900|907)"
)  # Marlin has them all; nothing of them shows here
_FIRMWARE_NAME = (
    "FIRMWARE_NAME:Marlin bugfix-2.1.x (simulated) SOURCE_CODE_URL:github.com/MarlinFirmware/Marlin "
    "PROTOCOL_VERSION:1.0 MACHINE_TYPE:3D Printer EXTRUDER_COUNT:1 UUID:cede2a2f-41a2-4748-9b12-c55c62f367ff"
)

Words = Mapping[str, float]


class Firmware:
    """Axes, heaters and planner since the last reset.

    Times are seconds of the caller's clock, in which warming up and motion go `speed` times faster than on a real machine.
    """

    def __init__(
        self, odometer: Odometer, refused: deque[str], *, speed: float, emergency_parser: bool, now_s: float
    ) -> None:
        self.axes = Axes()
        self.nozzle = Heater(NOZZLE_WARMS_C_S * speed, NOZZLE_COOLS_C_S)
        self.bed = Heater(BED_WARMS_C_S * speed, BED_COOLS_C_S)
        self.fan = 0.0
        self.said: list[str] = []
        self.report_s = math.inf
        """How often `M155` wants temperatures told."""
        self.busy_s = 2.0
        """How often `M113` wants it told that a command still goes on."""
        self.heating = False
        """The command under way waits for a heater, and tells temperatures each second."""
        self._odometer, self._refused, self._speed = odometer, refused, speed
        self._emergency_parser = emergency_parser
        self._planned: deque[tuple[float, Move]] = deque()
        self._motion_end_s = now_s

    @property
    def at_rest(self) -> bool:
        """Whether the planner is empty, as of the last `settle`."""
        return not self._planned

    def do(self, command: str, now_s: float) -> float:
        """Begin `command`; returns when it is over, infinity while it waits for a person. What it says is in `said`."""
        found = _CODE.match(command)
        letter, number = ("", "") if found is None else found.groups()
        code = letter if letter == "T" else letter + number
        if code == "M118":
            self.said.append(command[4:].strip())
        elif code == "T":
            self.axes.tool = int(number)
            return self._synchronized(now_s)
        elif _WITHOUT_EFFECT.fullmatch(code) is None:
            words = {key: float(value or 0) for key, value in _WORD.findall(command[len(letter) + len(number) :])}
            for what in (self._moves, self._modes, self._heats, self._tells):
                over_s = what(code, words, now_s)
                if over_s is not None:
                    return over_s
            self._refused.append(f"unknown: {command}")
            self.said.append(f'echo:Unknown command: "{command}"')
        return now_s

    def temperatures(self, now_s: float) -> str:
        """` T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0` (temperature.cpp: `print_heater_states`)."""
        nozzle_c, bed_c = self.nozzle.current_c(now_s), self.bed.current_c(now_s)
        power = [127 if now_c < target_c else 0 for now_c, target_c in self._pairs(nozzle_c, bed_c)]
        heaters = f" T:{nozzle_c:.2f} /{self.nozzle.target_c:.2f} B:{bed_c:.2f} /{self.bed.target_c:.2f}"
        return f"{heaters} @:{power[0]} B@:{power[1]}"

    def settle(self, now_s: float) -> None:
        """The moves that are over by now count."""
        while self._planned and self._planned[0][0] <= now_s:
            self._odometer.add(self._planned.popleft()[1])

    def quick_stop(self, now_s: float) -> None:
        """`M410`: the move under way ends where it is, the others are forgotten."""
        self.settle(now_s)
        if self._planned:
            end_s, move = self._planned[0]
            lasts_s = move.lasts_s / self._speed
            self._odometer.add(move, min(max(1.0 - (end_s - now_s) / lasts_s, 0.0), 1.0))
        self._planned.clear()
        self._motion_end_s = now_s

    def heaters_off(self, now_s: float) -> None:
        self.nozzle.aim(0.0, now_s)
        self.bed.aim(0.0, now_s)

    def _moves(self, code: str, words: Words, now_s: float) -> float | None:
        match code:
            case "G0" | "G1":
                return self._plan(self.axes.line(words), now_s)
            case "G2" | "G3":
                return self._plan(self.axes.arc(words, clockwise=code == "G2"), now_s)
            case "G10" | "G11":
                return self._plan(self.axes.retract(recover=code == "G11"), now_s)
            case "G28":
                self._plan(self.axes.home(words), now_s)
                return self._synchronized(now_s)
            case "G4":
                dwell_s = words.get("S", words.get("P", 0.0) / 1000)
                return self._synchronized(now_s) + dwell_s / self._speed
            case "M400":
                return self._synchronized(now_s)
            case "M0" | "M1":
                return math.inf
            case "M410":
                self.quick_stop(now_s)
                return now_s
        return None

    def _modes(self, code: str, words: Words, now_s: float) -> float | None:
        axes = self.axes
        match code:
            case "G20" | "G21":
                axes.inch = 25.4 if code == "G20" else 1.0
            case "G90" | "G91":
                axes.relative = axes.e_relative = code == "G91"
            case "M82" | "M83":
                axes.e_relative = code == "M83"
            case "G92":
                axes.set_position(words)
            case "M200":
                axes.set_filament(words)
            case "M220":
                axes.feed_percent = words.get("S", axes.feed_percent)
            case "M221":
                axes.flow[int(words.get("T", axes.tool))] = words.get("S", 100.0) / 100
            case _:
                return None
        return now_s

    def _heats(self, code: str, words: Words, now_s: float) -> float | None:
        match code:
            case "M104":
                self.nozzle.aim(words.get("S", 0.0), now_s)
            case "M140":
                self.bed.aim(words.get("S", 0.0), now_s)
            case "M109":
                return self._wait_for(self.nozzle, words, now_s)
            case "M190":
                return self._wait_for(self.bed, words, now_s)
            case "M106" | "M107":
                self.fan = words.get("S", 255.0) if code == "M106" else 0.0
            case _:
                return None
        return now_s

    def _tells(self, code: str, words: Words, now_s: float) -> float | None:
        axes = self.axes
        match code:
            case "M105":
                pass  # the temperatures are in its `ok`
            case "M114":
                place = f"X:{axes.x:.2f} Y:{axes.y:.2f} Z:{axes.z:.2f} E:{axes.e:.2f}"
                self.said.append(f"{place} Count X:{axes.x * 80:.0f} Y:{axes.y * 80:.0f} Z:{axes.z * 400:.0f}")
            case "M115":
                capabilities = {"AUTOREPORT_TEMP": 1, "EMERGENCY_PARSER": int(self._emergency_parser), "ARCS": 1}
                self.said.append(_FIRMWARE_NAME)
                self.said += [f"Cap:{name}:{value}" for name, value in capabilities.items()]
            case "M155":
                self.report_s = words.get("S", 0.0) or math.inf
            case "M113":
                self.busy_s = words.get("S", 2.0) or math.inf
            case _:
                return None
        return now_s

    def _plan(self, move: Move, now_s: float) -> float:
        """Put `move` into the planner; returns when there was room for it."""
        if move.filament_mm and self.nozzle.current_c(now_s) < COLDEST_EXTRUSION_C:
            self._refused.append("cold extrusion prevented")
            self.said.append("echo: cold extrusion prevented")
            move = Move(lasts_s=move.lasts_s, filament_mm=0.0, tool=move.tool)
        self.settle(now_s)
        room_s = now_s if len(self._planned) < PLANNER else self._planned[-PLANNER][0]
        self._motion_end_s = self._synchronized(now_s) + move.lasts_s / self._speed
        self._planned.append((self._motion_end_s, move))
        return room_s

    def _synchronized(self, now_s: float) -> float:
        return max(self._motion_end_s, now_s)

    def _wait_for(self, heater: Heater, words: Words, now_s: float) -> float:
        if "S" in words or "R" in words:
            heater.aim(words.get("R", words.get("S", 0.0)), now_s)
        self.heating = heater.target_c > AMBIENT_C
        return max(self._synchronized(now_s), heater.reaches_s(cooling_too="R" in words))

    def _pairs(self, nozzle_c: float, bed_c: float) -> tuple[tuple[float, float], tuple[float, float]]:
        return (nozzle_c, self.nozzle.target_c), (bed_c, self.bed.target_c)
