"""The demo as somebody runs it: it proves itself, it tells how to reach it, and it leaves nothing behind."""

import asyncio
import re
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from fakes.daemon import FABD
from fakes.shell import environment


@asynccontextmanager
async def demo(directory: Path, *options: str) -> AsyncIterator[Process]:
    """`fabd demo`, with its temporary files in `directory`."""
    process = await asyncio.create_subprocess_exec(
        FABD, "demo", *options, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environment(TMPDIR=str(directory))
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def heard(process: Process, pattern: str) -> str:
    """What it says, up to the line in which `pattern` is found."""
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(110):
        while line := (await process.stdout.readline()).decode():
            said += line
            if re.search(pattern, line):
                return said
    pytest.fail(f"it ended without a word of {pattern}: {said}")


def works_in(directory: Path) -> str:
    """The processes whose command line names `directory`."""
    return subprocess.run(["pgrep", "-f", str(directory)], capture_output=True, text=True, check=False).stdout


async def test_the_demo_that_is_kept_is_where_it_says(tmp_path: Path) -> None:
    async with demo(tmp_path, "--keep") as process:
        said = await heard(process, "Its log is")
        assert "Till, ledger and machines agree." in said
        (address,) = re.findall(r"^\$ curl (\S+)$", said, re.MULTILINE)
        async with httpx.AsyncClient(trust_env=False) as client:
            metrics = await client.get(address)
        assert (metrics.status_code, "fabd_machine_time_seconds" in metrics.text) == (200, True)
        (socket,) = re.findall(r"^\$ export FABD_SOCKET=(\S+)$", said, re.MULTILINE)
        assert Path(socket).is_socket()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        assert (list(tmp_path.iterdir()), works_in(tmp_path)) == ([], "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_demo_that_is_broken_off_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    async with demo(tmp_path) as process:
        await heard(process, "fabd submit")
        process.send_signal(number)
        assert await process.wait() == 130
        assert (list(tmp_path.iterdir()), works_in(tmp_path)) == ([], "")
