"""What commands do to a printer's state, as Marlin 2.1 takes them."""

from math import pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabd.errors import JobRejected
from fabd.formats.gcode_state import MotionState
from fabd.formats.gcode_words import command_of


def state_after(text: str) -> MotionState:
    state = MotionState()
    for number, line in enumerate(text.encode().splitlines(), start=1):
        command = command_of(line, number)
        if command:
            state.feed(command, number)
    state.time.stop()
    return state


@pytest.mark.parametrize(
    ("text", "filament_mm", "net_mm"),
    [
        pytest.param("G1 E5\nG1 E7.5", 7.5, 7.5, id="absolute is the beginning"),
        pytest.param("M83\nG1 E5\nG1 E7.5", 12.5, 12.5, id="M83"),
        pytest.param("M83\nG1 E5\nM82\nG1 E6", 6, 6, id="M82 goes on from where E stands"),
        pytest.param("G91\nG1 E5\nG1 E5", 10, 10, id="G91 makes E relative"),
        pytest.param("M82\nG91\nG1 E5\nG1 E5", 10, 10, id="G91 overrides M82"),
        pytest.param("M83\nG90\nG1 E5\nG1 E5", 5, 5, id="G90 overrides M83"),
        pytest.param("G91\nM82\nG1 E5\nG1 E5", 5, 5, id="M82 after G91 holds for E only"),
        pytest.param("G1 E5\nG92 E0\nG1 E5", 10, 10, id="G92 E"),
        pytest.param("G1 E5\nG92\nG1 E6", 6, 6, id="G92 without words does nothing"),
        pytest.param("G1 E5\nG1 E3\nG1 E5\nG1 E6", 6, 6, id="retraction and recovery"),
        pytest.param("M83\nG1 E5\nG1 E-2", 5, 3, id="retracted at the end"),
        pytest.param("M83\nG1 E-2\nG1 E2\nG1 E1", 1, 1, id="retracted at the beginning"),
        pytest.param("G1 E5\nG10\nG92 E0\nG11\nG1 E5", 10, 10, id="firmware retraction is net nothing"),
        pytest.param("M83\nG1 X1 E.84", 0.84, 0.84, id="a number without its nought"),
        pytest.param("M83\nG1X1Y2E.5F1200", 0.5, 0.5, id="no spaces"),
        pytest.param("m83\ng1 x1 e2", 2, 2, id="small letters"),
        pytest.param("M83\nG01 X1 E2", 2, 2, id="leading nought"),
        pytest.param("M83\nG1 X 1 E 2", 2, 2, id="spaces after letters"),
        pytest.param("M83\nG1 E1 ; E9\nG1 E1 (E9)\n;G1 E9", 2, 2, id="comments"),
        pytest.param("M83\nN7 G1 X1 E2\nN8 G1 E1", 3, 3, id="line numbers"),
        pytest.param("M83\nG1 X1E5", 5, 5, id="E is never an exponent"),
        pytest.param("M83\nG0 X1 E2", 2, 2, id="G0 extrudes too"),
        pytest.param("M83\nM221 S50\nG1 E2\nM221 S100\nG1 E2", 3, 3, id="flow"),
        pytest.param("M83\nM221 T1 S50\nG1 E2\nT1\nG1 E2", 3, 1, id="flow of another tool"),
        pytest.param(f"M83\nM200 D2\nG1 E{pi}\nM200 D0\nG1 E1", 2, 2, id="volumetric"),
        pytest.param(f"M83\nM200 D2\nM200 S0\nG1 E1\nM200 S1\nG1 E{pi}", 2, 2, id="volumetric off and on"),
        pytest.param("M83\nG20\nG1 E1\nG21\nG1 E1", 26.4, 26.4, id="inches"),
        pytest.param("M83\nG1 E3\nT1\nG1 E-1\nG1 E2\nT0\nG1 E-2", 4, 1, id="each tool has its own odometer"),
        pytest.param("G1 E3\nT1\nG1 E4", 4, 1, id="tools share the E position"),
        pytest.param("M83\nG2 X10 Y0 I5 J0 E2\nG3 X0 Y0 R5 E1", 3, 3, id="arcs"),
        pytest.param("M83\nM117 G1 E9\nM118 G1 E9", 0, 0, id="text is no command"),
    ],
)
def test_filament(text: str, filament_mm: float, net_mm: float) -> None:
    state = state_after(text)
    assert state.filament_mm == pytest.approx(filament_mm, rel=1e-6)
    assert state.net_e_mm == pytest.approx(net_mm, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        pytest.param("G28\nG1 X10 Y20\nG1 X30 Y5 Z2", (10, 5, 30, 20, 2, 2), id="absolute"),
        pytest.param("G28\nG91\nG1 X10 Y20\nG1 X-4 Y3", (6, 20, 10, 23, 0, 0), id="relative"),
        pytest.param("G28\nG1 X10 Y10\nG92 X0\nG1 X5", (10, 10, 15, 10, 0, 0), id="G92 shifts the coordinates"),
        pytest.param("G1 X10 Y10\nG92 X0\nG28\nG1 X5", (5, 10, 10, 10, 0, 0), id="G28 ends the shift"),
        pytest.param("G1 X10 Y10\nG92 X0\nG92.1\nG1 X5", (5, 10, 10, 10, 0, 0), id="G92.1 ends the shift"),
        pytest.param("G1 X10 Y10\nG2 X10 Y10 I5", (10, 5, 20, 15, 0, 0), id="a full circle"),
        pytest.param("G1 X10 Y10\nG2 X20 Y10 I5", (10, 10, 20, 15, 0, 0), id="a half circle, clockwise"),
        pytest.param("G1 X10 Y10\nG3 X20 Y10 I5", (10, 5, 20, 10, 0, 0), id="a half circle, counter-clockwise"),
        pytest.param("G1 X10 Y10\nG3 X20 Y10 R5", (10, 5, 20, 10, 0, 0), id="by radius"),
        pytest.param("G1 X10 Y10\nG2 X15 Y15 R5", (10, 10, 15, 15, 0, 0), id="a quarter by radius"),
        pytest.param("G1 X10 Y10\nG2 X15 Y15 R-5", (5, 10, 15, 20, 0, 0), id="the long way by negative radius"),
        pytest.param("G20\nG1 X1 Y1", (25.4, 25.4, 25.4, 25.4, 0, 0), id="inches"),
    ],
)
def test_extents(text: str, box: tuple[float, ...]) -> None:
    found = state_after(text).extents
    assert found is not None
    corners = found.x_min_mm, found.y_min_mm, found.x_max_mm, found.y_max_mm, found.z_min_mm, found.z_max_mm
    assert corners == pytest.approx(box)


def test_no_extents_before_a_move_in_the_plane() -> None:
    assert state_after("G28\nG1 Z5\nG1 E3").extents is None


@pytest.mark.parametrize(
    ("text", "time_s"),
    [
        pytest.param(
            "G1 X150 F6000", 150 / 100 + 100 / 1500, id="one long move: cruise, and once speed / acceleration"
        ),
        pytest.param("G1 X0.6 F60000", 2 * (0.6 / 1500) ** 0.5, id="a short one never reaches its speed"),
        pytest.param("G1 X75 F6000\nG1 X150", 150 / 100 + 100 / 1500, id="straight on costs nothing"),
        pytest.param("G1 X75 F6000\nG1 X0", 150 / 100 + 200 / 1500, id="straight back is a stop"),
        pytest.param("G1 X75 F6000\nG4 S2\nG1 X150", 150 / 100 + 200 / 1500 + 2, id="a wait is a stop"),
        pytest.param("G4 P1500", 1.5, id="milliseconds"),
        pytest.param("M204 T500\nG1 X150 F6000", 150 / 100 + 100 / 500, id="M204"),
        pytest.param("M204 S500\nG1 X150 F6000", 150 / 100 + 100 / 500, id="M204 S"),
        pytest.param("M203 X50\nG1 X150 F6000", 150 / 50 + 50 / 1500, id="M203"),
        pytest.param("M201 X500\nG1 X150 F6000", 150 / 100 + 100 / 500, id="M201"),
        pytest.param("M220 S50\nG1 X150 F6000", 150 / 50 + 50 / 1500, id="M220"),
        pytest.param("G1 F6000\nG1 F0 X150", 150 / 100 + 100 / 1500, id="F0 is passed over"),
        pytest.param("G1 Z12 F6000", 12 / 12 + 12 / 500, id="Z has limits of its own"),
        pytest.param("G2 X0 Y0 I100 F600", 200 * pi / 10 + 10 / 1500, id="a circle is as long as it is"),
    ],
)
def test_time(text: str, time_s: float) -> None:
    assert state_after(text).time_s == pytest.approx(time_s, rel=1e-3)


def test_a_corner_is_slower_than_going_on() -> None:
    straight = state_after("G1 X50 F6000\nG1 X100").time_s
    right_angle = state_after("G1 X50 F6000\nG1 Y50").time_s
    back = state_after("G1 X50 F6000\nG1 X0").time_s
    assert straight < right_angle < back


def test_softer_corners_take_longer() -> None:
    square = "\nG1 X50 F6000\nG1 Y50\nG1 X0\nG1 Y0"
    assert state_after("M205 X2 Y2" + square).time_s > state_after("M205 X20 Y20" + square).time_s
    assert state_after("M205 J0.001" + square).time_s > state_after("M205 J0.1" + square).time_s


def test_temperatures_are_the_highest_asked_for() -> None:
    state = state_after("M104 S200\nM109 R230\nM104 S0\nM140 S60\nM190 S55\nM140 S0")
    assert (state.nozzle_c, state.bed_c) == (230, 60)


def test_tools_are_those_that_used_filament() -> None:
    assert state_after("M83\nT0\nT3\nG1 E2\nT1\nG1 E-1").extrusion.tools == (3,)


@pytest.mark.parametrize(
    "line",
    [
        "G1 X",
        "G1 X-",
        "G1 X1.2.3",
        "G1 X1-2",
        "G1 XNaN",
        "G1 Xinf",
        "G1 X1e308",
        "G1 X" + "9" * 400,
        "G1 X1000001",
        "G1 E1000001",
        "G1 A5",
        "G1 X1 $",
        "G1 E1 E2",
        "G1 X1 G1",
        "G1 X1 (open",
        "G1 X1 é",
        "G2 X1 Y1",
        "G2 X0 Y0 R5",
        "G2 X5 Y5 R0",
        "G2 X1 I1 P3",
        "G4 S-1",
        "M220 S0",
        "T100",
        "T1.5",
        "M221 T S50",
        "G21\\nG90",
    ],
)
def test_unreadable(line: str) -> None:
    with pytest.raises(JobRejected) as caught:
        state_after("G28\n" + line)
    assert caught.value.message.code == "gcode-unreadable"
    assert caught.value.message.params["line"] == 2
    assert "Line 2" in str(caught.value)


def test_a_wrong_checksum_names_its_line() -> None:
    with pytest.raises(JobRejected) as caught:
        state_after("G28\nN4 G92 E1*67")
    assert caught.value.message.code == "gcode-checksum"
    assert caught.value.message.params == {"line": 2}


@pytest.mark.parametrize(
    ("raw", "command"),
    [
        (b"  G1 X1 ; out\r\n", b"G1 X1"),
        (b"g1 x1 y.5\n", b"G1 X1 Y.5"),
        (b"\xef\xbb\xbfG28\n", b"G28"),
        (b"; all of it\n", b""),
        (b"(all of it)\n", b""),
        (b"N4 G92 E0*67\n", b"G92 E0"),  # this one and the next: the examples of the RepRap wiki
        (b"N6 G1 F1500.0*82\r\n", b"G1 F1500.0"),
        (b"G28 X*12\n", b"G28 X"),
        (b"m117 Bonjour (le monde) * ; rest\n", b"M117 Bonjour (le monde) *"),
    ],
)
def test_command_of(raw: bytes, command: bytes) -> None:
    assert command_of(raw) == command


lengths = st.floats(min_value=-50, max_value=50).map(lambda mm: round(mm, 4))


@given(st.lists(lengths, min_size=1, max_size=40))
def test_absolute_and_relative_extrusion_agree(lengths_mm: list[float]) -> None:
    relative = "M83\n" + "\n".join(f"G1 X1 E{mm:.4f}" for mm in lengths_mm)
    position_mm = 0.0
    lines = []
    for number, mm in enumerate(lengths_mm):
        position_mm += mm
        lines.append(f"G1 X1 E{position_mm:.4f}")
        if number % 3 == 2:
            position_mm = 1.5
            lines.append("G92 E1.5")
    absolute = state_after("\n".join(lines))
    assert absolute.filament_mm == pytest.approx(state_after(relative).filament_mm, abs=1e-3 * len(lengths_mm))


@given(st.lists(lengths, max_size=40))
def test_filament_and_time_never_fall(lengths_mm: list[float]) -> None:
    state = MotionState()
    state.feed(b"M83")
    filament_mm = time_s = 0.0
    for mm in lengths_mm:
        state.feed(f"G1 X{mm:.4f} E{mm:.4f}".encode())
        assert state.filament_mm >= filament_mm
        assert state.time_s >= time_s
        filament_mm, time_s = state.filament_mm, state.time_s
        assert filament_mm >= state.net_e_mm
