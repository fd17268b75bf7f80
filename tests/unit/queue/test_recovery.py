"""What a restart finds: everything in rows, nothing started twice, nothing forgotten."""

import asyncio
from pathlib import Path

from fabd.drivers import Attempt, Phase, Reading
from fabd.metering import ledger
from fabd.model import JobState
from fabd.queue import commands
from fakes.cafe import LEA, cafe
from fakes.scripted import Bench, Scripted, ends_well
from unit.queue.test_life_of_a_job import KEYRING, Gate


async def test_an_orderly_end_stops_the_machine_aborts_the_attempt_and_holds_the_job(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, mk4=Bench(run=gate)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await gate.halfway.wait()
        await c.close()
        assert c.benches["mk4"].seen[-2:] == ["stop", "leave"]
        await c.reopen()
        job = await c.job()
        assert (job.state, job.reasons[0].code) == (JobState.HELD, "host-stopped")
        assert [attempt.outcome for attempt in job.attempts] == ["aborted"]
        assert len(await c.entries()) == 1


async def test_a_power_cut_leaves_an_owed_stop_and_a_job_for_a_person(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await commands.hold(c.house, (await c.send(KEYRING)).id, LEA)
        await c.close()
        c.benches["mk4"].seen.clear()
        _as_if_cut_off(tmp_path)
        await c.reopen()
        job = await c.job()
        assert (job.state, job.reasons[0].code) == (JobState.HELD, "host-restarted")
        assert c.benches["mk4"].seen == ["connect", "stop"], "the stop goes before anything else"
        (entry,) = await c.entries()
        assert (entry.data["outcome"], entry.data["total_ttc_cents"]) == ("aborted", 0)
        assert (await c.machine()).reasons[0].code == "output-area-full"
        await commands.release(c.house, "1", LEA)
        await commands.ready(c.house, "mk4", LEA)
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert [attempt.outcome for attempt in done.attempts] == ["aborted", "completed"]
        assert (await c.house.store.read(ledger.verify)).ok


async def test_a_machine_that_goes_on_without_us_is_adopted_and_charged_once(tmp_path: Path) -> None:
    lasts = []
    halfway = asyncio.Event()

    async def adopted(driver: Scripted, attempt: Attempt) -> None:
        lasts.append(attempt.last)
        if attempt.last is None:
            attempt.report(Reading(phase=Phase.RUNNING, position=50, used=attempt.program.curve.at(50)))
            halfway.set()
            await asyncio.Event().wait()
        await ends_well(driver, attempt)

    async with cafe(tmp_path, adopts=True, mk4=Bench(run=adopted)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        quoted = (await c.send(KEYRING)).quote
        await halfway.wait()
        await c.close()
        assert "stop" not in c.benches["mk4"].seen
        await c.reopen()
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert len(done.attempts) == 1
        assert done.total_ttc_cents == quoted.total_ttc_cents
        assert lasts[0] is None
        assert lasts[1] is not None
        assert lasts[1].position == 50


def _as_if_cut_off(directory: Path) -> None:
    """Write what the disk holds when the power fails in the middle of an attempt."""
    import json
    import sqlite3

    lot = {
        "material": {
            "id": "pla",
            "label": {"en": "PLA"},
            "family": "pla",
            "diameter_mm": "1.75",
            "density_g_cm3": "1.24",
        },
        "lot": None,
        "is_default": True,
    }
    reading = {"phase": "running", "position": 50, "used": {"filament_mm": 500.0}, "method": "odometer"}
    connection = sqlite3.connect(directory / "store" / "fabd.sqlite3")
    connection.execute("UPDATE job SET state = 'processing', reasons = '[]'")
    connection.execute(
        "INSERT INTO attempt (job, number, machine, ticket, state, lot, reading, claimed_at, reasons, fault) "
        "VALUES (1, 1, 'mk4', 'A1', 'running', ?, ?, '2026-01-10 14:00:00', '[]', 'none')",
        (json.dumps(lot), json.dumps(reading)),
    )
    connection.commit()
    connection.close()
