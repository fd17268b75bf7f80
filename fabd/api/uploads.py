"""Takes a file from a request's body into `incoming/` of the store, in bounded memory, and away again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request

from fabd import clock
from fabd.api.problems import TooLarge
from fabd.errors import JobRejected, StoreError

LARGEST_BYTES = 256_000_000
WRITE_BYTES = 1 << 20
"""Written in pieces of this size, each in a thread: a slow card must not hold up the machines."""


def sweep(store: Path) -> None:
    """Remove what a killed daemon left in `incoming/`: whoever sent it never had an answer, and will send it again."""
    for leftover in (store / "incoming").glob("*"):
        leftover.unlink()


@contextlib.asynccontextmanager
async def received(request: Request, store: Path) -> AsyncIterator[Path]:
    """The body of `request` as a file that is gone afterwards.

    Raises `TooLarge`, `JobRejected` when the body is empty, `StoreError` when the disk does not take it.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > LARGEST_BYTES:
        raise _too_large()
    file = store / "incoming" / clock.token()
    try:
        if await _keep(request, file) == 0:
            raise JobRejected("api-upload-empty")
        yield file
    finally:
        with contextlib.suppress(OSError):  # swept at the next start
            file.unlink()


async def _keep(request: Request, file: Path) -> int:
    try:
        file.parent.mkdir(exist_ok=True)
        with file.open("xb") as out:
            return await _take(request, out)
    except OSError as error:
        raise StoreError("api-upload-not-stored", detail=error.strerror or str(error)) from error


async def _take(request: Request, out: BinaryIO) -> int:
    size_bytes = 0
    buffer = bytearray()
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes > LARGEST_BYTES:
            raise _too_large()
        buffer += chunk
        if len(buffer) >= WRITE_BYTES:
            await asyncio.to_thread(out.write, bytes(buffer))
            buffer.clear()
    await asyncio.to_thread(out.write, bytes(buffer))
    return size_bytes


def _too_large() -> TooLarge:
    return TooLarge("api-upload-too-large", limit_mb=LARGEST_BYTES // 1_000_000)
