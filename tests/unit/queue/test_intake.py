"""Taking files in: a few parsers at a time, one job for one key, whatever comes at once."""

import asyncio
import os
from pathlib import Path

import pytest

from fabd.errors import Conflict, NotFound
from fabd.queue import files, intake, show
from fabd.queue.house import MOST_PARSERS, Wish
from fakes.cafe import LEA, Cafe, cafe

SAMPLE = Path(__file__).parents[2] / "samples" / "coin_slic3r.gcode"
COIN = Wish(title="coin.gcode")


def brought(c: Cafe, number: int) -> Path:
    """A visitor's file, unlike those of the others."""
    file = c.directory / f"brought-{number}.gcode"
    file.write_bytes(SAMPLE.read_bytes() + b"; visitor %d\n" % number)
    return file


def parsers() -> int:
    """How many children of ours read a file now."""
    found = 0
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((directory / "stat").read_text().rsplit(")", 1)[1].split()[1])
            found += parent == os.getpid() and b"fabd.formats.jail" in (directory / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


async def test_no_more_than_a_few_files_are_read_at_once(tmp_path: Path) -> None:
    most = 0
    async with cafe(tmp_path) as c:
        submits = [asyncio.create_task(intake.submit(c.house, brought(c, n), COIN, LEA, None)) for n in range(6)]
        while not all(submit.done() for submit in submits):
            most = max(most, parsers())
            await asyncio.sleep(0.005)
        assert len({submit.result().id for submit in submits}) == 6
    assert most == MOST_PARSERS


async def test_the_same_file_sent_many_times_at_once_makes_whole_jobs_of_one_file(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        jobs = await asyncio.gather(*(intake.submit(c.house, SAMPLE, COIN, LEA, None) for _ in range(4)))
        assert sorted(job.id for job in jobs) == ["1", "2", "3", "4"]
        (sha256,) = {job.sha256 for job in jobs}
        files.verified(c.house.store.path, sha256)


async def test_the_same_key_at_once_makes_one_job(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        jobs = await asyncio.gather(*(intake.submit(c.house, SAMPLE, COIN, LEA, "key-1") for _ in range(4)))
        assert {job.id for job in jobs} == {"1"}
        assert len(await show.jobs(c.house, everything=True)) == 1


@pytest.mark.parametrize(
    "other",
    [
        Wish(title="x", machine="mk4"),
        Wish(title="x", member="alice"),
        Wish(title="x", payer="alice"),
        Wish(title="x", material="petg"),
        Wish(title="x", copies=2),
        Wish(title="y"),
    ],
)
async def test_a_key_that_is_used_for_another_wish_is_refused(tmp_path: Path, other: Wish) -> None:
    async with cafe(tmp_path) as c:
        await c.member("alice", "autonomous")
        await c.send(Wish(title="x"), key="key-1")
        with pytest.raises(Conflict) as refused:
            await c.send(other, key="key-1")
        assert refused.value.message.code == "idempotency-key-reused"


async def test_a_file_that_the_disk_has_lost_is_kept_again_when_it_is_sent_again(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        job = await intake.submit(c.house, SAMPLE, COIN, LEA, None)
        files.place(c.house.store.path, job.sha256).unlink()
        again = await intake.submit(c.house, SAMPLE, COIN, LEA, None)
        files.verified(c.house.store.path, again.sha256)


async def test_a_file_that_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        with pytest.raises(NotFound):
            await intake.submit(c.house, SAMPLE, Wish(title="coin.gcode", member="nobody"), LEA, None)
        assert list((c.house.store.path / "files").iterdir()) == []
