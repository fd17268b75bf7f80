"""The simulated embroidery machine, used as a person at it would, without any driver."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.simulators import machine, scrap
from fabd.simulators.embroidery import SimulatedEmbroiderer, read_design
from fakes.designs import design

CHANGE_S = 12.0
SUFFIXES = ["dst", "pes", "exp", "jef", "vp3"]


def with_design(
    directory: Path, *, side_mm: float = 40.0, suffix: str = "dst", **settings: str
) -> SimulatedEmbroiderer:
    _, file = design(directory, side_mm=side_mm, suffix=suffix)
    embroiderer = SimulatedEmbroiderer(**settings)
    embroiderer.stick.write(f"K7.{suffix.upper()}", file.read_bytes())
    return embroiderer


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_reads_each_format_and_counts_on_its_own(tmp_path: Path, suffix: str) -> None:
    _, file = design(tmp_path, suffix=suffix)
    seen = read_design(file.name, file.read_bytes())
    assert seen is not None
    assert seen.blocks == (100, 100, 100)
    assert (seen.width_mm, seen.height_mm) == (40.0, 5.0)


def test_sews_at_its_pace_and_stops_between_colours(tmp_path: Path) -> None:
    embroiderer = with_design(tmp_path, change="12")
    assert embroiderer.press_start("K7.DST", 100.0)
    assert embroiderer.sewn_stitches(105.05) == 50
    assert embroiderer.sewn_stitches(111.0) == embroiderer.sewn_stitches(110.0 + CHANGE_S - 1) == 100
    whole_s = 30 + 2 * CHANGE_S
    assert not embroiderer.finished(100 + whole_s - 0.2)
    assert embroiderer.finished(100 + whole_s + 0.2)
    assert embroiderer.sewn_stitches(9999.0) == 300
    assert (embroiderer.odometer.stitches, embroiderer.odometer.colour_changes) == (300, 2)


def test_speed_makes_it_live_faster(tmp_path: Path) -> None:
    embroiderer = with_design(tmp_path, speed="50", change="12")
    embroiderer.press_start("K7.DST", 0.0)
    assert embroiderer.finished((30 + 2 * CHANGE_S) / 50 + 0.01)


@given(steps=st.lists(st.floats(0.0, 20.0), max_size=20))
def test_how_often_somebody_looks_changes_nothing(steps: list[float]) -> None:
    looked, left = SimulatedEmbroiderer(), SimulatedEmbroiderer()
    with TemporaryDirectory() as directory:
        data = design(Path(directory))[1].read_bytes()
    for embroiderer in (looked, left):
        embroiderer.stick.write("K7.DST", data)
        embroiderer.press_start("K7.DST", 0.0)
    now_s = 0.0
    for step in steps:
        now_s += step
        looked.sewn_stitches(now_s)
    assert abs(looked.sewn_stitches(now_s) - left.sewn_stitches(now_s)) <= 1  # a rounding at a stitch's very end


def test_a_design_larger_than_the_hoop_is_not_shown(tmp_path: Path) -> None:
    embroiderer = with_design(tmp_path, side_mm=150.0)
    assert not embroiderer.designs()
    assert not embroiderer.press_start("K7.DST", 0.0)
    assert embroiderer.ignored == {"K7.DST"}
    assert with_design(tmp_path, side_mm=150.0, hoop="200x140").press_start("K7.DST", 0.0)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(data=st.binary(max_size=300))
def test_garbage_is_not_a_design(suffix: str, data: bytes) -> None:
    seen = read_design(f"K7.{suffix}", data)
    assert seen is None or seen.stitches > 1


def test_nothing_begins_without_a_design_or_in_the_middle_of_one(tmp_path: Path) -> None:
    embroiderer = with_design(tmp_path)
    assert not embroiderer.press_start("OTHER.DST", 0.0)
    assert embroiderer.press_start("K7.DST", 0.0)
    assert not embroiderer.press_start("K7.DST", 5.0)
    assert embroiderer.press_start("K7.DST", 500.0)
    assert embroiderer.finished(1000.0)
    assert embroiderer.odometer.stitches == 600


def test_a_thread_breaks_once_and_the_needle_waits_for_the_button(tmp_path: Path) -> None:
    embroiderer = with_design(tmp_path, faults="thread-break", seed="5")
    embroiderer.press_start("K7.DST", 0.0)
    sewn = embroiderer.sewn_stitches(1000.0)
    assert 0 < sewn < 300
    assert embroiderer.waits_for_thread
    assert embroiderer.sewn_stitches(2000.0) == sewn
    assert embroiderer.press_start("K7.DST", 2000.0)
    assert embroiderer.sewn_stitches(2000.0) == sewn
    assert embroiderer.finished(3000.0)
    assert embroiderer.odometer.stitches == 300


@pytest.mark.parametrize("fault", ["stick-full", "stick-read-only", "stick-missing"])
def test_a_stick_in_trouble(fault: str) -> None:
    stick = SimulatedEmbroiderer(faults=fault).stick
    with pytest.raises(OSError):
        stick.write("K7.DST", b"...")
    assert stick.files == {}


@pytest.mark.parametrize(
    "parameters",
    [{"faults": "gremlins"}, {"hoop": "100"}, {"hoop": "0x10"}, {"spm": "-1"}, {"change": "-1"}, {"speed": "0"}],
)
def test_parameters_that_make_no_sense(parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        SimulatedEmbroiderer(**parameters)


def test_no_wire_leads_to_it() -> None:
    with pytest.raises(ValueError, match="no wire"):
        SimulatedEmbroiderer().step(0.0, b"hello")


def test_it_is_found_by_its_url() -> None:
    assert isinstance(machine("sim://embroidery?spm=800"), SimulatedEmbroiderer)
    scrap("sim://embroidery?spm=800")
