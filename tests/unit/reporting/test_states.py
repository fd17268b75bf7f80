"""The state topics, of a real queue over machines that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema

from fabd.drivers import Attempt, Phase, Reading, Temperature
from fabd.model import Fault, JobState
from fabd.queue import commands, show
from fabd.queue.house import Wish
from fabd.queue.standing import write
from fabd.reporting.mqtt import Connection
from fabd.reporting.schemas import schema
from fabd.reporting.states import JobStates, MachineStates
from fakes.broker import Gate, Mosquitto
from fakes.cafe import LEA, Cafe, cafe
from fakes.counter import ROOT, client, connected, next_on, read, until
from fakes.scripted import Bench, Scripted, ends_well

KEYRING = Wish(title="for alice.gcode", member="alice")
SITE = "wazemmes"


@asynccontextmanager
async def telling(c: Cafe, url: str) -> AsyncIterator[Connection]:
    store = c.house.store
    feeds = (MachineStates(store, SITE, partial(show.machines, c.house)).run, JobStates(store, SITE).run)
    async with connected(url, feeds) as connection:
        await until(lambda: connection.connected)
        yield connection


async def retained(broker: Mosquitto, wanted: int) -> dict[str, Any]:
    """What somebody learns of the machines who comes now: the first `wanted` that the broker has kept."""
    found: dict[str, Any] = {}
    async with client(broker.port) as late:
        await late.subscribe(f"{ROOT}/machine/+/state", qos=1)
        while len(found) < wanted:
            message = await next_on(late, f"{ROOT}/machine/+/state")
            found[message.topic.value.split("/")[4]] = read(message)
    return found


async def test_whoever_comes_late_knows_every_machine(broker: Mosquitto, tmp_path: Path) -> None:
    async with cafe(tmp_path, ("mk3", "mk4", "mini")) as c, telling(c, broker.url):
        await commands.ready(c.house, "mk4", LEA)
        async with client(broker.port) as somebody:
            await somebody.subscribe(f"{ROOT}/machine/mk4/state", qos=1)
            while read(await next_on(somebody, "#"))["state"] != "idle":
                pass
        known = await retained(broker, 3)
    assert sorted(known) == ["mini", "mk3", "mk4"]
    assert {name: state["state"] for name, state in known.items()} == {
        "mini": "stopped",
        "mk3": "stopped",
        "mk4": "idle",
    }
    for state in known.values():
        jsonschema.validate(state, schema("machine-state"))
    assert known["mk3"]["material"] == "pla"
    assert [reason["code"] for reason in known["mk3"]["reasons"]] == ["output-area-full"]


async def test_a_broker_that_forgot_everything_is_told_again(broker: Mosquitto, tmp_path: Path) -> None:
    async with cafe(tmp_path, ("mk3", "mk4")) as c, telling(c, broker.url) as connection:
        assert sorted(await retained(broker, 2)) == ["mk3", "mk4"]
        await asyncio.to_thread(broker.kill)
        broker.wipe()
        await asyncio.to_thread(broker.start)
        await until(lambda: connection.connected)
        assert sorted(await retained(broker, 2)) == ["mk3", "mk4"]


async def test_a_machine_that_is_gone_from_the_configuration_is_gone_from_the_broker(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with cafe(tmp_path, ("mk3", "mk4")) as c:
        # A machine of an earlier configuration, which has a row and a retained state.
        await c.house.store.transaction(lambda rows: write(rows, "old", ready=True))
        async with client(broker.port) as somebody:
            await somebody.publish(f"{ROOT}/machine/old/state", "{}", qos=1, retain=True)
            await somebody.subscribe(f"{ROOT}/machine/+/state", qos=1)
            async with telling(c, broker.url):
                await _cleared(somebody, "old")
                await retained(broker, 2)
                del c.house.workers["mk3"]  # as a reload does
                await _cleared(somebody, "mk3")
        assert list(await retained(broker, 1)) == ["mk4"]


async def test_a_job_tells_each_change_of_its_state_and_nothing_of_people(broker: Mosquitto, tmp_path: Path) -> None:
    said = []
    async with cafe(tmp_path, mk4=Bench(run=_slowly)) as c, client(broker.port) as somebody:
        await c.member("alice", "autonomous")
        await somebody.subscribe(f"{ROOT}/#", qos=1)
        async with telling(c, broker.url):
            await retained(broker, 1)
            await c.send(KEYRING)
            said += await _told(somebody, JobState.PENDING)
            await commands.ready(c.house, "mk4", LEA)
            said += await _told(somebody, JobState.PROCESSING)
            said += await _told(somebody, JobState.COMPLETED)
            await commands.ready(c.house, "mk4", LEA, Fault.MACHINE)
            said += await _told(somebody, JobState.ABORTED)
    jobs = [read(message) for message in said if "/job/1/" in message.topic.value]
    for job in jobs:
        jsonschema.validate(job, schema("job-state"))
    assert [job["state"] for job in jobs] == ["pending", "processing", "completed", "aborted"]
    assert [job["ticket"] for job in jobs] == [None, "A1", "A1", "A1"]
    assert not any(message.retain for message in said if "/job/" in message.topic.value)
    everything = b"".join(bytes(message.payload) for message in said)
    assert b"alice" not in everything


async def test_progress_is_told_now_and_then_and_a_change_of_state_at_once(broker: Mosquitto, tmp_path: Path) -> None:
    async with cafe(tmp_path, mk4=Bench(run=_slowly)) as c, client(broker.port) as somebody:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await somebody.subscribe(f"{ROOT}/machine/mk4/state", qos=1)
        async with telling(c, broker.url):
            await c.send(KEYRING)
            seen: list[dict[str, Any]] = []
            while not seen or seen[-1]["state"] != "stopped":
                seen.append(read(await next_on(somebody, "#")))
    running = [state for state in seen if state["phase"] == "running"]
    # 60 readings in 1.2 seconds.
    assert 1 <= len(running) <= 4
    progress = [state["progress"] for state in running if state["progress"] is not None]
    assert progress == sorted(progress)
    assert running[0]["temperatures"] == [{"name": "tool0", "current_c": 200.0, "target_c": 215.0}]
    assert (running[0]["job"], running[0]["ticket"]) == ("1", "A1")


async def test_what_a_job_lived_through_during_an_outage_is_told_as_it_is_afterwards(
    broker: Mosquitto, tmp_path: Path
) -> None:
    gate = Gate(broker.port)
    async with cafe(tmp_path) as c, client(broker.port) as somebody, gate.open():
        await c.member("alice", "autonomous")
        await somebody.subscribe(f"{ROOT}/job/+/state", qos=1)
        async with telling(c, broker.url_through(gate.port)):
            await c.send(KEYRING)
            await _told(somebody, JobState.PENDING)
            gate.shut = True
            await gate.cut()
            await commands.ready(c.house, "mk4", LEA)
            await c.until(lambda job: job.state is JobState.COMPLETED)
            gate.shut = False
            (said,) = await _told(somebody, JobState.COMPLETED)
    assert read(said)["machine"] == "mk4"


async def _slowly(driver: Scripted, attempt: Attempt) -> None:
    for position in range(60):
        heat = (Temperature(name="tool0", current_c=200.0, target_c=215.0),)
        attempt.report(Reading(phase=Phase.RUNNING, position=position, temperatures=heat))
        await asyncio.sleep(0.02)
    await ends_well(driver, attempt)


async def _told(somebody: Any, state: JobState) -> list[Any]:
    """All messages until the job is said to be in `state`."""
    said: list[Any] = []
    while not said or "/job/" not in said[-1].topic.value or read(said[-1])["state"] != state:
        said.append(await next_on(somebody, "#"))
    return said


async def _cleared(somebody: Any, machine: str) -> None:
    while True:
        message = await next_on(somebody, f"{ROOT}/machine/{machine}/state")
        if message.payload == b"":
            return
