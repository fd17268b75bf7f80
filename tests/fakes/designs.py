"""Embroidery designs for tests, written by pyembroidery, with the program that a format would give."""

import hashlib
import io
from pathlib import Path

import pyembroidery

from fabd.drivers import Extents, Meter, Needs, PositionUnit, Program, Thread, UsageCurve

COLOURS = ("#b33e3b", "#e5b83b", "#3b6ab3")


def design(
    directory: Path, *, stitches: int = 300, colours: int = 3, side_mm: float = 40.0, suffix: str = "dst"
) -> tuple[Program, Path]:
    """A zigzag, `side_mm` wide and 5 mm high, in `colours` blocks of the same size; returns program and file."""
    block = stitches // colours
    pattern = pyembroidery.EmbPattern()
    side = round(side_mm * 10)
    for colour in range(colours):
        pattern.add_thread({"color": COLOURS[colour % len(COLOURS)]})
        for stitch in range(block):
            x = round(side * stitch / (block - 1))
            pattern.add_stitch_absolute(pyembroidery.STITCH, x, 50 * (stitch % 2))
        if colour < colours - 1:
            pattern.add_command(pyembroidery.COLOR_CHANGE)
    pattern.add_command(pyembroidery.END)
    stream = io.BytesIO()
    getattr(pyembroidery, f"write_{suffix}")(pattern, stream, {"max_stitch": 10_000, "long_stitch_contingency": -1})
    data = stream.getvalue()
    file = directory / f"design.{suffix}"
    file.write_bytes(data)
    return _program(data, suffix, block, colours, side_mm), file


def _program(data: bytes, suffix: str, block: int, colours: int, side_mm: float) -> Program:
    sha256 = hashlib.sha256(data).hexdigest()
    positions, changes = [0], [0.0]
    for colour in range(1, colours):  # a change lies between the last stitch of a colour and the first of the next
        positions += [colour * block, colour * block + 1]
        changes += [colour - 1.0, float(colour)]
    positions.append(block * colours)
    changes.append(colours - 1.0)
    return Program(
        format=suffix,
        sha256=sha256,
        runs_sha256=sha256,
        size_bytes=len(data),
        unit=PositionUnit.STITCHES,
        length=block * colours,
        extents=Extents(x_min_mm=0.0, y_min_mm=0.0, x_max_mm=side_mm, y_max_mm=5.0),
        curve=UsageCurve(
            positions=tuple(positions),
            used={Meter.STITCHES: tuple(float(p) for p in positions), Meter.COLOUR_CHANGES: tuple(changes)},
        ),
        needs=Needs(threads=tuple(Thread(colour=COLOURS[colour % len(COLOURS)]) for colour in range(colours))),
    )
