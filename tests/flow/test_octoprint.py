"""The real daemon before a real OctoPrint: whoever is killed or meddles, the job is charged once, and nothing is begun twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.daemon import Daemon, daemon
from fakes.real_octoprint import ANNA_KEY, KEY, RealOctoprint, extruded_mm, piece, real_octoprint

MACHINE = """
[[machine]]
id = "octo-1"
name = "Ender"
kind = "printer"
driver = "octoprint"
[machine.settings]
url = "{url}"
api_key = "{key}"
"""
PIECE_MM = 100.0
PLA_MG_PER_MM = 1.24 * 3.141592653589793 * (1.75 / 2) ** 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealOctoprint]:
    with real_octoprint(tmp_path_factory.mktemp("octoprint")) as there:
        yield there


@pytest.fixture
def octoprint(server: RealOctoprint) -> RealOctoprint:
    """The one of this module, at rest."""
    server.rest()
    return server


@asynccontextmanager
async def house(directory: Path, octoprint: RealOctoprint) -> AsyncIterator[Daemon]:
    """A daemon, alice who may print, and a machine that is ready."""
    async with daemon(directory / "cafe", machines=MACHINE.format(url=octoprint.url, key=KEY)) as cafe:
        await cafe.json("member", "add", "alice")
        await cafe.json("member", "grant", "alice", "printer", "autonomous")
        await cafe.json("machine", "ready", "octo-1")
        yield cafe


async def submit(cafe: Daemon) -> None:
    file = cafe.directory / "steps.gcode"
    file.write_bytes(piece(200))
    await cafe.json("submit", str(file), "--for", "alice", "--yes")


async def at_work(octoprint: RealOctoprint) -> None:
    """Wait until it extrudes."""
    began = len(octoprint.sent())
    await true(lambda: extruded_mm(octoprint.sent()[began:]) > 15)


async def true(that: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not await asyncio.to_thread(that):
            await asyncio.sleep(0.1)


async def machine(cafe: Daemon, is_so: Callable[[Any], bool]) -> Any:
    """The machine, once it is so."""
    async with asyncio.timeout(40):
        while not is_so(found := (await cafe.json("machine", "list"))[0]):
            await asyncio.sleep(0.1)
    return found


def reasons(of: Any) -> list[str]:
    return [reason["code"] for reason in of["reasons"]]


def filament_mg(entry: Any) -> int:
    return int(entry["data"]["measured"]["filament_mg"]["qty"])


async def whole_piece_charged_once(cafe: Daemon) -> None:
    (entry,) = await cafe.json("usage", "list")
    assert filament_mg(entry) == pytest.approx(PIECE_MM * PLA_MG_PER_MM, rel=0.001)
    assert entry["data"]["outcome"] == "completed"
    assert (await cafe.json("usage", "verify"))["ok"]


async def test_a_job_is_printed_and_charged(tmp_path: Path, octoprint: RealOctoprint) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        assert (await cafe.job("1", "completed", "aborted"))["state"] == "completed"
        await whole_piece_charged_once(cafe)
        found = await machine(cafe, lambda machine: True)
        assert {temperature["name"] for temperature in found["temperatures"]} >= {"bed", "tool0"}


async def test_a_daemon_that_is_killed_in_mid_print_finds_its_job_and_charges_it_once(
    tmp_path: Path, octoprint: RealOctoprint
) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        await at_work(octoprint)
        await cafe.kill()
        assert octoprint.state() == "Printing"
        await cafe.start()
        await machine(cafe, lambda machine: machine["phase"] == "running" and machine["progress"] > 0.2)
        assert (await cafe.job("1", "completed", "aborted"))["state"] == "completed"
        await whole_piece_charged_once(cafe)


async def test_a_print_that_ended_while_the_daemon_was_away_is_charged_whole(
    tmp_path: Path, octoprint: RealOctoprint
) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        await at_work(octoprint)
        await cafe.kill()
        await true(lambda: octoprint.state() == "Operational")
        began = len(octoprint.sent())
        await cafe.start()
        assert (await cafe.job("1", "completed", "aborted"))["state"] == "completed"
        await whole_piece_charged_once(cafe)
        assert extruded_mm(octoprint.sent()[began:]) == 0, "it is not printed again"


async def test_a_daemon_that_is_stopped_leaves_the_print_to_octoprint(tmp_path: Path, octoprint: RealOctoprint) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        await at_work(octoprint)
        assert await cafe.stop() == 0
        assert octoprint.state() == "Printing"
        await cafe.start()
        assert (await cafe.job("1", "completed", "aborted"))["state"] == "completed"
        await whole_piece_charged_once(cafe)


async def test_an_octoprint_that_is_killed_in_mid_print_leaves_a_job_for_a_person_and_a_cold_printer(
    tmp_path: Path, octoprint: RealOctoprint
) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        await at_work(octoprint)
        octoprint.kill()
        await machine(cafe, lambda machine: not machine["connected"])
        await asyncio.to_thread(octoprint.start)
        octoprint.ask("/api/printer/bed", {"command": "target", "target": 60})
        job = await cafe.job("1", "pending-held")
        assert reasons(job) == ["octoprint-job-lost"]
        (attempt,) = job["attempts"]
        assert attempt["outcome"] == "aborted"
        await true(lambda: not any(octoprint.targets().values()))
        (entry,) = await cafe.json("usage", "list")
        assert (entry["data"]["outcome"], entry["data"]["total_ttc_cents"]) == ("aborted", 0)
        assert octoprint.state() == "Operational"


async def test_a_print_of_somebody_else_is_shown_and_waited_for(tmp_path: Path, octoprint: RealOctoprint) -> None:
    async with house(tmp_path, octoprint) as cafe:
        octoprint.upload("vase.gcode", piece(200))
        await machine(cafe, lambda machine: "foreign-job" in reasons(machine))
        await submit(cafe)
        job = await cafe.json("job", "show", "1")
        assert (job["state"], reasons(job)) == ("pending", ["route-machine-foreign"])
        assert octoprint.ask("/api/job")["job"]["file"]["path"] == "vase.gcode"
        octoprint.ask("/api/job", {"command": "cancel"}, key=ANNA_KEY)
        assert (await cafe.job("1", "completed", "aborted"))["state"] == "completed"
        assert len(await cafe.json("usage", "list")) == 1


async def test_a_cancel_in_octoprints_page_ends_the_job_and_says_who(tmp_path: Path, octoprint: RealOctoprint) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        await at_work(octoprint)
        octoprint.ask("/api/job", {"command": "cancel"}, key=ANNA_KEY)
        job = await cafe.job("1", "aborted")
        assert reasons(job) == ["octoprint-canceled"]
        assert "anna" in job["reasons"][0]["text"]
        (entry,) = await cafe.json("usage", "list")
        assert entry["data"]["total_ttc_cents"] == 0
        assert 0 < filament_mg(entry) < PIECE_MM * PLA_MG_PER_MM


async def test_a_pause_in_octoprints_page_is_shown_and_costs_no_time(tmp_path: Path, octoprint: RealOctoprint) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        await at_work(octoprint)
        octoprint.ask("/api/job", {"command": "pause", "action": "pause"}, key=ANNA_KEY)
        await machine(cafe, lambda machine: "octoprint-paused-there" in reasons(machine))
        await asyncio.sleep(5)
        octoprint.ask("/api/job", {"command": "pause", "action": "resume"}, key=ANNA_KEY)
        assert (await cafe.job("1", "completed", "aborted"))["state"] == "completed"
        (entry,) = await cafe.json("usage", "list")
        print_s = octoprint.ask("/api/files/local/" + octoprint.ask("/api/job")["job"]["file"]["path"])["prints"]
        assert int(entry["data"]["measured"]["machine_s"]["qty"]) == pytest.approx(print_s["last"]["printTime"], abs=1)


async def test_a_pause_and_a_cancel_by_fabd(tmp_path: Path, octoprint: RealOctoprint) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        await at_work(octoprint)
        await cafe.json("machine", "pause", "octo-1")
        await cafe.job("1", "processing-stopped")
        await true(lambda: octoprint.state() == "Paused")
        await cafe.json("job", "cancel", "1")
        await cafe.job("1", "canceled")
        assert octoprint.state() == "Operational"
        assert not any(octoprint.targets().values())


async def test_the_printers_plug_is_pulled(tmp_path: Path, octoprint: RealOctoprint) -> None:
    async with house(tmp_path, octoprint) as cafe:
        await submit(cafe)
        await at_work(octoprint)
        octoprint.debug("drop_connection")
        job = await cafe.job("1", "aborted", "pending-held")
        assert reasons(job) == ["octoprint-failed"]
        await machine(cafe, lambda machine: machine["connected"])  # fabd had OctoPrint connect, for its heaters
        assert not any(octoprint.targets().values())
