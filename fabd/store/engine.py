"""Opens the store and runs transactions in its own thread."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from fabd.errors import StoreError
from fabd.store import migrate
from fabd.tasks import outlive_cancellation

T = TypeVar("T")
Connection = sa.Connection

BUSY_MS = 5000
"""How long SQLite waits for another connection's lock: readers never block a WAL writer for long."""


class Store:
    """The rows of one café. `path` is a directory: `fabd.sqlite3`, and `files/` with what visitors brought."""

    def __init__(self, path: Path, engine: sa.Engine, lock: int) -> None:
        self.path = path
        self._engine = engine
        self._lock = lock
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="store-read")
        self._version = 0
        self._changed = asyncio.Event()

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open or create the store; brings its schema up to date.

        Raises `StoreError` when the directory cannot be used, a second daemon holds it, the file is damaged, or a
        newer fabd wrote it.
        """
        with ExitStack() as undo:
            lock = _lock(path)
            undo.callback(os.close, lock)
            engine = _engine(path / "fabd.sqlite3")
            undo.callback(engine.dispose)
            try:
                migrate.bring_up_to_date(engine)
                (path / "files").mkdir(exist_ok=True)
            except (OSError, sa.exc.OperationalError) as error:
                detail = error.strerror if isinstance(error, OSError) else error.orig
                raise StoreError("store-not-usable", path=str(path), detail=str(detail)) from error
            except sa.exc.DatabaseError as error:
                raise StoreError("store-damaged", path=str(path), detail=str(error.orig)) from error
            undo.pop_all()
        return cls(path, engine, lock)

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it; whatever it raises rolls it back.

        Once begun it is never cut in half: a cancellation waits until the outcome is known. Raises `StoreError` when
        the disk does not take it.
        """
        done = asyncio.get_running_loop().run_in_executor(self._writer, self._commit, work)
        done.add_done_callback(self._announce)  # also where whoever asked for it has been cancelled meanwhile
        return await outlive_cancellation(done)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a reading connection of its own: it sees one consistent snapshot, and delays no write.

        Raises `StoreError` when the disk does not give it.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._snapshot, work)

    @property
    def version(self) -> int:
        """Grows with each committed transaction."""
        return self._version

    async def changed(self, seen: int) -> int:
        """Wait until `version` differs from `seen`; returns the new one."""
        while self._version == seen:
            await self._changed.wait()
        return self._version

    def close(self) -> None:
        """Finish what is under way, and let go of the file and its lock."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()
        os.close(self._lock)

    def _announce(self, done: "asyncio.Future[Any]") -> None:
        if done.cancelled() or done.exception() is not None:
            return
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _commit(self, work: Callable[[Connection], T]) -> T:
        with self._wrapped(), self._engine.begin() as connection:
            return work(connection)

    def _snapshot(self, work: Callable[[Connection], T]) -> T:
        reading = self._engine.execution_options(fabd_reads=True)
        with self._wrapped(), reading.begin() as connection:
            return work(connection)

    @contextmanager
    def _wrapped(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DatabaseError as error:
            if _is_trouble_of_the_disk(error):
                raise StoreError("store-failed", path=str(self.path), detail=str(error.orig)) from error
            raise


def _is_trouble_of_the_disk(error: sa.exc.DatabaseError) -> bool:
    """Whether the file could not be read or written; else the statement was wrong, which is a mistake of ours.

    SQLite has no narrower class: a full or read-only disk is an `OperationalError`, a malformed file a `DatabaseError`.
    """
    return type(error) in (sa.exc.OperationalError, sa.exc.DatabaseError)


def _lock(path: Path) -> int:
    """Take the lock that keeps a second daemon out; it falls with the process, however that ends."""
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)  # names of people stand in it
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StoreError("store-not-usable", path=str(path), detail=error.strerror) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreError("store-locked", path=str(path)) from error
    return descriptor


def _engine(file: Path) -> sa.Engine:
    engine = sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.QueuePool)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: object, _record: object) -> None:
        # The driver's own BEGIN comes too late for reads; ours is sent in `begin` below.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        reads = connection.get_execution_options().get("fabd_reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine
