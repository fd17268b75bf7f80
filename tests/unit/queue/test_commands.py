"""What people do to jobs and machines, at the wrong moment: nothing runs twice, and nothing is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fabd.drivers import LinkLost, MachineFault
from fabd.errors import Conflict, NotFound
from fabd.model import Fault, JobState
from fabd.queue import commands, show
from fabd.queue.house import Caller, House, Wish
from fabd.views import JobView
from fakes.cafe import LEA, Cafe, cafe
from fakes.scripted import Bench
from unit.queue.test_life_of_a_job import KEYRING, Gate

Command = Callable[[House, str, Caller], Awaitable[JobView]]


async def begun(c: Cafe, gate: Gate) -> None:
    await c.member("alice", "autonomous")
    await commands.ready(c.house, "mk4", LEA)
    await c.send(KEYRING)
    await gate.halfway.wait()


@pytest.mark.parametrize("command", [commands.hold, commands.release, commands.retry])
async def test_a_job_under_way_is_neither_held_nor_released_nor_retried(tmp_path: Path, command: Command) -> None:
    gate = Gate()
    async with cafe(tmp_path, ("mk4", "mini"), mk4=Bench(run=gate)) as c:
        await begun(c, gate)
        await commands.ready(c.house, "mini", LEA)
        with pytest.raises(Conflict):
            await command(c.house, "1", LEA)
        assert (await c.job()).state is JobState.PROCESSING
        gate.go_on.set()
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert len(done.attempts) == 1
        assert "run" not in c.benches["mini"].seen


@pytest.mark.parametrize("command", [commands.hold, commands.release, commands.retry, commands.cancel])
async def test_a_completed_job_never_begins_again(tmp_path: Path, command: Command) -> None:
    async with cafe(tmp_path, clears_itself=True) as c:
        await c.member("alice", "autonomous")
        await c.send(KEYRING)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        with pytest.raises(Conflict):
            await command(c.house, "1", LEA)
        assert len((await c.job()).attempts) == 1


async def test_a_canceled_job_begins_again_by_a_retry_and_not_by_a_release(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await c.send(KEYRING)
        await commands.cancel(c.house, "1", LEA)
        with pytest.raises(Conflict):
            await commands.release(c.house, "1", LEA)
        assert (await commands.retry(c.house, "1", LEA)).state is JobState.PENDING


async def test_what_a_job_reserved_goes_with_its_end_and_comes_back_with_a_retry(tmp_path: Path) -> None:
    def released(c: Cafe) -> Awaitable[list[object]]:
        query = "SELECT released_at FROM reservation"
        return c.house.store.read(lambda conn: [row.released_at for row in conn.exec_driver_sql(query)])

    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await c.send(KEYRING)
        await commands.cancel(c.house, "1", LEA)
        assert await released(c) != [None]
        await commands.retry(c.house, "1", LEA)
        assert await released(c) == [None]


async def test_an_emergency_on_a_machine_that_is_away_is_said_loudly_recorded_and_goes_first_later(
    tmp_path: Path,
) -> None:
    async with cafe(tmp_path, mk4=Bench(plugged=False)) as c:
        with pytest.raises(MachineFault) as fault:
            await commands.emergency(c.house, "mk4", LEA)
        assert fault.value.message.code == "machine-stop-owed"
        codes = [say.code for say in (await c.machine()).reasons]
        assert "machine-emergency" in codes
        assert "machine-stop-owed" in codes
        await c.close()
        c.benches["mk4"].plugged = True
        await c.reopen()
        assert c.benches["mk4"].seen == ["connect", "stop"]


async def test_an_emergency_whose_stop_fails_on_an_idle_machine_is_tried_again_over_a_fresh_connection(
    tmp_path: Path,
) -> None:
    async with cafe(tmp_path) as c:
        bench = c.benches["mk4"]
        bench.stop_fails = True
        with pytest.raises(MachineFault):
            await commands.emergency(c.house, "mk4", LEA)
        assert not (await c.machine()).connected
        bench.stop_fails = False
        await c.house.workers["mk4"].session.here()
        assert bench.seen[-3:] == ["leave", "connect", "stop"]


async def test_an_emergency_is_not_cut_by_whoever_asked_for_it_going_away(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, mk4=Bench(run=gate)) as c:
        await begun(c, gate)
        asking = asyncio.create_task(commands.emergency(c.house, "mk4", LEA))
        await asyncio.sleep(0)
        for _ in range(3):
            asking.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([asking])
        await c.until(lambda job: job.state is JobState.CANCELED)
        assert "machine-emergency" in [say.code for say in (await c.machine()).reasons]
        assert c.benches["mk4"].seen.count("stop") >= 1


async def test_a_machine_that_is_closed_while_it_runs_ends_what_it_makes(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, mk4=Bench(run=gate)) as c:
        await begun(c, gate)
        await commands.close(c.house, "mk4", "the belt is torn", LEA)
        gate.go_on.set()
        await c.until(lambda job: job.state is JobState.COMPLETED)
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        waiting = await c.until(lambda job: bool(job.reasons), 2)
        assert waiting.reasons[-1].code == "route-machine-closed"


async def test_ready_is_refused_while_the_machine_makes_something(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, mk4=Bench(run=gate)) as c:
        await begun(c, gate)
        for failed in (None, Fault.MEMBER):
            with pytest.raises(Conflict) as refused:
                await commands.ready(c.house, "mk4", LEA, failed)
            assert refused.value.message.code == "machine-busy"


async def test_a_machine_without_a_worker_is_an_unknown_machine_and_no_failure(tmp_path: Path) -> None:
    async with cafe(tmp_path, ("mk4", "mini")) as c:
        await c.send(Wish(title="x"))
        workers = dict(c.house.workers)
        c.house.workers = {"mini": workers["mini"]}  # the moment in which a reload has taken it away
        for command in (commands.emergency, commands.pause):
            with pytest.raises(NotFound):
                await command(c.house, "mk4", LEA)
        assert [machine.id for machine in await show.machines(c.house)] == ["mini"]
        c.house.workers = workers


async def test_a_piece_found_spoiled_while_the_next_is_made_is_not_replaced_unasked(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, ("mk4", "mini"), mini=Bench(run=gate)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(Wish(title="rings", member="alice", copies=2))
        await c.until(lambda job: job.copies_done == 1)
        await commands.ready(c.house, "mini", LEA)
        await gate.halfway.wait()
        await commands.ready(c.house, "mk4", LEA, Fault.MACHINE)
        gate.go_on.set()
        held = await c.until(lambda job: job.state is JobState.HELD)
        assert (held.copies_done, [say.code for say in held.reasons]) == (1, ["job-piece-failed"])
        await commands.release(c.house, "1", LEA)
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert [attempt.outcome for attempt in done.attempts] == ["aborted", "completed", "completed"]


async def test_a_canceled_copy_leaves_the_others_for_a_retry(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, ("mk4", "mini"), mini=Bench(run=gate)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(Wish(title="rings", member="alice", copies=2))
        await c.until(lambda job: job.copies_done == 1)
        await commands.ready(c.house, "mini", LEA)
        await gate.halfway.wait()
        await commands.cancel(c.house, "1", LEA)
        await c.until(lambda job: job.state is JobState.CANCELED)
        await commands.retry(c.house, "1", LEA)
        await commands.ready(c.house, "mk4", LEA)
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert [attempt.outcome for attempt in done.attempts] == ["completed", "canceled", "completed"]
        assert len(await c.entries()) == 3


async def test_a_resume_that_failed_can_be_tried_again(tmp_path: Path) -> None:
    gate, bench = Gate(), Bench()
    bench.run = gate
    async with cafe(tmp_path, mk4=bench) as c:
        await begun(c, gate)
        await commands.pause(c.house, "mk4", LEA)
        await c.until(lambda job: job.state is JobState.STOPPED)
        bench.fails = LinkLost("wire-hung-up", wire="bench")
        await commands.resume(c.house, "mk4", LEA)
        await c.until(lambda job: [say.code for say in job.reasons] == ["wire-hung-up"])
        gate.go_on.set()
        await asyncio.sleep(0.1)
        assert (await c.job()).state is JobState.STOPPED
        bench.fails = None
        await commands.resume(c.house, "mk4", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED)


async def test_a_bug_in_a_drivers_pause_is_said_and_a_cancel_still_works(tmp_path: Path) -> None:
    gate, bench = Gate(), Bench(fails=ZeroDivisionError("a bug"))
    bench.run = gate
    async with cafe(tmp_path, mk4=bench) as c:
        await begun(c, gate)
        await commands.pause(c.house, "mk4", LEA)
        running = await c.until(lambda job: [say.code for say in job.reasons] == ["driver-failed"])
        assert running.state is JobState.PROCESSING
        bench.fails = None
        await commands.pause(c.house, "mk4", LEA)
        await c.until(lambda job: job.state is JobState.STOPPED)
        await commands.cancel(c.house, "1", LEA)
        await c.until(lambda job: job.state is JobState.CANCELED)
