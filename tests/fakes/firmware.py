"""A little firmware with Marlin's manners, written apart from the simulator, on a real pseudo-terminal or socket.

It takes each line at once. What it does wrong, a test says with `on`: a function that may answer in its stead.
"""

import asyncio
import os
import socket
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

FRESH = ["G21", "G90", "M82", "M200 D0", "M220 S100", "M221 S100", "G92 E0"]
"""With these a host undoes what an earlier program left; a program that begins is told of by them."""
CAPABILITIES = "Cap:AUTOREPORT_TEMP:1\nCap:EMERGENCY_PARSER:1\n"


class Firmware:
    """`taken` is what it carried out, in order, without what hosts ask of themselves; `e_mm` is its odometer."""

    def __init__(self, *, capabilities: str = CAPABILITIES, answers_m105: bool = True) -> None:
        self.taken: list[str] = []
        self.heard: list[str] = []
        self.programs = 0
        self.targets = {"T": 0.0, "B": 0.0}
        self.last = 0
        self.on: Callable[[str], str | None] = lambda line: None
        """Given each line as it arrives; what it returns is said, and the line is not taken."""
        self._capabilities = capabilities
        self._answers_m105 = answers_m105
        self._half = ""

    def hear(self, data: str) -> str:
        *lines, self._half = (self._half + data).split("\n")
        return "".join(self._line(line) for line in lines if line.strip())

    def _line(self, line: str) -> str:
        self.heard.append(line)
        instead = self.on(line)
        if instead is not None:
            return instead
        command = line
        if line.startswith("N"):
            text, _, claimed = line.rpartition("*")
            checksum = 0
            for byte in text.encode("latin-1"):
                checksum ^= byte
            number, _, command = text.partition(" ")
            if not text or str(checksum) != claimed.strip():
                return self.again("checksum mismatch, Last Line: ")
            if command.startswith("M110"):
                self.last = int(command.partition("N")[2] or number[1:])
                return "ok\n"
            if int(number[1:]) != self.last + 1:
                return self.again("Line Number is not Last Line Number+1, Last Line: ")
            self.last += 1
        return self._take(command)

    def again(self, why: str) -> str:
        return f"Error:{why}{self.last}\nResend: {self.last + 1}\nok\n"

    @property
    def temperatures(self) -> str:
        return (
            f"T:{self.targets['T']:.1f} /{self.targets['T']:.1f} B:{self.targets['B']:.1f} /{self.targets['B']:.1f} @:0"
        )

    def _take(self, command: str) -> str:
        code, _, rest = command.partition(" ")
        if code == "M115":
            return f"FIRMWARE_NAME:Little 1.0 PROTOCOL_VERSION:1.0 MACHINE_TYPE:Test\n{self._capabilities}ok\n"
        if code == "M105":
            return f"ok {self.temperatures}\n" if self._answers_m105 else "ok\n"
        if code in ("M104", "M109"):
            self.targets["T"] = float(rest.rpartition("S")[2])
        elif code in ("M140", "M190"):
            self.targets["B"] = float(rest.rpartition("S")[2])
        if code not in ("M108", "M155", "M400", "M410"):
            self.taken.append(command)
            if self.taken[-len(FRESH) :] == FRESH:
                del self.taken[-len(FRESH) :]
                self.programs += 1
        elif code == "M155":
            return f"ok\n {self.temperatures}\n"
        return "ok\n"


class Plug:
    """One open descriptor on which a firmware listens."""

    def __init__(self, firmware: Firmware, descriptor: int, *, greets: bytes = b"") -> None:
        self._firmware = firmware
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._ready)
        if greets:
            self.say(greets)

    def say(self, data: bytes) -> None:
        os.write(self._descriptor, data)

    def _ready(self) -> None:
        try:
            data = os.read(self._descriptor, 4096)
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._descriptor)
            return
        answer = self._firmware.hear(data.decode("latin-1"))
        if answer:
            self.say(answer.encode("latin-1"))

    def pull(self) -> None:
        """Unplug it."""
        self._loop.remove_reader(self._descriptor)


class OnPty:
    """A firmware behind a pseudo-terminal; `url` opens it."""

    def __init__(self, firmware: Firmware, *, greets: bytes = b"") -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.url = f"serial://{os.ttyname(self._slave)}?baud=115200"
        self.plug = Plug(firmware, self._master, greets=greets)
        self._pulled = False

    def pull(self) -> None:
        if not self._pulled:
            self._pulled = True
            self.plug.pull()
            os.close(self._master)
            os.close(self._slave)


class OnTcp:
    """A firmware behind a socket, as ser2net or ESP3D offers it; `url` opens it."""

    def __init__(self, firmware: Firmware) -> None:
        self._firmware = firmware
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._connection: socket.socket | None = None
        self._plug: Plug | None = None
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        self._hang_up()
        self._connection, _ = self._listener.accept()
        self._plug = Plug(self._firmware, self._connection.fileno())

    def _hang_up(self) -> None:
        if self._connection is not None and self._plug is not None:
            self._plug.pull()
            self._connection.close()
            self._connection = None

    def pull(self) -> None:
        if self._listener.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        self._hang_up()


@asynccontextmanager
async def on_pty(firmware: Firmware, *, greets: bytes = b"") -> AsyncIterator[OnPty]:
    there = OnPty(firmware, greets=greets)
    try:
        yield there
    finally:
        there.pull()


@asynccontextmanager
async def on_tcp(firmware: Firmware) -> AsyncIterator[OnTcp]:
    there = OnTcp(firmware)
    try:
        yield there
    finally:
        there.pull()
