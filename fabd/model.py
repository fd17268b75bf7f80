"""The values that pass between rooms: frozen, keyword-only, with the architecture's words.

Nothing here needs another room. Lengths are millimetres, durations seconds, masses milligrams,
temperatures degrees Celsius, money integer micro-euros or cents; the unit stands in each name.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fabd.messages import Message, Param

__all__ = ["Message", "Param"]  # re-exported: a message is a value like the others


class Meter(StrEnum):
    """A measured quantity, with its unit in its name.

    `filament_mm` is what a machine can count; `filament_mg` is what is billed, made from it by the
    loaded material's diameter and density.
    """

    MACHINE_S = "machine_s"
    FILAMENT_MM = "filament_mm"
    FILAMENT_MG = "filament_mg"
    VINYL_MM = "vinyl_mm"
    CUT_MM = "cut_mm"
    TRAVEL_MM = "travel_mm"
    STITCHES = "stitches"
    COLOUR_CHANGES = "colour_changes"
    ASSISTANCE_S = "assistance_s"
    ENERGY_WH = "energy_wh"
    FLAT = "flat"


class Method(StrEnum):
    """How a quantity was measured; the earlier in this list, the better."""

    ODOMETER = "odometer"  # the machine acknowledged it
    CURVE = "curve"  # from the position in the program
    ESTIMATE = "estimate"  # from elapsed time, or from the file before it ran
    OPERATOR = "operator"  # a person said so
    FIXED = "fixed"  # a flat fee: the tariff sets it, nothing is measured


class JobState(StrEnum):
    """IPP's job states (RFC 8011, section 5.3.7)."""

    PENDING = "pending"
    HELD = "pending-held"
    PROCESSING = "processing"
    STOPPED = "processing-stopped"
    COMPLETED = "completed"
    CANCELED = "canceled"
    ABORTED = "aborted"


class MachineState(StrEnum):
    """IPP's printer states (RFC 8011, section 5.4.11)."""

    IDLE = "idle"
    PROCESSING = "processing"
    STOPPED = "stopped"


class Phase(StrEnum):
    """What a machine is doing, as its driver sees it."""

    IDLE = "idle"
    PREPARING = "preparing"  # heating, homing, waiting for the first motion
    RUNNING = "running"
    PAUSED = "paused"
    WAITING = "waiting"  # for a person: a prompt is open
    FINISHING = "finishing"  # all is sent, the end is not proven yet

    @property
    def is_machine_time(self) -> bool:
        """Whether time in this phase is machine time: pauses and waits for people are not."""
        return self in (Phase.PREPARING, Phase.RUNNING, Phase.FINISHING)


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    CANCELED = "canceled"
    ABORTED = "aborted"


class Fault(StrEnum):
    """Whose fault it was that a piece is no good."""

    NONE = "none"
    MACHINE = "machine"
    OPERATOR = "operator"
    MEMBER = "member"
    UNKNOWN = "unknown"


class PositionUnit(StrEnum):
    """What a position in a program counts."""

    BYTES = "bytes"  # an offset into the file that the machine is sent
    STITCHES = "stitches"


FOREIGN_JOB = "foreign-job"
"""The reason of a reading whose machine works on something that is no attempt of ours; IPP has no keyword for that."""

Used = Mapping[Meter, float]
"""Cumulative quantities, each in the unit that its meter names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extents:
    """The box that a program's motions fill, in millimetres, in the machine's coordinates."""

    x_min_mm: float
    y_min_mm: float
    x_max_mm: float
    y_max_mm: float
    z_min_mm: float = 0.0
    z_max_mm: float = 0.0

    @property
    def width_mm(self) -> float:
        return self.x_max_mm - self.x_min_mm

    @property
    def height_mm(self) -> float:
        return self.y_max_mm - self.y_min_mm


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageCurve:
    """Cumulative time and material against position: "what had been used at 40 %?".

    `positions` rise strictly and begin at 0; each column of `used` is as long as `positions` and never falls.
    """

    positions: tuple[int, ...]
    used: Mapping[Meter, tuple[float, ...]]

    def at(self, position: int) -> dict[Meter, float]:
        """The quantities used when the machine had reached `position`, interpolated linearly."""
        right = bisect_right(self.positions, position)
        if right == 0:
            return dict.fromkeys(self.used, 0.0)
        if right == len(self.positions):
            return self.total
        p0, p1 = self.positions[right - 1], self.positions[right]
        share = (position - p0) / (p1 - p0)
        return {
            meter: column[right - 1] + share * (column[right] - column[right - 1])
            for meter, column in self.used.items()
        }

    @property
    def total(self) -> dict[Meter, float]:
        """The quantities of the whole program."""
        return {meter: column[-1] for meter, column in self.used.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """One thread of a design, in sewing order: `colour` is `#rrggbb`, or `None` where the file says nothing."""

    colour: str | None
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What a program asks of a machine, checked before its first byte is sent."""

    tools: tuple[int, ...] = ()
    nozzle_c: float = 0.0
    bed_c: float = 0.0
    pens: tuple[int, ...] = ()
    threads: tuple[Thread, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A parsed file.

    `sha256` names the file as it was brought; `runs_sha256` names the bytes that the machine is given, where
    fabd rewrote them (a drawing becomes plain plotter commands), else it equals `sha256`. `claims` are what the
    maker of the file says of it: kept for a quick quote, never believed. `remarks` are for the person who sends it.
    """

    format: str
    sha256: str
    runs_sha256: str
    size_bytes: int
    unit: PositionUnit
    length: int
    extents: Extents | None
    curve: UsageCurve
    needs: Needs = field(default_factory=Needs)
    claims: Mapping[str, Param] = field(default_factory=dict)
    remarks: tuple[Message, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Temperature:
    """One heater: `name` is `tool0`, `bed` ...; `target_c` is 0 when it is off."""

    name: str
    current_c: float
    target_c: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a driver reports. `used` is cumulative in this attempt, so a lost reading costs nothing.

    `position` is how far the machine has acknowledged, in the program's unit. `reasons` are IPP keywords.
    Drivers need not count `machine_s`: the attempt does, from the phases, unless the driver knows better.
    """

    phase: Phase
    position: int = 0
    used: Used = field(default_factory=dict)
    method: Method = Method.ODOMETER
    temperatures: tuple[Temperature, ...] = ()
    reasons: frozenset[str] = frozenset()
    remaining_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """Something a person must do at the machine.

    `key` is unique within an attempt: asking again under the same key returns the answer that was given.
    `choices` are the answers that count; one that ends in `=` takes a whole number: `stitches=412`.
    """

    key: str
    message: Message
    choices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the person said: one of the prompt's choices, with its number where it takes one."""

    choice: str
    number: int | None = None
    by: str | None = None
