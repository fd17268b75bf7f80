"""Plain plotter commands for tests, with their program and their geometry, reckoned without the formats room."""

import hashlib
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

from fabd.drivers import Extents, Meter, PositionUnit, Program, UsageCurve

Point = tuple[int, int]
Stroke = list[Point]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Strokes in plotter units of 0.025 mm, each cut from its first point to its last."""

    strokes: list[Stroke]
    home: bool = True

    @property
    def commands(self) -> bytes:
        lines = ["SP1"]
        for first, *others in self.strokes:
            lines += [f"PU{first[0]},{first[1]}", *(f"PD{x},{y}" for x, y in others)]
        if self.home:
            lines.append("PU0,0")
        return "".join(f"{line};\n" for line in lines).encode()

    @property
    def cut_mm(self) -> float:
        return sum(math.dist(a, b) for stroke in self.strokes for a, b in itertools.pairwise(stroke)) / 40

    @property
    def travel_mm(self) -> float:
        at: Point = (0, 0)
        way = 0.0
        for stroke in self.strokes:
            way += math.dist(at, stroke[0])
            at = stroke[-1]
        return (way + (math.dist(at, (0, 0)) if self.home else 0.0)) / 40

    @property
    def vinyl_mm(self) -> float:
        return max(x for stroke in self.strokes for x, _ in stroke) / 40

    @property
    def geometry(self) -> list[Stroke]:
        """What a machine cuts: a point that is cut to twice in a row is cut once."""
        return [[point for point, _ in itertools.groupby(stroke)] for stroke in self.strokes]

    def write(self, directory: Path) -> tuple[Program, Path]:
        """The run file and its program."""
        data = self.commands
        sha256 = hashlib.sha256(data).hexdigest()
        file = directory / sha256
        file.write_bytes(data)
        xs = [x / 40 for stroke in self.strokes for x, _ in stroke]
        ys = [y / 40 for stroke in self.strokes for _, y in stroke]
        total = {Meter.CUT_MM: self.cut_mm, Meter.TRAVEL_MM: self.travel_mm, Meter.VINYL_MM: self.vinyl_mm}
        program = Program(
            format="hpgl",
            sha256=sha256,
            runs_sha256=sha256,
            size_bytes=len(data),
            unit=PositionUnit.BYTES,
            length=len(data),
            extents=Extents(x_min_mm=min(xs), y_min_mm=min(ys), x_max_mm=max(xs), y_max_mm=max(ys)),
            curve=UsageCurve(positions=(0, len(data)), used={meter: (0.0, value) for meter, value in total.items()}),
        )
        return program, file


def squares(count: int, side_mm: float = 10.0) -> Drawing:
    """A row of squares along the feed, 15 mm apart."""
    strokes = []
    for index in range(count):
        x, side = index * 600, round(side_mm * 40)
        strokes.append([(x, 40), (x + side, 40), (x + side, 40 + side), (x, 40 + side), (x, 40)])
    return Drawing(strokes=strokes)
