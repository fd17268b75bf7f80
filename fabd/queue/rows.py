"""Reading and writing the rows of jobs and attempts, where several files of this room need the same."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from fabd.clock import now
from fabd.errors import NotFound
from fabd.model import JobState, Message, Program
from fabd.queue.says import to_json
from fabd.store import Connection
from fabd.store.schema import attempt, attempt_is_open, job, program

_PROGRAM: TypeAdapter[Program] = TypeAdapter(Program)
MOST_VALUES = 500
_TICKET_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No I and no O: they are read as 1 and 0 on a piece of tape."""


def job_number(text: str) -> int:
    """The number of the job that somebody typed; raises `NotFound`."""
    if not text.isdecimal() or len(text) > 18:
        raise NotFound("job-unknown", job=text)
    return int(text)


def job_row(c: Connection, job_id: int) -> Any:
    """The row of a job, with the size of its file; raises `NotFound`."""
    query = sa.select(job, program.c.size_bytes).join(program, program.c.sha256 == job.c.sha256)
    row = c.execute(query.where(job.c.id == job_id)).first()
    if row is None:
        raise NotFound("job-unknown", job=job_id)
    return row


def jobs_in(c: Connection, *states: JobState) -> list[Any]:
    """The rows of all jobs in these states, oldest first, with the size of their files, and without their terms."""
    columns = [column for column in job.c if column is not job.c.terms]
    query = sa.select(*columns, program.c.size_bytes).join(program, program.c.sha256 == job.c.sha256)
    names = [state.value for state in states]
    return list(c.execute(query.where(job.c.state.in_(names)).order_by(job.c.id)))


def waiting_jobs(c: Connection) -> list[Any]:
    """What the router asks of each pending job, oldest first: it is looked at often, so no JSON is read."""
    names = ("id", "sha256", "kind", "format", "material_wanted", "machine_wanted", "priority")
    query = sa.select(*(job.c[name] for name in names)).where(job.c.state == JobState.PENDING)
    return list(c.execute(query.order_by(job.c.id)))


def member_of(c: Connection, job_id: int) -> str | None:
    """Whose job it is; `None` for a walk-in."""
    found: str | None = c.execute(sa.select(job.c.member).where(job.c.id == job_id)).scalar_one()
    return found


def set_reasons(c: Connection, job_id: int, *reasons: Message) -> None:
    """Say something else of a job that stays in its state."""
    c.execute(job.update().where(job.c.id == job_id).values(reasons=to_json(reasons), changed_at=now()))


def attempts_of(c: Connection, job_ids: Sequence[int]) -> dict[int, list[Any]]:
    """The attempts of each job, in order."""
    found: dict[int, list[Any]] = {job_id: [] for job_id in job_ids}
    for some in batched(job_ids):
        query = sa.select(attempt).where(attempt.c.job.in_(some)).order_by(attempt.c.job, attempt.c.number)
        for row in c.execute(query):
            found[row.job].append(row)
    return found


def batched(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """`numbers` in portions that a statement takes: databases limit how many values stand in one."""
    for first in range(0, len(numbers), MOST_VALUES):
        yield numbers[first : first + MOST_VALUES]


def open_attempts(c: Connection) -> list[Any]:
    """All attempts that are under way."""
    return list(c.execute(sa.select(attempt).where(attempt_is_open)))


def open_attempt_of(c: Connection, job_id: int) -> Any:
    """The attempt under way of a job that is under way: there is exactly one."""
    return c.execute(sa.select(attempt).where(attempt.c.job == job_id, attempt_is_open)).one()


def job_of_attempt(c: Connection, attempt_id: int) -> int:
    """The job that an attempt belongs to."""
    number: int = c.execute(sa.select(attempt.c.job).where(attempt.c.id == attempt_id)).scalar_one()
    return number


def wish_of(c: Connection, attempt_id: int) -> tuple[str | None, str | None]:
    """What somebody wants of an attempt, and who."""
    row = c.execute(sa.select(attempt.c.wish, attempt.c.wished_by).where(attempt.c.id == attempt_id)).one()
    return row.wish, row.wished_by


def wish(c: Connection, attempt_id: int, what: str | None, by: str) -> None:
    """Want something of an attempt; the machine's worker follows. A wish to cancel is never taken back."""
    c.execute(
        attempt.update()
        .where(attempt.c.id == attempt_id, sa.or_(attempt.c.wish.is_(None), attempt.c.wish != "cancel"))
        .values(wish=what, wished_by=by)
    )


def ticket(attempt_id: int) -> str:
    """The short number spoken at the counter: a letter and up to two digits, unique among 2376 attempts."""
    letter, number = divmod(attempt_id - 1, 99)
    return f"{_TICKET_LETTERS[letter % len(_TICKET_LETTERS)]}{number + 1}"


def keep_program(c: Connection, found: Program) -> None:
    """Write what the analysis of a file found; the same file is analysed once."""
    if program_of(c, found.sha256) is None:
        c.execute(
            program.insert().values(
                sha256=found.sha256,
                format=found.format,
                runs_sha256=found.runs_sha256,
                size_bytes=found.size_bytes,
                program=_PROGRAM.dump_python(found, mode="json"),
                analysed_at=now(),
            )
        )


def program_of(c: Connection, sha256: str) -> Program | None:
    """What is known of a file, by the hash of its content."""
    stored = c.execute(sa.select(program.c.program).where(program.c.sha256 == sha256)).scalar()
    return None if stored is None else _PROGRAM.validate_python(stored)


def program_of_job(c: Connection, job_id: int) -> Program:
    """The program that a job makes."""
    found = program_of(c, job_row(c, job_id).sha256)
    assert found is not None, "a job is written in the same transaction as its program"
    return found
