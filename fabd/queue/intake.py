"""Takes a visitor's file: keeps it, has it read in the sandbox, quotes it, writes the job."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import sqlalchemy as sa
import structlog

from fabd.clock import now
from fabd.config import Configuration
from fabd.errors import Conflict, NotAllowed, Refused
from fabd.formats import sandbox
from fabd.metering import tariff
from fabd.model import JobState, Message, Program
from fabd.queue import files, quoting, rows, show
from fabd.queue.house import Caller, House, Wish
from fabd.queue.quoting import material_called
from fabd.queue.says import to_json
from fabd.queue.terms import Terms
from fabd.queue.worker import Worker
from fabd.store import Connection
from fabd.store.schema import job, reservation
from fabd.views import JobView, QuoteView

RESERVED = timedelta(days=14)
"""How long a waiting job sets its quantities aside."""
MOST_COPIES = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """A file that was read: its program, and the bytes that the machine is given instead of it, if rewritten."""

    program: Program
    rewritten: bytes | None


async def quote(house: House, file: Path, wish: Wish, caller: Caller) -> QuoteView:
    """What it would cost, and whether it may run; nothing is written, and nothing of the file is kept."""
    _check_wish(wish)
    read = await _read(house, file, wish.title)
    workers = tuple(house.workers.values())
    view, terms = await house.store.read(
        partial(quoting.quote, config=house.config, workers=workers, program=read.program, wish=wish)
    )
    return _asked_by(caller, view, terms)


async def submit(house: House, file: Path, wish: Wish, caller: Caller, key: str | None) -> JobView:
    """Accept a job, or refuse it with the reason; the same `key` gives the same job, however often it is sent.

    Raises `JobRejected` for a file that cannot be made, `NotFound`, `NotAllowed`, or `Conflict` when `key` was used
    for something else.
    """
    _check_wish(wish)
    read = await _read(house, file, wish.title)
    config, workers = house.config, tuple(house.workers.values())

    def consider(c: Connection) -> int | tuple[QuoteView, Terms]:
        known = _known(c, config, key, read.program, wish)
        return known or _acceptable(c, config, workers, read.program, wish, caller)

    def write(c: Connection) -> int:
        found = consider(c)
        return found if isinstance(found, int) else _write_job(c, config, read.program, wish, caller, key, *found)

    await house.store.read(consider)  # before anything is kept: a refused file leaves nothing behind
    await asyncio.to_thread(_keep, house.store.path, file, read)
    job_id = await house.store.transaction(write)
    log.info("job accepted", job=job_id, by=caller.described)
    return await show.job(house, str(job_id))


async def _read(house: House, file: Path, title: str) -> Read:
    """Read the file in the sandbox, unless the same content was read before."""
    sha256 = await asyncio.to_thread(files.sha256_of, file)
    async with house.parsers:
        known = await house.store.read(lambda c: rows.program_of(c, sha256))
        if known is not None and await asyncio.to_thread(_is_there, house.store.path, known):
            return Read(program=known, rewritten=None)
        analysis = await sandbox.analyse(file, title)
    return Read(program=analysis.program, rewritten=analysis.rewritten)


def _is_there(store: Path, known: Program) -> bool:
    """Whether what the machine is given for a file is at hand: the file itself is, but what it was rewritten to?"""
    return known.runs_sha256 == known.sha256 or files.is_whole(store, known.runs_sha256)


def _keep(store: Path, file: Path, read: Read) -> None:
    files.keep(store, file)
    if read.rewritten is not None:
        files.keep_bytes(store, read.rewritten)


def _check_wish(wish: Wish) -> None:
    if not 1 <= wish.copies <= MOST_COPIES:
        raise Refused("copies-out-of-range", copies=wish.copies, most=MOST_COPIES)


def _known(c: Connection, config: Configuration, key: str | None, program: Program, wish: Wish) -> int | None:
    """The job that was made under this key; raises `Conflict` when it was for something else."""
    if key is None:
        return None
    row = c.execute(sa.select(job).where(job.c.idempotency_key == key)).first()
    if row is None:
        return None
    material = row.material_wanted if wish.material is None else material_called(config, wish.material).id
    was = (row.sha256, row.title, row.member, row.payer, row.machine_wanted, row.material_wanted, row.copies)
    wanted = (program.sha256, wish.title, wish.member, wish.payer, wish.machine, material, wish.copies)
    if was != wanted:
        raise Conflict("idempotency-key-reused", job=row.id)
    known: int = row.id
    return known


def _write_job(
    c: Connection,
    config: Configuration,
    program: Program,
    wish: Wish,
    caller: Caller,
    key: str | None,
    quoted: QuoteView,
    terms: Terms,
) -> int:
    tariff.guard(c, terms.tariff, now())
    state, released_by, reasons = _beginning(quoted, terms, caller)
    material = quoted.material if wish.material is None else material_called(config, wish.material).id
    rows.keep_program(c, program)
    made = c.execute(
        job.insert().values(
            state=state.value,
            reasons=to_json(reasons),
            title=wish.title,
            sha256=program.sha256,
            format=program.format,
            kind=quoted.kind,
            member=wish.member,
            payer=wish.payer,
            machine_wanted=wish.machine,
            material_wanted=material,
            copies=wish.copies,
            copies_done=0,
            priority=0,
            quote=quoted.model_dump(mode="json"),
            terms=terms.model_dump(mode="json"),
            released_by=released_by,
            submitted_by=caller.described,
            submitted_at=now(),
            changed_at=now(),
            idempotency_key=key,
        )
    )
    assert made.inserted_primary_key is not None
    job_id: int = made.inserted_primary_key[0]
    _reserve(c, job_id, wish.member, quoted)
    return job_id


def _reserve(c: Connection, job_id: int, member: str | None, quoted: QuoteView) -> None:
    quantities = {line.meter: line.qty for line in quoted.lines}
    c.execute(
        reservation.insert().values(
            job=job_id, member=member, kind=quoted.kind, quantities=quantities, expires_at=now() + RESERVED
        )
    )


def _acceptable(
    c: Connection, config: Configuration, workers: Sequence[Worker], program: Program, wish: Wish, caller: Caller
) -> tuple[QuoteView, Terms]:
    """The quote for `caller`; raises `NotAllowed` when the member may not, and what `quoting.quote` raises."""
    quoted, terms = quoting.quote(c, config, workers, program, wish)
    if quoted.verdict == "refuse":
        first = quoted.reasons[0].message
        raise NotAllowed(first.code, **first.params)
    return _asked_by(caller, quoted, terms), terms


def _asked_by(caller: Caller, quoted: QuoteView, terms: Terms) -> QuoteView:
    """The quote, knowing who asks: where a facilitator starts each job, one who sends it has agreed by that.

    Where a facilitator releases each job, that is an act of its own, whoever sent it.
    """
    if quoted.verdict == "ask" and terms.level.who_starts == "facilitator" and caller.facilitator:
        return quoted.model_copy(update={"verdict": "allow", "reasons": ()})
    return quoted


def _beginning(quoted: QuoteView, terms: Terms, caller: Caller) -> tuple[JobState, str | None, tuple[Message, ...]]:
    """Whether a new job may go, and who let it; or that it waits for a facilitator."""
    if quoted.verdict == "ask":
        return JobState.HELD, None, (Message(code="job-needs-release", params={"level": quoted.level_label}),)
    return JobState.PENDING, None if terms.level.who_starts == "self" else caller.described, ()
