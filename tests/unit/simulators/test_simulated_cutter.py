"""The simulated cutter, spoken to as a stranger would: its physics and its answers, without any driver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.simulators import machine, plug_in, scrap
from fabd.simulators.hpgl import CUT_MM_S, LIFT_S, TRAVEL_MM_S, SimulatedCutter
from fakes.virtual_time import run_in_virtual_time

LONG_S = 10_000.0


def run_out(cutter: SimulatedCutter, data: bytes) -> bytes:
    """All that the cutter says until long after it has done everything."""
    return cutter.step(0.0, data) + cutter.step(LONG_S)


def test_cuts_what_it_is_told() -> None:
    cutter = SimulatedCutter()
    run_out(cutter, b"IN;SP1;PU400,0;PD400,800;PD0,800;PU4000,0;")
    assert cutter.strokes == [[(400, 0), (400, 800), (0, 800)]]
    assert (cutter.odometer.cut_mm, cutter.odometer.vinyl_mm) == (30.0, 100.0)
    assert cutter.odometer.travel_mm == pytest.approx(10 + (100**2 + 20**2) ** 0.5)
    assert cutter.at_rest
    assert not cutter.pen_down
    assert (cutter.selected, cutter.refused) == (1, 0)


@pytest.mark.parametrize(
    "text",
    [
        b"PU40,40;PD80,40,80,80;PU;",
        b"PU 40 40\nPD 80,40\nPD 80,80\nPU\n",
        b"PU40,40PD80,40,80,80PU;",
        b"pu;pa40,40;pd;pa80,40;pa80,80;pu;",
        b"  ;;PU40.2,39.9;PD80,40;;PD+80,80;PU;",
    ],
)
def test_reads_the_ways_in_which_programs_write(text: bytes) -> None:
    cutter = SimulatedCutter()
    run_out(cutter, text)
    assert cutter.strokes == [[(40, 40), (80, 40), (80, 80)]]


@pytest.mark.parametrize(("text", "error"), [(b"LBtext;", b"1"), (b"PD1,2,3;", b"2"), (b"PA1,x;", b"2")])
def test_refuses_what_it_does_not_understand(text: bytes, error: bytes) -> None:
    cutter = SimulatedCutter()
    assert error + b"\r" in run_out(cutter, text + b"OE;")
    assert cutter.refused >= 1


def test_a_diagonal_is_faster_since_each_axis_has_its_speed() -> None:
    cutter = SimulatedCutter()
    cutter.step(0.0, b"PD;PA4000,4000;OA;")
    takes_s = LIFT_S + 100 / CUT_MM_S
    assert cutter.step(takes_s - 0.001) == b""
    assert cutter.step(takes_s + 0.001) == b"4000,4000,1\r"


def test_speed_makes_it_live_faster() -> None:
    cutter = SimulatedCutter(speed="50")
    cutter.step(0.0, b"PU4000,0;OA;")
    assert cutter.step(100 / TRAVEL_MM_S / 50 + 0.001) == b"4000,0,0\r"


def test_queued_questions_wait_and_immediate_ones_do_not() -> None:
    cutter = SimulatedCutter(buffer="100")
    assert cutter.step(0.0, b"PU4000,0;PU0,0;OA;\x1b.B\x1b.O\x1b.L\x1b.E") == b"91\r0\r100\r0\r"
    assert cutter.step(LONG_S, b"\x1b.O") == b"0,0,0\r8\r"


def test_empty_means_ready_or_still_processing() -> None:
    cutter = SimulatedCutter()
    assert cutter.step(0.0, b"PU4000,0;\x1b.O") == b"8\r"
    assert not cutter.at_rest


def test_a_flooded_buffer_loses_bytes_and_says_so() -> None:
    cutter = SimulatedCutter(buffer="64")
    assert cutter.step(0.0, b"PU4000,0;" + b"PD0,0;PD40,40;" * 20 + b"\x1b.E\x1b.E") == b"16\r0\r"
    assert cutter.overflowed_bytes == 280 - 64
    assert cutter.most_buffered_bytes == 64


def test_abort_drops_the_buffer_and_half_a_command_but_not_the_motion() -> None:
    cutter = SimulatedCutter()
    cutter.step(0.0, b"PD;PA4000,0;PD4000,4000,0,4000;PD1,")
    cutter.step(0.5, b"\x1b.K")
    cutter.step(LONG_S)
    assert cutter.strokes == [[(0, 0), (4000, 0)]]
    cutter.step(LONG_S, b"PU;OA;")
    assert cutter.step(LONG_S + 1) == b"4000,0,0\r"


@pytest.mark.parametrize("broken", [b"\x1bX", b"\x1b.Q", b"\x1b.\x1b.B"])
def test_an_escape_that_is_none_is_an_error(broken: bytes) -> None:
    cutter = SimulatedCutter()
    assert cutter.step(0.0, broken + b"\x1b.E").endswith(b"11\r")


def test_bytes_take_their_time_on_a_slow_line() -> None:
    cutter = SimulatedCutter(baud="2400")
    cutter.step(0.0, b"PU0,40;OA;")
    assert cutter.next_s() == pytest.approx(10 / 2400)
    assert cutter.step(0.04) == b""
    assert cutter.step(1.0) == b"0,40,0\r"


@given(data=st.binary(max_size=400), cut=st.integers(0, 400), buffer=st.integers(1, 300))
def test_whatever_is_sent_it_survives_and_says_the_same_however_it_arrives(data: bytes, cut: int, buffer: int) -> None:
    whole, halves = SimulatedCutter(buffer=str(buffer)), SimulatedCutter(buffer=str(buffer))
    once = run_out(whole, data)
    twice = halves.step(0.0, data[:cut]) + halves.step(0.0, data[cut:]) + halves.step(LONG_S)
    assert once == twice
    assert whole.strokes == halves.strokes
    assert whole.most_buffered_bytes <= buffer


def test_somebody_holds_it_at_the_panel_and_lets_go() -> None:
    cutter = SimulatedCutter(faults="panel-pause", seed="3")
    cutter.step(0.0, b"".join(b"PU%d,0;" % x for x in range(400, 4400, 400)) + b"OA;")
    statuses = set()
    for tenth in range(1, 100):
        statuses.add(cutter.step(tenth / 10, b"\x1b.O"))
    assert {b"16\r", b"0\r"} <= statuses
    assert cutter.step(LONG_S, b"\x1b.O") == b"8\r"
    assert cutter.position == (4000, 0)


def test_the_same_seed_makes_the_same_trouble() -> None:
    said = []
    for _ in range(2):
        cutter = SimulatedCutter(faults="damaged-byte", seed="7")
        said.append((run_out(cutter, b"PU400,0;PD400,800;" * 20 + b"\x1b.E"), cutter.strokes))
    assert said[0] == said[1]
    assert said[0][0] == b"15\r"


@pytest.mark.parametrize(
    "parameters",
    [
        {"faults": "gremlins"},
        {"dialect": "klingon"},
        {"speed": "0"},
        {"speed": "fast"},
        {"buffer": "0"},
        {"baud": "-1"},
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        SimulatedCutter(**parameters)


def test_a_url_with_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="blade"):
        machine("sim://hpgl?blade=45")


def test_it_is_found_by_its_url_and_keeps_its_odometer_when_unplugged() -> None:
    async def plug_twice() -> float:
        for _ in range(2):
            wire = await plug_in("sim://hpgl?seed=2")
            await wire.write(b"PD4000,0;PU0,0;OA;")
            assert await wire.read() == b"0,0,0\r"
            wire.close()
        cutter = machine("sim://hpgl?seed=2")
        assert isinstance(cutter, SimulatedCutter)
        return cutter.odometer.cut_mm

    assert run_in_virtual_time(plug_twice()) == 200.0
    scrap("sim://hpgl?seed=2")
