"""Sticks: where a machine that takes no wire looks for its files.

==========  ======================================  ==================================================
scheme      example                                 what it is
==========  ======================================  ==================================================
folder      `folder:///media/stick`                 a directory: a USB stick, a gadget's disk, a share
sim         `sim://embroidery?seed=1&speed=50`      the stick of a simulated machine in this process
==========  ======================================  ==================================================

A stick is slow, may be pulled at any time, and belongs to somebody: only files that were delivered are withdrawn.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit

from fabd.config.model import refused
from fabd.drivers.registry import simulated_machine
from fabd.errors import LinkLost, MachineFault
from fabd.tasks import outlive_cancellation, own

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EIO})


class Medium(Protocol):
    """Files in one flat place. Every method may block, and raises `OSError`."""

    def look(self) -> None:
        """Nothing, if the medium is there."""

    def write(self, name: str, data: bytes) -> None:
        """All of the file, or nothing of it; one that is there already with the same bytes is left alone."""

    def remove(self, name: str) -> None:
        """The file is not there any more, or never was."""


class Folder:
    """A directory. With `must_be_mounted`, an empty mount point counts as no stick."""

    def __init__(self, path: Path, *, must_be_mounted: bool) -> None:
        self._path = path
        self._must_be_mounted = must_be_mounted

    def look(self) -> None:
        missing = errno.ENOTDIR if not self._path.is_dir() else 0
        if not missing and self._must_be_mounted and not self._path.is_mount():
            missing = errno.ENODEV
        if missing:
            raise OSError(missing, os.strerror(missing))

    def write(self, name: str, data: bytes) -> None:
        self.look()
        file, draft = self._path / name, self._path / f"{Path(name).stem}.TMP"
        with suppress(FileNotFoundError):
            if file.read_bytes() == data:
                return
        try:
            self._write_through(draft, data)
            draft.replace(file)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        self._sync_directory()

    def remove(self, name: str) -> None:
        self.look()
        (self._path / name).unlink(missing_ok=True)
        self._sync_directory()

    def _write_through(self, file: Path, data: bytes) -> None:
        """Write to the medium itself: what only stands in memory is lost with the pulled stick."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(file, flags, 0o644), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())

    def _sync_directory(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Stick:
    """A medium as a driver sees it: it never blocks the loop, and its troubles are said in words.

    What was begun on it ends before a cancellation goes through: no half file, and no file that comes late.
    """

    def __init__(self, url: str, medium: Medium, *, in_thread: bool) -> None:
        self._url = url
        self._medium = medium
        self._in_thread = in_thread

    async def look(self) -> None:
        """Raises `LinkLost` when the stick is not there."""
        try:
            await self._do(self._medium.look)
        except OSError as error:
            raise LinkLost("embroidery-stick-missing", stick=self._url) from error

    async def deliver(self, name: str, data: bytes) -> None:
        """Put the file on the stick; raises `MachineFault` when a person has to see to the stick."""
        try:
            await self._do(lambda: self._medium.write(name, data))
        except OSError as error:
            raise self._fault(error, name) from error

    async def withdraw(self, name: str) -> None:
        """Take the file off the stick; raises `MachineFault` like `deliver`."""
        try:
            await self._do(lambda: self._medium.remove(name))
        except OSError as error:
            raise self._fault(error, name) from error

    async def _do(self, work: Callable[[], None]) -> None:
        if self._in_thread:
            await outlive_cancellation(own(asyncio.to_thread(work), f"stick {self._url}"))
        else:
            work()

    def _fault(self, error: OSError, name: str) -> MachineFault:
        if error.errno in _FULL:
            return MachineFault("embroidery-stick-full", stick=self._url, name=name)
        if error.errno in _READ_ONLY:
            return MachineFault("embroidery-stick-read-only", stick=self._url, name=name)
        if error.errno in _GONE:
            return MachineFault("embroidery-stick-missing", stick=self._url)
        detail = error.strerror or str(error)
        return MachineFault("embroidery-stick-failed", stick=self._url, name=name, detail=detail)


def open_stick(url: str, *, must_be_mounted: bool) -> Stick:
    """The stick that `url` names, whether it is there or not."""
    parts = urlsplit(url)
    if parts.scheme == "sim":
        simulated = cast("_HasStick", simulated_machine(url))
        return Stick(url, simulated.stick, in_thread=False)
    return Stick(url, Folder(Path(unquote(parts.path)), must_be_mounted=must_be_mounted), in_thread=True)


def check_stick_url(url: str) -> str:
    """`url` itself; raises a `ValueError` that says what was expected. For the drivers' `Config` classes."""
    parts = urlsplit(url)
    is_folder = parts.scheme == "folder" and not parts.netloc and parts.path.startswith("/") and not parts.query
    if not is_folder and not (parts.scheme == "sim" and parts.netloc):
        raise refused("embroidery-wants-stick")
    return url


class _HasStick(Protocol):
    """A simulated machine that takes sticks."""

    stick: Medium
