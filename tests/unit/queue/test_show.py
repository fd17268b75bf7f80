"""What is shown of many jobs is read for all of them at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fabd.model import JobState
from fabd.queue import commands, show
from fabd.queue.house import Wish
from fabd.store import Connection
from fakes.cafe import LEA, Cafe, cafe
from unit.queue.test_life_of_a_job import KEYRING


@contextmanager
def counted(c: Cafe) -> Iterator[list[str]]:
    """The statements about jobs that the store is given; each worker looks for its own attempt meanwhile."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "attempt.machine = ?" not in statement and statement != "BEGIN":
            statements.append(statement)

    sa.event.listen(c.house.store._engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(c.house.store._engine, "before_cursor_execute", note)


def multiply(c: Connection) -> None:
    """A hundred more like the first job and its attempt."""
    for table in ("job", "attempt"):
        names = [row.name for row in c.exec_driver_sql(f"PRAGMA table_info({table})")]
        copied = ", ".join({"id": "n", "job": "n"}.get(name, name) for name in names)
        numbers = "WITH RECURSIVE seq(n) AS (VALUES(2) UNION ALL SELECT n + 1 FROM seq WHERE n < 101)"
        columns = ", ".join(names)
        c.exec_driver_sql(
            f"INSERT INTO {table} ({columns}) {numbers} SELECT {copied} FROM {table}, seq WHERE {table}.id = 1"
        )


async def test_a_hundred_jobs_take_no_more_statements_than_one(tmp_path: Path) -> None:
    async with cafe(tmp_path, clears_itself=True) as c:
        await c.member("alice", "autonomous")
        await c.send(KEYRING)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        await c.stop_dispatching()
        with counted(c) as for_one:
            one = await show.jobs(c.house, everything=True)
        await c.house.store.transaction(multiply)
        with counted(c) as for_all:
            jobs = await show.jobs(c.house, everything=True)
        assert len(for_all) == len(for_one)
        assert len(jobs) == 101
        assert jobs[0] == one[0]
        assert [len(job.attempts) for job in jobs] == [1] * 101
        assert [job.total_ttc_cents for job in jobs] == [one[0].total_ttc_cents, *[None] * 100]


async def test_a_look_of_the_dispatcher_takes_as_many_statements_for_a_hundred_jobs_as_for_one(tmp_path: Path) -> None:
    async with cafe(tmp_path) as c:
        await c.stop_dispatching()
        await c.send(Wish(title="x"))
        dispatcher = c.dispatch()
        await c.until(lambda job: bool(job.reasons))
        await c.stop_dispatching()
        with counted(c) as for_one:
            await dispatcher.dispatch()
        await c.house.store.transaction(multiply)
        with counted(c) as for_all:
            await dispatcher.dispatch()
        assert len(for_all) == len(for_one)
        assert len(c.house.waiting) == 101


async def test_prompts_of_a_machine_that_was_taken_away_ask_nobody(tmp_path: Path) -> None:
    async with cafe(tmp_path, ("mk4", "mini")) as c:
        await c.member("alice", "autonomous")
        await commands.ready(c.house, "mk4", LEA)
        await c.send(KEYRING)
        await c.until(lambda job: job.state is JobState.COMPLETED)
        assert [prompt.machine for prompt in await show.prompts(c.house)] == ["mk4"]
        workers = c.house.workers
        c.house.workers = {"mini": workers["mini"]}
        assert await show.prompts(c.house) == []
        c.house.workers = workers
