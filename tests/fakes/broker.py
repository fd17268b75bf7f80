"""A real Mosquitto on a free port of the loopback, with passwords and an access list; and a gate that damages links."""

import asyncio
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from components import require

PASSWORD = "s3cret/é:@"  # what a URL must escape
ACCESS = """
user fabd
topic readwrite fab/#
topic write till/#
user till
topic read fab/#
topic write fab/+/+/usage/ack/+
topic write fab/+/+/usage/replay
topic readwrite till/#
user anybody
topic readwrite #
"""


class Mosquitto:
    """One broker with its state on disk; `kill` is a power cut, `wipe` loses what it remembered."""

    def __init__(self, directory: Path) -> None:
        self.program = require("mosquitto")
        self.directory = directory
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._access = directory / "access"
        passwords = directory / "passwords"
        passwords.touch(mode=0o600)
        for user in ("fabd", "till", "anybody"):
            subprocess.run([require("mosquitto_passwd"), "-b", passwords, user, PASSWORD], check=True)
        self._access.write_text(ACCESS)
        self._access.chmod(0o600)
        (directory / "state").mkdir()
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwords}",
            f"acl_file {self._access}",
            "persistence true",
            f"persistence_location {directory / 'state'}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            *(["user root"] if os.geteuid() == 0 else []),
        ]
        (directory / "mosquitto.conf").write_text("\n".join(lines))

    @property
    def url(self) -> str:
        """As fabd is told of it."""
        return self.url_through(self.port)

    def url_through(self, port: int, scheme: str = "mqtt") -> str:
        """The same, through a gate."""
        return f"{scheme}://fabd:{quote(PASSWORD, safe='')}@127.0.0.1:{port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self.program, "-c", str(self.directory / "mosquitto.conf")]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not answers(self.port):
            assert self.process.poll() is None, "Mosquitto did not start"
            assert time.monotonic() < deadline, "Mosquitto does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        """The power fails."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def wipe(self) -> None:
        """Lose everything that it remembered. It must be stopped."""
        shutil.rmtree(self.directory / "state")
        (self.directory / "state").mkdir()

    def allow(self, access: str) -> None:
        """Another access list."""
        assert self.process is not None
        self._access.write_text(access)
        self.process.send_signal(signal.SIGHUP)

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None


@contextmanager
def mosquitto(directory: Path) -> Iterator[Mosquitto]:
    """A broker that runs, and is stopped afterwards."""
    directory.mkdir()
    broker = Mosquitto(directory)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Gate:
    """Stands between a client and a broker, and passes bytes on, as long as it is told to."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self.refuses_mqtt5 = False
        self.mute = False
        """The broker hears, but what it says does not arrive."""
        self.forbids_subscribing = False
        self.shut = False
        """Whoever comes is sent away."""
        self.protocols: list[int] = []
        """The protocol level of each CONNECT: 4 for MQTT 3.1.1, 5 for MQTT 5."""
        self._links: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Gate"]:
        """Stand there; with `tls`, who comes must speak it."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self.cut()
            await server.wait_closed()

    async def cut(self) -> None:
        """Drop all that pass now; others may come."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.create_task(self._serve(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.shut:
            writer.close()
            return
        with suppress(OSError):
            first = await reader.read(4096)
            level = first[first.index(b"MQTT") + 4]  # right after the protocol's name: MQTT 5.0, section 3.1.2.2
            self.protocols.append(level)
            if self.refuses_mqtt5 and level == 5:
                writer.write(b"\x20\x02\x00\x01")  # CONNACK of MQTT 3.1.1, 3.2.2.3: unacceptable protocol version
                writer.close()
                return
            back, onward = await asyncio.open_connection("127.0.0.1", self._to)
            onward.write(first)
            both = [
                asyncio.create_task(self._pass(reader, onward, answers=False)),
                asyncio.create_task(self._pass(back, writer, answers=True)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                await asyncio.gather(*both, return_exceptions=True)
                onward.close()
                writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(4096):
            if answers and self.mute:
                continue
            if answers and self.forbids_subscribing and data[0] == 0x90:  # SUBACK; its last byte is the reason code
                data = data[:-1] + b"\x87"  # not authorized: MQTT 5.0, section 3.9.3
            writer.write(data)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
