"""Between the router's answer and the claim the world may change; and one job's trouble is not that of the others."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from fabd.clock import now
from fabd.drivers import Attempt, Message, Phase, Program, Reading
from fabd.metering import members
from fabd.model import JobState
from fabd.queue import claims, commands
from fabd.queue.house import Wish
from fabd.store import Connection
from fakes.cafe import LEA, Cafe, cafe
from fakes.scripted import Bench, Scripted, ends_well
from unit.queue.test_life_of_a_job import KEYRING


async def claim(c: Cafe, job_id: int = 1) -> bool:
    """What the dispatcher does when the router has sent the job to mk4."""
    worker = c.house.workers["mk4"]
    return await c.house.store.transaction(
        partial(claims.claim, config=c.house.config, job_id=job_id, worker=worker, unfit={})
    )


async def waiting(c: Cafe) -> None:
    """A job that could go but for the dispatcher, which has gone home."""
    await c.member("alice", "autonomous")
    await commands.ready(c.house, "mk4", LEA)
    await c.stop_dispatching()
    await c.send(Wish(title="x", member="alice", material="pla"))


async def test_a_claim_is_refused_on_another_material_than_the_router_saw(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await waiting(c)
        await commands.load(c.house, "mk4", "petg", LEA)
        assert not await claim(c)
        assert (await c.job()).state is JobState.PENDING
        await commands.load(c.house, "mk4", "pla", LEA)
        assert await claim(c)


async def test_nothing_is_claimed_for_a_machine_that_a_reload_takes_away(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await waiting(c)
        c.house.workers["mk4"].retiring = True
        assert not await claim(c)
        assert "run" not in c.benches["mk4"].seen


async def test_a_job_is_claimed_once(tmp_path: Path) -> None:
    async with cafe(tmp_path, clears_itself=True) as c:
        await waiting(c)
        assert sorted(await asyncio.gather(claim(c), claim(c), claim(c))) == [False, False, True]


async def test_a_stop_that_was_owed_before_does_not_reach_what_is_claimed_now(tmp_path: Path) -> None:
    async with cafe(tmp_path, mk4=Bench(plugged=False)) as c:
        await waiting(c)
        await commands.ready(c.house, "mk4", LEA)
        await c.house.store.transaction(lambda conn: conn.exec_driver_sql("UPDATE machine SET owes_stop = 1"))
        c.benches["mk4"].plugged = True
        await c.house.workers["mk4"].session.here()
        assert await claim(c)
        assert await c.house.store.read(_owed) == [False]


def _owed(c: Connection) -> list[bool]:
    return [bool(row.owes_stop) for row in c.exec_driver_sql("SELECT owes_stop FROM machine")]


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("UPDATE level_grant SET level = 'wizard'", "level-of-grant-gone"),
        ("UPDATE job SET terms = '{}'", "job-cannot-begin"),
        ("UPDATE tariff_used SET sha256 = 'edited'", "tariff-edited"),
    ],
)
async def test_a_job_that_cannot_begin_waits_for_a_person_and_the_others_go_on(
    tmp_path: Path, damage: str, code: str
) -> None:
    async with cafe(tmp_path, clears_itself=True) as c:
        await c.stop_dispatching()
        await c.member("alice", "autonomous")
        await c.send(KEYRING)
        await c.house.store.transaction(
            lambda conn: members.grant(conn, c.house.config, "alice", "printer", "mentor", by="lea", at=now())
        )
        await c.house.store.transaction(lambda conn: conn.exec_driver_sql(damage))
        c.dispatch()
        held = await c.until(lambda job: job.state is JobState.HELD)
        assert [say.code for say in held.reasons] == [code]
        assert held.attempts == ()
        await c.house.store.transaction(lambda conn: conn.exec_driver_sql("DELETE FROM tariff_used"))
        await c.send(Wish(title="y"))
        await c.until(lambda job: job.state is JobState.COMPLETED, 2)


async def test_a_stored_program_that_cannot_be_read_holds_up_no_other_job(tmp_path: Path) -> None:
    async with cafe(tmp_path, clears_itself=True) as c:
        await c.stop_dispatching()
        await c.send(Wish(title="x"))
        await c.house.store.transaction(lambda conn: conn.exec_driver_sql("UPDATE program SET program = '{}'"))
        c.dispatch()
        waiting = await c.until(lambda job: bool(job.reasons))
        assert [say.code for say in waiting.reasons] == ["job-cannot-begin"]
        await c.send(Wish(title="y"), content=b"another")
        await c.until(lambda job: job.state is JobState.COMPLETED, 2)


class Broken(Scripted):
    """A driver with a bug in what it should know without a machine."""

    def check(self, program: Program) -> list[Message]:
        raise ZeroDivisionError("a bug")

    def estimate_s(self, program: Program) -> float:
        raise ZeroDivisionError("a bug")


async def test_a_driver_that_cannot_even_check_a_program_stops_no_other_machine(tmp_path: Path) -> None:
    async with cafe(tmp_path, ("mk4", "mini"), clears_itself=True) as c:
        await c.member("alice", "autonomous")
        worker = c.house.workers["mk4"]
        worker._sample = Broken(Scripted.Config(), c.benches["mk4"])
        await c.send(KEYRING)
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert done.attempts[0].machine == "mini"


async def test_a_driver_that_cannot_estimate_runs_and_nobody_is_told_what_is_left(tmp_path: Path) -> None:
    seen = []

    async def look(driver: Scripted, attempt: Attempt) -> None:
        attempt.report(Reading(phase=Phase.RUNNING, position=50))
        seen.append(await c.machine())
        await ends_well(driver, attempt)

    async with cafe(tmp_path, mk4=Bench(run=look)) as c:
        await waiting(c)
        c.house.workers["mk4"]._sample = Broken(Scripted.Config(), c.benches["mk4"])
        assert await claim(c)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        assert (seen[0].progress, seen[0].remaining_s) == (0.5, None)


async def test_what_the_dispatcher_remembers_of_files_goes_with_the_jobs(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.stop_dispatching()
        dispatcher = c.dispatch()
        await c.send(Wish(title="x"))
        await c.until(lambda job: bool(job.reasons))
        assert len(dispatcher._memory.unfit) == 1
        await commands.cancel(c.house, "1", LEA)
        await c.send(Wish(title="y"), content=b"another")
        await c.until(lambda job: bool(job.reasons), 2)
        assert len(dispatcher._memory.unfit) == 1
