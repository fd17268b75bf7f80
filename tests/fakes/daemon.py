"""The real daemon in a process of its own, and the real command line in front of it."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fakes.shell import environment

FABD = Path(sys.executable).with_name("fabd")

FABD_TOML = """
[site]
id = "wazemmes"
name = "POP Café Wazemmes"
timezone = "Europe/Paris"
locale = "fr"
[store]
path = "{directory}/store"
[api]
socket = "{directory}/fabd.sock"
"""
PRINTER = """
[[machine]]
id = "prusa-1"
name = "Prusa du fond"
kind = "printer"
driver = "marlin"
[machine.settings]
url = "{url}"
boot_s = 0.1
"""


class Daemon:
    """`fabd serve` on a directory of its own. `kill` is a power cut for it, not for its machines."""

    def __init__(self, directory: Path, *, machines: str, more: str = "") -> None:
        self.directory = directory
        self.process: Process | None = None
        self.configure(machines, more)

    def configure(self, machines: str, more: str = "") -> None:
        (self.directory / "fabd.toml").write_text(FABD_TOML.format(directory=self.directory) + more)
        (self.directory / "machines.toml").write_text(machines)

    async def start(self, **variables: str) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                FABD,
                "serve",
                "--config",
                str(self.directory),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(**variables),
            )
        async with asyncio.timeout(30):
            while (await self.fabd("machine", "list"))[0] != 0:
                assert self.process.returncode is None, self.log

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    def hang_up(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    async def fabd(self, *words: str, data: bytes = b"") -> tuple[int, str, str]:
        """Type a command; returns exit code, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            FABD,
            *words,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment(FABD_SOCKET=str(self.directory / "fabd.sock")),
        )
        out, err = await process.communicate(data)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def json(self, *words: str, data: bytes = b"") -> Any:
        """The same with `--json`; fails the test where the command does."""
        code, out, err = await self.fabd(*words, "--json", data=data)
        assert code == 0, err
        return json.loads(out)

    async def job(self, number: str, *states: str) -> Any:
        """The job, once it is in one of these states."""
        async with asyncio.timeout(60):
            while (job := await self.json("job", "show", number))["state"] not in states:
                await asyncio.sleep(0.1)
        return job


@asynccontextmanager
async def daemon(directory: Path, *, machines: str, more: str = "") -> AsyncIterator[Daemon]:
    """A daemon that runs, and is ended afterwards."""
    directory.mkdir(exist_ok=True)
    served = Daemon(directory, machines=machines, more=more)
    await served.start()
    try:
        yield served
    finally:
        await served.stop()
        # Its sockets and pipes are closed by the loop's next round.
        await asyncio.sleep(0)
