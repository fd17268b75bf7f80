import asyncio
import itertools
import resource
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from fabd.drivers import Driver, Extents, JobRejected, LinkLost, MachineFault, Meter, Method, Phase, Program, Reading
from fabd.drivers.deliver import Stick
from fabd.drivers.embroidery import Embroidery, EmbroideryConfig
from fabd.simulators import machine, scrap
from fabd.simulators.embroidery import SimulatedEmbroiderer
from fakes.designs import design
from fakes.trial import TrialAttempt
from fakes.virtual_time import run_in_virtual_time

numbers = itertools.count()


class Bench:
    """A driver on its simulated machine, with one attempt at a design, and a person beside the machine."""

    def __init__(
        self, directory: Path, url: str = "sim://embroidery?", *, stitches: int = 300, **settings: object
    ) -> None:
        self.url = f"{url}&change=12&seed={next(numbers)}"
        self.program, self.file = design(directory, stitches=stitches)
        self.config = EmbroideryConfig.model_validate({"url": self.url, "colour_change_s": 12, **settings})
        self.attempt = TrialAttempt(self.program, self.file)

    @property
    def machine(self) -> SimulatedEmbroiderer:
        found = machine(self.url)
        assert isinstance(found, SimulatedEmbroiderer)
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Embroidery, "asyncio.Task[None]"]]:
        async with Embroidery(self.config) as driver:
            run = asyncio.create_task(driver.run(self.attempt))
            try:
                yield driver, run
            finally:
                run.cancel()
                await asyncio.wait([run])

    async def asked(self, key: str) -> None:
        """Wait until the driver asks under this key."""
        while key not in [prompt.key for prompt in self.attempt.asked]:
            await asyncio.sleep(0.1)

    async def start(self) -> None:
        """The person chooses the design, presses the button, and says so."""
        await self.asked("start-design")
        assert self.machine.press_start("K7.DST", _now_s())
        self.attempt.answer("start-design", "started")

    def scrap(self) -> None:
        scrap(self.url)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def test_it_is_a_driver() -> None:
    assert isinstance(Embroidery(EmbroideryConfig(url="sim://embroidery")), Driver)


@pytest.mark.parametrize(("speed", "stitches"), [(1, 300), (50, 9000)])
def test_from_the_stick_to_the_operators_word(tmp_path: Path, speed: int, stitches: int) -> None:
    bench = Bench(tmp_path, f"sim://embroidery?speed={speed}", stitches=stitches)

    async def sew() -> None:
        async with bench.running() as (_, run):
            await bench.start()
            await bench.asked("design-finished")
            while not bench.machine.finished(_now_s()):
                sewn = bench.machine.sewn_stitches(_now_s())
                await asyncio.sleep(0.25)
                last = bench.attempt.readings[-1]
                assert (last.phase, last.method) == (Phase.RUNNING, Method.ESTIMATE)
                assert abs(last.position - sewn) <= 10 * speed  # at the pace that was configured, the estimate is near
            await asyncio.sleep(1000)
            assert not run.done()  # the clock proves nothing
            assert bench.attempt.readings[-1].position == bench.program.length - 1
            bench.attempt.answer("design-finished", "finished")
            await run

    run_in_virtual_time(sew())
    last = bench.attempt.readings[-1]
    odometer = bench.machine.odometer
    assert (last.position, last.method) == (bench.program.length, Method.OPERATOR)
    assert last.used == {Meter.STITCHES: odometer.stitches, Meter.COLOUR_CHANGES: odometer.colour_changes}
    assert odometer.stitches == stitches
    assert odometer.colour_changes == 2
    assert bench.machine.stick.files == {}
    assert bench.attempt.longest_silence_s() < 1
    bench.scrap()


def test_waiting_for_people_is_not_machine_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ask_thread_colours=True)

    async def wait() -> None:
        async with bench.running():
            for number in (1, 2, 3):
                await bench.asked(f"thread-{number}")
                await asyncio.sleep(60)
                bench.attempt.answer(f"thread-{number}", "loaded")
            await bench.asked("start-design")
            await asyncio.sleep(60)
            assert {reading.phase for reading in bench.attempt.readings} <= {Phase.IDLE, Phase.WAITING}
            bench.attempt.answer("start-design", "started")
            await bench.asked("design-finished")
            bench.attempt.answer("design-finished", "finished")

    run_in_virtual_time(wait())
    assert [prompt.key for prompt in bench.attempt.asked[:3]] == ["thread-1", "thread-2", "thread-3"]
    assert bench.attempt.asked[0].message.params["colour"] == "#b33e3b"
    assert bench.attempt.longest_silence_s() < 1
    bench.scrap()


def test_a_design_that_stopped_early_is_settled_by_the_stitches_that_were_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def stop_early() -> None:
        async with bench.running() as (driver, run):
            await bench.start()
            await bench.asked("design-finished")
            await asyncio.sleep(15)
            bench.attempt.answer("design-finished", "stitches=", 301)  # more than there are
            await bench.asked("design-finished-2")
            bench.attempt.answer("design-finished-2", "stitches=", 120)
            with pytest.raises(MachineFault) as early:
                await run
            assert early.value.message.code == "embroidery-stopped-early"
            await driver.stop()
            assert not (await driver.read()).reasons

    run_in_virtual_time(stop_early())
    assert bench.attempt.asked[-1].message.code == "design-stitches-impossible"
    last = bench.attempt.readings[-1]
    assert (last.position, last.method) == (120, Method.OPERATOR)
    assert last.used == {Meter.STITCHES: 120, Meter.COLOUR_CHANGES: 1}
    assert bench.machine.stick.files == {}
    bench.scrap()


def test_all_the_stitches_are_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.attempt.answer("start-design", "started")
    bench.attempt.answer("design-finished", "stitches=", 300)

    async def whole() -> None:
        async with bench.running() as (_, run):
            await run

    run_in_virtual_time(whole())
    assert bench.attempt.readings[-1].position == 300
    bench.scrap()


def test_the_operator_may_refuse_to_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.attempt.answer("start-design", "cancel")

    async def refuse() -> None:
        async with bench.running() as (driver, run):
            with pytest.raises(MachineFault) as refused:
                await run
            assert refused.value.message.code == "embroidery-not-started"
            await driver.stop()

    run_in_virtual_time(refuse())
    assert bench.machine.stick.files == {}
    assert bench.machine.odometer.stitches == 0
    assert not any(reading.used for reading in bench.attempt.readings)
    bench.scrap()


def test_a_stop_before_the_start_takes_the_design_away(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def stop() -> None:
        async with bench.running() as (driver, run):
            await bench.asked("start-design")
            assert list(bench.machine.stick.files) == ["K7.DST"]
            run.cancel()
            await asyncio.wait([run])
            await driver.stop()
            await driver.stop()
            assert not (await driver.read()).reasons
            assert not bench.machine.press_start("K7.DST", _now_s())

    run_in_virtual_time(stop())
    bench.scrap()


def test_a_stop_in_mid_design_says_that_only_a_person_stops_the_needle(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def stop() -> None:
        async with bench.running() as (driver, run):
            await bench.start()
            await bench.asked("design-finished")
            await asyncio.sleep(10)
            with pytest.raises(MachineFault) as by_hand:
                await driver.pause()
            assert by_hand.value.message.code == "embroidery-pause-at-machine"
            assert not run.done()
            run.cancel()
            await asyncio.wait([run])
            await driver.stop()
            await driver.stop()
            assert (await driver.read()).reasons == {"embroidery-stop-at-machine"}
            assert bench.machine.stick.files == {}
            await asyncio.sleep(100)  # by now the design would be over
            assert not (await driver.read()).reasons

    run_in_virtual_time(stop())
    last = bench.attempt.readings[-1]
    assert last.method is Method.ESTIMATE
    assert last.used[Meter.STITCHES] == pytest.approx(100, abs=10)
    bench.scrap()


def test_after_a_restart_nothing_is_delivered_or_asked_twice(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def restart() -> None:
        async with bench.running():
            await bench.start()
            await bench.asked("design-finished")
            await asyncio.sleep(10)
        before = bench.attempt.readings[-1]
        assert list(bench.machine.stick.files) == ["K7.DST"]
        await asyncio.sleep(5)
        bench.attempt = TrialAttempt(bench.program, bench.file, last=before)
        async with bench.running() as (_, run):
            await bench.asked("design-finished")
            assert bench.attempt.readings[0].position >= before.position
            bench.attempt.answer("design-finished", "finished")
            await run

    run_in_virtual_time(restart())
    assert [prompt.key for prompt in bench.attempt.asked] == ["design-finished"]
    assert bench.machine.stick.writes == 1
    assert bench.machine.stick.files == {}
    bench.scrap()


def test_a_restart_before_the_start_finds_the_design_where_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def restart() -> None:
        async with bench.running():
            await bench.asked("start-design")
            await asyncio.sleep(10)
        bench.attempt = TrialAttempt(bench.program, bench.file, last=Reading(phase=Phase.WAITING))
        async with bench.running() as (_, run):
            await bench.start()
            bench.attempt.answer("design-finished", "finished")
            await run

    run_in_virtual_time(restart())
    assert bench.machine.stick.writes == 1
    bench.scrap()


def test_before_the_start_a_pause_holds_back_the_next_question(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ask_thread_colours=True)
    bench.attempt.shut()

    async def pause() -> None:
        async with bench.running() as (driver, _):
            await driver.pause()
            await asyncio.sleep(30)
            assert bench.attempt.asked == []
            assert bench.attempt.readings[-1].phase is Phase.PAUSED
            await driver.resume()
            bench.attempt.open()
            await bench.asked("thread-1")

    run_in_virtual_time(pause())
    bench.scrap()


@pytest.mark.parametrize(
    ("fault", "code"),
    [("stick-full", "embroidery-stick-full"), ("stick-read-only", "embroidery-stick-read-only")],
)
def test_a_stick_that_takes_nothing(tmp_path: Path, fault: str, code: str) -> None:
    bench = Bench(tmp_path, f"sim://embroidery?faults={fault}")

    async def deliver() -> None:
        async with bench.running() as (driver, run):
            with pytest.raises(MachineFault) as said:
                await run
            assert said.value.message.code == code
            await driver.stop()

    run_in_virtual_time(deliver())
    assert bench.attempt.asked == []
    bench.scrap()


def test_a_stick_that_is_not_there_is_a_lost_link(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "sim://embroidery?faults=stick-missing")

    async def connect() -> None:
        async with Embroidery(bench.config):
            pass

    with pytest.raises(LinkLost) as missing:
        run_in_virtual_time(connect())
    assert missing.value.message.code == "embroidery-stick-missing"
    bench.scrap()


def test_a_stick_pulled_before_the_end_leaves_a_word_not_a_failure(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def pull() -> None:
        async with bench.running() as (_, run):
            await bench.start()
            await bench.asked("design-finished")
            bench.machine.stick.faults = frozenset({"stick-missing"})
            bench.attempt.answer("design-finished", "finished")
            await run

    run_in_virtual_time(pull())
    last = bench.attempt.readings[-1]
    assert last.reasons == {"embroidery-file-left"}
    assert (last.position, last.method) == (300, Method.OPERATOR)
    bench.scrap()


def _sized(program: Program, width_mm: float, height_mm: float) -> Program:
    box = Extents(x_min_mm=-500.0, y_min_mm=200.0, x_max_mm=width_mm - 500.0, y_max_mm=height_mm + 200.0)
    return replace(program, extents=box)


def test_the_hoop_is_compared_with_the_size_wherever_the_origin_is(tmp_path: Path) -> None:
    program, _ = design(tmp_path)
    driver = Embroidery(EmbroideryConfig(url="sim://embroidery", hoop_width_mm=100, hoop_height_mm=130))
    assert not driver.check(_sized(program, 100, 130))
    for width_mm, height_mm in ((100.5, 10), (10, 130.5), (130, 100)):
        (message,) = driver.check(_sized(program, width_mm, height_mm))
        assert message.code == "embroidery-larger-than-hoop"


def test_a_format_that_the_machine_does_not_read(tmp_path: Path) -> None:
    program, file = design(tmp_path, suffix="dst")
    config = EmbroideryConfig.model_validate({"url": "sim://embroidery", "accepts_formats": ["pes"]})
    assert [message.code for message in Embroidery(config).check(program)] == ["embroidery-format-unread"]

    async def run() -> None:
        async with Embroidery(config) as driver:
            await driver.run(TrialAttempt(program, file))

    with pytest.raises(JobRejected):
        run_in_virtual_time(run())
    scrap("sim://embroidery")


def test_an_empty_design_is_no_job(tmp_path: Path) -> None:
    program, _ = design(tmp_path)
    driver = Embroidery(EmbroideryConfig(url="sim://embroidery"))
    assert [m.code for m in driver.check(replace(program, extents=None))] == ["embroidery-nothing-to-sew"]


def test_the_estimate_counts_stitches_and_changes(tmp_path: Path) -> None:
    program, _ = design(tmp_path, stitches=1200, colours=3)
    config = EmbroideryConfig(url="sim://embroidery", stitches_per_minute=600, colour_change_s=30)
    assert Embroidery(config).estimate_s(program) == pytest.approx(120 + 60)


# --- a real folder


async def _delivered(folder: Path, made: tuple[Program, Path], **settings: object) -> TrialAttempt:
    """Run until the start is asked for; then leave it, as a daemon that ends does."""
    attempt = TrialAttempt(*made)
    config = EmbroideryConfig.model_validate({"url": f"folder://{folder}", **settings})
    async with Embroidery(config) as driver:
        run = asyncio.create_task(driver.run(attempt))
        while not attempt.asked and not run.done():
            await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.wait([run])
        if not run.cancelled():
            run.result()
    return attempt


async def test_a_folder_gets_the_whole_file_under_the_tickets_name(tmp_path: Path) -> None:
    stick = tmp_path / "a stick"
    stick.mkdir()
    attempt = await _delivered(stick, design(tmp_path, suffix="pes"))
    assert [path.name for path in stick.iterdir()] == ["K7.PES"]
    assert (stick / "K7.PES").read_bytes() == attempt.file.read_bytes()


async def test_what_lies_on_the_stick_is_left_alone(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "FLOWER.PES").write_bytes(b"somebody else's")
    (stick / "K7.PES").write_bytes(b"half of an earlier attempt")
    program, file = design(tmp_path, suffix="pes")
    attempt = TrialAttempt(program, file)
    attempt.answer("start-design", "started")
    attempt.answer("design-finished", "finished")
    async with Embroidery(EmbroideryConfig(url=f"folder://{stick}")) as driver:
        await driver.run(attempt)
    assert [path.name for path in stick.iterdir()] == ["FLOWER.PES"]


async def test_a_file_that_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    await _delivered(stick, design(tmp_path, suffix="pes"))
    before = (stick / "K7.PES").stat()
    await _delivered(stick, design(tmp_path, suffix="pes"))
    after = (stick / "K7.PES").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


async def test_a_full_stick_says_so_and_keeps_no_half_file(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    made = design(tmp_path, suffix="pes")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limit[1]))  # the kernel ends the write, as on a disk that is full
    try:
        with pytest.raises(MachineFault) as trouble:
            await _delivered(stick, made)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert trouble.value.message.code == "embroidery-stick-full"
    assert list(stick.iterdir()) == []


async def test_a_link_on_the_stick_is_not_followed(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (stick / "K7.TMP").symlink_to(elsewhere)
    with pytest.raises(MachineFault):
        await _delivered(stick, design(tmp_path, suffix="pes"))
    assert elsewhere.read_bytes() == b"precious"


class SlowMedium:
    """A stick that takes its time; `files` is what lies on it."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.goes_on = threading.Event()

    def look(self) -> None:
        return

    def write(self, name: str, data: bytes) -> None:
        assert self.goes_on.wait(10)
        self.files.add(name)

    def remove(self, name: str) -> None:
        self.files.discard(name)


async def test_a_cancelled_delivery_ends_before_the_design_is_withdrawn() -> None:
    medium = SlowMedium()
    stick = Stick("folder:///slow", medium, in_thread=True)
    delivery = asyncio.create_task(stick.deliver("K7.DST", b"..."))
    await asyncio.sleep(0.01)
    delivery.cancel()
    await asyncio.wait([delivery], timeout=0.05)
    assert not delivery.done()
    medium.goes_on.set()
    await asyncio.wait([delivery])
    assert delivery.cancelled()
    await stick.withdraw("K7.DST")
    assert medium.files == set()


async def test_a_folder_that_is_gone_is_a_lost_link(tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    async with Embroidery(EmbroideryConfig(url=f"folder://{stick}")) as driver:
        assert (await driver.read()).phase is Phase.IDLE
        stick.rmdir()
        with pytest.raises(LinkLost) as missing:
            await driver.read()
        assert missing.value.message.code == "embroidery-stick-missing"


async def test_an_empty_mount_point_is_no_stick(tmp_path: Path) -> None:
    with pytest.raises(LinkLost):
        await _delivered(tmp_path, design(tmp_path, suffix="pes"), must_be_mounted=True)
    assert not (tmp_path / "K7.PES").exists()


@pytest.mark.parametrize("ticket", ["../../etc", "K 7", "ÄÖÜ", "averylongticket", ""])
async def test_no_ticket_makes_a_name_that_a_machine_cannot_read(tmp_path: Path, ticket: str) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    program, file = design(tmp_path, suffix="jef")
    attempt = TrialAttempt(program, file, ticket=ticket)
    attempt.answer("start-design", "cancel")
    async with Embroidery(EmbroideryConfig(url=f"folder://{stick}")) as driver:
        with pytest.raises(MachineFault):
            await driver.run(attempt)
        (name,) = [path.name for path in stick.iterdir()]
        await driver.stop()
    stem, dot, ending = name.partition(".")
    assert stem.isascii()
    assert stem.isalnum()
    assert 1 <= len(stem) <= 8
    assert (dot, ending) == (".", "JEF")
    assert list(stick.iterdir()) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "serial:///dev/ttyUSB0"},
        {"url": "folder://media/stick"},
        {"url": "folder:///media/stick?mounted=1"},
        {"url": "sim://embroidery", "hoop_width_mm": 0},
        {"url": "sim://embroidery", "accepts_formats": []},
        {"url": "sim://embroidery", "accepts_formats": ["stl"]},
        {"url": "sim://embroidery", "needle": 3},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EmbroideryConfig.model_validate(settings)
