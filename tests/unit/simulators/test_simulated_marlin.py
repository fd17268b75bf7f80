import math
from functools import reduce
from operator import xor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabd.simulators.marlin import SimulatedMarlin

SAMPLES = Path(__file__).parents[2] / "samples"
FAST = "1000000"


def numbered(number: int, command: str) -> str:
    text = f"N{number} {command}"
    return f"{text}*{reduce(xor, text.encode())}\n"


def say(machine: SimulatedMarlin, *lines: str, at_s: float = 0.0) -> list[str]:
    """What the machine answers to these lines, all of it at this instant."""
    data = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    return machine.step(at_s, data.encode()).decode().splitlines()


def until(machine: SimulatedMarlin, end_s: float) -> list[str]:
    """What it says by itself until then, told by its own alarm clock."""
    said = []
    while (due_s := machine.next_s()) is not None and due_s <= end_s:
        said += machine.step(due_s).decode().splitlines()
    return said + machine.step(end_s).decode().splitlines()


def stream(machine: SimulatedMarlin, data: bytes) -> None:
    """Let it make a whole file, one line at a time, without a driver."""
    now_s = 0.0
    for raw in data.split(b"\n"):
        command = raw.partition(b";")[0].strip()
        if not command:
            continue
        machine.step(now_s, command + b"\n")
        while machine.busy and (due_s := machine.next_s()) is not None:
            now_s = max(now_s, due_s)
            machine.step(now_s)
    while not machine.at_rest:
        now_s += 1.0
        machine.step(now_s)


def test_a_damaged_line_is_asked_for_again_in_marlins_words() -> None:
    machine = SimulatedMarlin()
    assert say(machine, numbered(0, "M110 N0"), numbered(1, "M117 a")) == ["ok", "ok"]
    assert say(machine, "N2 M117 b*1") == ["Error:checksum mismatch, Last Line: 1", "Resend: 2", "ok"]
    assert say(machine, numbered(3, "M117 c")) == [
        "Error:Line Number is not Last Line Number+1, Last Line: 1",
        "Resend: 2",
        "ok",
    ]
    assert say(machine, "N2 M117 b") == ["Error:No Checksum with line number, Last Line: 1", "Resend: 2", "ok"]
    assert say(machine, numbered(2, "M117 b")) == ["ok"]
    assert list(machine.executed) == ["M110 N0", "M117 a", "M117 b"]
    assert len(machine.refused) == 3


def test_behind_a_damaged_line_everything_is_thrown_away() -> None:
    machine = SimulatedMarlin()
    assert say(machine, numbered(1, "M117 a"), "N2 M117 b*1", numbered(3, "M117 c")) == [
        "Error:checksum mismatch, Last Line: 1",
        "Resend: 2",
        "ok",
        "ok",  # of the first line: lines are read before they are carried out
    ]
    assert list(machine.executed) == ["M117 a"]


def test_a_line_that_it_has_is_passed_over_in_silence() -> None:
    machine = SimulatedMarlin()
    say(machine, numbered(1, "M117 a"), numbered(2, "M117 b"))
    assert say(machine, numbered(2, "M117 b"), numbered(1, "M117 a")) == []
    assert list(machine.executed) == ["M117 a", "M117 b"]


def test_m110_takes_its_last_number_and_lines_without_numbers_are_welcome() -> None:
    machine = SimulatedMarlin()
    assert say(machine, numbered(77, "M110 N41"), numbered(42, "M117 a"), "M117 b", "M117 c*12") == ["ok"] * 4
    assert list(machine.executed) == ["M110 N41", "M117 a", "M117 b", "M117 c"]


def test_what_it_does_not_know_it_repeats() -> None:
    machine = SimulatedMarlin()
    assert say(machine, "M9999 S1") == ['echo:Unknown command: "M9999 S1"', "ok"]


def test_questions() -> None:
    machine = SimulatedMarlin()
    assert say(machine, "M105") == ["ok T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0"]
    firmware, *rest = say(machine, "M115")
    assert firmware.startswith("FIRMWARE_NAME:Marlin ")
    assert rest == ["Cap:AUTOREPORT_TEMP:1", "Cap:EMERGENCY_PARSER:1", "Cap:ARCS:1", "ok"]
    say(machine, "G92 X10 Y20.5 Z3")
    assert say(machine, "M114") == ["X:10.00 Y:20.50 Z:3.00 E:0.00 Count X:800 Y:1640 Z:1200", "ok"]


def test_a_heat_up_tells_temperatures_each_second_and_ends_at_its_target() -> None:
    machine = SimulatedMarlin()
    assert say(machine, "M109 S50") == []
    said = until(machine, 9.5)
    assert next(line for line in said if line.startswith(" T:")) == " T:23.00 /50.00 B:20.00 /0.00 @:127 B@:0 W:?"
    assert len([line for line in said if line.startswith(" T:")]) == 9
    assert said.count("echo:busy: processing") == 4
    assert "ok" not in said
    assert until(machine, 10.0) == ["ok"]
    assert say(machine, "M105", at_s=10.0) == ["ok T:50.00 /50.00 B:20.00 /0.00 @:0 B@:0"]


def test_speed_makes_heat_and_motion_faster_but_not_the_reports() -> None:
    slow, fast = SimulatedMarlin(speed="1"), SimulatedMarlin(speed="10")
    for machine in (slow, fast):
        say(machine, "M190 S60")
    assert (slow.next_s(), until(slow, 40.0)[-1]) == (1.0, "ok")
    assert (fast.next_s(), until(fast, 4.0)[-1]) == (1.0, "ok")
    for machine, at_s in ((slow, 40.0), (fast, 4.0)):
        say(machine, "G1 X100 F600", "M400", at_s=at_s)
    assert until(slow, 49.9)[-1:] == ["echo:busy: processing"]
    assert until(slow, 50.1) == ["ok"]
    assert until(fast, 5.0) == ["ok"]
    assert slow.odometer.machine_s == fast.odometer.machine_s == 10.0


def test_the_planner_holds_sixteen_moves_and_the_queue_four_more() -> None:
    machine = SimulatedMarlin()
    said = say(machine, *[f"G1 X{x} F60" for x in range(1, 26)])
    assert said == ["ok"] * 16, "one second each"
    assert len(machine.executed) == 17
    assert until(machine, 1.0) == ["ok"]
    assert until(machine, 3.0) == ["ok"] * 2
    assert until(machine, 9.0)[-1] == "ok"
    assert machine.odometer.machine_s == 9.0


def test_a_full_buffer_loses_bytes_without_a_word() -> None:
    machine = SimulatedMarlin()
    say(machine, "G28")
    assert say(machine, *["M117 0123456789"] * 20) == []
    assert machine.lost_bytes > 0
    until(machine, 20.0)
    assert len(machine.executed) < 15


def test_temperatures_are_reported_without_being_asked_for() -> None:
    machine = SimulatedMarlin()
    say(machine, "M155 S2")
    said = until(machine, 7.0)
    assert said == [" T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0"] * 3
    say(machine, "M155 S0", at_s=7.0)
    assert machine.next_s() is None


def test_an_emergency_is_heard_in_the_middle_of_a_heat_up() -> None:
    machine = SimulatedMarlin()
    say(machine, "M109 S200")
    said = say(machine, "M108", "M104 S0", at_s=5.0)
    assert said[-3:] == ["ok", "ok", "ok"]
    assert machine.nozzle_target_c == 0


def test_without_emergency_parser_a_heat_up_hears_nothing() -> None:
    machine = SimulatedMarlin(emergency="0")
    say(machine, "M109 S200")
    assert "ok" not in say(machine, "M108", "M104 S0", at_s=5.0)
    assert machine.nozzle_target_c == 200
    assert until(machine, 60.0)[-3:] == ["ok", "ok", "ok"]
    assert machine.nozzle_target_c == 0


def test_m410_ends_the_move_where_it_is() -> None:
    machine = SimulatedMarlin(speed="1")
    say(machine, "M302 P1", "G92 E0")
    say(machine, "M109 S200")
    until(machine, 60.0)
    say(machine, "G1 X100 E10 F600", "G1 X0 E20 F600", at_s=60.0)
    say(machine, "M410", at_s=64.0)
    assert machine.at_rest
    assert machine.odometer.filament_mm == pytest.approx(4.0)
    assert machine.odometer.machine_s == pytest.approx(4.0)


def test_after_m112_there_is_silence_until_somebody_resets_it() -> None:
    machine = SimulatedMarlin()
    say(machine, "M104 S200", "M140 S60")
    said = say(machine, "M112")
    assert said == ["echo:M112 Shutdown", "Error:Printer halted. kill() called!", "//action:poweroff"]
    assert (machine.nozzle_target_c, machine.bed_target_c) == (0, 0)
    assert say(machine, "M105", at_s=1.0) == []
    assert machine.next_s() is None
    assert machine.plugged(2.0).startswith(b"start\n")
    assert say(machine, "M105", at_s=2.0) == ["ok T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0"]


def test_opening_the_port_resets_it_unless_the_board_does_not() -> None:
    resets, stays = SimulatedMarlin(), SimulatedMarlin(reset="0")
    for machine in (resets, stays):
        say(machine, "M104 S200", numbered(1, "M117 a"))
    assert resets.plugged(1.0).startswith(b"start\n")
    assert stays.plugged(1.0) == b""
    assert (resets.nozzle_target_c, stays.nozzle_target_c) == (0, 200)
    assert say(stays, numbered(2, "M117 b"), at_s=1.0) == ["ok"]


def test_a_cold_nozzle_does_not_extrude() -> None:
    machine = SimulatedMarlin()
    assert say(machine, "G1 X10 E5 F600") == ["echo: cold extrusion prevented", "ok"]
    until(machine, 5.0)
    assert machine.odometer.filament_mm == 0
    assert list(machine.refused) == ["cold extrusion prevented"]


def test_faults_come_when_they_are_ordered() -> None:
    broken = SimulatedMarlin(fault_after="3")
    assert say(broken, "M104 S200", "M117 a", "M117 b", "M117 c") == [
        "ok",
        "ok",
        "Error:Heating failed, system stopped! Heater_ID: 0",
        "Error:Printer halted. kill() called!",
        "//action:poweroff",
    ]
    assert broken.nozzle_target_c == 0
    restarts = SimulatedMarlin(reset_after="2")
    assert say(restarts, "M104 S200", "M117 a", "M117 b")[:2] == ["ok", "start"]
    assert restarts.nozzle_target_c == 0


def test_bad_luck_is_seeded() -> None:
    def luck(seed: str) -> list[str]:
        machine = SimulatedMarlin(seed=seed, resend="0.3")
        number, said = 1, []
        for _ in range(40):
            answer = say(machine, numbered(number, "M117 a"))
            number += answer == ["ok"]
            said.append(answer[0])
        return said

    assert luck("1") == luck("1")
    assert luck("1") != luck("2")
    assert any(line.startswith("Error:checksum mismatch") for line in luck("1"))


@pytest.mark.parametrize(
    ("commands", "filament_mm"),
    [
        (["M82", "G1 E10 F600", "G1 E8", "G1 E10", "G1 E12"], 12.0),
        (["M83", "G1 E10 F600", "G1 E-2", "G1 E2", "G1 E2"], 12.0),
        (["G92 E5", "G1 E15 F600", "G92 E0", "G1 E1"], 11.0),
        (["G91", "G1 E1 F600", "G1 E1", "G90", "G1 E3"], 3.0),
        (["G20", "G1 E1 F60"], 25.4),
        (["M221 S50", "G1 E10 F600"], 5.0),
        (["M200 D2", "G1 E3.14159265 F600"], 1.0),
        (["G1 E10 F600", "G10", "G11", "G1 E12"], 12.0),
        (["G1 E10 F600", "T1", "G1 E15"], 15.0),
        (["G2 X10 Y0 I5 J0 E4 F600", "G3 X0 Y0 R5 E8"], 8.0),
        (["G1 X5E.84F600"], 0.84),
    ],
)
def test_its_own_odometer(commands: list[str], filament_mm: float) -> None:
    machine = SimulatedMarlin(speed=FAST)
    stream(machine, "\n".join(["M109 S200", *commands]).encode())
    assert machine.odometer.filament_mm == pytest.approx(filament_mm)


def test_arcs_are_as_long_as_they_are() -> None:
    machine = SimulatedMarlin(speed="1")
    say(machine, "G2 X10 Y0 I5 J0 F60", "G3 X20 Y0 R5", "G2 I5 J0", "G1 X0")
    until(machine, 200.0)
    assert machine.odometer.machine_s == pytest.approx(5 * math.pi + 5 * math.pi + 10 * math.pi + 20)


@pytest.mark.parametrize(
    ("name", "claimed_mm"),
    [("vase_prusaslicer.gcode", 987.97), ("bracket_prusaslicer.gcode", 1320.72), ("coin_slic3r.gcode", 697.6)],
)
def test_its_odometer_agrees_with_the_slicers(name: str, claimed_mm: float) -> None:
    machine = SimulatedMarlin(speed=FAST)
    stream(machine, (SAMPLES / name).read_bytes())
    assert machine.odometer.filament_mm == pytest.approx(claimed_mm, rel=0.001)


JOB = [
    "M104 S180",
    "G28",
    "M109 S180",
    "G1 X50 Y50 E5 F3000",
    "M155 S1",
    "G1 X0 E10",
    "G4 S2",
    "M400",
    "M104 S0",
    "M105",
]


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 5.0), max_size=40))
def test_how_often_it_is_stepped_makes_no_difference(pauses_s: list[float]) -> None:
    often, once = SimulatedMarlin(speed="3"), SimulatedMarlin(speed="3")
    for machine in (often, once):
        say(machine, *JOB[:4])
    now_s, said = 0.0, b""
    for pause_s in pauses_s:
        now_s += pause_s
        said += often.step(now_s)
    end_s = now_s + 200.0
    said += often.step(end_s)
    assert said == once.step(end_s)
    assert often.odometer.filament_mm == once.odometer.filament_mm == 5.0
    assert often.odometer.machine_s == once.odometer.machine_s


@pytest.mark.parametrize(
    "parameters", [{"speed": "0"}, {"speed": "fast"}, {"resend": "-1"}, {"seed": "x"}, {"speed": "inf"}]
)
def test_parameters_that_make_no_sense(parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SimulatedMarlin(**parameters)
