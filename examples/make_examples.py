#!/usr/bin/env python3
"""Makes sticker.hpgl and flower.dst anew, beside this file. Needs pyembroidery."""

from collections.abc import Callable
from math import cos, dist, pi, sin
from pathlib import Path

from pyembroidery import EmbPattern, write_dst

HERE = Path(__file__).parent
Point = tuple[float, float]


def arc(x: float, y: float, radius: float, first_deg: int, last_deg: int) -> list[Point]:
    """Points every five degrees, counter-clockwise."""
    return [(x + radius * cos(a * pi / 180), y + radius * sin(a * pi / 180)) for a in range(first_deg, last_deg + 1, 5)]


def sticker() -> str:
    """A label of 60 x 40 mm with a circle and a star, in HPGL: 40 units to the millimetre. The outline is cut last."""
    star = [arc(42, 21, 14 if tip % 2 else 5.6, 54 + 36 * tip, 54 + 36 * tip)[0] for tip in range(10)]
    corners = ((56, 6, -90), (56, 36, 0), (6, 36, 90), (6, 6, 180))
    outline = [point for x, y, start in corners for point in arc(x, y, 5, start, start + 90)]
    strokes = [arc(16, 21, 9, 0, 360), [*star, star[0]], [*outline, outline[0]]]
    lines = ["IN;SP1;"]
    for stroke in strokes:
        units = [f"{round(x * 40)},{round(y * 40)}" for x, y in stroke]
        lines.append(f"PU{units[0]};PD{','.join(units[1:])};")
    return "\n".join([*lines, "PU;SP0;", ""])


def running(curve: Callable[[float], Point], stitch_mm: float = 1.5) -> list[Point]:
    """Stitches along `curve`, given in millimetres for 0 to 1; in tenths of a millimetre, y downwards."""
    sewn = [curve(0)]
    for step in range(1, 5_001):
        if dist(curve(step / 5_000), sewn[-1]) >= stitch_mm:
            sewn.append(curve(step / 5_000))
    return [(round(x * 10), round(-y * 10)) for x, y in sewn]


def petals(radius: float) -> Callable[[float], Point]:
    """A rose of five leaves."""
    return lambda t: (radius * cos(5 * pi * t) * cos(pi * t), radius * cos(5 * pi * t) * sin(pi * t))


def stem(bottom: float, top: float) -> Callable[[float], Point]:
    return lambda t: (0, bottom + (top - bottom) * t)


def leaf(side: int) -> Callable[[float], Point]:
    """A loop to one side of the stem, back to where it began."""
    return lambda t: (side * 14 * sin(pi * t), -24 + 4 * sin(2 * pi * t) + 6 * sin(pi * t))


def flower() -> EmbPattern:
    """Three colours: stem and leaves, petals, heart."""
    pattern = EmbPattern()
    green = [stem(-40, -24), leaf(-1), leaf(1), stem(-24, -2)]
    pattern.add_block([point for curve in green for point in running(curve)], "#27ae60")
    pattern.add_block([point for radius in (18, 15, 12, 9) for point in running(petals(radius))], "#c0392b")
    pattern.add_block(running(lambda t: (5 * t * cos(12 * pi * t), 5 * t * sin(12 * pi * t))), "#f1c40f")
    return pattern


if __name__ == "__main__":
    (HERE / "sticker.hpgl").write_text(sticker(), encoding="ascii")
    write_dst(flower(), str(HERE / "flower.dst"))
