"""A worker at its edges: cancelled at any moment, with drivers that have bugs, on a store that fails."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from fabd.drivers import Attempt, LinkLost, Meter, Phase, Reading
from fabd.drivers import session as sessions
from fabd.errors import FabdError, StoreError
from fabd.model import JobState
from fabd.queue import claims, commands, files
from fabd.queue import worker as workers
from fakes.cafe import LEA, Cafe, cafe
from fakes.scripted import Bench, Scripted, ends_well
from unit.queue.test_life_of_a_job import KEYRING, Gate


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "FIRST_BACK_OFF_S", 0.01)
    monkeypatch.setattr(sessions, "LET_GO_S", 0.05)


async def sent(c: Cafe) -> None:
    await c.member("alice", "autonomous")
    await commands.ready(c.house, "mk4", LEA)
    await c.send(KEYRING)


async def for_ever(_driver: Scripted, attempt: Attempt) -> None:
    while True:
        attempt.report(Reading(phase=Phase.RUNNING, position=50, used=attempt.program.curve.at(50)))
        await asyncio.sleep(0.01)


async def test_a_worker_that_is_ended_in_the_moment_of_a_claim_begins_nothing(tmp_path: Path) -> None:
    for turns in range(12):
        async with cafe(_fresh(tmp_path, turns), mk4=Bench(run=for_ever)) as c:
            await c.stop_dispatching()
            await sent(c)
            take = partial(claims.claim, config=c.house.config, job_id=1, worker=c.house.workers["mk4"], unfit={})
            assert await c.house.store.transaction(take)
            for _ in range(turns):
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                await c.close()
            await c.reopen()
            job = await c.job()
            assert job.state is JobState.HELD
            assert job.reasons[0].code in ("host-stopped", "host-restarted")
            seen = c.benches["mk4"].seen
            assert seen.count("run") <= seen.count("stop")


def _fresh(directory: Path, number: int) -> Path:
    fresh = directory / str(number)
    fresh.mkdir()
    return fresh


async def test_a_run_that_is_cancelled_by_its_own_driver_is_that_drivers_fault(tmp_path: Path) -> None:
    async def cancels_itself(driver: Scripted, attempt: Attempt) -> None:
        raise asyncio.CancelledError

    for adopts in (False, True):
        bench = Bench(run=cancels_itself)
        async with cafe(_fresh(tmp_path, adopts), adopts=adopts, mk4=bench) as c:
            await sent(c)
            done = await c.until(lambda job: job.state is JobState.ABORTED)
            assert [say.code for say in done.reasons] == ["driver-failed"]
            assert (bench.seen.count("run"), len(done.attempts)) == (1, 1)
            assert "stop" in bench.seen


async def test_a_driver_that_does_not_let_go_delays_no_stop(tmp_path: Path) -> None:
    let_go = asyncio.Event()

    async def holds_on(driver: Scripted, attempt: Attempt) -> None:
        try:
            await for_ever(driver, attempt)
        finally:
            await let_go.wait()

    bench = Bench(run=holds_on)
    async with cafe(tmp_path, mk4=bench) as c:
        await sent(c)
        await c.until(lambda job: job.progress == 0.5)
        await commands.cancel(c.house, "1", LEA)
        await c.until(lambda job: job.state is JobState.CANCELED)
        assert "stop" in bench.seen
        let_go.set()
        await asyncio.sleep(0)


async def test_a_final_reading_that_cannot_be_true_changes_neither_the_end_nor_the_charge(tmp_path: Path) -> None:
    bench = Bench(run=for_ever)
    async with cafe(tmp_path, mk4=bench) as c:
        await sent(c)
        await c.until(lambda job: job.progress == 0.5)
        total = (await c.job()).quote.total_ttc_cents
        bench.final = Reading(phase=Phase.IDLE, position=60, used={Meter.FILAMENT_MM: 1.0})
        await commands.cancel(c.house, "1", LEA)
        done = await c.until(lambda job: job.state is JobState.CANCELED)
        assert done.total_ttc_cents == total / 2


# --- machines that go on without us -------------------------------------------------------------------


async def test_a_lost_link_does_not_stop_a_machine_that_goes_on_without_us(tmp_path: Path) -> None:
    async def lost_once(driver: Scripted, attempt: Attempt) -> None:
        if driver.bench.seen.count("run") == 1:
            attempt.report(Reading(phase=Phase.RUNNING, position=50, used=attempt.program.curve.at(50)))
            raise LinkLost("wire-hung-up", wire="bench")
        await ends_well(driver, attempt)

    bench = Bench(run=lost_once)
    async with cafe(tmp_path, adopts=True, mk4=bench) as c:
        await sent(c)
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert bench.seen == ["connect", "run", "leave", "connect", "run"]
        assert len(done.attempts) == 1


async def test_a_machine_that_is_away_is_owed_the_stop_of_what_is_canceled_meanwhile(tmp_path: Path) -> None:
    async def pulled(driver: Scripted, attempt: Attempt) -> None:
        attempt.report(Reading(phase=Phase.RUNNING, position=50, used=attempt.program.curve.at(50)))
        driver.bench.plugged = False
        raise LinkLost("wire-hung-up", wire="bench")

    bench = Bench(run=pulled)
    async with cafe(tmp_path, adopts=True, mk4=bench) as c:
        await sent(c)
        async with asyncio.timeout(10):
            while (await c.machine()).connected:
                await asyncio.sleep(0.01)
        await commands.cancel(c.house, "1", LEA)
        await c.until(lambda job: job.state is JobState.CANCELED)
        assert "machine-stop-owed" in [say.code for say in (await c.machine()).reasons]
        bench.plugged = True
        await c.house.workers["mk4"].session.here()
        assert bench.seen[-1] == "stop"


async def test_what_was_canceled_before_the_daemon_died_is_stopped_and_not_adopted(tmp_path: Path) -> None:
    gate = Gate()
    bench = Bench(run=gate)
    async with cafe(tmp_path, adopts=True, mk4=bench) as c:
        await sent(c)
        await gate.halfway.wait()
        await c.close()
        bench.seen.clear()
        _sql(tmp_path, "UPDATE attempt SET wish = 'cancel', wished_by = 'pi/lea'")
        await c.reopen()
        done = await c.until(lambda job: job.state is JobState.CANCELED)
        assert done.reasons[0].params == {"by": "pi/lea"}
        assert "stop" in bench.seen


async def test_what_was_paused_before_the_daemon_died_is_paused_again_and_can_go_on(tmp_path: Path) -> None:
    gate = Gate()
    bench = Bench(run=gate)
    async with cafe(tmp_path, adopts=True, mk4=bench) as c:
        await sent(c)
        await gate.halfway.wait()
        await commands.pause(c.house, "mk4", LEA)
        await c.until(lambda job: job.state is JobState.STOPPED)
        await c.close()
        bench.seen.clear()
        await c.reopen()
        async with asyncio.timeout(10):
            while "pause" not in bench.seen:
                await asyncio.sleep(0.01)
        assert (await c.job()).state is JobState.STOPPED
        gate.go_on.set()
        await commands.resume(c.house, "mk4", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        assert len(await c.entries()) == 1


# --- trouble of its own -------------------------------------------------------------------------------


async def test_an_attempt_that_was_begun_is_never_begun_again_on_a_machine_that_needs_us(tmp_path: Path) -> None:
    gate = Gate()
    bench = Bench(run=gate)
    async with cafe(tmp_path, adopts=True, mk4=bench) as c:
        await sent(c)
        await gate.halfway.wait()
        await c.close()  # it goes on, and its attempt stays open
        bench.seen.clear()
        c.adopts = False
        await c.reopen()
        held = await c.until(lambda job: job.state is JobState.HELD)
        assert held.reasons[0].code == "host-restarted"
        assert bench.seen == ["connect", "stop"]


async def test_a_machine_whose_attempt_cannot_be_settled_is_given_up_in_words_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    gate = Gate()
    async with cafe(tmp_path, ("mk4", "mini"), clears_itself=True, mk4=Bench(run=gate)) as c:
        await sent(c)
        await gate.halfway.wait()
        _sql(tmp_path, "UPDATE job SET state = 'canceled'")  # nothing that fabd does: somebody edited the file
        gate.go_on.set()
        async with asyncio.timeout(10):
            while "machine-given-up" not in [say.code for say in (await c.machine()).reasons]:
                await asyncio.sleep(0.01)
        assert "stop" in c.benches["mk4"].seen
        await c.send(KEYRING)
        assert (await c.until(lambda job: job.state is JobState.COMPLETED, 2)).attempts[0].machine == "mini"
        await c.close()
        await c.reopen()  # and a start opens the house all the same
        await c.send(KEYRING)
        assert (await c.until(lambda job: job.state is JobState.COMPLETED, 3)).attempts[0].machine == "mini"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE job SET terms = '{}'",
        "UPDATE attempt SET lot = '{}'",
        """UPDATE attempt SET lot = json_remove(lot, '$.material.density_g_cm3')""",
        """UPDATE attempt SET reading = '{"phase": "dreaming"}'""",
    ],
)
async def test_an_attempt_that_cannot_be_priced_ends_all_the_same_and_says_so(tmp_path: Path, damage: str) -> None:
    gate = Gate()
    async with cafe(tmp_path, adopts=True, mk4=Bench(run=gate)) as c:
        await sent(c)
        await gate.halfway.wait()
        await c.close()
        _sql(tmp_path, damage)
        c.adopts = False
        await c.reopen()
        job = await c.job()
        assert [say.code for say in job.reasons] == ["host-restarted", "attempt-not-charged-for"]
        assert [say.code for say in job.attempts[0].reasons] == ["host-restarted", "attempt-not-charged-for"]
        assert await c.entries() == []
        await commands.ready(c.house, "mk4", LEA)


async def test_a_file_that_the_disk_has_changed_is_not_run_and_can_be_brought_again(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.stop_dispatching()
        await sent(c)
        sha256 = (await c.job()).sha256
        files.place(c.house.store.path, sha256).write_bytes(b"G0")
        c.dispatch()
        done = await c.until(lambda job: job.state is JobState.ABORTED)
        assert [say.code for say in done.reasons] == ["file-damaged"]
        assert "run" not in c.benches["mk4"].seen
        await c.send(KEYRING)
        assert files.verified(c.house.store.path, sha256).read_bytes() == b"G1"


async def test_a_store_that_fails_stops_the_machine_and_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CHECKPOINT_S", 0.02)
    bench = Bench(run=for_ever)
    async with cafe(tmp_path, mk4=bench) as c:
        await sent(c)
        await c.until(lambda job: job.progress == 0.5)
        _sql(tmp_path, "ALTER TABLE attempt RENAME TO gone")
        (work,) = (task for task in c.tasks if task.get_name() == "work mk4")
        async with asyncio.timeout(10):
            await asyncio.wait([work])
        assert isinstance(work.exception(), StoreError)
        assert "stop" in bench.seen
        c.tasks.remove(work)


async def test_whatever_a_driver_raises_leaves_the_session_in_words(tmp_path: Path) -> None:
    bench = Bench(fails=ZeroDivisionError("a bug"))
    async with cafe(tmp_path, mk4=bench) as c:
        session = c.house.workers["mk4"].session
        calls: list[Callable[[], Awaitable[None]]] = [session.pause, session.resume]
        for call in calls:
            with pytest.raises(FabdError) as failed:
                await call()
            assert failed.value.message.code == "driver-failed"


def _sql(directory: Path, statement: str) -> None:
    connection = sqlite3.connect(directory / "store" / "fabd.sqlite3", timeout=10)
    connection.execute(statement)
    connection.commit()
    connection.close()
