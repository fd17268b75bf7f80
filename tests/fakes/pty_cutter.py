"""A little cutter behind a pseudo-terminal, written apart from the simulator: bytes in real time, as over a USB cable."""

import asyncio
import os
import re
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

COMMAND_S = 0.002


class PtyCutter:
    """Takes one command at a time from a buffer of `size` bytes. `lines` is what the knife cut, as (from, to)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lines: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self.lost_bytes = 0
        self.down = False
        self.at = (0, 0)
        self.initialised = 0
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.url = f"serial://{os.ttyname(self._slave)}?baud=9600"
        self._held = b""
        self._error = 0
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._master, self._take)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)

    def _take(self) -> None:
        for piece in re.split(rb"(\x1b\..)", os.read(self._master, 4096), flags=re.DOTALL):
            if piece.startswith(b"\x1b."):
                self._answer(piece[2:])
            else:
                room = self.size - len(self._held)
                self._held += piece[:room]
                if len(piece) > room:
                    self.lost_bytes += len(piece) - room
                    self._error = 16
        self._more.set()

    def _answer(self, letter: bytes) -> None:
        if letter == b"B":
            self._say(f"{self.size - len(self._held)}")
        elif letter == b"O":
            self._say("0" if self._held else "8")
        elif letter == b"E":
            self._say(str(self._error))
            self._error = 0
        elif letter == b"K":
            self._held = b""

    def _say(self, text: str) -> None:
        os.write(self._master, text.encode() + b"\r")

    async def work(self) -> None:
        """Cut, until cancelled."""
        while True:
            command, semicolon, rest = self._held.partition(b";")
            if not semicolon:
                self._more.clear()
                await self._more.wait()
                continue
            self._held = rest
            self._obey(command.strip().decode())
            await asyncio.sleep(COMMAND_S)

    def _obey(self, command: str) -> None:
        name, point = command[:2], [int(number) for number in re.findall(r"-?\d+", command[2:])]
        if name == "OA":
            self._say(f"{self.at[0]},{self.at[1]},{int(self.down)}")
        elif name == "OE":
            self._say("0")
        elif name == "IN":
            self.initialised += 1
        elif name in ("PU", "PD"):
            self.down = name == "PD"
            if point:
                to = (point[0], point[1])
                if self.down:
                    self.lines.append((self.at, to))
                self.at = to


@asynccontextmanager
async def pty_cutter(size: int = 300) -> AsyncIterator[PtyCutter]:
    """A cutter that works while the context lasts."""
    cutter = PtyCutter(size)
    work = asyncio.create_task(cutter.work())
    try:
        yield cutter
    finally:
        work.cancel()
        await asyncio.wait([work])
        cutter.close()
