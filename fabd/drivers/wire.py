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
import socket
from collections.abc import Callable
from typing import Protocol
from urllib.parse import SplitResult, parse_qs, urlsplit

import serial

from fabd.errors import LinkLost

READ_BYTES = 4096


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
    """A wire over a non-blocking file descriptor."""

    def __init__(self, name: str, descriptor: int, close: Callable[[], None]) -> None:
        self._name = name
        self._descriptor = descriptor
        self._close = close
        self._loop = asyncio.get_running_loop()
        self._closed: LinkLost | None = None
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        while True:
            self._check()
            try:
                data = os.read(self._descriptor, READ_BYTES)
            except BlockingIOError:
                await self._wait_readable()
                continue
            except OSError as error:
                raise self._lost(error) from error
            if data:
                return data
            raise self._lost(None)

    async def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._check()
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                await self._wait_writable()
            except OSError as error:
                raise self._lost(error) from error

    def close(self) -> None:
        if self._closed is not None:
            return
        self._closed = LinkLost("wire-closed", wire=self._name)
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        for waiter in (self._readable, self._writable):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        self._close()

    async def _wait_readable(self) -> None:
        self._readable = self._loop.create_future()
        self._loop.add_reader(self._descriptor, _wake, self._readable)
        try:
            await self._readable
        finally:
            if self._closed is None:
                self._loop.remove_reader(self._descriptor)

    async def _wait_writable(self) -> None:
        self._writable = self._loop.create_future()
        self._loop.add_writer(self._descriptor, _wake, self._writable)
        try:
            await self._writable
        finally:
            if self._closed is None:
                self._loop.remove_writer(self._descriptor)

    def _check(self) -> None:
        if self._closed is not None:
            raise self._closed

    def _lost(self, error: OSError | None) -> LinkLost:
        # EIO is what a serial device says when its plug was pulled, and a pty when the other side left.
        if error is None or error.errno == errno.EIO:
            return LinkLost("wire-hung-up", wire=self._name)
        return LinkLost("wire-failed", wire=self._name, detail=error.strerror or str(error))


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def open_wire(url: str) -> Wire:
    """Open the wire that `url` names; raises `LinkLost` when nothing answers there.

    Raises `ValueError` for a scheme that does not exist; the configuration is checked with `check_url` before.
    """
    parts = urlsplit(url)
    opener = _OPENERS[parts.scheme]
    try:
        return await opener(parts)
    except (OSError, serial.SerialException) as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise LinkLost("wire-not-opened", wire=url, detail=detail) from error


def check_url(url: str) -> str:
    """`url` itself; raises `ValueError` with what was expected. For the drivers' `Config` classes."""
    parts = urlsplit(url)
    if parts.scheme not in _OPENERS:
        raise ValueError(f"expected one of {', '.join(f'{name}://' for name in _OPENERS)}")
    if parts.scheme in ("serial", "usblp") and not parts.path.startswith("/"):
        raise ValueError(f"expected a device's path: {parts.scheme}:///dev/...")
    if parts.scheme == "tcp" and (parts.hostname is None or parts.port is None):
        raise ValueError("expected tcp://host:port")
    if parts.scheme == "sim" and not parts.netloc:
        raise ValueError("expected the name of a simulated machine: sim://marlin?seed=1")
    return url


def baud_of(url: str) -> int | None:
    """The baud rate that a serial URL declares, else `None`."""
    parts = urlsplit(url)
    return _baud(parts) if parts.scheme == "serial" else None


def _baud(parts: SplitResult) -> int:
    return int(parse_qs(parts.query).get("baud", ["115200"])[0])


async def _open_serial(parts: SplitResult) -> Wire:
    port = serial.Serial(parts.path, _baud(parts), timeout=0, write_timeout=0, exclusive=True)
    os.set_blocking(port.fileno(), False)
    return DescriptorWire(parts.path, port.fileno(), port.close)


async def _open_tcp(parts: SplitResult) -> Wire:
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = infos[0]
    connection = socket.socket(family, kind, protocol)
    connection.setblocking(False)
    try:
        await loop.sock_connect(connection, address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return DescriptorWire(parts.netloc, connection.fileno(), connection.close)


async def _open_usblp(parts: SplitResult) -> Wire:
    descriptor = os.open(parts.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    return DescriptorWire(parts.path, descriptor, lambda: os.close(descriptor))


async def _open_sim(parts: SplitResult) -> Wire:
    from fabd.drivers.registry import plug_into_simulator

    return await plug_into_simulator(parts.geturl())


_OPENERS = {"serial": _open_serial, "tcp": _open_tcp, "usblp": _open_usblp, "sim": _open_sim}
