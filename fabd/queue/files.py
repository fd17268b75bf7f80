"""What visitors brought, by content: `files/ab/abcdef...`, written once, flushed, never changed."""

import hashlib
import os
import shutil
from pathlib import Path

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

    Raises `StoreError` when the disk does not take it; half a file never lies under a hash.
    """
    sha256 = sha256_of(source)
    _write(store, sha256, source)
    return sha256


def keep_bytes(store: Path, data: bytes) -> str:
    """The same for bytes in memory."""
    sha256 = hashlib.sha256(data).hexdigest()
    _write(store, sha256, data)
    return sha256


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


def _write(store: Path, sha256: str, source: Path | bytes) -> None:
    target = place(store, sha256)
    if target.exists():
        return
    partial = target.with_suffix(".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as out:
            if isinstance(source, bytes):
                out.write(source)
            else:
                with source.open("rb") as opened:
                    shutil.copyfileobj(opened, out, CHUNK_BYTES)
            out.flush()
            os.fsync(out.fileno())
        partial.rename(target)
        _flush_directory(target.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StoreError("file-not-stored", detail=error.strerror) from error


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
