"""What drawings become: strokes of a pen, written as plain plotter commands, with their usage curve.

Plain plotter commands are the only HPGL that fabd sends to a cutter. ASCII, one command on a line, each line
ending in `;` and a line feed::

    SPn;      choose pen n, before its first stroke
    PUx,y;    go to x,y with the pen up; every stroke begins with one
    PDx,y;    cut a straight line to x,y

Coordinates are absolute whole plotter units; 40 make a millimetre (0.025 mm, HP 7475A Interfacing and Programming
Manual). Nothing else occurs: prologue, epilogue, speed and force belong to the driver. The text ends where
the last stroke ends, so a way home that the file may have held is not in it.

The X axis is taken to be the one that feeds a cutter's vinyl.
"""

import hashlib
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fabd.errors import JobRejected
from fabd.formats.contract import Analysis
from fabd.model import Extents, Message, Meter, Needs, PositionUnit, Program, UsageCurve

Point = tuple[float, float]

UNITS_PER_MM = 40
CHORD_ERROR_MM = 0.02
"""How far a straight cut may lie from the curve that it stands for: less than one plotter unit."""
MOST_UNITS = 2**23
"""Largest coordinate, in plotter units: longer than any roll."""
LIMIT_M = round(MOST_UNITS / UNITS_PER_MM / 1000)
MOST_POINTS = 500_000
"""A long day's cutting, and as much as the jail's memory bears."""
MOST_CURVE_POINTS = 2_000
MUCH_BLANK_MM = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stroke:
    """What is cut between pen down and pen up: two points or more, in whole plotter units."""

    pen: int
    xs: Sequence[int]
    ys: Sequence[int]

    def points(self) -> Iterator[tuple[int, int]]:
        return zip(self.xs, self.ys, strict=True)


class Sheet:
    """Takes strokes as they are drawn, and refuses those that no plotter can be told."""

    def __init__(self) -> None:
        self.strokes: list[Stroke] = []
        self.dots = 0
        """Strokes that go nowhere, once rounded to plotter units. They are not cut."""
        self._points = 0

    def add(self, points: Iterable[Point], *, pen: int = 1) -> None:
        """One stroke through `points`, given in plotter units. Raises `JobRejected`."""
        xs, ys = array("l"), array("l")
        for x, y in points:
            if not (abs(x) <= MOST_UNITS and abs(y) <= MOST_UNITS):
                raise JobRejected("drawing-too-large", limit_m=LIMIT_M)
            unit_x, unit_y = round(x), round(y)
            if xs and unit_x == xs[-1] and unit_y == ys[-1]:
                continue
            self._count()
            xs.append(unit_x)
            ys.append(unit_y)
        if len(xs) < 2:
            self.dots += len(xs)
        else:
            self.strokes.append(Stroke(pen=pen, xs=xs, ys=ys))

    def _count(self) -> None:
        self._points += 1
        if self._points > MOST_POINTS:
            raise JobRejected("drawing-too-many-points", limit=MOST_POINTS)


def pieces(turn: float, radius: float, error: float) -> int:
    """How many chords an arc of `turn` radians needs, so that none lies further than `error` from it.

    `radius` and `error` in the same unit; for an ellipse, the larger radius. Raises `JobRejected`.
    """
    if radius <= error:
        return max(1, math.ceil(abs(turn) / (math.pi / 2)))
    step = 2 * math.acos(1 - error / radius)
    if not abs(turn) < step * MOST_POINTS:
        raise JobRejected("drawing-too-many-points", limit=MOST_POINTS)
    return max(1, math.ceil(abs(turn) / step))


def program(data: bytes, sheet: Sheet, remarks: Sequence[Message]) -> Analysis:
    """The strokes of `sheet`, read from the file `data`, as a program for an `hpgl` driver.

    Raises `JobRejected` where nothing is drawn.
    """
    if not sheet.strokes:
        raise JobRejected("drawing-empty")
    text, curve = _write(sheet.strokes)
    extents = _extents(sheet.strokes)
    return Analysis(
        rewritten=text,
        program=Program(
            format="hpgl",
            sha256=hashlib.sha256(data).hexdigest(),
            runs_sha256=hashlib.sha256(text).hexdigest(),
            size_bytes=len(data),
            unit=PositionUnit.BYTES,
            length=len(text),
            extents=extents,
            curve=curve,
            needs=Needs(pens=tuple(sorted({stroke.pen for stroke in sheet.strokes}))),
            remarks=(*remarks, *_remarks(sheet, extents)),
        ),
    )


def _remarks(sheet: Sheet, extents: Extents) -> Iterator[Message]:
    if sheet.dots:
        yield Message(code="drawing-dots", params={"count": sheet.dots})
    if extents.x_min_mm > MUCH_BLANK_MM:
        yield Message(code="drawing-blank-before", params={"blank_mm": round(extents.x_min_mm)})


def _extents(strokes: Sequence[Stroke]) -> Extents:
    return Extents(
        x_min_mm=min(min(stroke.xs) for stroke in strokes) / UNITS_PER_MM,
        y_min_mm=min(min(stroke.ys) for stroke in strokes) / UNITS_PER_MM,
        x_max_mm=max(max(stroke.xs) for stroke in strokes) / UNITS_PER_MM,
        y_max_mm=max(max(stroke.ys) for stroke in strokes) / UNITS_PER_MM,
    )


class _Totals:
    """What was used since the origin, sampled at line ends into a usage curve."""

    def __init__(self, lines: int) -> None:
        self._every = math.ceil(lines / (MOST_CURVE_POINTS - 2))
        self._lines = 0
        self._cut = self._travel = 0.0
        self._reach = 0
        self._at = (0, 0)
        self._rows: list[tuple[int, float, float, int]] = [(0, 0.0, 0.0, 0)]

    def move(self, to: tuple[int, int], *, cutting: bool) -> None:
        length = math.dist(self._at, to)
        if cutting:
            self._cut += length
        else:
            self._travel += length
        self._at = to
        self._reach = max(self._reach, to[0])

    def line_end(self, position: int, *, last: bool = False) -> None:
        self._lines += 1
        if last or self._lines % self._every == 0:
            self._rows.append((position, self._cut, self._travel, self._reach))

    def curve(self) -> UsageCurve:
        positions, cut, travel, reach = zip(*self._rows, strict=True)
        return UsageCurve(
            positions=positions,
            used={
                Meter.CUT_MM: _millimetres(cut),
                Meter.TRAVEL_MM: _millimetres(travel),
                Meter.VINYL_MM: _millimetres(reach),
            },
        )


def _millimetres(units: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(value / UNITS_PER_MM, 3) for value in units)


def _commands(strokes: Sequence[Stroke]) -> Iterator[tuple[str, tuple[int, int] | None]]:
    """Each command with the point that it goes to; `None` for the choice of a pen."""
    pen: int | None = None
    for stroke in strokes:
        if stroke.pen != pen:
            pen = stroke.pen
            yield f"SP{pen};\n", None
        verb = "PU"
        for x, y in stroke.points():
            yield f"{verb}{x},{y};\n", (x, y)
            verb = "PD"


def _write(strokes: Sequence[Stroke]) -> tuple[bytes, UsageCurve]:
    lines = sum(1 for _ in _commands(strokes))
    totals = _Totals(lines)
    text = bytearray()
    for number, (line, to) in enumerate(_commands(strokes), start=1):
        text += line.encode("ascii")
        if to is not None:
            totals.move(to, cutting=line.startswith("PD"))
        totals.line_end(len(text), last=number == lines)
    return bytes(text), totals.curve()
