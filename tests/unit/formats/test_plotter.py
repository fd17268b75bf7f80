"""Strokes become plain plotter commands, and a curve that counts every millimetre of them."""

import hashlib
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.errors import JobRejected
from fabd.formats import plotter
from fabd.formats.contract import Analysis
from fabd.formats.hpgl import Hpgl
from fabd.formats.plotter import Point, Sheet
from fabd.model import Meter, PositionUnit

LINE = re.compile(rb"SP\d+;\n|PU-?\d+,-?\d+;\n|PD-?\d+,-?\d+;\n")


def made(*strokes: list[Point], pen: int = 1) -> Analysis:
    sheet = Sheet()
    for stroke in strokes:
        sheet.add(stroke, pen=pen)
    return plotter.program(b"brought", sheet, [])


def codes(analysis: Analysis) -> list[str]:
    return [remark.code for remark in analysis.program.remarks]


def test_a_stroke_is_a_way_there_and_cuts() -> None:
    analysis = made([(0, 400), (400, 400), (400, 0)])
    program = analysis.program
    assert analysis.rewritten == b"SP1;\nPU0,400;\nPD400,400;\nPD400,0;\n"
    assert program.curve.positions == (0, 5, 14, 25, 34)
    assert program.curve.used == {
        Meter.CUT_MM: (0.0, 0.0, 0.0, 10.0, 20.0),
        Meter.TRAVEL_MM: (0.0, 0.0, 10.0, 10.0, 10.0),
        Meter.VINYL_MM: (0.0, 0.0, 0.0, 10.0, 10.0),
    }
    assert (program.format, program.unit, program.length, program.size_bytes) == ("hpgl", PositionUnit.BYTES, 34, 7)
    assert program.sha256 == hashlib.sha256(b"brought").hexdigest()
    assert program.runs_sha256 == hashlib.sha256(analysis.rewritten).hexdigest()


def test_vinyl_is_fed_as_far_as_the_head_has_been() -> None:
    curve = made([(100, 0), (400, 0), (200, 0)], [(40, 40), (80, 40)], [(0, 0), (800, 0)]).program.curve
    assert curve.used[Meter.VINYL_MM][-1] == 20.0
    assert max(curve.used[Meter.VINYL_MM][:-1]) == 10.0


def test_each_pen_is_chosen_before_its_strokes() -> None:
    sheet = Sheet()
    for pen in (2, 2, 5):
        sheet.add([(0, 0), (40, 0)], pen=pen)
    analysis = plotter.program(b"", sheet, [])
    assert analysis.rewritten == b"SP2;\nPU0,0;\nPD40,0;\nPU0,0;\nPD40,0;\nSP5;\nPU0,0;\nPD40,0;\n"
    assert analysis.program.needs.pens == (2, 5)


def test_points_that_fall_together_are_cut_once() -> None:
    assert made([(0, 0), (0.3, 0.3), (40, 0), (40.4, 0), (80, 0)]).rewritten == b"SP1;\nPU0,0;\nPD40,0;\nPD80,0;\n"


def test_dots_are_not_cut_and_not_hidden() -> None:
    analysis = made([(0, 0), (40, 0)], [(7, 7), (7.2, 7)], [(9, 9)])
    assert analysis.rewritten == b"SP1;\nPU0,0;\nPD40,0;\n"
    assert [(remark.code, remark.params) for remark in analysis.program.remarks] == [("drawing-dots", {"count": 2})]


@pytest.mark.parametrize(("x_units", "expected"), [(800, []), (801, ["drawing-blank-before"])])
def test_blank_vinyl_before_the_drawing_is_said(x_units: int, expected: list[str]) -> None:
    assert codes(made([(x_units, 0), (900, 0)])) == expected


def test_negative_coordinates_stay_negative() -> None:
    analysis = made([(-40, -80), (40, 0)])
    extents = analysis.program.extents
    assert analysis.rewritten == b"SP1;\nPU-40,-80;\nPD40,0;\n"
    assert extents is not None
    assert (extents.x_min_mm, extents.y_min_mm, extents.x_max_mm, extents.y_max_mm) == (-1.0, -2.0, 1.0, 0.0)


def test_nothing_drawn_is_refused() -> None:
    with pytest.raises(JobRejected, match="Nothing in this drawing"):
        made([(1, 1)])


@pytest.mark.parametrize("x", [2**23 + 1, -(2**23) - 1, math.inf, math.nan])
def test_what_no_plotter_can_be_told_is_refused(x: float) -> None:
    with pytest.raises(JobRejected, match="further than 210 m"):
        made([(0, 0), (x, 0)])


def test_too_many_points_are_refused_at_once() -> None:
    def endless() -> list[Point]:
        return [(number % 2 * 40, 0) for number in range(plotter.MOST_POINTS + 1)]

    with pytest.raises(JobRejected, match="more than 500000 points"):
        made(endless())


def test_the_curve_of_a_long_program_stays_short_and_complete() -> None:
    zigzag: list[Point] = [(number, number % 2 * 40) for number in range(20_001)]
    analysis = made(zigzag)
    curve = analysis.program.curve
    assert analysis.rewritten is not None
    assert len(curve.positions) <= plotter.MOST_CURVE_POINTS
    assert curve.positions[-1] == len(analysis.rewritten)
    assert all(analysis.rewritten[position - 1 : position] == b"\n" for position in curve.positions[1:])
    assert curve.total[Meter.CUT_MM] == pytest.approx(20_000 * math.hypot(1, 40) / 40, abs=0.001)


@given(turn=st.floats(-700, 700), radius=st.floats(0.001, 1e6))
def test_chords_of_an_arc_stay_within_the_error(turn: float, radius: float) -> None:
    count = plotter.pieces(turn, radius, 0.8)
    sagitta = radius * (1 - math.cos(min(abs(turn) / count / 2, math.pi)))
    assert sagitta <= 0.8 * 1.0001 or radius <= 0.8


@pytest.mark.parametrize("turn", [1e9, math.inf, math.nan])
def test_an_endless_arc_is_refused(turn: float) -> None:
    with pytest.raises(JobRejected):
        plotter.pieces(turn, 400.0, 0.8)


coordinates = st.integers(-plotter.MOST_UNITS, plotter.MOST_UNITS)
drawings = st.lists(
    st.tuples(st.integers(1, 8), st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=6, unique=True)),
    min_size=1,
    max_size=6,
)


@given(drawings)
def test_plain_commands_read_as_the_strokes_that_they_were_made_of(
    drawing: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    sheet = Sheet()
    for pen, points in drawing:
        sheet.add(points, pen=pen)
    first = plotter.program(b"x", sheet, [])
    assert first.rewritten is not None
    assert b"".join(LINE.findall(first.rewritten)) == first.rewritten
    again = Hpgl().analyse(first.rewritten, "again.hpgl")
    assert again.rewritten == first.rewritten
    assert again.program.curve == first.program.curve
    assert again.program.extents == first.program.extents
    assert again.program.needs.pens == tuple(sorted({pen for pen, _ in drawing}))
