"""The driver on a machine that takes its time: heat, long commands, silence; in time that jumps."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fabd.drivers import LinkLost, MachineFault, Meter, Phase, Program
from fabd.drivers.marlin import Marlin
from fabd.formats.gcode import Gcode
from fabd.formats.gcode_words import command_of
from fabd.simulators import machine, scrap
from fabd.simulators.marlin import SimulatedMarlin
from fabd.testing import BenchAttempt
from fakes.gcode import tower, write_program
from fakes.virtual_time import run_in_virtual_time

SAMPLES = Path(__file__).parents[2] / "samples"
OUR_OWN = {"M110 N0", "M115", "M105", "M155 S1", "M400"}
MOVES = b"".join(b"G1 X%d Y%d E%d F600\n" % (x % 2 * 10, x, x) for x in range(1, 60))
FRESH = ["G21", "G90", "M82", "M200 D0", "M220 S100", "M221 S100", "G92 E0"]
HEAT_AND_MOVE = b"M140 S60\nG28\nM190 S60\nM109 S200\nG92 E0\n" + MOVES + b"M104 S0\nM140 S0\n"


@dataclass
class Scene:
    driver: Marlin
    attempt: BenchAttempt
    printer: SimulatedMarlin
    run: "asyncio.Task[None]"

    def carries_out(self, command: str) -> bool:
        return bool(self.printer.executed) and self.printer.executed[-1] == command

    async def when(self, so_far: Callable[[], bool]) -> None:
        while not so_far():
            assert not self.run.done(), f"it ended before: {self.run}"
            await asyncio.sleep(0.1)


def play(directory: Path, data: bytes, act: Callable[[Scene], Awaitable[None]], **parameters: str) -> SimulatedMarlin:
    """Run `data` on a new simulated printer, and `act` beside it."""
    url = "sim://marlin?" + "&".join(f"{name}={value}" for name, value in ({"speed": "1"} | parameters).items())
    scrap(url)
    program, file = write_program(directory, data)
    printer = machine(url)
    assert isinstance(printer, SimulatedMarlin)

    async def scene() -> None:
        async with Marlin(Marlin.Config(url=url)) as driver:
            attempt = BenchAttempt(program, file)
            run = asyncio.create_task(driver.run(attempt))
            await act(Scene(driver, attempt, printer, run))
            assert run.done()

    run_in_virtual_time(scene())
    return printer


async def to_its_end(scene: Scene) -> None:
    await scene.run


def test_a_long_heat_up_and_a_long_home_are_no_stall(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.run
        phases = [phase for phase, _ in itertools.groupby(reading.phase for reading in scene.attempt.readings)]
        assert phases == [Phase.PREPARING, Phase.RUNNING, Phase.FINISHING]
        warm = [reading.temperatures for reading in scene.attempt.readings]
        assert any(45 < heater.current_c < 50 for heaters in warm for heater in heaters if heater.name == "bed")
        assert scene.attempt.longest_silence_s <= 1.0

    printer = play(tmp_path, HEAT_AND_MOVE, act)
    assert printer.odometer.filament_mm == pytest.approx(59.0)
    assert printer.refused == type(printer.refused)()


@pytest.mark.parametrize("name", ["coin_slic3r.gcode", "bracket_cura.gcode"])
def test_a_visitors_file_is_carried_out_line_by_line_on_a_bad_line(name: str, tmp_path: Path) -> None:
    data = (SAMPLES / name).read_bytes()

    async def act(scene: Scene) -> None:
        await scene.run
        assert scene.attempt.last is not None
        used_mm = scene.attempt.last.used[Meter.FILAMENT_MM]
        assert used_mm == pytest.approx(scene.printer.odometer.filament_mm, rel=1e-9)

    printer = play(tmp_path, data, act, speed="1000", resend="0.02", seed="5")
    wanted = [command for raw in data.split(b"\n") if (command := command_of(raw).decode()) not in {"", "M105"}]
    assert [command for command in printer.executed if command not in OUR_OWN] == FRESH + wanted
    assert len(printer.refused) > 50


@pytest.mark.parametrize("left", ["M83", "M221 S50", "M200 D1.75", "G91", "G20", "G92 E7"])
def test_what_an_earlier_program_left_changes_nothing(left: str, tmp_path: Path) -> None:
    url = "sim://marlin?seed=77&speed=50"
    scrap(url)
    printer = machine(url)
    assert isinstance(printer, SimulatedMarlin)
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    first = write_program(tmp_path / "first", b"G28\nG1 X5 Y5 F3000\n" + left.encode() + b"\n")
    second = write_program(tmp_path / "second", b"G28\nM109 S200\n" + MOVES)

    async def one_after_the_other() -> None:
        async with Marlin(Marlin.Config(url=url)) as driver:
            await driver.run(BenchAttempt(*first))
            attempt = BenchAttempt(*second)
            before_mm = printer.odometer.filament_mm
            await driver.run(attempt)
            assert attempt.last is not None
            used_mm = attempt.last.used[Meter.FILAMENT_MM]
            assert used_mm == pytest.approx(59.0)
            assert printer.odometer.filament_mm - before_mm == pytest.approx(used_mm, rel=1e-6)

    run_in_virtual_time(one_after_the_other())


def test_a_program_that_forgets_its_heaters_leaves_none_on(tmp_path: Path) -> None:
    printer = play(tmp_path, b"G28\nM140 S60\nM109 S200\nG92 E0\n" + MOVES, to_its_end, speed="50")
    assert (printer.nozzle_target_c, printer.bed_target_c) == (0.0, 0.0)


@pytest.mark.parametrize("emergency", ["1", "0"])
def test_a_stop_in_a_heat_up(emergency: str, tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.when(lambda: scene.carries_out("M109 S200"))
        await asyncio.sleep(10.0)
        scene.run.cancel()
        await asyncio.wait([scene.run])
        if emergency == "1":
            await scene.driver.stop()
        else:
            with pytest.raises(LinkLost):  # it hears nothing: the stop is owed, and a new connection resets the board
                await scene.driver.stop()

    printer = play(tmp_path, HEAT_AND_MOVE, act, emergency=emergency)
    assert (printer.nozzle_target_c, printer.bed_target_c) == ((0, 0) if emergency == "1" else (200, 60))


def test_an_owed_stop_reaches_a_board_that_does_not_reset_and_still_heats(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.when(lambda: scene.carries_out("M190 S60"))
        scene.run.cancel()
        await asyncio.wait([scene.run])
        await scene.driver.__aexit__()
        async with Marlin(Marlin.Config(url="sim://marlin?speed=1&reset=0")) as again:
            await again.stop()

    printer = play(tmp_path, HEAT_AND_MOVE, act, reset="0")
    assert (printer.nozzle_target_c, printer.bed_target_c) == (0, 0)


def test_a_pause_in_a_heat_up_keeps_the_heat_and_holds_behind_it(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.when(lambda: scene.carries_out("M109 S200"))
        await scene.driver.pause()
        await asyncio.sleep(300.0)
        assert scene.printer.executed[-1] == "M109 S200"
        assert scene.printer.nozzle_target_c == 200
        assert not scene.run.done()
        await scene.driver.resume()
        await scene.run

    assert play(tmp_path, HEAT_AND_MOVE, act).odometer.filament_mm == pytest.approx(59.0)


def test_after_a_pause_the_head_stands_still(tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await scene.when(lambda: scene.printer.odometer.filament_mm > 2)
        await scene.driver.pause()
        assert scene.printer.at_rest
        held_mm = scene.printer.odometer.filament_mm
        await asyncio.sleep(60.0)
        assert scene.printer.odometer.filament_mm == held_mm
        await scene.driver.resume()
        await scene.run

    assert play(tmp_path, HEAT_AND_MOVE, act).odometer.filament_mm == pytest.approx(59.0)


@pytest.mark.parametrize(
    ("trouble", "code"), [({"fault_after": "12"}, "marlin-error"), ({"reset_after": "12"}, "marlin-reset")]
)
def test_what_happens_to_the_machine_ends_the_attempt(trouble: dict[str, str], code: str, tmp_path: Path) -> None:
    async def act(scene: Scene) -> None:
        await asyncio.wait([scene.run])
        fault = scene.run.exception()
        assert isinstance(fault, MachineFault)
        assert fault.message.code == code
        if code == "marlin-error":
            assert "Heating failed" in str(fault)
            with pytest.raises(LinkLost):
                await scene.driver.stop()  # it halted, and needs a reset
        else:
            await scene.driver.stop()

    printer = play(tmp_path, HEAT_AND_MOVE, act, **trouble)
    assert (printer.nozzle_target_c, printer.bed_target_c) == (0, 0)


def wire_that_changes(printer: SimulatedMarlin, change: Callable[[bytes], bytes]) -> None:
    """What the printer says is changed on its way."""
    real = printer.step

    def step(now_s: float, received: bytes = b"") -> bytes:
        return change(real(now_s, received))

    printer.step = step  # type: ignore[method-assign]  # the wire is inside of the simulator


@pytest.mark.parametrize("command", ["G1 X0 Y10 E10 F600", "M109 S200", "M400"])
@pytest.mark.parametrize("speed", ["1", "20"])
def test_an_answer_that_never_comes_is_a_lost_link_though_temperatures_do(
    command: str, speed: str, tmp_path: Path
) -> None:
    async def act(scene: Scene) -> None:
        wire_that_changes(
            scene.printer, lambda said: said.replace(b"ok\n", b"") if scene.carries_out(command) else said
        )
        await asyncio.wait([scene.run])
        lost = scene.run.exception()
        assert isinstance(lost, LinkLost)
        assert lost.message.code == "marlin-silent"
        assert command in str(lost)

    play(tmp_path, HEAT_AND_MOVE, act, speed=speed)


@pytest.mark.parametrize("seed", range(12))
def test_answers_that_come_twice_or_never_cost_no_line_and_add_none(seed: int, tmp_path: Path) -> None:
    data = tower()
    wanted = [command for raw in data.split(b"\n") if (command := command_of(raw).decode()) not in {"", "M105"}]
    luck = random.Random(seed)

    def doubled_or_lost(said: bytes) -> bytes:
        if luck.random() < 0.02:
            return said.replace(b"ok\n", b"ok\nok\n" if seed % 3 else b"", 1)
        return said

    async def act(scene: Scene) -> None:
        wire_that_changes(scene.printer, doubled_or_lost)
        await asyncio.wait([scene.run])
        carried_out = [command for command in scene.printer.executed if command not in OUR_OWN]
        if (error := scene.run.exception()) is not None:
            assert isinstance(error, LinkLost)
            assert carried_out == (FRESH + wanted)[: len(carried_out)]
            return
        assert carried_out == FRESH + wanted
        assert scene.printer.at_rest
        assert scene.attempt.last is not None
        used_mm = scene.attempt.last.used[Meter.FILAMENT_MM]
        assert used_mm == pytest.approx(scene.printer.odometer.filament_mm, rel=1e-9)

    play(tmp_path, data, act, speed="20", seed=str(seed), resend="0.05")


def test_the_analysis_and_the_driver_count_alike(tmp_path: Path) -> None:
    data = (SAMPLES / "coin_slic3r.gcode").read_bytes()
    program: Program = Gcode().analyse(data, "coin.gcode").program

    async def act(scene: Scene) -> None:
        await scene.run
        for reading in scene.attempt.readings:
            expected_mm = program.curve.at(reading.position)[Meter.FILAMENT_MM]
            assert reading.used[Meter.FILAMENT_MM] == pytest.approx(expected_mm, abs=3.0)

    play(tmp_path, data, act, speed="100")
