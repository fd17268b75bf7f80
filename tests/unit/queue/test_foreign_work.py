"""A machine that works for somebody else, and one that lost what it was making."""

import asyncio
from pathlib import Path

import pytest

from fabd.drivers import FOREIGN_JOB, Attempt, JobLost, Phase, Reading
from fabd.drivers import session as sessions
from fabd.model import JobState
from fabd.queue import commands
from fakes.cafe import LEA, cafe
from fakes.scripted import Bench, Scripted
from unit.queue.test_life_of_a_job import KEYRING


async def test_a_machine_that_works_for_somebody_else_is_shown_so_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "IDLE_READ_S", 0.05)
    bench = Bench(final=Reading(phase=Phase.RUNNING, reasons=frozenset({FOREIGN_JOB})))
    async with cafe(tmp_path, mk4=bench) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        waits = await c.until(lambda job: bool(job.reasons))
        assert (waits.state, [reason.code for reason in waits.reasons]) == (JobState.PENDING, ["route-machine-foreign"])
        assert FOREIGN_JOB in [reason.code for reason in (await c.machine()).reasons]
        await asyncio.sleep(0.2)
        assert "run" not in bench.seen
        bench.final = Reading(phase=Phase.IDLE)
        await c.until(lambda job: job.state is JobState.COMPLETED)


async def test_a_job_that_its_machine_lost_waits_for_a_person(tmp_path: Path) -> None:
    async def lost(driver: Scripted, attempt: Attempt) -> None:
        raise JobLost("octoprint-not-begun", url="x", state="y")

    async with cafe(tmp_path, mk4=Bench(run=lost)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        held = await c.until(lambda job: job.state is JobState.HELD)
        assert [reason.code for reason in held.reasons] == ["octoprint-not-begun"]
        assert [attempt.outcome for attempt in held.attempts] == ["aborted"]
        assert c.benches["mk4"].seen.count("run") == 1
