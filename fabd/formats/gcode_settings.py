"""Commands that move nothing and change how the following ones are read: units, modes, limits, temperatures."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from fabd.formats.gcode_words import Words, number_of

if TYPE_CHECKING:
    from fabd.formats.gcode_state import MotionState

INCH_MM = 25.4


def _inches(state: "MotionState", _words: Words) -> None:
    state.unit_mm = INCH_MM


def _millimetres(state: "MotionState", _words: Words) -> None:
    state.unit_mm = 1.0


def _absolute(state: "MotionState", _words: Words) -> None:
    """All axes, E too (`GcodeSuite::set_relative_mode`, gcode.h)."""
    state.relative = state.e_relative = False


def _relative(state: "MotionState", _words: Words) -> None:
    state.relative = state.e_relative = True


def _e_absolute(state: "MotionState", _words: Words) -> None:
    state.e_relative = False


def _e_relative(state: "MotionState", _words: Words) -> None:
    state.e_relative = True


def _heat_nozzle(state: "MotionState", words: Words) -> None:
    state.nozzle_c = max(state.nozzle_c, _temperature_c(words))


def _heat_nozzle_and_wait(state: "MotionState", words: Words) -> None:
    _heat_nozzle(state, words)
    state.time.stop()


def _heat_bed(state: "MotionState", words: Words) -> None:
    state.bed_c = max(state.bed_c, _temperature_c(words))


def _heat_bed_and_wait(state: "MotionState", words: Words) -> None:
    _heat_bed(state, words)
    state.time.stop()


def _filament(state: "MotionState", words: Words) -> None:
    """`M200 D1.75` makes E a volume, `M200 D0` and `M200 S0` a length again (M200-M205.cpp)."""
    if b"D" in words:
        state.extrusion.set_diameter(_tool(state, words), number_of(words[b"D"]) * state.unit_mm)
    if b"S" in words:
        state.extrusion.set_volumetric(number_of(words[b"S"]) != 0)


def _flow(state: "MotionState", words: Words) -> None:
    if b"S" in words:
        state.extrusion.set_flow(_tool(state, words), number_of(words[b"S"]) / 100.0)


def _speed_factor(state: "MotionState", words: Words) -> None:
    if b"S" in words:
        factor = number_of(words[b"S"]) / 100.0
        if factor <= 0:
            raise ValueError("a speed of nothing")
        state.speed_factor = factor


def _axis_accelerations(state: "MotionState", words: Words) -> None:
    for axis, limit in _positive(state, words, "XYZE").items():
        state.time.axis_accels_mm_s2["XYZE".index(axis)] = limit


def _axis_speeds(state: "MotionState", words: Words) -> None:
    for axis, limit in _positive(state, words, "XYZE").items():
        state.time.axis_speeds_mm_s["XYZE".index(axis)] = limit


def _accelerations(state: "MotionState", words: Words) -> None:
    """`S` is the old word for both `P` and `T` (M200-M205.cpp)."""
    given = _positive(state, words, "SPRT")
    time = state.time
    both = given.get("S")
    time.print_accel_mm_s2 = given.get("P", both or time.print_accel_mm_s2)
    time.travel_accel_mm_s2 = given.get("T", both or time.travel_accel_mm_s2)
    time.retract_accel_mm_s2 = given.get("R", time.retract_accel_mm_s2)


def _corners(state: "MotionState", words: Words) -> None:
    given = _positive(state, words, "XYJ")
    if "J" in given:
        state.time.set_junction_deviation(given["J"])
    elif given:
        state.time.set_jerk(min(given.values()))


def _positive(state: "MotionState", words: Words, letters: str) -> dict[str, float]:
    """The limits given under these letters; Marlin takes no limit of 0."""
    given = {
        letter: number_of(words[letter.encode()]) * state.unit_mm for letter in letters if letter.encode() in words
    }
    return {letter: value for letter, value in given.items() if value > 0}


def _temperature_c(words: Words) -> float:
    return number_of(words.get(b"S") or words.get(b"R") or b"0")


def _tool(state: "MotionState", words: Words) -> int:
    return int(words[b"T"]) if b"T" in words else state.extrusion.tool


SETTINGS: Mapping[bytes, Callable[["MotionState", Words], None]] = MappingProxyType(
    {
        b"G20": _inches,
        b"G21": _millimetres,
        b"G90": _absolute,
        b"G91": _relative,
        b"M82": _e_absolute,
        b"M83": _e_relative,
        b"M104": _heat_nozzle,
        b"M109": _heat_nozzle_and_wait,
        b"M140": _heat_bed,
        b"M190": _heat_bed_and_wait,
        b"M200": _filament,
        b"M201": _axis_accelerations,
        b"M203": _axis_speeds,
        b"M204": _accelerations,
        b"M205": _corners,
        b"M220": _speed_factor,
        b"M221": _flow,
    }
)
