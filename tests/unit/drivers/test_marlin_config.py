from dataclasses import replace

import pytest
from pydantic import ValidationError

from fabd.drivers import Extents, Meter, Needs, Program
from fabd.drivers.marlin import Marlin
from fabd.formats.gcode import Gcode
from fakes.gcode import tower


@pytest.fixture
def program() -> Program:
    return Gcode().analyse(tower(), "tower.gcode").program


def marlin(**settings: object) -> Marlin:
    return Marlin(Marlin.Config.model_validate({"url": "sim://marlin", **settings}))


def codes(driver: Marlin, program: Program) -> list[str]:
    return [message.code for message in driver.check(program)]


def box(**edges: float) -> Extents:
    return replace(Extents(x_min_mm=0, y_min_mm=0, x_max_mm=100, y_max_mm=100, z_max_mm=50), **edges)


def test_a_program_that_fits(program: Program) -> None:
    assert codes(marlin(), program) == []
    assert marlin().estimate_s(program) == program.curve.total[Meter.MACHINE_S] > 0


@pytest.mark.parametrize(
    ("edges", "axes"),
    [
        ({"x_max_mm": 250.0, "y_max_mm": 210.0, "z_max_mm": 210.0}, ""),
        ({"x_max_mm": 250.1}, "X"),
        ({"y_max_mm": 210.1}, "Y"),
        ({"z_max_mm": 210.1}, "Z"),
        ({"x_min_mm": -5.0, "y_min_mm": -5.0}, ""),
        ({"x_min_mm": -5.1}, "X"),
        ({"z_min_mm": -0.1}, "Z"),
        ({"x_max_mm": 999.0, "y_max_mm": 999.0}, "XY"),
    ],
)
def test_motions_outside_of_the_box(program: Program, edges: dict[str, float], axes: str) -> None:
    refusals = marlin().check(replace(program, extents=box(**edges)))
    assert "".join(str(refusal.params["axis"]) for refusal in refusals) == axes


def test_a_larger_bed_is_declared(program: Program) -> None:
    wide = replace(program, extents=box(x_max_mm=400.0, y_max_mm=300.0, z_max_mm=450.0))
    assert codes(marlin(width_mm=400, depth_mm=300, height_mm=450), wide) == []


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (Needs(nozzle_c=285, bed_c=120, tools=(0,)), []),
        (Needs(nozzle_c=290), ["printer-nozzle-too-hot"]),
        (Needs(bed_c=121), ["printer-bed-too-hot"]),
        (Needs(tools=(0, 1)), ["printer-tool-missing"]),
    ],
)
def test_what_the_machine_does_not_have(program: Program, needs: Needs, expected: list[str]) -> None:
    assert codes(marlin(), replace(program, needs=needs)) == expected


def test_two_tools_are_declared(program: Program) -> None:
    assert codes(marlin(tools=2), replace(program, needs=Needs(tools=(0, 1)))) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"baud": 115200},
        {"width_mm": 0},
        {"height_mm": "tall"},
        {"depth_mm": float("inf")},
        {"max_nozzle_c": float("nan")},
        {"silence_s": 0},
        {"tools": 0},
        {"url": "COM3"},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        marlin(**settings)
