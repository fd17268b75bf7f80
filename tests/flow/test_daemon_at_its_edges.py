"""The real daemon at its start, at its end, and where the ground gives way."""

import asyncio
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fakes.daemon import FABD, PRINTER, Daemon, daemon
from fakes.firmware import Firmware, on_pty
from fakes.shell import environment

SAMPLES = Path(__file__).parents[1] / "samples"


@asynccontextmanager
async def printing(directory: Path) -> AsyncIterator[tuple[Daemon, Firmware]]:
    """A daemon whose printer is hot, and in the middle of a vase."""
    firmware, half = Firmware(), asyncio.Event()

    def notice(line: str) -> str | None:
        if len(firmware.taken) <= 200 or " G1 " not in line:
            return None
        half.set()
        firmware.last += 1
        return ""  # a move that takes very long: it is heard, and its `ok` does not come

    firmware.on = notice
    async with on_pty(firmware) as there, daemon(directory, machines=PRINTER.format(url=there.url)) as cafe:
        await cafe.json("machine", "ready", "prusa-1")
        await cafe.json("submit", str(SAMPLES / "vase_prusaslicer.gcode"), "--yes")
        async with asyncio.timeout(30):
            await half.wait()
        assert firmware.targets["T"] > 0
        yield cafe, firmware


async def test_a_second_sigterm_does_not_cut_short_what_makes_the_machine_safe(tmp_path: Path) -> None:
    async with printing(tmp_path / "cafe") as (cafe, firmware):
        assert cafe.process is not None
        while cafe.process.returncode is None:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                cafe.process.send_signal(number)
            await asyncio.sleep(0.01)
        assert cafe.process.returncode == 0
        assert firmware.targets == {"T": 0.0, "B": 0.0}
        await cafe.start()
        job = await cafe.json("job", "show", "1")
        assert (job["state"], job["reasons"][0]["code"]) == ("pending-held", "host-stopped")


async def test_a_disk_that_fails_makes_the_machine_safe_and_ends_the_daemon_in_words(tmp_path: Path) -> None:
    async with printing(tmp_path / "cafe") as (cafe, firmware):
        assert cafe.process is not None
        # As a full disk: no file may grow beyond this. The log is shorter; the store's journal is longer already.
        resource.prlimit(cafe.process.pid, resource.RLIMIT_FSIZE, (64_000, resource.RLIM_INFINITY))
        assert (await cafe.fabd("machine", "close", "prusa-1", "--why", "belt"))[0] == 5
        await cafe.fabd("job", "cancel", "1")
        async with asyncio.timeout(40):
            assert await cafe.process.wait() == 1
        assert firmware.targets == {"T": 0.0, "B": 0.0}
        assert "the daemon ends with it" in cafe.log
        assert "cannot be read or written" in cafe.log
        await cafe.start()
        job = await cafe.json("job", "show", "1")
        assert (job["state"], job["reasons"][0]["code"]) == ("pending-held", "host-restarted")
        assert (await cafe.json("usage", "verify"))["ok"]


async def test_a_sigterm_during_the_start_ends_in_order(tmp_path: Path) -> None:
    cafe = Daemon(_made(tmp_path / "cafe"), machines=PRINTER.format(url="sim://marlin?seed=1"))
    for wait_s in (0.2, 0.4, 0.6, 0.8, 1.0):
        process = await asyncio.create_subprocess_exec(
            FABD, "serve", "--config", str(cafe.directory), env=environment(), stderr=asyncio.subprocess.PIPE
        )
        await asyncio.sleep(wait_s)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        _, said = await process.communicate()
        # Before Python runs our first line a signal is the kernel's; after it, the end is in order.
        assert process.returncode in (0, -signal.SIGHUP, -signal.SIGTERM)
        assert process.returncode == 0 or b"open" not in said


async def test_a_second_daemon_on_the_same_store_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    machines = PRINTER.format(url="sim://marlin?seed=1")
    async with daemon(tmp_path / "cafe", machines=machines) as cafe:
        second = await asyncio.create_subprocess_exec(
            FABD, "serve", "--config", str(cafe.directory), env=environment(), stderr=asyncio.subprocess.PIPE
        )
        _, said = await second.communicate()
        assert second.returncode == 5
        assert b"Another fabd holds the store" in said
        assert len(await cafe.json("machine", "list")) == 1


async def test_a_daemon_whose_socket_cannot_be_used_starts_nothing(tmp_path: Path) -> None:
    firmware = Firmware()
    async with on_pty(firmware) as there, daemon(tmp_path / "cafe", machines=PRINTER.format(url=there.url)) as cafe:
        await cafe.json("submit", str(SAMPLES / "coin_slic3r.gcode"), "--yes")
        await cafe.json("machine", "close", "prusa-1", "--why", "not yet")
        await cafe.json("machine", "ready", "prusa-1")
        await cafe.stop()
        _sql(cafe, "UPDATE machine SET closed = NULL")
        (cafe.directory / "fabd.sock").mkdir()
        firmware.taken.clear()
        assert await _serve(cafe) == 2
        assert not [line for line in firmware.taken if line.startswith(("G", "M109", "M190"))]
        (cafe.directory / "fabd.sock").rmdir()
        await cafe.start()
        await cafe.job("1", "completed")


async def test_reloads_that_come_at_once_are_taken_one_after_the_other(tmp_path: Path) -> None:
    one = PRINTER.format(url="sim://marlin?seed=1")
    two = one + PRINTER.format(url="sim://marlin?seed=2").replace("prusa-1", "prusa-2")
    async with daemon(tmp_path / "cafe", machines=one) as cafe:
        for machines in (two, one, two, two.replace("seed=2", "seed=3"), one, two):
            cafe.configure(machines)
            cafe.hang_up()
            codes = [code for code, _, _ in await asyncio.gather(*(cafe.fabd("reload") for _ in range(3)))]
            assert codes == [0, 0, 0]
        assert [machine["id"] for machine in await cafe.json("machine", "list")] == ["prusa-1", "prusa-2"]


async def test_a_reload_leaves_a_busy_machine_alone_and_may_take_away_one_with_waiting_jobs(tmp_path: Path) -> None:
    async with printing(tmp_path / "cafe") as (cafe, firmware):
        assert cafe.process is not None
        running = (cafe.directory / "machines.toml").read_text()
        other = PRINTER.format(url="sim://marlin?seed=2").replace("prusa-1", "prusa-2")
        cafe.configure(running + other)
        await cafe.json("reload")
        await cafe.json("submit", str(SAMPLES / "coin_slic3r.gcode"), "--machine", "prusa-2", "--yes")
        cafe.configure(running.replace("boot_s = 0.1", "boot_s = 0.2") + other)
        code, _, said = await cafe.fabd("reload")
        assert (code, "prusa-1" in said) == (2, True)
        cafe.configure(running)
        await cafe.json("reload")
        waiting = await cafe.json("job", "show", "2")
        assert waiting["state"] == "pending"
        assert (await cafe.fabd("machine", "ready", "prusa-2"))[0] == 3
        assert (await cafe.json("job", "show", "1"))["state"] == "processing"
        assert firmware.targets["T"] > 0
        await cafe.json("job", "cancel", "2")


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


async def _serve(cafe: Daemon) -> int:
    process = await asyncio.create_subprocess_exec(
        FABD, "serve", "--config", str(cafe.directory), env=environment(), stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


def _sql(cafe: Daemon, statement: str) -> None:
    import sqlite3

    connection = sqlite3.connect(cafe.directory / "store" / "fabd.sqlite3")
    connection.execute(statement)
    connection.commit()
    connection.close()
