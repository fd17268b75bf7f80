"""Wires: the bytes between a driver and its machine, opened from a URL.

=========  ==================================================  =======================================
scheme     example                                             what it is
=========  ==================================================  =======================================
serial     `serial:///dev/serial/by-path/...?baud=115200`      opened and configured by pyserial
tcp        `tcp://192.168.1.20:23`                             a socket: ser2net, ESP3D ...
usblp      `usblp:///dev/usb/lp0`                              a USB printer-class device
sim        `sim://marlin?seed=1&speed=50`                      a simulated machine in this process
=========  ==================================================  =======================================

All but the simulated one are a file descriptor watched by the loop (a third of a reader thread's CPU).
A wire is opened, read, written and closed; it never retries. Every failure of it is `LinkLost`.
"""

import asyncio
import errno
import os
import re
import socket
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, urlsplit

import serial

from fabd.config.model import refused
from fabd.errors import LinkLost

READ_BYTES = 4096
HELD_BYTES = 65_536
CONNECT_S = 10.0
"""How long a network address may take to answer; the operating system itself would wait for two minutes."""

_CONTROL_CHARACTERS = 6  # their place in what `termios.tcgetattr` returns

_HANG_UPS = frozenset({errno.EIO, errno.ENODEV, errno.ENXIO})
"""What a serial device says when its plug was pulled, and a pseudo-terminal when the other side left."""


class Wire(Protocol):
    """A two-way stream of bytes."""

    async def read(self) -> bytes:
        """Some bytes, at least one; raises `LinkLost` at the end of the stream."""
        ...

    async def write(self, data: bytes) -> None:
        """Hand all of `data` to the operating system, in order; raises `LinkLost`."""

    def close(self) -> None:
        """Let go; idempotent. A `read` or `write` that waits raises `LinkLost`."""


class DescriptorWire:
    """A wire over a non-blocking file descriptor.

    The loop watches the descriptor all the time, so that a read costs no system call besides its own; what nobody
    took yet waits here, and above `HELD_BYTES` in the operating system.
    """

    def __init__(self, name: str, descriptor: int, close: Callable[[], None]) -> None:
        self._name = name
        self._descriptor = descriptor
        self._close = close
        self._loop = asyncio.get_running_loop()
        self._held = bytearray()
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._writing = asyncio.Lock()  # what two tasks write is never mixed
        self._end: tuple[str, OSError | None] | None = None
        self._closed = False
        self._watched = False
        self._watch()

    async def read(self) -> bytes:
        while not self._held:
            if self._end is not None:
                raise self._lost()
            self._readable = self._loop.create_future()
            await self._readable
        data = bytes(self._held)
        self._held.clear()
        if not self._watched and self._end is None:
            self._watch()
        return data

    async def write(self, data: bytes) -> None:
        async with self._writing:
            rest = memoryview(data)
            while rest:
                if self._end is not None:
                    raise self._lost()
                try:
                    written = os.write(self._descriptor, rest)
                except BlockingIOError:
                    written = 0
                except OSError as error:
                    self._ended(error)
                    continue
                rest = rest[written:]
                if not written:
                    await self._wait_writable()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._held.clear()
        self._end = ("wire-closed", None)
        self._unwatch()
        self._loop.remove_writer(self._descriptor)
        _wake(self._readable)
        _wake(self._writable)
        self._close()

    def _watch(self) -> None:
        self._loop.add_reader(self._descriptor, self._take)
        self._watched = True

    def _unwatch(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._watched = False

    def _take(self) -> None:
        """The descriptor has something to say: bytes, or that it is over."""
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._ended(error)
        else:
            if data:
                self._held += data
                if len(self._held) >= HELD_BYTES:
                    self._unwatch()
                _wake(self._readable)
            else:
                self._ended(None)

    async def _wait_writable(self) -> None:
        self._writable = waiter = self._loop.create_future()
        self._loop.add_writer(self._descriptor, _wake, waiter)
        try:
            await waiter
        finally:
            if not self._closed:
                self._loop.remove_writer(self._descriptor)

    def _ended(self, error: OSError | None) -> None:
        if self._end is None:
            hung_up = error is None or error.errno in _HANG_UPS
            self._end = ("wire-hung-up" if hung_up else "wire-failed", error)
            self._unwatch()
            _wake(self._readable)

    def _lost(self) -> LinkLost:
        assert self._end is not None
        code, cause = self._end
        detail = {} if code != "wire-failed" or cause is None else {"detail": cause.strerror or str(cause)}
        lost = LinkLost(code, wire=self._name, **detail)
        lost.__cause__ = cause
        return lost


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


async def open_wire(url: str) -> Wire:
    """Open the wire that `url` names; raises `LinkLost` when nothing answers there.

    Raises `ValueError` for a scheme that does not exist; the configuration is checked with `check_url` before.
    """
    parts = urlsplit(url)
    opener = _OPENERS[parts.scheme]
    try:
        return await opener(parts)
    except (OSError, serial.SerialException, termios.error) as error:
        detail = getattr(error, "strerror", None) or str(error) or os.strerror(errno.ETIMEDOUT)  # a timeout has no text
        raise LinkLost("wire-not-opened", wire=url, detail=detail) from error


def check_url(url: str) -> str:
    """`url` itself; raises a `ValueError` that says what was expected. For the drivers' `Config` classes."""
    parts = urlsplit(url)
    if parts.scheme not in _OPENERS:
        raise refused("config-wants-wire", schemes=", ".join(f"{name}://" for name in _OPENERS))
    if parts.scheme in ("serial", "usblp") and (parts.netloc or not parts.path.startswith("/")):
        raise refused("config-wants-device", scheme=parts.scheme)
    if parts.scheme == "serial" and not re.fullmatch(r"(baud=[1-9]\d{0,7})?", parts.query):
        raise refused("config-wants-baud")
    if parts.scheme == "tcp" and not _has_host_and_port(parts):
        raise refused("config-wants-host-port")
    return url


def _has_host_and_port(parts: SplitResult) -> bool:
    try:
        return bool(parts.hostname and parts.port)
    except ValueError:  # a port above 65535
        return False


def baud_of(url: str) -> int | None:
    """The baud rate that a serial URL declares, else `None`."""
    parts = urlsplit(url)
    return _baud(parts) if parts.scheme == "serial" else None


def time_scale(url: str) -> float:
    """How many seconds a machine lives in one of ours: `speed` of a simulated machine's URL, else 1."""
    parts = urlsplit(url)
    return float(parse_qs(parts.query).get("speed", ["1"])[0]) if parts.scheme == "sim" else 1.0


def _baud(parts: SplitResult) -> int:
    return int(parse_qs(parts.query).get("baud", ["115200"])[0])


async def _open_serial(parts: SplitResult) -> Wire:
    # In a thread: a USB adapter in trouble takes seconds to open, and no other machine shall wait for it.
    port = await asyncio.to_thread(_configured_port, parts.path, _baud(parts))
    return DescriptorWire(parts.path, port.fileno(), lambda: _close_port(port))


def _configured_port(path: str, baud: int) -> serial.Serial:
    port = serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
    try:
        os.set_blocking(port.fileno(), False)
        # With pyserial's VMIN of 0, "nothing yet" reads like the end of the stream; with 1 it blocks (termios(3)).
        attributes = termios.tcgetattr(port.fileno())
        attributes[_CONTROL_CHARACTERS][termios.VMIN] = 1
        termios.tcsetattr(port.fileno(), termios.TCSANOW, attributes)
    except BaseException:
        port.close()
        raise
    return port


def _close_port(port: serial.Serial) -> None:
    # What the device did not take would hold up the close, and with it the loop, for up to 30 s (tty(4), closing_wait).
    with suppress(termios.error):
        termios.tcflush(port.fileno(), termios.TCOFLUSH)
    port.close()


async def _open_tcp(parts: SplitResult) -> Wire:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_S):
        infos = await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in infos[:-1]:
            with suppress(OSError):  # a name may have several addresses; the last one's refusal is told
                return await _connected(parts.netloc, socket.socket(family, kind, protocol), address)
        family, kind, protocol, _, address = infos[-1]
        return await _connected(parts.netloc, socket.socket(family, kind, protocol), address)


async def _connected(name: str, connection: socket.socket, address: tuple[Any, ...]) -> Wire:
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A machine that lost its power says nothing: asked after 10 s of silence, it counts as gone after 25.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    except BaseException:
        connection.close()
        raise
    return DescriptorWire(name, connection.fileno(), connection.close)


async def _open_usblp(parts: SplitResult) -> Wire:
    descriptor = os.open(parts.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return DescriptorWire(parts.path, descriptor, lambda: os.close(descriptor))
    except BaseException:  # a regular file cannot be watched by the loop
        os.close(descriptor)
        raise


async def _open_sim(parts: SplitResult) -> Wire:
    from fabd.drivers.registry import plug_into_simulator

    return await plug_into_simulator(parts.geturl())


_OPENERS = {"serial": _open_serial, "tcp": _open_tcp, "usblp": _open_usblp, "sim": _open_sim}
