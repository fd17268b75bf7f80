"""What visitors brought, by content: `files/ab/abcdef...`, written once, flushed, never changed."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from fabd.errors import StoreError

CHUNK_BYTES = 1 << 20


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def place(store: Path, sha256: str) -> Path:
    """Where the content with this hash lies, or would lie."""
    return store / "files" / sha256[:2] / sha256


def keep(store: Path, source: Path) -> str:
    """Copy `source` into the store under its hash, and flush it; returns the hash.

    What lies there already is read again, and replaced where the disk has changed it. Raises `StoreError` when the
    disk does not take it; half a file never lies under a hash, also when two visitors bring the same one at once.
    """
    with _wrapped():
        sha256 = sha256_of(source)
        if not is_whole(store, sha256):
            with source.open("rb") as opened:
                _write(store, sha256, opened)
    return sha256


def keep_bytes(store: Path, data: bytes) -> str:
    """The same for bytes in memory."""
    sha256 = hashlib.sha256(data).hexdigest()
    with _wrapped():
        if not is_whole(store, sha256):
            _write(store, sha256, BytesIO(data))
    return sha256


def is_whole(store: Path, sha256: str) -> bool:
    """Whether the file with this hash lies in the store, and can be read as it was brought."""
    try:
        return sha256_of(place(store, sha256)) == sha256
    except OSError:
        return False


def verified(store: Path, sha256: str) -> Path:
    """The file with this hash, read again and found unchanged; raises `StoreError` when it is not."""
    file = place(store, sha256)
    try:
        found = sha256_of(file)
    except OSError as error:
        raise StoreError("file-not-readable", sha256=sha256, detail=error.strerror) from error
    if found != sha256:
        raise StoreError("file-damaged", sha256=sha256, found=found)
    return file


def _write(store: Path, sha256: str, source: BinaryIO) -> None:
    target = place(store, sha256)
    incoming = store / "incoming"  # what a power cut leaves there is swept at the next start
    for directory in (incoming, target.parent):
        directory.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=incoming, delete=False) as out:
        written = Path(out.name)
        try:
            shutil.copyfileobj(source, out, CHUNK_BYTES)
            out.flush()
            os.fsync(out.fileno())
            written.rename(target)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
    _flush_directory(target.parent)
    _flush_directory(target.parent.parent)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _wrapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError("file-not-stored", detail=error.strerror) from error
