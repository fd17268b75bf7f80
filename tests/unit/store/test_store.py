"""The store on a real SQLite file: transactions, readers, the lock, migrations."""

import asyncio
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from fabd.clock import now
from fabd.errors import StoreError
from fabd.store import Connection, Store, migrate
from fabd.store.schema import attempt, attempt_is_open, member, metadata, prompt


def add(name: str) -> Callable[[Connection], object]:
    values = {"id": name, "pseudonym": f"m_{name}", "facilitator": False, "created_at": now()}
    return lambda c: c.execute(member.insert().values(**values))


def names(c: Connection) -> list[str]:
    return list(c.execute(sa.select(member.c.id).order_by(member.c.id)).scalars())


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    opened = Store.open(tmp_path)
    yield opened
    opened.close()


async def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    def half(c: Connection) -> None:
        add("alice")(c)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        await store.transaction(half)
    assert await store.read(names) == []


async def test_a_cancelled_transaction_knows_its_outcome_first(store: Store) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(c: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        add("alice")(c)

    task = asyncio.create_task(store.transaction(slow))
    await begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.read(names) == ["alice"]


async def test_a_reader_sees_one_snapshot_and_delays_no_writer(store: Store) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def long_read(c: Connection) -> tuple[list[str], list[str]]:
        first = names(c)
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        return first, names(c)

    reading = asyncio.create_task(store.read(long_read))
    await begun.wait()
    await store.transaction(add("alice"))
    go_on.set()
    assert await reading == ([], [])
    assert await store.read(names) == ["alice"]


async def test_whoever_waits_for_a_change_is_woken_by_a_commit_and_not_by_a_failure(store: Store) -> None:
    seen = store.version
    waiting = asyncio.create_task(store.changed(seen))
    with pytest.raises(sa.exc.IntegrityError):
        await store.transaction(lambda c: c.execute(member.insert().values(id=None)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await store.transaction(add("alice"))
    assert await waiting == seen + 1


async def test_a_commit_whose_asker_was_cancelled_wakes_whoever_waits(store: Store) -> None:
    seen = store.version
    waiting = asyncio.create_task(store.changed(seen))
    asking = asyncio.create_task(store.transaction(add("alice")))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await store.read(names) == ["alice"]
    async with asyncio.timeout(10):
        assert await waiting == seen + 1


async def test_a_disk_that_does_not_take_it_is_said_in_words(store: Store, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # as a full disk: SQLite can write no further
    try:
        with pytest.raises(StoreError) as failed:
            await store.transaction(add("alice"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert failed.value.message.code == "store-failed"
    assert failed.value.message.params["path"] == str(tmp_path)
    assert await store.read(names) == []
    await store.transaction(add("bob"))
    assert await store.read(names) == ["bob"], "and it goes on once there is room again"


async def test_a_statement_that_is_wrong_is_no_trouble_of_the_disk(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        await store.transaction(lambda c: c.execute(member.insert().values(id=None)))


async def test_a_store_that_cannot_be_used_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "fabd.sqlite3").mkdir()
    with pytest.raises(StoreError) as failed:
        Store.open(tmp_path)
    assert failed.value.message.code == "store-not-usable"
    (tmp_path / "fabd.sqlite3").rmdir()
    (tmp_path / "files").write_text("no directory")
    with pytest.raises(StoreError) as failed:
        Store.open(tmp_path)
    assert failed.value.message.code == "store-not-usable"


async def test_a_second_daemon_on_the_same_store_is_refused_in_words(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Another fabd holds the store"):
        Store.open(tmp_path)


def test_the_lock_falls_with_the_process_however_that_ends(tmp_path: Path) -> None:
    code = f"""
import asyncio, os
from pathlib import Path
from fabd.store import Store
async def main():
    Store.open(Path({str(tmp_path)!r}))
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9

    async def again() -> None:
        Store.open(tmp_path).close()

    asyncio.run(again())


async def test_wal_and_full_synchronous_are_on(store: Store) -> None:
    def pragmas(c: Connection) -> tuple[object, ...]:
        return tuple(
            c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")
        )

    assert await store.transaction(pragmas) == ("wal", 2, 1)


async def test_a_naive_datetime_is_refused(store: Store) -> None:
    values = {"id": "a", "pseudonym": "m_a", "facilitator": False, "created_at": now().replace(tzinfo=None)}
    with pytest.raises(sa.exc.StatementError, match="naive datetime"):
        await store.transaction(lambda c: c.execute(member.insert().values(**values)))


async def test_a_damaged_file_is_said_so_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "fabd.sqlite3").write_bytes(b"this is no database, but it is long enough" * 100)
    before = (tmp_path / "fabd.sqlite3").read_bytes()
    with pytest.raises(StoreError, match="Restore the newest backup"):
        Store.open(tmp_path)
    assert (tmp_path / "fabd.sqlite3").read_bytes() == before


async def test_a_store_of_a_newer_fabd_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "fabd.sqlite3")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="A newer fabd wrote this store"):
        Store.open(tmp_path)


def config_on(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def test_the_migrations_make_exactly_the_schema_and_go_back_to_nothing() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        config = config_on(connection)
        assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD
        command.upgrade(config, "head")
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        command.downgrade(config, "base")
        assert set(sa.inspect(connection).get_table_names()) == {"alembic_version"}
    engine.dispose()


async def test_opening_an_up_to_date_store_loads_no_alembic(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    code = f"""
import asyncio, sys
from pathlib import Path
from fabd.store import Store
async def main():
    Store.open(Path({str(tmp_path)!r})).close()
asyncio.run(main())
assert "alembic" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (sa.select(attempt).where(attempt.c.machine == "mk4", attempt_is_open), "uq_attempt_open"),
        (sa.select(attempt).where(attempt_is_open), "uq_attempt_open"),
        (sa.select(prompt).where(prompt.c.machine == "mk4", prompt.c.answered_at.is_(None)), "ix_prompt_open"),
    ],
)
async def test_what_is_open_is_found_without_reading_what_is_over(
    store: Store, query: sa.Select[tuple[object]], index: str
) -> None:
    def plan(c: Connection) -> str:
        compiled = query.compile(c, compile_kwargs={"render_postcompile": True})
        values = tuple(compiled.params[name] for name in compiled.positiontup or ())
        return " ".join(row.detail for row in c.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values))

    assert index in await store.read(plan)
