"""What a job lives through: the real queue, store and metering, over a machine that the test moves by hand."""

import asyncio
from pathlib import Path

import pytest

from fabd.drivers import Attempt, LinkLost, MachineFault, Message, Meter, Phase, Prompt, Reading
from fabd.errors import Conflict, JobRejected, NotAllowed, NotFound, Refused
from fabd.metering import members
from fabd.model import Fault, JobState, MachineState
from fabd.queue import commands, show
from fabd.queue.house import Wish
from fakes.cafe import KIOSK, LEA, cafe
from fakes.scripted import Bench, Scripted, ends_well

KEYRING = Wish(title="keyring.gcode", member="alice")


class Gate:
    """A run that stops halfway, until the test lets it go on."""

    def __init__(self) -> None:
        self.halfway = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, driver: Scripted, attempt: Attempt) -> None:
        used = attempt.program.curve.at(50)
        attempt.report(Reading(phase=Phase.RUNNING, position=50, used=used))
        self.halfway.set()
        await self.go_on.wait()
        await attempt.gate()
        await ends_well(driver, attempt)


async def test_nothing_starts_before_a_person_has_said_that_the_machine_is_ready(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await c.send(KEYRING)
        waiting = await c.until(lambda job: bool(job.reasons))
        assert waiting.state is JobState.PENDING
        assert [say.code for say in waiting.reasons] == ["route-machine-not-ready"]
        assert c.benches["mk4"].seen == ["connect"]
        assert (await c.machine()).state is MachineState.STOPPED
        await commands.ready(c.house, "mk4", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED)


async def test_the_charge_is_the_quote_when_the_measure_is_the_estimate(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        quoted = (await c.send(KEYRING)).quote
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        (entry,) = await c.entries()
        assert done.total_ttc_cents == quoted.total_ttc_cents == entry.data["total_ttc_cents"]
        assert [(line.sku, line.ttc_cents) for line in quoted.lines] == [("PRN-PLA", 24), ("PRN-TIME", 20)]
        assert entry.data["kind"] == "charge"
        assert entry.data["level"] == "autonomous"
        assert entry.data["tariff"] == "example"
        assert entry.ticket == done.attempts[0].ticket == "A1"
        assert entry.customer == "C-alice"
        assert entry.data["material_is_default"] is True


async def test_after_an_attempt_the_machine_asks_for_a_clear_bed_and_takes_nothing(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await c.send(KEYRING)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        machine = await c.machine()
        assert machine.state is MachineState.STOPPED
        assert [say.code for say in machine.reasons] == ["output-area-full"]
        assert machine.prompt is not None
        assert machine.prompt.say.code == "prompt-clear-output"
        assert (await c.job(2)).state is JobState.PENDING
        await commands.answer(c.house, "mk4", "ready", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED, 2)


async def test_a_machine_that_clears_itself_goes_on(tmp_path: Path) -> None:
    async with cafe(tmp_path, clears_itself=True) as c:
        await c.member("alice", "autonomous")
        await c.send(Wish(title="rings", member="alice", copies=3))
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert [attempt.outcome for attempt in done.attempts] == ["completed"] * 3
        assert len(await c.entries()) == 3
        assert await show.prompts(c.house) == []


async def test_the_charge_of_copies_is_their_quote(tmp_path: Path) -> None:
    async with cafe(tmp_path, clears_itself=True) as c:
        await c.member("alice", "autonomous")
        quoted = (await c.send(Wish(title="rings", member="alice", copies=3))).quote
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert done.total_ttc_cents == quoted.total_ttc_cents


async def test_each_job_of_an_accompanied_member_is_released_by_a_facilitator(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("lea", facilitator=True)
        await c.member("bob", "accompanied")
        await commands.ready(c.house, "mk4", LEA)
        sent = await c.send(Wish(title="x", member="bob"))
        assert sent.quote.verdict == "ask"
        assert (sent.state, sent.reasons[0].code) == (JobState.HELD, "job-needs-release")
        await commands.release(c.house, "1", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        (entry,) = await c.entries()
        assert str(entry.data["facilitator"]).startswith("m_"), "the person who released it, by pseudonym"


async def test_a_served_walk_in_is_started_by_the_facilitator_who_sends_it_and_nobody_else(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("lea", facilitator=True)
        assert (await c.send(Wish(title="x"))).state is not JobState.HELD
        assert (await c.send(Wish(title="y"), KIOSK)).state is JobState.HELD


async def test_a_level_that_changed_makes_a_new_quote_and_perhaps_a_wait(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        before = await c.send(KEYRING)
        await c.house.store.transaction(
            lambda conn: members.grant(
                conn, c.house.config, "alice", "printer", "accompanied", by="lea", at=before.submitted_at
            )
        )
        await commands.ready(c.house, "mk4", LEA)
        held = await c.until(lambda job: job.state is JobState.HELD)
        assert held.reasons[0].code == "job-level-changed"
        assert held.quote.total_ttc_cents > before.quote.total_ttc_cents


async def test_cancel_stops_the_machine_first_and_charges_what_was_measured(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, mk4=Bench(run=gate)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await gate.halfway.wait()
        running = await c.job()
        assert (running.state, running.progress) == (JobState.PROCESSING, 0.5)
        await commands.cancel(c.house, "1", LEA)
        done = await c.until(lambda job: job.state is JobState.CANCELED)
        assert c.benches["mk4"].seen[-1] == "stop"
        (entry,) = await c.entries()
        assert (entry.data["outcome"], entry.data["fault"]) == ("canceled", "member")
        assert done.total_ttc_cents == 12 + 10, "half of the filament, half of the time"


async def test_a_waiting_job_is_held_released_and_canceled(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await c.send(KEYRING)
        assert (await commands.hold(c.house, "1", LEA)).state is JobState.HELD
        assert (await commands.release(c.house, "1", LEA)).state is JobState.PENDING
        assert (await commands.cancel(c.house, "1", LEA)).state is JobState.CANCELED
        with pytest.raises(Conflict) as refused:
            await commands.cancel(c.house, "1", LEA)
        assert refused.value.message.params == {"job": 1, "state": "canceled", "to": "canceled"}
        assert await c.entries() == [], "what never began costs nothing"


async def test_pause_and_resume_reach_the_driver_and_pauses_are_no_machine_time(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, mk4=Bench(run=gate)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await gate.halfway.wait()
        await commands.pause(c.house, "mk4", LEA)
        await c.until(lambda job: job.state is JobState.STOPPED)
        gate.go_on.set()
        await asyncio.sleep(0.05)
        assert (await c.job()).state is JobState.STOPPED, "the gate is shut"
        await commands.resume(c.house, "mk4", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        assert [step for step in c.benches["mk4"].seen if step in ("pause", "resume")] == ["pause", "resume"]


@pytest.mark.parametrize(
    ("error", "state", "fault"),
    [
        (MachineFault("driver-failed", detail="x"), JobState.ABORTED, "machine"),
        (LinkLost("wire-hung-up", wire="x"), JobState.ABORTED, "machine"),
        (JobRejected("no-machine-for-format", format="x", machine="y"), JobState.ABORTED, "member"),
        (ZeroDivisionError("a bug"), JobState.ABORTED, "machine"),
    ],
)
async def test_an_attempt_that_fails_says_why_and_whose_account(
    tmp_path: Path, error: Exception, state: JobState, fault: str
) -> None:
    async def fail(driver: Scripted, attempt: Attempt) -> None:
        attempt.report(Reading(phase=Phase.RUNNING, position=50, used=attempt.program.curve.at(50)))
        raise error

    async with cafe(tmp_path, mk4=Bench(run=fail)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        done = await c.until(lambda job: job.state is state)
        assert done.attempts[0].fault == fault
        assert done.reasons
        (entry,) = await c.entries()
        assert entry.data["total_ttc_cents"] == (22 if fault == "member" else 0)
        assert entry.data["measured"], "what was used is on the record, also where nothing is charged"


@pytest.mark.parametrize("found", [float("nan"), float("inf"), -1.0, 499.0])
async def test_a_reading_that_cannot_be_true_ends_the_attempt_and_is_never_billed(tmp_path: Path, found: float) -> None:
    async def lie(driver: Scripted, attempt: Attempt) -> None:
        attempt.report(Reading(phase=Phase.RUNNING, position=50, used={Meter.FILAMENT_MM: 500.0}))
        attempt.report(Reading(phase=Phase.RUNNING, position=51, used={Meter.FILAMENT_MM: found}))

    async with cafe(tmp_path, mk4=Bench(run=lie)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        done = await c.until(lambda job: job.state is JobState.ABORTED)
        assert done.reasons[0].code == "reading-impossible"
        (entry,) = await c.entries()
        measured: dict[str, dict[str, str]] = entry.data["measured"]  # type: ignore[assignment]
        assert measured["filament_mg"]["qty"] == "1491", "what was known before stands"


async def test_retry_is_a_new_attempt_of_the_same_job(tmp_path: Path) -> None:
    async def fail_once(driver: Scripted, attempt: Attempt) -> None:
        if driver.bench.seen.count("run") == 1:
            raise MachineFault("driver-failed", detail="jam")
        await ends_well(driver, attempt)

    async with cafe(tmp_path, mk4=Bench(run=fail_once)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await c.until(lambda job: job.state is JobState.ABORTED)
        await commands.ready(c.house, "mk4", LEA)
        await commands.retry(c.house, "1", LEA)
        done = await c.until(lambda job: job.state is JobState.COMPLETED)
        assert [(a.number, a.outcome) for a in done.attempts] == [(1, "aborted"), (2, "completed")]
        with pytest.raises(Conflict):
            await commands.retry(c.house, "1", LEA)


async def test_finished_is_not_yet_good(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        await commands.ready(c.house, "mk4", LEA, Fault.MACHINE)
        job = await c.job()
        assert (job.state, job.reasons[0].code, job.total_ttc_cents) == (JobState.ABORTED, "job-piece-failed", 0)
        charge, reversal, again = await c.entries()
        assert [e.data["kind"] for e in (charge, reversal, again)] == ["charge", "reversal", "charge"]
        assert reversal.data["reverses"] == charge.event_id
        assert reversal.data["total_ttc_cents"] == -int(str(charge.data["total_ttc_cents"]))
        assert (again.data["fault"], again.data["total_ttc_cents"]) == ("machine", 0)
        with pytest.raises(Conflict):
            await commands.ready(c.house, "mk4", LEA, Fault.MACHINE)
        await commands.retry(c.house, "1", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED)


async def test_a_prompt_is_asked_once_answered_once_and_waited_for(tmp_path: Path) -> None:
    answers = []

    async def ask(driver: Scripted, attempt: Attempt) -> None:
        prompt = Prompt(key="red", message=Message(code="paused"), choices=("loaded", "stitches="))
        attempt.report(Reading(phase=Phase.WAITING))
        answers.append(await attempt.ask(prompt))
        answers.append(await attempt.ask(prompt))
        await ends_well(driver, attempt)

    async with cafe(tmp_path, mk4=Bench(run=ask)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        async with asyncio.timeout(10):
            while not await show.prompts(c.house):
                await asyncio.sleep(0.01)
        assert (await c.machine()).state is MachineState.STOPPED
        with pytest.raises(Refused) as refused:
            await commands.answer(c.house, "mk4", "stitches=many", LEA)
        assert refused.value.message.params["expected"] == "loaded, stitches=NUMBER"
        await commands.answer(c.house, "mk4", "stitches=412", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        assert [(a.choice, a.number, a.by) for a in answers] == [("stitches=", 412, "pi/lea")] * 2


async def test_the_same_key_gives_the_same_job(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        first = await c.send(KEYRING, key="abc")
        assert (await c.send(KEYRING, key="abc")).id == first.id
        with pytest.raises(Conflict):
            await c.send(KEYRING, key="abc", content=b"another file")
        assert len(await show.jobs(c.house, everything=True)) == 1


@pytest.mark.parametrize(
    ("wish", "error", "code"),
    [
        (Wish(title="x", member="nobody"), NotFound, "member-not-found"),
        (Wish(title="x", machine="mk5"), NotFound, "machine-unknown"),
        (Wish(title="x", material="gold"), NotFound, "material-unknown"),
        (Wish(title="x", copies=0), Refused, "copies-out-of-range"),
    ],
)
async def test_a_wish_that_names_what_is_not_there_changes_nothing(
    tmp_path: Path, wish: Wish, error: type[Refused], code: str
) -> None:
    async with cafe(tmp_path) as c:
        with pytest.raises(error) as refused:
            await c.send(wish)
        assert refused.value.message.code == code
        assert await show.jobs(c.house, everything=True) == []


async def test_what_no_machine_can_make_is_refused_before_it_is_a_job(tmp_path: Path) -> None:
    too_tall = Message(code="route-no-machine", params={"format": "gcode", "kind": "printer"})
    async with cafe(tmp_path, mk4=Bench(against=[too_tall])) as c:
        with pytest.raises(JobRejected) as rejected:
            await c.send(Wish(title="tower"))
        assert rejected.value.message == too_tall
        assert await show.jobs(c.house, everything=True) == []


async def test_another_material_waits_until_it_is_loaded(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(Wish(title="x", member="alice", material="petg"))
        await c.until(lambda job: any(say.code == "route-material-needed" for say in job.reasons))
        await commands.load(c.house, "mk4", "petg", LEA)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        (entry,) = await c.entries()
        assert (entry.data["material"], entry.data["material_is_default"]) == ("petg", False)


async def test_a_closed_or_paused_machine_takes_nothing_and_says_so(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await commands.close(c.house, "mk4", "the belt is torn", LEA)
        await c.send(KEYRING)
        await c.until(lambda job: any(say.code == "route-machine-closed" for say in job.reasons))
        machine = await commands.open_(c.house, "mk4", LEA)
        assert machine.reasons == ()
        await c.until(lambda job: job.state is JobState.COMPLETED)


async def test_emergency_stops_cancels_and_closes(tmp_path: Path) -> None:
    gate = Gate()
    async with cafe(tmp_path, mk4=Bench(run=gate)) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await gate.halfway.wait()
        machine = await commands.emergency(c.house, "mk4", LEA)
        assert c.benches["mk4"].seen.count("stop") >= 1
        assert "machine-emergency" in [say.code for say in machine.reasons]
        await c.until(lambda job: job.state is JobState.CANCELED)


async def test_machine_time_is_counted_from_the_phases(tmp_path: Path) -> None:
    async def phases(driver: Scripted, attempt: Attempt) -> None:
        for phase in (Phase.PREPARING, Phase.RUNNING, Phase.WAITING, Phase.FINISHING):
            attempt.report(Reading(phase=phase, position=100, used={Meter.FILAMENT_MM: 1000.0}))
            await asyncio.sleep(0.05)

    async with cafe(tmp_path, mk4=Bench(run=phases)) as c:
        c.house.workers["mk4"]._time_scale = 1000.0
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        (entry,) = await c.entries()
        measured: dict[str, dict[str, str]] = entry.data["measured"]  # type: ignore[assignment]
        assert 150 <= int(measured["machine_s"]["qty"]) < 200, "three phases of four, not the wait"


async def test_a_member_may_not_exceed_what_the_level_allows(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        level = next(level for level in c.house.config.levels if level.id == "autonomous")
        limits = level.limits.model_copy(update={"longest_job_s": 60})
        levels = tuple(
            level.model_copy(update={"limits": limits}) if level.id == "autonomous" else level
            for level in c.house.config.levels
        )
        c.house.config = c.house.config.model_copy(update={"levels": levels})
        await c.member("alice", "autonomous")
        with pytest.raises(NotAllowed):
            await c.send(KEYRING)
