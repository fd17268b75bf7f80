"""The driver against a firmware written elsewhere, over a real pseudo-terminal and a real socket."""

import asyncio
import gc
import weakref
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from fabd.drivers import JobRejected, LinkLost, MachineFault, Meter, Phase, Program
from fabd.drivers.marlin import Marlin
from fabd.formats.gcode_words import command_of
from fabd.testing import BenchAttempt
from fakes.firmware import Firmware, OnPty, OnTcp, on_pty, on_tcp
from fakes.gcode import tower, write_program

PIECE = tower(layers=3)


def commands(data: bytes) -> list[str]:
    """What a machine should carry out of a file: everything but the question for temperatures."""
    found = [command_of(raw).decode() for raw in data.split(b"\n")]
    return [command for command in found if command and command != "M105"]


def config(url: str, **settings: object) -> Marlin:
    return Marlin(Marlin.Config.model_validate({"url": url, "boot_s": 0, **settings}))


@pytest.fixture
def piece(tmp_path: Path) -> tuple[Program, Path]:
    return write_program(tmp_path, PIECE)


async def made(url: str, piece: tuple[Program, Path]) -> BenchAttempt:
    async with config(url) as driver:
        attempt = BenchAttempt(*piece)
        await driver.run(attempt)
        return attempt


async def fault_of(firmware: Firmware, piece: tuple[Program, Path]) -> MachineFault:
    async with on_pty(firmware) as there, config(there.url) as driver:
        with pytest.raises(MachineFault) as fault:
            await driver.run(BenchAttempt(*piece))
        return fault.value


def at_line(number: int, what: Callable[[], str | None]) -> Callable[[str], str | None]:
    """Let something happen whenever the line of this number arrives."""
    return lambda line: what() if line.startswith(f"N{number} ") else None


@pytest.mark.parametrize("on", [on_pty, on_tcp])
async def test_the_machine_carries_out_the_file_line_by_line(
    on: Callable[[Firmware], AbstractAsyncContextManager[OnPty | OnTcp]], piece: tuple[Program, Path]
) -> None:
    firmware = Firmware()
    async with on(firmware) as there:
        attempt = await made(there.url, piece)
    assert firmware.taken == commands(PIECE)
    assert attempt.last is not None
    assert attempt.last.phase is Phase.FINISHING
    assert attempt.last.position == len(PIECE)
    assert attempt.last.used[Meter.FILAMENT_MM] == pytest.approx(attempt.program.curve.total[Meter.FILAMENT_MM])
    assert [heater.name for heater in attempt.last.temperatures] == ["tool0", "bed"]
    assert all(line.startswith("N") for line in firmware.heard), "every line has its number"


async def test_a_program_is_followed_by_the_proof_of_its_end(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    async with on_pty(firmware) as there:
        await made(there.url, piece)
    assert [line.partition(" ")[2].partition("*")[0] for line in firmware.heard[-2:]] == ["M400", "M105"]


@pytest.mark.parametrize(
    "greeting", [b"start\n", b"\xff\xfe\x00garbage", b"echo:Marlin 2.1\nok\nok\nok\n", b"wait\nwait\n"]
)
async def test_whatever_is_there_at_open_no_ok_is_taken_for_another(
    greeting: bytes, piece: tuple[Program, Path]
) -> None:
    firmware = Firmware()
    async with on_pty(firmware, greets=greeting) as there:
        attempt = await made(there.url, piece)
    assert firmware.taken == commands(PIECE)
    assert attempt.last is not None
    assert attempt.last.position == len(PIECE)


async def test_a_board_that_resets_when_it_is_opened_is_given_time_to_start(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    async with on_pty(firmware) as there:
        asyncio.get_running_loop().call_later(0.05, there.plug.say, b"start\necho:Marlin 2.1\n")
        async with config(there.url, boot_s=0.1) as driver:
            assert firmware.heard[0].startswith("N0 M110")
            await driver.run(BenchAttempt(*piece))
    assert firmware.taken == commands(PIECE)


async def test_half_a_line_that_somebody_left_there_harms_nothing(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    firmware.hear("N512 G1 X1")
    async with on_pty(firmware) as there:
        await made(there.url, piece)
    assert firmware.taken == commands(PIECE)


@pytest.mark.parametrize("answers_m105", [True, False])
async def test_a_firmware_with_fewer_manners_is_understood(answers_m105: bool, piece: tuple[Program, Path]) -> None:
    firmware = Firmware(capabilities="", answers_m105=answers_m105)
    async with on_pty(firmware) as there, config(there.url) as driver:
        await driver.run(BenchAttempt(*piece))
        await driver.stop()
    assert firmware.taken[: len(commands(PIECE))] == commands(PIECE)
    assert not [line for line in firmware.heard if "M155" in line]


async def test_a_damaged_line_is_sent_again_as_it_was(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    damaged = iter([True, True, False])
    firmware.on = at_line(27, lambda: firmware.again("checksum mismatch, Last Line: ") if next(damaged) else None)
    async with on_pty(firmware) as there:
        await made(there.url, piece)
    assert firmware.taken == commands(PIECE)
    sent = [line for line in firmware.heard if line.startswith("N27 ")]
    assert len(sent) == 3
    assert len(set(sent)) == 1


@pytest.mark.parametrize("request_again", ["Resend: 27\n", "rs N27\nok\n", "Resend:27\nok\nok\n"])
async def test_other_ways_to_ask_again(request_again: str, piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    once = iter([request_again])
    firmware.on = at_line(27, lambda: next(once, None))
    async with on_pty(firmware) as there:
        await made(there.url, piece)
    assert firmware.taken == commands(PIECE)


async def test_an_ok_too_many_costs_no_line(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    strays = iter(["ok\n"])

    def stray_and_damaged() -> str | None:
        stray = next(strays, None)
        return None if stray is None else stray + firmware.again("checksum mismatch, Last Line: ")

    firmware.on = at_line(27, stray_and_damaged)
    async with on_pty(firmware) as there:
        attempt = await made(there.url, piece)
    assert firmware.taken == commands(PIECE)
    assert attempt.last is not None
    assert attempt.last.used[Meter.FILAMENT_MM] == pytest.approx(attempt.program.curve.total[Meter.FILAMENT_MM])


async def test_a_line_that_never_gets_through_is_a_fault(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    firmware.on = at_line(27, lambda: firmware.again("checksum mismatch, Last Line: "))
    fault = await fault_of(firmware, piece)
    assert fault.message.code == "marlin-resend-loop"
    assert fault.message.params["number"] == 27
    assert firmware.taken == commands(PIECE)[:16], "lines 1 to 10 are our own"


async def test_a_request_for_a_line_that_was_never_sent_is_a_fault(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    firmware.on = at_line(27, lambda: "Resend: 9120\nok\n")
    assert (await fault_of(firmware, piece)).message.code == "marlin-resend-unknown"


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("Error:Heating failed, system stopped! Heater_ID: 0\nError:Printer halted. kill() called!\n",) * 1
        + ("marlin-error", "Heating failed"),
        ("Error:Printer halted. kill() called!\n", "marlin-halted", "Printer halted. kill() called!"),
        ("start\necho:Marlin 2.1\n", "marlin-reset", None),
        ("//action:cancel\nok\n", "marlin-canceled-at-machine", None),
        ('echo:Unknown command: "0.5 E3"\nok\n', "marlin-misheard", None),
        ("echo: cold extrusion prevented\nok\n", "marlin-error", "cold extrusion prevented"),
    ],
)
async def test_what_the_machine_says_in_the_middle_ends_the_program(
    said: str, code: str, words: str | None, piece: tuple[Program, Path]
) -> None:
    firmware = Firmware()
    firmware.on = at_line(27, lambda: said)
    fault = await fault_of(firmware, piece)
    assert fault.message.code == code
    if words is not None:
        assert words in str(fault)
    assert len(firmware.taken) == 16, "nothing was sent behind it"


async def test_an_unknown_command_of_the_file_is_the_files_affair(tmp_path: Path) -> None:
    firmware = Firmware()
    firmware.on = lambda line: (
        'echo:Unknown command: "M900 K0.2"\nok\n' if "M900" in line and _count(firmware) else None
    )
    piece = write_program(tmp_path, b"G28\nM900 K0.2\nG1 X10 Y5 F3000\n")
    async with on_pty(firmware) as there:
        await made(there.url, piece)
    assert firmware.taken == ["G28", "G1 X10 Y5 F3000"]


def _count(firmware: Firmware) -> int:
    """The line counts as taken, though it means nothing."""
    firmware.last += 1
    return firmware.last


async def test_a_fault_while_idle_is_told_by_the_next_look() -> None:
    async with on_pty(Firmware()) as there, config(there.url) as driver:
        await driver.read()
        there.plug.say(b"Error:Thermal Runaway, system stopped! Heater_ID: bed\n")
        await asyncio.sleep(0.05)
        with pytest.raises(MachineFault, match="Thermal Runaway"):
            await driver.read()


@pytest.mark.parametrize("on", [on_pty, on_tcp])
async def test_a_pulled_plug_is_a_lost_link(
    on: Callable[[Firmware], AbstractAsyncContextManager[OnPty | OnTcp]], piece: tuple[Program, Path]
) -> None:
    firmware = Firmware()
    async with on(firmware) as there, config(there.url) as driver:
        firmware.on = at_line(27, lambda: there.pull() or "")
        with pytest.raises(LinkLost):
            await driver.run(BenchAttempt(*piece))
        with pytest.raises(LinkLost):
            await driver.read()
        with pytest.raises(LinkLost):
            await driver.stop()


async def test_who_never_answers_is_a_lost_link_in_words(
    monkeypatch: pytest.MonkeyPatch, piece: tuple[Program, Path]
) -> None:
    monkeypatch.setattr("fabd.drivers.marlin.CONNECT_S", 0.2)
    firmware = Firmware()
    firmware.on = lambda line: ""
    async with on_pty(firmware) as there:
        with pytest.raises(LinkLost) as lost:
            await made(there.url, piece)
    assert lost.value.message.code == "marlin-silent"
    assert lost.value.message.params == {"wire": there.url, "awaited": "M115", "limit_s": 0.2}


async def test_a_machine_that_is_busy_when_it_is_found_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fabd.drivers.marlin.CONNECT_S", 0.2)
    firmware = Firmware()
    firmware.targets = {"T": 200.0, "B": 60.0}
    heating = True

    def only_an_emergency_is_heard(line: str) -> str | None:
        nonlocal heating
        heating = heating and line != "M108"
        return "echo:busy: processing\n" if heating else None

    firmware.on = only_an_emergency_is_heard
    async with on_pty(firmware) as there, config(there.url) as driver:
        await driver.stop()
    assert firmware.targets == {"T": 0.0, "B": 0.0}


async def test_a_stop_is_repeated_until_the_machine_shows_that_nothing_is_heated(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    async with on_pty(firmware) as there, config(there.url) as driver:
        await driver.run(BenchAttempt(*piece))
        firmware.targets["T"] = 200.0
        damaged = iter([firmware.again("checksum mismatch, Last Line: ")])
        firmware.on = lambda line: next(damaged, None) if "M104" in line else None
        await driver.stop()
    assert firmware.targets["T"] == 0.0
    assert len([line for line in firmware.heard if "M104 S0" in line and line.startswith("N1 ")]) == 2


async def test_a_stop_that_cannot_be_proven_is_a_lost_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fabd.drivers.marlin.STOP_S", 0.2)
    firmware = Firmware()
    async with on_pty(firmware) as there, config(there.url) as driver:
        firmware.on = lambda line: "ok T:200 /200 B:60 /60\n" if "M105" in line else "ok\n"
        with pytest.raises(LinkLost):
            await driver.stop()


async def test_a_stop_begins_with_a_line_end_and_hurries_before_it_counts(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    async with on_pty(firmware) as there, config(there.url) as driver:
        await driver.run(BenchAttempt(*piece))
        firmware.hear("N9 G1 X10")  # half a line
        firmware.heard.clear()
        await driver.stop()
    assert firmware.heard[:3] == ["N9 G1 X10", "M108", "M410"]
    assert [line.partition("*")[0] for line in firmware.heard[3:8]] == [
        "N0 M110 N0",
        "N1 M104 S0",
        "N2 M140 S0",
        "N3 M107",
        "N4 M105",
    ]


async def test_a_chamber_is_turned_off_too() -> None:
    firmware = Firmware(capabilities="")
    firmware.on = lambda line: f"ok T:20 /0 B:20 /0 C:40 /{chamber(firmware)}\n" if "M105" in line else None
    async with on_pty(firmware) as there, config(there.url) as driver:
        assert [heater.target_c for heater in (await driver.read()).temperatures] == [0, 0, 45]
        await driver.stop()
    assert "M141 S0" in firmware.taken


def chamber(firmware: Firmware) -> int:
    firmware.last += 1
    return 0 if "M141 S0" in firmware.taken else 45


async def test_all_tools_are_turned_off() -> None:
    firmware = Firmware()
    async with on_pty(firmware) as there, config(there.url, tools=4) as driver:
        await driver.stop()
    off = [command for command in firmware.taken if command.startswith("M104")]
    assert off == ["M104 S0", "M104 T0 S0", "M104 T1 S0", "M104 T2 S0", "M104 T3 S0"]


async def test_people_are_asked_where_the_program_waits_and_nothing_that_blocks_is_sent(tmp_path: Path) -> None:
    firmware = Firmware()
    piece = write_program(tmp_path, b"G28\nG1 X10 Y5 F3000\nM0 Insert the nut\nG1 X20\nM600\nG1 X30\n")
    async with on_pty(firmware) as there:
        attempt = await made(there.url, piece)
    assert [prompt.message.code for prompt in attempt.asked] == ["marlin-prompt-stop", "marlin-prompt-filament"]
    assert len({prompt.key for prompt in attempt.asked}) == 2
    assert firmware.taken == ["G28", "G1 X10 Y5 F3000", "G1 X20", "G1 X30"]
    heard = [line.partition(" ")[2].partition("*")[0] for line in firmware.heard]
    assert heard[heard.index("G1 X10 Y5 F3000") + 1] == "M400", "people come to a machine that stands still"


async def test_a_program_that_may_not_be_sent_is_refused_before_its_first_line(tmp_path: Path) -> None:
    piece = write_program(tmp_path, b"G28\nG1 X10 Y5 F3000\n")
    piece[1].write_bytes(b"G28\nG1 X10 F3000\nM112\n")
    firmware = Firmware()
    async with on_pty(firmware) as there, config(there.url) as driver:
        with pytest.raises(JobRejected) as refusal:
            await driver.run(BenchAttempt(*piece))
    assert refusal.value.message.params["line"] == 3
    assert firmware.taken == []


async def test_somebody_at_the_machine_pauses_and_resumes(piece: tuple[Program, Path]) -> None:
    firmware = Firmware()
    pauses = iter(["//action:pause\n"])

    def pause_once() -> str | None:
        pause = next(pauses, None)
        if pause is not None:
            firmware.last += 1
            firmware.taken.append("paused")
            return pause + "ok\n"
        return None

    firmware.on = at_line(27, pause_once)
    async with on_pty(firmware) as there, config(there.url) as driver:
        attempt = BenchAttempt(*piece)
        run = asyncio.create_task(driver.run(attempt))
        while (await driver.read()).phase is not Phase.PAUSED:
            await asyncio.sleep(0.01)
        held = len(firmware.taken)
        await asyncio.sleep(0.1)
        assert len(firmware.taken) == held
        assert firmware.taken[-1] == "paused"
        there.plug.say(b"//action:resume\n")
        await run
    assert [command for command in firmware.taken if command != "paused"][-3:] == commands(PIECE)[-3:]


async def test_nothing_of_a_conversation_outlives_it() -> None:
    async with on_pty(Firmware()) as there:
        driver = config(there.url)
        async with driver:
            link = weakref.ref(driver._connected())
        gc.collect()
        assert link() is None, "a timer or a task still holds it"
