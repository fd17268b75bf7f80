import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fabd.drivers import Driver, Extents, JobRejected, LinkLost, MachineFault, Meter, Method, Phase, Program, Reading
from fabd.drivers.hpgl import Hpgl
from fabd.drivers.hpgl_config import HpglConfig
from fabd.simulators import machine, plug_in, scrap
from fabd.simulators.hpgl import SimulatedCutter
from fakes.drawings import Drawing, squares
from fakes.pty_cutter import pty_cutter
from fakes.trial import TrialAttempt
from fakes.virtual_time import run_in_virtual_time

numbers = itertools.count()


class Bench:
    """A driver on its simulated cutter, with one attempt at a drawing."""

    def __init__(self, directory: Path, drawing: Drawing, url: str = "sim://hpgl?", **settings: object) -> None:
        self.url = f"{url}&seed={next(numbers)}"
        self.drawing = drawing
        self.program, self.file = drawing.write(directory)
        self.config = HpglConfig.model_validate({"url": self.url, **settings})
        self.attempt = TrialAttempt(self.program, self.file)

    @property
    def cutter(self) -> SimulatedCutter:
        found = machine(self.url)
        assert isinstance(found, SimulatedCutter)
        return found

    async def run(self) -> None:
        async with Hpgl(self.config) as driver:
            await driver.run(self.attempt)

    async def interrupted(self, when: Callable[[], bool], then: Callable[[Hpgl], Awaitable[None]]) -> None:
        """Run until `when`, cancel, and do `then`, as a session does it."""
        async with Hpgl(self.config) as driver:
            run = asyncio.create_task(driver.run(self.attempt))
            while not when():
                await asyncio.sleep(0.05)
                assert not run.done()
            run.cancel()
            await asyncio.wait([run])
            await then(driver)

    def scrap(self) -> None:
        scrap(self.url)


def check_made_whole(bench: Bench) -> None:
    """The cutter's own truth is the drawing."""
    cutter, drawing = bench.cutter, bench.drawing
    assert cutter.strokes == drawing.geometry
    assert not cutter.pen_down
    assert cutter.overflowed_bytes == cutter.refused == 0
    last = bench.attempt.readings[-1]
    assert last.position == bench.program.length
    assert last.used[Meter.CUT_MM] == pytest.approx(cutter.odometer.cut_mm) == pytest.approx(drawing.cut_mm)
    assert last.used[Meter.TRAVEL_MM] == pytest.approx(cutter.odometer.travel_mm) == pytest.approx(drawing.travel_mm)
    assert last.used[Meter.VINYL_MM] == pytest.approx(cutter.odometer.vinyl_mm)


def test_a_drawing_is_cut_as_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(12))
    run_in_virtual_time(bench.run())
    check_made_whole(bench)
    assert bench.attempt.readings[-1].method is Method.ODOMETER
    assert bench.cutter.at_rest
    bench.scrap()


def test_it_is_a_driver() -> None:
    assert isinstance(Hpgl(HpglConfig(url="sim://hpgl")), Driver)


def test_reports_at_least_every_second_and_never_backwards(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(12))
    run_in_virtual_time(bench.run())
    assert bench.attempt.longest_silence_s() < 1
    readings = bench.attempt.readings
    assert [r.position for r in readings] == sorted(r.position for r in readings)
    assert len({r.position for r in readings}) > 20
    assert readings[0].phase is Phase.PREPARING
    assert {r.phase for r in readings} == {Phase.PREPARING, Phase.RUNNING, Phase.FINISHING}
    bench.scrap()


class ComparingAttempt(TrialAttempt):
    """Holds each claim against what the cutter had done by then, in millimetres of cut."""

    cutter: SimulatedCutter

    def __init__(self, program: Program, file: Path) -> None:
        super().__init__(program, file)
        self.claims: list[tuple[float, float]] = []

    def report(self, reading: Reading) -> None:
        super().report(reading)
        self.claims.append((reading.used[Meter.CUT_MM], self.cutter.odometer.cut_mm))


def test_claims_no_more_than_the_machine_did(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(12))
    bench.attempt = attempt = ComparingAttempt(bench.program, bench.file)
    attempt.cutter = bench.cutter
    run_in_virtual_time(bench.run())
    assert all(said <= did + 1e-9 for said, did in attempt.claims)
    assert any(said > 0 for said, _ in attempt.claims[: len(attempt.claims) // 2])
    bench.scrap()


def _drawings(reach: int) -> st.SearchStrategy[list[list[tuple[int, int]]]]:
    """Strokes within `reach` plotter units: short ones fill a buffer, long ones the look-ahead."""
    point = st.tuples(st.integers(0, reach), st.integers(0, reach))
    return st.lists(st.lists(point, min_size=2, max_size=40), min_size=1, max_size=12)


drawings = st.sampled_from([20, 400, 8000]).flatmap(_drawings)


@settings(max_examples=60, deadline=None)
@given(
    strokes=drawings,
    home=st.booleans(),
    buffer=st.integers(64, 2048),
    baud=st.sampled_from([0, 2400, 9600, 115200]),
    speed=st.sampled_from([1, 50]),
    newline=st.booleans(),
    pu_stays=st.booleans(),
)
def test_whatever_the_drawing_and_the_buffer(
    *,
    strokes: list[list[tuple[int, int]]],
    home: bool,
    buffer: int,
    baud: int,
    speed: int,
    newline: bool,
    pu_stays: bool,
) -> None:
    dialect = "&dialect=pu-stays" if pu_stays else ""
    url = f"sim://hpgl?buffer={buffer}&baud={baud}&speed={speed}{dialect}"
    with TemporaryDirectory() as directory:
        bench = Bench(
            Path(directory),
            Drawing(strokes=strokes, home=home),
            url,
            newline=newline,
            pu_ignores_coordinates=pu_stays,
        )
        run_in_virtual_time(bench.run())
        check_made_whole(bench)
        assert bench.cutter.most_buffered_bytes <= buffer
        bench.scrap()


def test_cancelled_in_mid_run_it_lifts_the_tool_and_bills_what_was_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(40))

    async def stop(driver: Hpgl) -> None:
        await driver.stop()
        done_mm = bench.cutter.odometer.cut_mm
        assert bench.cutter.at_rest
        await asyncio.sleep(30)
        final = await driver.read()
        assert bench.cutter.odometer.cut_mm == done_mm
        assert final.phase is Phase.IDLE
        assert 0 < final.used[Meter.CUT_MM] <= done_mm

    run_in_virtual_time(bench.interrupted(lambda: bench.cutter.odometer.cut_mm > 200 and bench.cutter.pen_down, stop))
    assert not bench.cutter.pen_down
    assert bench.cutter.strokes[:-1] == bench.drawing.geometry[: len(bench.cutter.strokes) - 1]
    bench.scrap()


def test_after_a_stop_the_final_reading_is_the_last_one_proven(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(40))
    finals = []

    async def stop_and_read(driver: Hpgl) -> None:
        await driver.stop()
        finals.append(await driver.read())

    run_in_virtual_time(bench.interrupted(lambda: bench.cutter.odometer.cut_mm > 100, stop_and_read))
    last = bench.attempt.readings[-1]
    assert (finals[0].position, finals[0].used) == (last.position, last.used)
    bench.scrap()


def test_stop_twice_is_stop_once_and_another_run_begins_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(40))

    async def twice(driver: Hpgl) -> None:
        await driver.stop()
        await driver.stop()
        bench.cutter.strokes.clear()
        again = TrialAttempt(bench.program, bench.file)
        await driver.run(again)
        assert bench.cutter.strokes == bench.drawing.geometry
        assert again.readings[-1].position == bench.program.length

    run_in_virtual_time(bench.interrupted(lambda: bench.cutter.odometer.cut_mm > 100, twice))
    assert not bench.cutter.pen_down
    bench.scrap()


def test_stop_while_run_is_inside(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(40))

    async def stop_inside() -> None:
        async with Hpgl(bench.config) as driver:
            run = asyncio.create_task(driver.run(bench.attempt))
            await asyncio.sleep(5)
            assert bench.cutter.pen_down
            await driver.stop()
            with pytest.raises(MachineFault) as stopped:
                await run
            assert stopped.value.message.code == "cutter-stopped"
            await asyncio.sleep(10)

    run_in_virtual_time(stop_inside())
    assert bench.cutter.at_rest
    assert not bench.cutter.pen_down
    assert len(bench.cutter.strokes) < 40
    bench.scrap()


def test_a_lost_link_leaves_the_knife_until_the_owed_stop(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(40))

    async def lose() -> None:
        async with Hpgl(bench.config) as driver:
            run = asyncio.create_task(driver.run(bench.attempt))
            while not (bench.cutter.pen_down and bench.cutter.odometer.cut_mm > 100):
                await asyncio.sleep(0.05)
            stranger = await plug_in(bench.url)  # a wire taken away
            with pytest.raises(LinkLost):
                await run
            with pytest.raises(LinkLost):
                await driver.stop()
        stranger.close()
        async with Hpgl(bench.config) as driver:
            await driver.stop()
            assert not bench.cutter.pen_down

    run_in_virtual_time(lose())
    assert bench.cutter.at_rest
    bench.scrap()


def test_half_a_command_left_by_a_broken_write_is_never_cut(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(2))

    async def break_off() -> None:
        wire = await plug_in(bench.url)
        await wire.write(b"IN;PU0,0;PD400,400;PD4000,8")
        await wire.write(b"\x1b")
        wire.close()
        async with Hpgl(bench.config) as driver:
            await driver.stop()
        await asyncio.sleep(60)
        bench.cutter.step(asyncio.get_running_loop().time())

    run_in_virtual_time(break_off())
    assert all(point in {(0, 0), (400, 400)} for stroke in bench.cutter.strokes for point in stroke)
    assert not bench.cutter.pen_down
    bench.scrap()


def test_a_pause_waits_at_a_point_where_the_tool_is_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(20))

    async def pause() -> None:
        async with Hpgl(bench.config) as driver:
            run = asyncio.create_task(driver.run(bench.attempt))
            await asyncio.sleep(6)
            bench.attempt.shut()
            await driver.pause()
            cut_mm = bench.cutter.odometer.cut_mm
            assert not bench.cutter.pen_down
            assert bench.cutter.at_rest
            assert bench.attempt.readings[-1].used[Meter.CUT_MM] == pytest.approx(cut_mm)
            await asyncio.sleep(300)
            assert bench.attempt.readings[-1].phase is Phase.PAUSED
            assert bench.cutter.odometer.cut_mm == cut_mm
            await driver.resume()
            bench.attempt.open()
            await run

    run_in_virtual_time(pause())
    check_made_whole(bench)
    assert bench.attempt.longest_silence_s() < 1
    bench.scrap()


def test_a_pause_waits_for_the_motion_of_a_machine_that_answers_early(tmp_path: Path) -> None:
    strokes = [[(x, 0), (x, 400)] for x in (0, 40_000, 0, 40_000, 0)]
    bench = Bench(tmp_path, Drawing(strokes=strokes), "sim://hpgl?dialect=early-answers")

    async def pause() -> None:
        async with Hpgl(bench.config) as driver:
            run = asyncio.create_task(driver.run(bench.attempt))
            await asyncio.sleep(4)
            bench.attempt.shut()
            await asyncio.sleep(8)
            await driver.pause()
            assert bench.cutter.at_rest
            bench.attempt.open()
            await run

    run_in_virtual_time(pause())
    check_made_whole(bench)
    bench.scrap()


def test_a_pause_in_a_long_stroke_returns_and_holds_behind_it(tmp_path: Path) -> None:
    zigzag = [(x, 4000 * (x // 400 % 2)) for x in range(0, 16_000, 400)]
    bench = Bench(tmp_path, Drawing(strokes=[zigzag, [(0, 0), (400, 0)]]))

    async def pause() -> None:
        async with Hpgl(bench.config) as driver:
            run = asyncio.create_task(driver.run(bench.attempt))
            await asyncio.sleep(6)
            bench.attempt.shut()
            await driver.pause()
            assert bench.cutter.pen_down
            await asyncio.sleep(300)
            assert len(bench.cutter.strokes) == 1
            assert not bench.cutter.pen_down
            assert bench.attempt.readings[-1].phase is Phase.PAUSED
            bench.attempt.open()
            await run

    run_in_virtual_time(pause())
    check_made_whole(bench)
    bench.scrap()


@pytest.mark.parametrize(
    ("fault", "phase", "reason"), [("panel-pause", Phase.PAUSED, "paused"), ("lever-up", Phase.WAITING, "cover-open")]
)
def test_somebody_at_the_panel(tmp_path: Path, fault: str, phase: Phase, reason: str) -> None:
    bench = Bench(tmp_path, squares(12), f"sim://hpgl?faults={fault}")
    run_in_virtual_time(bench.run())
    check_made_whole(bench)
    held = [reading for reading in bench.attempt.readings if reading.reasons]
    assert held
    assert all(reading.phase is phase and reading.reasons == {reason} for reading in held)
    bench.scrap()


def test_a_damaged_byte_ends_the_attempt(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(12), "sim://hpgl?faults=damaged-byte")
    with pytest.raises(MachineFault) as damaged:
        run_in_virtual_time(bench.run())
    assert damaged.value.message.code == "cutter-damaged-bytes"
    assert len(bench.cutter.strokes) < 12
    bench.scrap()


def test_lost_bytes_spoil_the_piece(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(12), "sim://hpgl?buffer=200")

    async def flood() -> None:
        async with Hpgl(bench.config) as driver:
            run = asyncio.create_task(driver.run(bench.attempt))
            await asyncio.sleep(3)
            assert driver._open is not None
            await driver._open.send(b"PU0,0;" * 100)  # another program writes to the same port
            with pytest.raises(MachineFault) as lost:
                await run
            assert lost.value.message.code == "cutter-overflow"

    run_in_virtual_time(flood())
    bench.scrap()


def test_a_command_that_was_not_understood_is_a_fault_at_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(12))

    async def garble() -> None:
        async with Hpgl(bench.config) as driver:
            run = asyncio.create_task(driver.run(bench.attempt))
            await asyncio.sleep(3)
            assert driver._open is not None
            await driver._open.send(b"ZZ1;")  # what a damaged command looks like to the machine
            with pytest.raises(MachineFault) as fault:
                await run
            assert fault.value.message.code == "cutter-command-misunderstood"

    run_in_virtual_time(garble())
    bench.scrap()


def test_a_machine_that_ends_elsewhere_is_a_fault(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(2), "sim://hpgl?dialect=pu-stays")  # and nobody told the driver
    with pytest.raises(MachineFault) as elsewhere:
        run_in_virtual_time(bench.run())
    assert elsewhere.value.message.code == "cutter-position-differs"
    assert not bench.cutter.pen_down
    bench.scrap()


def test_a_cutter_at_work_for_somebody_else_is_not_given_a_job(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(2))

    async def busy() -> None:
        async with Hpgl(bench.config) as driver:
            assert driver._open is not None
            await driver._open.send(b"PD4000,0;PD4000,4000;PD0,4000;")
            with pytest.raises(MachineFault) as fault:
                await driver.run(bench.attempt)
            assert fault.value.message.code == "cutter-busy"

    run_in_virtual_time(busy())
    bench.scrap()


def test_a_silent_cutter_is_said_to_be_silent(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(2), "sim://hpgl?dialect=silent")
    with pytest.raises(LinkLost) as silent:
        run_in_virtual_time(bench.run())
    assert silent.value.message.code == "cutter-silent"
    assert bench.cutter.strokes == []
    bench.scrap()


def test_a_cutter_that_answers_nothing_is_paced_and_a_person_confirms(tmp_path: Path) -> None:
    url = "sim://hpgl?dialect=silent&buffer=256&baud=9600"
    bench = Bench(tmp_path, squares(30), url, readback="none", buffer_bytes=256)

    async def confirm() -> None:
        async with Hpgl(bench.config) as driver:
            run = asyncio.create_task(driver.run(bench.attempt))
            while not bench.attempt.asked:
                assert bench.attempt.readings[-1].method is Method.ESTIMATE if bench.attempt.readings else True
                await asyncio.sleep(0.5)
            assert bench.cutter.at_rest
            await asyncio.sleep(100)
            assert not run.done()
            assert bench.attempt.readings[-1].phase is Phase.WAITING
            bench.attempt.answer("cut-finished", "finished")
            await run

    run_in_virtual_time(confirm())
    check_made_whole(bench)
    assert bench.attempt.readings[-1].method is Method.OPERATOR
    assert bench.attempt.longest_silence_s() < 1
    bench.scrap()


def test_a_person_may_say_that_it_stopped_early(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(3), "sim://hpgl?dialect=silent", readback="none")
    bench.attempt.answer("cut-finished", "stopped-early")
    with pytest.raises(MachineFault) as early:
        run_in_virtual_time(bench.run())
    assert early.value.message.code == "cutter-stopped-early"
    assert bench.attempt.readings[-1].method is Method.ESTIMATE
    bench.scrap()


def test_a_silent_cutter_is_told_to_lift_its_tool(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(40), "sim://hpgl?dialect=silent", readback="none")

    async def cancel() -> None:
        await bench.interrupted(lambda: bench.cutter.odometer.cut_mm > 100, lambda driver: driver.stop())
        done = len(bench.cutter.strokes)
        await asyncio.sleep(5)
        bench.cutter.step(asyncio.get_running_loop().time())
        assert len(bench.cutter.strokes) <= done + 2

    run_in_virtual_time(cancel())
    assert bench.cutter.at_rest
    assert not bench.cutter.pen_down
    bench.scrap()


@pytest.mark.parametrize(
    ("extents", "codes"),
    [
        ((0, 0, 1000, 300), []),
        ((0, 0, 1000.025, 300), ["cutter-too-long"]),
        ((0, 0, 1000, 300.025), ["cutter-too-wide"]),
        ((-0.025, 0, 10, 10), ["cutter-negative"]),
        ((0, -5, 2000, 400), ["cutter-negative", "cutter-too-wide", "cutter-too-long"]),
    ],
)
def test_bounds(tmp_path: Path, extents: tuple[float, ...], codes: list[str]) -> None:
    program, _ = squares(1).write(tmp_path)
    box = Extents(x_min_mm=extents[0], y_min_mm=extents[1], x_max_mm=extents[2], y_max_mm=extents[3])
    driver = Hpgl(HpglConfig(url="sim://hpgl"))
    assert [message.code for message in driver.check(replace(program, extents=box))] == codes
    assert [message.code for message in driver.check(replace(program, extents=None))] == ["cutter-nothing-to-cut"]


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (b"SP1;\nPU0,0;\nPD13000,0;\nPD40,40;\n" + b"PD0,12001;\n", "cutter-line-off-media"),
        (b"SP1;\nPU0,0;\nPD-40,0;\n", "cutter-line-off-media"),
        (b"SP1;\nPU0,0;\nPD40,0", "cutter-command-unknown"),
        (b"SP1;\nPU0,0;\nLBhello\x03\n", "cutter-command-unknown"),
        (b"SP1;\nPU0,0;\n\x1b.K", "cutter-command-unknown"),
        (b"P" * 100_000, "cutter-command-unknown"),
        (b"SP1;\nPD40,40;\n", "cutter-command-unknown"),
    ],
)
def test_no_byte_is_sent_of_a_file_that_is_not_what_its_program_says(
    tmp_path: Path, commands: bytes, code: str
) -> None:
    bench = Bench(tmp_path, squares(1))
    bench.file.write_bytes(commands)
    with pytest.raises(JobRejected) as rejected:
        run_in_virtual_time(bench.run())
    assert rejected.value.message.code == code
    assert bench.cutter.position == (0, 0)
    assert bench.cutter.strokes == []
    bench.scrap()


def test_estimate_is_within_a_third_of_what_the_cutter_takes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, squares(30), cut_mm_s=60, travel_mm_s=120)

    async def timed() -> float:
        await bench.run()
        return asyncio.get_running_loop().time()

    took_s = run_in_virtual_time(timed())
    assert Hpgl(bench.config).estimate_s(bench.program) == pytest.approx(took_s, rel=0.33)
    bench.scrap()


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "ftp://cutter"},
        {"url": "sim://hpgl", "width_mm": 0},
        {"url": "sim://hpgl", "initialise": "IN"},
        {"url": "sim://hpgl", "epilogue": "\x1b.K"},
        {"url": "sim://hpgl", "readback": "perhaps"},
        {"url": "sim://hpgl", "knife": "sharp"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HpglConfig.model_validate(settings)


# --- over a pseudo-terminal


def _lines(drawing: Drawing) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    return [line for stroke in drawing.strokes for line in itertools.pairwise(stroke)]


async def test_a_cutter_written_elsewhere_cuts_the_drawing_over_a_serial_line(tmp_path: Path) -> None:
    drawing = squares(30)
    program, file = drawing.write(tmp_path)
    attempt = TrialAttempt(program, file)
    async with pty_cutter() as cutter:
        async with Hpgl(HpglConfig(url=cutter.url, cut_mm_s=5000, travel_mm_s=5000, lift_s=0)) as driver:
            await driver.run(attempt)
        assert cutter.lines == _lines(drawing)
        assert not cutter.down
        assert cutter.lost_bytes == 0
        assert cutter.initialised == 1
    assert attempt.readings[-1].position == program.length
    assert attempt.readings[-1].used[Meter.CUT_MM] == pytest.approx(drawing.cut_mm)


async def test_a_job_cancelled_over_a_serial_line_ends_with_the_knife_up(tmp_path: Path) -> None:
    drawing = squares(60)
    program, file = drawing.write(tmp_path)
    attempt = TrialAttempt(program, file)
    async with pty_cutter() as cutter, Hpgl(HpglConfig(url=cutter.url, cut_mm_s=5000, travel_mm_s=5000)) as driver:
        run = asyncio.create_task(driver.run(attempt))
        while not (cutter.down and len(cutter.lines) > 20):
            await asyncio.sleep(0.001)
        run.cancel()
        await asyncio.wait([run])
        await driver.stop()
        assert not cutter.down
        done = len(cutter.lines)
        await asyncio.sleep(0.05)
        assert cutter.lines == _lines(drawing)[:done]
        assert done < len(_lines(drawing))


async def test_a_pulled_cable_is_a_lost_link(tmp_path: Path) -> None:
    program, file = squares(60).write(tmp_path)
    attempt = TrialAttempt(program, file)
    async with pty_cutter() as cutter:
        driver = await Hpgl(HpglConfig(url=cutter.url, cut_mm_s=5000, travel_mm_s=5000)).__aenter__()
        run = asyncio.create_task(driver.run(attempt))
        while len(cutter.lines) <= 20:
            await asyncio.sleep(0.001)
    with pytest.raises(LinkLost):
        await run
    with pytest.raises(LinkLost):
        await driver.stop()
    await driver.__aexit__(None, None, None)
