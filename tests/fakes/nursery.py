"""Daemons by the dozen: a process that has loaded fabd once, and bears real daemons that can be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from fabd.client import Client
from fakes.shell import environment

NURSE = """
import os, sys
from pathlib import Path
from fabd import daemon
import fabd.api.app, fabd.drivers.embroidery, fabd.drivers.marlin, fabd.simulators.embroidery, fabd.simulators.marlin
for line in sys.stdin:
    directory = Path(line.rstrip())
    child = os.fork()
    if child == 0:
        log = os.open(directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        try:
            os._exit(daemon.serve(directory))
        except BaseException as error:
            print(f"NEVER BEGAN: {error!r}", file=sys.stderr, flush=True)
            os._exit(99)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """Bears one daemon at a time, on `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._nurse = subprocess.Popen(
            [sys.executable, "-c", NURSE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=environment(),
        )
        self._daemon: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._daemon is not None:
            self.end(signal.SIGKILL)
        with self._nurse as nurse:
            assert nurse.stdin is not None
            nurse.stdin.close()

    def begin(self) -> None:
        """A new daemon; it may not have opened yet."""
        assert self._nurse.stdin is not None
        assert self._nurse.stdout is not None
        self._nurse.stdin.write(f"{self.directory}\n")
        self._daemon = int(self._nurse.stdout.readline())

    def end(self, number: signal.Signals) -> int:
        """Send it this signal; returns its exit code."""
        assert self._daemon is not None
        assert self._nurse.stdout is not None
        os.kill(self._daemon, number)
        self._daemon = None
        return int(self._nurse.stdout.readline())

    def open(self) -> Client:
        """The counter of the daemon, once it is open."""
        counter = self.directory / "fabd.sock"
        for _ in range(1000):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(counter)) == 0:
                    return Client(counter)
            time.sleep(0.02)
        raise AssertionError((self.directory / "log").read_text()[-4000:])
