import pytest

from fabd.drivers.marlin_lines import frame, is_framing_error, is_motion, resend_number, takes_long, temperatures
from fabd.drivers.marlin_voice import Said, Voice
from fabd.errors import MachineFault
from fabd.model import Temperature


def test_frames_as_the_reprap_wiki_writes_them() -> None:
    assert frame(3, b"T0") == b"N3 T0*57\n"
    assert frame(4, b"G92 E0") == b"N4 G92 E0*67\n"
    assert frame(0, b"M110 N0") == b"N0 M110 N0*125\n"


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b"Resend: 12", 12),
        (b"Resend:7", 7),
        (b"rs 4", 4),
        (b"rs N4", 4),
        (b"Resend: N9", 9),
        (b"ok", None),
        (b"rsx", None),
    ],
)
def test_resend_number(line: bytes, number: int | None) -> None:
    assert resend_number(line) == number


def test_temperatures() -> None:
    assert temperatures(b" T:210.1 /215.0 B:60 /60.00 @:127 B@:40 W:?") == (
        Temperature(name="tool0", current_c=210.1, target_c=215.0),
        Temperature(name="bed", current_c=60.0, target_c=60.0),
    )
    assert [heater.name for heater in temperatures(b"ok T:20 /0 B:20 /0 C:21 /0 T0:20 /0 T1:20 /0 @:0")] == [
        "bed",
        "chamber",
        "tool0",
        "tool1",
    ]
    assert temperatures(b"T:-14.2 /0.0") == (Temperature(name="tool0", current_c=-14.2, target_c=0.0),)
    assert temperatures(b"FIRMWARE_NAME:Marlin PROTOCOL_VERSION:1.0") == ()
    assert temperatures(b"X:1.00 Y:2.00 Z:0.20 E:0.00 Count X:80") == ()


@pytest.mark.parametrize(
    "command", [b"G28", b"G28 X", b"G4 P100", b"M109 S200", b"M190 S60", b"M400", b"G29", b"T1", b"M600"]
)
def test_slow_commands(command: bytes) -> None:
    assert takes_long(command)


@pytest.mark.parametrize(
    "command", [b"G1 X1", b"G0", b"G2 X1 I1", b"M104 S200", b"M4000", b"G280", b"G92 E0", b"M117 T1"]
)
def test_quick_commands(command: bytes) -> None:
    assert not takes_long(command)


def test_motions() -> None:
    assert all(map(is_motion, (b"G0", b"G1 X1", b"G1X1", b"G2 I1", b"G3 R2")))
    assert not any(map(is_motion, (b"G28", b"G10", b"G30", b"M1", b"G1.5", b"T0")))


def test_errors_of_the_line_are_no_faults() -> None:
    for line in (
        b"Error:checksum mismatch, Last Line: 1",
        b"Error:Line Number is not Last Line Number+1, Last Line: 4",
        b"Error:No Checksum with line number, Last Line: 3",
    ):
        assert is_framing_error(line)
        assert Voice().hear(line) is Said.OTHER


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (
            b"Error:Heating failed, system stopped! Heater_ID: 0",
            "marlin-error",
            "Heating failed, system stopped! Heater_ID: 0",
        ),
        (b"Error:Printer halted. kill() called!", "marlin-halted", "Printer halted. kill() called!"),
        (b"echo: cold extrusion prevented", "marlin-error", "cold extrusion prevented"),
    ],
)
def test_a_fault_carries_the_firmwares_own_words(line: bytes, code: str, words: str) -> None:
    with pytest.raises(MachineFault) as fault:
        Voice().hear(line)
    assert fault.value.message.code == code
    assert fault.value.message.params["words"] == words
    assert words in str(fault.value)


def test_what_is_said_is_remembered() -> None:
    voice = Voice()
    firmware = b"FIRMWARE_NAME:Marlin 2.1.2.1 (Jun 1 2023 10:00:00) SOURCE_CODE_URL:github.com/x PROTOCOL_VERSION:1.0"
    assert voice.hear(firmware) is Said.OTHER
    assert voice.firmware == "Marlin 2.1.2.1 (Jun 1 2023 10:00:00)"
    voice.hear(b"Cap:AUTOREPORT_TEMP:1")
    voice.hear(b"Cap:EMERGENCY_PARSER:0")
    assert voice.capabilities == {"AUTOREPORT_TEMP"}
    assert voice.hear(b"ok T:20.0 /0.0 B:21.0 /0.0 @:0 B@:0") is Said.OK_WITH_TEMPERATURES
    assert voice.hear(b"ok N12 P15 B3") is Said.OK
    assert voice.hear(b"ok 12") is Said.OK
    assert [heater.current_c for heater in voice.temperatures] == [20.0, 21.0]
    assert voice.hear(b"echo:busy: paused for user") is Said.BUSY
    assert voice.waits_for_user
    assert voice.hear(b"echo:busy: processing") is Said.BUSY
    assert not voice.waits_for_user
    assert voice.hear(b'echo:Unknown command: "M9999 S1"') is Said.UNKNOWN_COMMAND
    assert voice.unknown_command == b"M9999 S1"


def test_somebody_at_the_machine_is_heard() -> None:
    voice = Voice()
    voice.hear(b"//action:paused filament_runout 0")
    assert voice.paused
    voice.hear(b"//action:resumed")
    assert not voice.paused
    with pytest.raises(MachineFault) as fault:
        voice.hear(b"//action:cancel")
    assert fault.value.message.code == "marlin-canceled-at-machine"
    assert voice.hear(b"//action:notification Printing") is Said.OTHER


def test_a_restart_forgets_what_was_heated() -> None:
    voice = Voice()
    voice.hear(b"T:200 /200")
    assert voice.hear(b"start") is Said.START
    assert voice.temperatures == ()
