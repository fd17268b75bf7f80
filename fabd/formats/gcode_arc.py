"""Arcs of G2 and G3, as Marlin 2.1 draws them (`Marlin/src/gcode/motion/G2_G3.cpp`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import atan2, cos, floor, hypot, pi, sin, sqrt, tau

Point = tuple[float, float]

_SEGMENT_MM = 1.0  # Marlin: MM_PER_ARC_SEGMENT (Configuration_adv.h)
_MAX_SEGMENTS = 720


@dataclass(frozen=True, kw_only=True, slots=True)
class Arc:
    """Part of a circle in the XY plane; `sweep_rad` is positive counter-clockwise, and a full turn at most."""

    centre: Point
    radius_mm: float
    start_rad: float
    sweep_rad: float
    end: Point

    def points(self) -> Iterator[Point]:
        """The ends of the straight pieces that the arc is made of, its own end last."""
        pieces = min(_MAX_SEGMENTS, max(8, floor(abs(self.sweep_rad) * self.radius_mm / _SEGMENT_MM)))
        for piece in range(1, pieces):
            yield self._at(self.start_rad + self.sweep_rad * piece / pieces)
        yield self.end

    def outermost(self) -> Iterator[Point]:
        """The points where the arc reaches furthest along an axis, where it passes there."""
        first, last = sorted((self.start_rad, self.start_rad + self.sweep_rad))
        quarter = pi / 2
        for turn in range(-6, 7):
            if first <= turn * quarter <= last:
                yield self._at(turn * quarter)

    def _at(self, angle_rad: float) -> Point:
        x, y = self.centre
        return x + self.radius_mm * cos(angle_rad), y + self.radius_mm * sin(angle_rad)


def arc_around(start: Point, end: Point, offset: Point, *, clockwise: bool) -> Arc:
    """The arc from `start` to `end` around a centre that lies at `offset` from the start (`I`, `J`).

    Where start and end are the same it is a full circle. Raises `ValueError` for an offset of nothing.
    """
    if offset == (0.0, 0.0):
        raise ValueError("an arc without a radius")
    centre = start[0] + offset[0], start[1] + offset[1]
    from_x, from_y = -offset[0], -offset[1]
    to_x, to_y = end[0] - centre[0], end[1] - centre[1]
    sweep_rad = atan2(from_x * to_y - from_y * to_x, from_x * to_x + from_y * to_y) % tau
    if clockwise:
        sweep_rad -= tau
    if start == end:
        sweep_rad = -tau if clockwise else tau
    return Arc(centre=centre, radius_mm=hypot(*offset), start_rad=atan2(from_y, from_x), sweep_rad=sweep_rad, end=end)


def offset_of_radius(start: Point, end: Point, radius_mm: float, *, clockwise: bool) -> Point:
    """Where the centre lies, from `start`, for an arc of that radius (`R`); a negative one takes the longer way.

    Where the radius is too small to reach, it is the middle between start and end, as in Marlin. Raises
    `ValueError` where start and end are the same, or the radius is nothing.
    """
    half_x, half_y = (end[0] - start[0]) / 2, (end[1] - start[1]) / 2
    half_mm = hypot(half_x, half_y)
    if half_mm == 0 or radius_mm == 0:
        raise ValueError("an arc by radius between equal points")
    side = -1 if clockwise != (radius_mm < 0) else 1
    height_mm = sqrt(max(0.0, (radius_mm - half_mm) * (radius_mm + half_mm)))
    return half_x - half_y / half_mm * side * height_mm, half_y + half_x / half_mm * side * height_mm
