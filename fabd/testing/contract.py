"""What every driver keeps: import these tests into a file with a `driver_cases`, or run them by `--fabd-driver`."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from fabd.drivers import Driver, Extents, LinkLost, Meter, Method, Phase
from fabd.testing.bench import BenchAttempt, DriverCase, SimulatedSide
from fabd.testing.observed import REPORTS_S, agrees, left, never_falls, over, until_at_work
from fabd.testing.plugin import cases_of_options

HELD_S = 5.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test for each case; those that need the machine's own truth only for cases that have it."""
    if "case" in metafunc.fixturenames:
        cases: Sequence[DriverCase] = getattr(metafunc.module, "driver_cases", cases_of_options)(metafunc.config)
        if "side" not in metafunc.fixturenames:
            metafunc.parametrize("case", cases, ids=[case.name for case in cases])
            return
        known = [case for case in cases if case.simulated is not None]
        sides = [(case, case.simulated) for case in known]
        metafunc.parametrize(("case", "side"), sides, ids=[case.name for case in known])


def test_says_what_it_is(case: DriverCase) -> None:
    driver = case.build()
    assert isinstance(driver, Driver)
    assert issubclass(case.driver.Config, BaseModel)
    assert case.driver.Config.model_config.get("frozen"), "settings must not change under a driver"
    for names in (case.driver.accepts, case.driver.kinds):
        assert isinstance(names, frozenset)
        assert names
        assert all(isinstance(name, str) for name in names)
    assert isinstance(case.driver.adopts, bool)
    assert case.program.format in case.driver.accepts


def test_refuses_settings_that_it_does_not_know(case: DriverCase) -> None:
    with pytest.raises(ValidationError):
        case.driver.Config.model_validate({**case.settings, "no_such_setting": 1})


def test_accepts_its_program_and_estimates_it(case: DriverCase) -> None:
    driver = case.build()
    assert list(driver.check(case.program)) == []
    assert driver.estimate_s(case.program) > 0
    assert driver.estimate_s(case.program) == driver.estimate_s(case.program)


def test_refuses_a_program_that_is_too_large_before_it_is_connected(case: DriverCase) -> None:
    huge = Extents(x_min_mm=0, y_min_mm=0, x_max_mm=1e5, y_max_mm=1e5, z_max_mm=1e5)
    refusals = case.build().check(replace(case.program, extents=huge))
    assert refusals
    assert all(refusal.code for refusal in refusals)


def test_connects_again_and_again_and_leaves_nothing_behind(case: DriverCase) -> None:
    async def connect() -> None:
        before = left()
        for _ in range(2):
            async with case.build() as driver:
                await driver.read()
            assert left() == before
        driver = case.build()
        async with driver:
            await driver.read()
        async with driver:
            await driver.read()
        assert left() == before

    _on_bench(case, connect())


def test_reading_changes_nothing(case: DriverCase, side: SimulatedSide) -> None:
    async def look() -> None:
        async with case.build() as driver:
            first = await driver.read()
            counted = side.used(side.machine)
            second = await driver.read()
            assert first.phase is second.phase is Phase.IDLE
            assert (first.position, first.used) == (second.position, second.used)
            assert side.used(side.machine) == counted
            assert side.is_safe(side.machine)

    _on_bench(case, look())


def test_runs_to_a_proven_end_and_reports_all_the_time(case: DriverCase) -> None:
    async def make() -> None:
        async with case.build() as driver:
            attempt = case.attempt()
            await driver.run(attempt)
            assert attempt.last is not None
            assert attempt.last.position == case.program.length
            assert attempt.longest_silence_s <= REPORTS_S
            never_falls(attempt)
            assert (await driver.read()).phase is Phase.IDLE

    _on_bench(case, make())


def test_counts_what_the_machine_counts(case: DriverCase, side: SimulatedSide) -> None:
    async def make() -> None:
        async with case.build() as driver:
            attempt = case.attempt()
            await driver.run(attempt)
            assert attempt.last is not None
            if attempt.last.method is Method.ODOMETER:
                agrees(attempt.last.used, side.used(side.machine))

    _on_bench(case, make())


def test_a_second_attempt_begins_at_zero(case: DriverCase) -> None:
    async def make_two() -> None:
        async with case.build() as driver:
            first, second = case.attempt(), case.attempt()
            await driver.run(first)
            await driver.run(second)
            assert second.readings[0].position == 0
            assert not any(second.readings[0].used.values())
            assert _material(second) == pytest.approx(_material(first))

    _on_bench(case, make_two())


def test_stop_is_idempotent_on_a_machine_at_rest(case: DriverCase, side: SimulatedSide) -> None:
    async def stop() -> None:
        async with case.build() as driver:
            await driver.stop()
            await driver.stop()
            assert side.is_safe(side.machine)
            await driver.run(case.attempt())

    _on_bench(case, stop())


def test_cancelled_and_stopped_in_the_middle_the_machine_is_safe(case: DriverCase, side: SimulatedSide) -> None:
    async def in_the_middle(driver: Driver, run: "asyncio.Task[None]", _: BenchAttempt) -> None:
        run.cancel()
        await over(run)
        assert run.cancelled()
        await driver.stop()
        await driver.stop()

    _interrupted(case, side, in_the_middle)


def test_stopped_while_it_runs_the_machine_is_safe_and_the_run_ends(case: DriverCase, side: SimulatedSide) -> None:
    async def in_the_middle(driver: Driver, run: "asyncio.Task[None]", _: BenchAttempt) -> None:
        await driver.stop()
        await over(run)
        assert not run.cancelled()
        assert run.exception() is not None, "a stopped program has not ended well"

    _interrupted(case, side, in_the_middle)


def test_stopped_behind_half_a_line_the_machine_is_safe(case: DriverCase, side: SimulatedSide) -> None:
    async def in_the_middle(driver: Driver, run: "asyncio.Task[None]", _: BenchAttempt) -> None:
        run.cancel()
        await over(run)
        side.hear(side.half_line)
        await driver.stop()

    _interrupted(case, side, in_the_middle)


def test_after_a_stop_the_next_program_runs(case: DriverCase, side: SimulatedSide) -> None:
    async def in_the_middle(driver: Driver, run: "asyncio.Task[None]", _: BenchAttempt) -> None:
        run.cancel()
        await over(run)
        await driver.stop()
        next_attempt = case.attempt()
        await driver.run(next_attempt)
        assert next_attempt.last is not None
        assert next_attempt.last.position == case.program.length
        await driver.stop()

    _interrupted(case, side, in_the_middle)


def test_pause_holds_and_resume_goes_on_to_the_end(case: DriverCase, side: SimulatedSide) -> None:
    async def in_the_middle(driver: Driver, run: "asyncio.Task[None]", attempt: BenchAttempt) -> None:
        attempt.shut()
        await driver.pause()
        assert attempt.last is not None
        held, counted = (await driver.read()).position, side.used(side.machine)
        reported = len(attempt.readings)
        await asyncio.sleep(HELD_S)
        paused = attempt.readings[reported:]
        assert len(paused) >= HELD_S / REPORTS_S - 1, "a paused machine is reported too"
        assert {reading.position for reading in paused} == {held}
        assert {reading.phase for reading in paused} == {Phase.PAUSED}
        assert side.used(side.machine) == counted, "a paused machine rests"
        await driver.resume()
        attempt.open()
        await run
        assert attempt.last.position == case.program.length
        agrees(attempt.last.used, side.used(side.machine))
        never_falls(attempt)
        await driver.stop()

    _interrupted(case, side, in_the_middle)


def test_stopped_while_it_is_paused_the_machine_is_safe(case: DriverCase, side: SimulatedSide) -> None:
    async def in_the_middle(driver: Driver, run: "asyncio.Task[None]", attempt: BenchAttempt) -> None:
        attempt.shut()
        await driver.pause()
        run.cancel()
        await over(run)
        await driver.stop()

    _interrupted(case, side, in_the_middle)


def test_a_pulled_plug_is_a_lost_link(case: DriverCase, side: SimulatedSide) -> None:
    async def pull() -> None:
        async with case.build() as driver:
            attempt = case.attempt()
            run = await until_at_work(driver, attempt, side)
            await side.unplug()
            await over(run)
            assert isinstance(run.exception(), LinkLost)
            with pytest.raises(LinkLost):
                await driver.read()
            with pytest.raises(LinkLost):
                await driver.stop()

    _on_bench(case, pull())


def test_a_plug_that_is_pulled_in_a_pause_is_a_lost_link(case: DriverCase, side: SimulatedSide) -> None:
    async def pull() -> None:
        async with case.build() as driver:
            attempt = case.attempt()
            run = await until_at_work(driver, attempt, side)
            attempt.shut()
            await driver.pause()
            await side.unplug()
            await over(run)
            assert isinstance(run.exception(), LinkLost)

    _on_bench(case, pull())


def test_an_owed_stop_is_delivered_by_a_new_connection(case: DriverCase, side: SimulatedSide) -> None:
    async def lose_and_find() -> None:
        async with case.build() as driver:
            run = await until_at_work(driver, case.attempt(), side)
            await side.unplug()
            await over(run)
            run.exception()
        async with case.build() as driver:
            await driver.stop()
            assert side.is_safe(side.machine)

    _on_bench(case, lose_and_find())


def _material(attempt: BenchAttempt) -> dict[Meter, float]:
    """What an attempt used, but for the time: no machine takes exactly the same twice."""
    assert attempt.last is not None
    return {meter: quantity for meter, quantity in attempt.last.used.items() if meter is not Meter.MACHINE_S}


Act = Callable[[Driver, "asyncio.Task[None]", BenchAttempt], Awaitable[None]]


def _on_bench(case: DriverCase, work: Coroutine[Any, Any, None]) -> None:
    if case.simulated is not None:
        case.simulated.renew()
    case.run(work)


def _interrupted(case: DriverCase, side: SimulatedSide, act: Act) -> None:
    """Run until the machine is at work, do `act`, and look whether the machine is safe."""

    async def make() -> None:
        async with case.build() as driver:
            attempt = case.attempt()
            run = await until_at_work(driver, attempt, side)
            await act(driver, run, attempt)
            assert side.is_safe(side.machine)
            assert run.done()

    _on_bench(case, make())
