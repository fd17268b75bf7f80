"""Outlines of SVG shapes as polylines: curves become chords that stay within a given error."""

import math
from collections.abc import Iterable, Iterator

from svgelements import Arc, CubicBezier, Move, PathSegment, QuadraticBezier
from svgelements import Point as SvgPoint

from fabd.errors import JobRejected
from fabd.formats.plotter import MOST_POINTS, Point, pieces


def polylines(segments: Iterable[PathSegment], error: float) -> Iterator[list[Point]]:
    """One polyline for each subpath that goes anywhere; each chord within `error` of its curve.

    `error` and the points are in the units of `segments`. Raises `JobRejected` for more points than can be cut.
    """
    line: list[Point] = []
    for segment in segments:
        if isinstance(segment, Move):
            if len(line) > 1:
                yield line
            line = []
        else:
            line.extend(_inner_points(segment, error))
        line.append((segment.end.x, segment.end.y))
        if len(line) > MOST_POINTS:
            raise JobRejected("drawing-too-many-points", limit=MOST_POINTS)
    if len(line) > 1:
        yield line


def _inner_points(segment: PathSegment, error: float) -> Iterator[Point]:
    """The points between the segment's two ends; none for a straight line."""
    if isinstance(segment, CubicBezier):
        p0, p1, p2, p3 = map(_plane, (segment.start, segment.control1, segment.control2, segment.end))
        yield from _cubic(p0, p1, p2, p3, error)
    elif isinstance(segment, QuadraticBezier):
        p0, p1, p2 = map(_plane, (segment.start, segment.control, segment.end))
        yield from _cubic(p0, p0 + (p1 - p0) * 2 / 3, p2 + (p1 - p2) * 2 / 3, p2, error)  # the same curve
    elif isinstance(segment, Arc) and segment.sweep and segment.rx and segment.ry:
        yield from _arc(segment, error)


def _plane(point: SvgPoint) -> complex:
    return complex(point.x, point.y)


def _arc(arc: Arc, error: float) -> Iterator[Point]:
    """An elliptical arc between its ends: centre + rx cos t + ry sin t, the radii as vectors."""
    centre = _plane(arc.center)
    rx, ry, start = _plane(arc.prx) - centre, _plane(arc.pry) - centre, _plane(arc.start) - centre
    first = math.atan2((start * ry.conjugate()).real / abs(ry) ** 2, (start * rx.conjugate()).real / abs(rx) ** 2)
    count = pieces(arc.sweep, max(abs(rx), abs(ry)), error)
    for number in range(1, count):
        t = first + arc.sweep * number / count
        point = centre + rx * math.cos(t) + ry * math.sin(t)
        yield point.real, point.imag


def _cubic(p0: complex, p1: complex, p2: complex, p3: complex, error: float) -> Iterator[Point]:
    """A cubic Bézier curve between its ends.

    The chord over 1/n of the parameter lies within max |B''| / 8n² of the curve, and |B''| is at most six times the
    larger second difference of the control points.
    """
    bend = max(abs(p0 - 2 * p1 + p2), abs(p1 - 2 * p2 + p3))
    exact_count = math.sqrt(6 * bend / (8 * error))
    if not exact_count < MOST_POINTS:
        raise JobRejected("drawing-too-many-points", limit=MOST_POINTS)
    count = math.ceil(exact_count)
    for number in range(1, count):
        t = number / count
        s = 1 - t
        point = s * s * s * p0 + 3 * s * s * t * p1 + 3 * s * t * t * p2 + t * t * t * p3
        yield point.real, point.imag
