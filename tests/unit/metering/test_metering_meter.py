import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.config.model import Material
from fabd.errors import JobRejected, MachineFault
from fabd.metering.meter import LARGEST_QTY, Measured, billable, progress
from fabd.model import Meter, Method, Phase, PositionUnit, Program, Reading, UsageCurve
from unit.metering.samples import material


def quantities(used: dict[Meter, float], material: Material | None = None) -> dict[Meter, int]:
    return {meter: one.qty for meter, one in billable(used, Method.ODOMETER, material).items()}


@pytest.mark.parametrize(
    ("length_mm", "name", "milligrams"),
    [
        (1000.0, "pla", 2983),  # π x 0.875² x 1000 x 1.24 = 2982.55
        (1000.0, "petg", 3055),  # x 1.27 = 3054.71
        (1000.0, "tpu", 2910),  # x 1.21 = 2910.39
        (14316.6, "pla", 42700),
        (0.1, "pla", 0),
        (0.0, "pla", 0),
    ],
)
def test_filament_becomes_milligrams(length_mm: float, name: str, milligrams: int) -> None:
    assert quantities({Meter.FILAMENT_MM: length_mm}, material(name)) == {Meter.FILAMENT_MG: milligrams}


def test_other_quantities_are_rounded_half_up_to_whole_units() -> None:
    used = {
        Meter.MACHINE_S: 0.5,
        Meter.VINYL_MM: 1.5,
        Meter.CUT_MM: 2.5,
        Meter.STITCHES: 412.0,
        Meter.COLOUR_CHANGES: 5.0,
        Meter.TRAVEL_MM: 2.4999,
    }
    assert list(quantities(used).values()) == [1, 2, 3, 412, 5, 2]


@pytest.mark.parametrize("method", Method)
def test_each_quantity_says_how_it_was_measured(method: Method) -> None:
    found = billable({Meter.MACHINE_S: 60.0, Meter.VINYL_MM: 10.0}, method, None)
    assert found[Meter.VINYL_MM].method is method
    clocked = Method.ODOMETER if method is Method.CURVE else method
    assert found[Meter.MACHINE_S].method is clocked


@pytest.mark.parametrize("value", [-0.001, -1e300, math.nan, math.inf, -math.inf, float(LARGEST_QTY)])
@pytest.mark.parametrize("meter", [Meter.MACHINE_S, Meter.FILAMENT_MM])
def test_a_quantity_that_cannot_be_is_refused(meter: Meter, value: float) -> None:
    with pytest.raises(MachineFault) as caught:
        billable({meter: value}, Method.ODOMETER, material("pla"))
    assert caught.value.message.code == "meter-reading-invalid"
    assert caught.value.message.params["meter"] == meter.value


def test_a_flat_fee_is_nothing_that_a_machine_can_report() -> None:
    with pytest.raises(MachineFault):
        billable({Meter.FLAT: 1.0}, Method.ODOMETER, None)


def test_filament_is_reported_in_one_unit_only() -> None:
    assert quantities({Meter.FILAMENT_MG: 1200.4}) == {Meter.FILAMENT_MG: 1200}
    for used in (
        {Meter.FILAMENT_MM: 1.0, Meter.FILAMENT_MG: 1.0},
        {Meter.FILAMENT_MG: 1.0, Meter.FILAMENT_MM: 1.0},
    ):
        with pytest.raises(MachineFault, match="at once"):
            billable(used, Method.ODOMETER, material("pla"))


def test_filament_of_a_material_that_cannot_be_weighed_is_refused() -> None:
    with pytest.raises(JobRejected, match="thread has no diameter"):
        billable({Meter.FILAMENT_MM: 1.0}, Method.ODOMETER, material("thread"))
    with pytest.raises(JobRejected, match="no material is known"):
        billable({Meter.FILAMENT_MM: 1.0}, Method.ODOMETER, None)


def test_no_filament_needs_no_material() -> None:
    assert quantities({Meter.FILAMENT_MM: 0.0}) == {Meter.FILAMENT_MG: 0}


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_more_filament_never_weighs_less(one_mm: float, other_mm: float) -> None:
    less, more = sorted((one_mm, other_mm))
    pla = material("pla")
    assert (
        quantities({Meter.FILAMENT_MM: less}, pla)[Meter.FILAMENT_MG]
        <= (quantities({Meter.FILAMENT_MM: more}, pla)[Meter.FILAMENT_MG])
    )


@given(st.floats(0, 1e9))
def test_rounding_moves_a_quantity_by_half_a_unit_at_most(value: float) -> None:
    qty = quantities({Meter.CUT_MM: value})[Meter.CUT_MM]
    assert abs(Decimal(qty) - Decimal(value)) <= Decimal("0.500001")


def test_a_quantity_reads_back_as_it_was_stored() -> None:
    one = Measured(qty=42700, method=Method.CURVE)
    assert one.as_json() == {"qty": "42700", "method": "curve"}
    assert Measured.of({"qty": "42700", "method": "curve"}) == one


def program(used: dict[Meter, tuple[float, ...]]) -> Program:
    return Program(
        format="gcode",
        sha256="0" * 64,
        runs_sha256="0" * 64,
        size_bytes=1000,
        unit=PositionUnit.BYTES,
        length=1000,
        extents=None,
        curve=UsageCurve(positions=(0, 500, 1000), used=used),
    )


@pytest.mark.parametrize(("position", "share"), [(0, 0.0), (250, 0.05), (500, 0.1), (750, 0.55), (1000, 1.0)])
def test_progress_is_the_share_of_time(position: int, share: float) -> None:
    reading = Reading(phase=Phase.RUNNING, position=position)
    assert progress(reading, program({Meter.MACHINE_S: (0.0, 60.0, 600.0)})) == pytest.approx(share)


def test_progress_is_the_share_of_the_file_where_its_time_is_unknown() -> None:
    reading = Reading(phase=Phase.RUNNING, position=250)
    assert progress(reading, program({Meter.STITCHES: (0.0, 5.0, 10.0)})) == 0.25
