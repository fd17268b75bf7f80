"""The session: connects, reconnects, and makes the machine safe on every unhappy end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from fabd.drivers import session as session_module
from fabd.drivers.contract import Attempt
from fabd.drivers.session import Session
from fabd.errors import LinkLost, MachineFault
from fabd.model import (
    Answer,
    Meter,
    Phase,
    PositionUnit,
    Program,
    Prompt,
    Reading,
    Temperature,
    UsageCurve,
)
from fabd.tasks import end, own
from fakes.scripted import Bench, Scripted

PROGRAM = Program(
    format="gcode",
    sha256="0" * 64,
    runs_sha256="0" * 64,
    size_bytes=100,
    unit=PositionUnit.BYTES,
    length=100,
    extents=None,
    curve=UsageCurve(positions=(0, 100), used={Meter.FILAMENT_MM: (0.0, 50.0)}),
)


class Slot:
    """An attempt that only keeps the latest reading."""

    id = "fabd-1"
    ticket = "A1"
    program = PROGRAM
    file = Path("/dev/null")
    last: Reading | None = None

    def report(self, reading: Reading) -> None:
        self.last = reading

    async def gate(self) -> None: ...

    async def ask(self, prompt: Prompt) -> Answer:
        raise AssertionError(prompt)


@asynccontextmanager
async def kept(bench: Bench, *, owes_stop: bool = False) -> AsyncIterator[Session]:
    session = Session("mk4", partial(Scripted, Scripted.Config(), bench), owes_stop=owes_stop)
    keeper = own(session.keep(), "keep")
    try:
        yield session
    finally:
        await end(keeper)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "FIRST_BACK_OFF_S", 0.01)
    monkeypatch.setattr(session_module, "LONGEST_BACK_OFF_S", 0.02)
    monkeypatch.setattr(session_module, "IDLE_READ_S", 0.01)


async def for_ever(driver: Scripted, attempt: Attempt) -> None:
    while True:
        attempt.report(Reading(phase=Phase.RUNNING, position=40, used={Meter.FILAMENT_MM: 20.0}))
        await asyncio.sleep(0.01)


async def until(true: object) -> None:
    async with asyncio.timeout(20):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_a_machine_that_is_away_is_connected_when_it_comes() -> None:
    bench = Bench(plugged=False)
    async with kept(bench) as session:
        await until(lambda: session.trouble is not None and session.trouble.code == "wire-hung-up")
        assert not session.connected
        bench.plugged = True
        await session.here()
        assert session.connected
        assert session.trouble is None


async def test_a_pulled_cable_of_an_idle_machine_is_noticed() -> None:
    bench = Bench()
    async with kept(bench) as session:
        await session.here()
        bench.plugged = False
        await until(lambda: not session.connected)
        assert bench.seen == ["connect", "leave"]


async def test_a_run_that_ends_well_stops_nothing() -> None:
    bench, slot = Bench(), Slot()
    async with kept(bench) as session:
        await session.here()
        await session.run(slot, leave_running=lambda _error: False)
    assert bench.seen == ["connect", "run", "leave"]
    assert slot.last is not None
    assert slot.last.position == 100


async def test_a_cancelled_run_makes_the_machine_safe_first_however_often_it_is_cancelled() -> None:
    bench, slot = Bench(run=for_ever), Slot()
    bench.final = Reading(phase=Phase.IDLE, position=41, used={Meter.FILAMENT_MM: 20.5})
    async with kept(bench) as session:
        await session.here()
        run = own(session.run(slot, leave_running=lambda _error: False), "run")
        await until(lambda: slot.last is not None)
        for _ in range(3):
            run.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([run])
        assert run.cancelled()
        assert bench.seen == ["connect", "run", "stop"]
        assert not session.owes_stop
        assert slot.last == bench.final, "the meter settles on what the machine acknowledged"


async def test_a_machine_that_may_go_on_without_us_is_left_alone() -> None:
    bench, slot = Bench(run=for_ever), Slot()
    async with kept(bench) as session:
        await session.here()
        run = own(session.run(slot, leave_running=lambda _error: True), "run")
        await until(lambda: slot.last is not None)
        await end(run)
    assert "stop" not in bench.seen


async def test_a_stop_that_could_not_be_delivered_is_owed_and_goes_first_on_reconnect() -> None:
    async def pulled(driver: Scripted, attempt: Attempt) -> None:
        driver.bench.plugged = False
        raise LinkLost("wire-hung-up", wire="bench")

    bench = Bench(run=pulled)
    async with kept(bench) as session:
        await session.here()
        with pytest.raises(LinkLost):
            await session.run(Slot(), leave_running=lambda _error: False)
        assert session.owes_stop
        assert not session.connected
        bench.plugged = True
        await session.here()
        assert bench.seen == ["connect", "run", "leave", "connect", "stop"]
        assert not session.owes_stop


async def test_a_stop_that_fails_after_a_cancel_goes_first_over_a_fresh_connection() -> None:
    bench, slot = Bench(run=for_ever, stop_fails=True), Slot()
    async with kept(bench) as session:
        await session.here()
        run = own(session.run(slot, leave_running=lambda _error: False), "run")
        await until(lambda: slot.last is not None)
        await end(run)
        assert session.owes_stop
        assert not session.connected
        with pytest.raises(LinkLost):
            await session.run(slot, leave_running=lambda _error: False)
        bench.stop_fails = False
        await session.here()
        assert bench.seen[-3:] == ["leave", "connect", "stop"]
        assert session.connected


async def test_a_machine_that_is_lost_is_not_shown_as_it_was() -> None:
    bench = Bench(final=Reading(phase=Phase.IDLE, temperatures=(Temperature(name="bed", current_c=60, target_c=60),)))
    async with kept(bench) as session:
        await session.here()
        assert session.reading.temperatures
        bench.plugged = False
        await until(lambda: not session.connected)
        assert session.reading.temperatures == ()


async def test_a_machine_that_connects_and_answers_nothing_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Scripted):
        async def read(self) -> Reading:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(session_module, "SILENCE_S", 0.01)
    session = Session("mk4", partial(Silent, Scripted.Config(), Bench()))
    keeper = own(session.keep(), "keep")
    await until(lambda: session.trouble is not None and session.trouble.code == "machine-silent")
    assert not session.connected
    await end(keeper)


async def test_a_session_that_has_ended_is_not_connected() -> None:
    async with kept(Bench()) as session:
        await session.here()
    assert not session.connected


async def test_a_stop_that_was_owed_from_before_goes_before_anything_else() -> None:
    bench = Bench()
    async with kept(bench, owes_stop=True) as session:
        await session.here()
        assert bench.seen == ["connect", "stop"]


async def test_a_fault_is_passed_on_after_the_machine_is_safe_and_the_connection_is_made_anew() -> None:
    async def kill(driver: Scripted, attempt: Attempt) -> None:
        raise MachineFault("marlin-halted", said="Printer halted. kill() called!")

    bench = Bench(run=kill)
    async with kept(bench) as session:
        await session.here()
        with pytest.raises(MachineFault):
            await session.run(Slot(), leave_running=lambda _error: False)
        await until(lambda: bench.seen == ["connect", "run", "stop", "leave", "connect"])


async def test_a_driver_that_hangs_is_stopped_and_says_how_far_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(driver: Scripted, attempt: Attempt) -> None:
        attempt.report(Reading(phase=Phase.RUNNING, position=7))
        await asyncio.Event().wait()

    monkeypatch.setattr(session_module, "SILENCE_S", 0.0)
    bench = Bench(run=hang)
    async with kept(bench) as session:
        await session.here()
        with pytest.raises(LinkLost) as lost:
            await session.run(Slot(), leave_running=lambda _error: False)
    assert lost.value.message.code == "machine-silent"
    assert lost.value.message.params["position"] == 7
    assert "stop" in bench.seen


async def test_a_bug_in_a_driver_is_words_not_the_end() -> None:
    class Broken(Scripted):
        async def read(self) -> Reading:
            raise ZeroDivisionError

    bench = Bench()
    session = Session("mk4", partial(Broken, Scripted.Config(), bench))
    keeper = own(session.keep(), "keep")
    await until(lambda: session.trouble is not None and session.trouble.code == "driver-failed")
    assert not keeper.done()
    await end(keeper)
