"""An embroidery machine that is not there: it has a stick, a hoop, a start button, and a needle that counts.

It reads designs through pyembroidery, but counts on its own. Nothing tells the outside how far it is: people look at
it, which a demo or a test does with `sewn_stitches` and `finished`.
"""

import errno
import io
import itertools
import os
import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import pyembroidery

_READERS = {
    "DST": pyembroidery.read_dst,
    "PES": pyembroidery.read_pes,
    "EXP": pyembroidery.read_exp,
    "JEF": pyembroidery.read_jef,
    "VP3": pyembroidery.read_vp3,
}
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError, OSError, struct.error)
"""What pyembroidery lets out for files that are none; a machine shows no such design, and says nothing."""
_STICK_FAULTS = {"stick-full": errno.ENOSPC, "stick-read-only": errno.EROFS, "stick-missing": errno.ENODEV}
_FAULTS = frozenset({*_STICK_FAULTS, "thread-break"})


@dataclass(slots=True)
class Odometer:
    """What the needle itself counted since the machine was built."""

    stitches: int = 0
    colour_changes: int = 0


@dataclass(frozen=True, slots=True)
class Design:
    """A file as the machine sees it: the stitches of each colour in turn, and the size in millimetres."""

    blocks: tuple[int, ...]
    width_mm: float
    height_mm: float

    @property
    def stitches(self) -> int:
        return sum(self.blocks)

    def takes_s(self, stitches: float, stitch_s: float, change_s: float) -> float:
        """How long it takes to sew so many stitches, with the changes between."""
        changes = sum(1 for done in itertools.accumulate(self.blocks[:-1]) if done < stitches)
        return stitches * stitch_s + changes * change_s

    def sewn(self, elapsed_s: float, stitch_s: float, change_s: float) -> tuple[int, int]:
        """Stitches and colour changes that are done after so much sewing; a stitch is done when its time is over."""
        stitches = 0
        for changes, block in enumerate(self.blocks):
            if elapsed_s < block * stitch_s:
                return stitches + int(elapsed_s / stitch_s), changes
            stitches += block
            elapsed_s -= block * stitch_s
            if elapsed_s < change_s:
                return stitches, changes
            elapsed_s -= change_s
        return stitches, len(self.blocks) - 1


class SimulatedStick:
    """The stick in its socket. Its troubles are those of a real one, as `OSError`."""

    def __init__(self, faults: frozenset[str] = frozenset()) -> None:
        self.files: dict[str, bytes] = {}
        self.writes = 0
        self.faults = faults

    def look(self) -> None:
        self._fail("stick-missing")

    def write(self, name: str, data: bytes) -> None:
        for fault in _STICK_FAULTS:
            self._fail(fault)
        if self.files.get(name) != data:
            self.files[name] = data
            self.writes += 1

    def remove(self, name: str) -> None:
        self._fail("stick-missing")
        self._fail("stick-read-only")
        self.files.pop(name, None)

    def _fail(self, fault: str) -> None:
        if fault in self.faults:
            number = _STICK_FAULTS[fault]
            raise OSError(number, os.strerror(number))


class SimulatedEmbroiderer:
    """One embroidery machine. `stick` is what it reads; people press its button with `press_start`.

    `spm` is its pace in stitches a minute, `change` the seconds that a change of thread takes, `hoop` its size in
    millimetres; `speed` makes it live faster. `faults`: `stick-full`, `stick-read-only`, `stick-missing`, and
    `thread-break`: once in each design, at a stitch chosen by `seed`, it waits for the button. Times are seconds of the
    caller's clock, and never fall.
    """

    def __init__(
        self,
        *,
        seed: str = "0",
        speed: str = "1",
        spm: str = "600",
        change: str = "60",
        hoop: str = "100x100",
        faults: str = "",
    ) -> None:
        chosen = frozenset(faults.split(",")) if faults else frozenset()
        if unknown := chosen - _FAULTS:
            raise ValueError(f"{', '.join(sorted(unknown))}: expected some of {', '.join(sorted(_FAULTS))}")
        width, _, height = hoop.partition("x")
        self.stick = SimulatedStick(chosen)
        self.odometer = Odometer()
        self.ignored: set[str] = set()
        self._hoop_mm = (float(width), float(height))
        self._speed, self._stitch_s, self._change_s = float(speed), 60 / float(spm), float(change)
        if min(self._speed, self._stitch_s, *self._hoop_mm) <= 0 or self._change_s < 0:
            raise ValueError("speed, spm and hoop are above 0, change is 0 or above: hoop=100x100")
        self._chance = random.Random(int(seed))  # noqa: S311  # a seeded fault, no secret
        self._breaks_thread = "thread-break" in chosen
        self._design: Design | None = None
        self._break_at: int | None = None
        self._elapsed_s = 0.0
        self._since_s = 0.0
        self._counted = (0, 0)

    def step(self, now_s: float, received: bytes = b"") -> bytes:
        """Let time pass until `now_s`. No wire leads to this machine: raises `ValueError` for bytes."""
        if received:
            raise ValueError("an embroidery machine has no wire: deliver to its stick")
        if self._design is not None and not self.waits_for_thread:
            self._elapsed_s += (now_s - self._since_s) * self._speed
            self._count(self._design)
        self._since_s = now_s
        return b""

    def next_s(self) -> float | None:
        """Never: nobody hears it."""
        return None

    def plugged(self, now_s: float) -> bytes:
        """It has nothing to say."""
        return self.step(now_s)

    def designs(self) -> Mapping[str, Design]:
        """What its screen shows. A design that is unreadable or larger than the hoop is not shown, without a word."""
        shown = {}
        for name, data in self.stick.files.items():
            design = read_design(name, data)
            if design and design.width_mm <= self._hoop_mm[0] and design.height_mm <= self._hoop_mm[1]:
                shown[name] = design
            else:
                self.ignored.add(name)
        return shown

    def press_start(self, name: str, now_s: float) -> bool:
        """Somebody presses the button: begin the design, or go on after a thread break. Whether anything began."""
        self.step(now_s)
        if self.waits_for_thread:
            self._break_at = None
            return True
        if self._design is not None and not self.finished(now_s):
            return False
        design = self.designs().get(name)
        if design is None:
            return False
        self._design, self._elapsed_s, self._counted = design, 0.0, (0, 0)
        self._break_at = self._chance.randint(1, design.stitches - 1) if self._breaks_thread else None
        return True

    def sewn_stitches(self, now_s: float) -> int:
        """How many stitches of the design are in the cloth."""
        self.step(now_s)
        return self._counted[0]

    def finished(self, now_s: float) -> bool:
        """Whether the last stitch of the design is in the cloth."""
        self.step(now_s)
        return self._design is not None and self._counted[0] == self._design.stitches

    @property
    def waits_for_thread(self) -> bool:
        """Whether its thread broke, and the needle stands until somebody presses the button."""
        return self._break_at is not None and self._counted[0] >= self._break_at

    def _count(self, design: Design) -> None:
        if self._break_at is not None:  # from there on the needle stands still
            self._elapsed_s = min(self._elapsed_s, design.takes_s(self._break_at + 0.5, self._stitch_s, self._change_s))
        stitches, changes = design.sewn(self._elapsed_s, self._stitch_s, self._change_s)
        self.odometer.stitches += stitches - self._counted[0]
        self.odometer.colour_changes += changes - self._counted[1]
        self._counted = (stitches, changes)


def read_design(name: str, data: bytes) -> Design | None:
    """The design in a file, by its ending; `None` where there is none to be read."""
    reader = _READERS.get(name.rpartition(".")[2].upper())
    if reader is None:
        return None
    try:
        pattern = reader(io.BytesIO(data))
    except _UNREADABLE:
        return None
    blocks, xs, ys = [0], [], []
    for x, y, command in pattern.stitches if pattern is not None else []:
        kind = command & pyembroidery.COMMAND_MASK
        if kind == pyembroidery.STITCH:
            blocks[-1] += 1
            xs.append(x)
            ys.append(y)
        elif kind == pyembroidery.COLOR_CHANGE and blocks[-1]:
            blocks.append(0)
    if len(xs) < 2:
        return None
    # pyembroidery counts in tenths of a millimetre.
    return Design(
        blocks=tuple(block for block in blocks if block),
        width_mm=(max(xs) - min(xs)) / 10,
        height_mm=(max(ys) - min(ys)) / 10,
    )
