"""The life of a job: one table of legal moves, and the one function that makes them."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from fabd.clock import now
from fabd.errors import Conflict, NotFound
from fabd.model import JobState, Message
from fabd.queue.says import to_json
from fabd.store import Connection
from fabd.store.schema import job

S = JobState

MOVES: Mapping[JobState, frozenset[JobState]] = {
    S.PENDING: frozenset({S.HELD, S.PROCESSING, S.CANCELED, S.ABORTED}),
    S.HELD: frozenset({S.PENDING, S.CANCELED, S.ABORTED}),
    # Back to pending: another copy is to be made. To held: the attempt ended, and a person must decide.
    S.PROCESSING: frozenset({S.STOPPED, S.PENDING, S.HELD, S.COMPLETED, S.CANCELED, S.ABORTED}),
    S.STOPPED: frozenset({S.PROCESSING, S.PENDING, S.HELD, S.COMPLETED, S.CANCELED, S.ABORTED}),
    # Finished is not yet good: a person may find the piece spoiled, or want it again (IPP's Restart-Job).
    S.COMPLETED: frozenset({S.ABORTED, S.PENDING}),
    S.CANCELED: frozenset({S.PENDING}),
    S.ABORTED: frozenset({S.PENDING}),
}

ENDED = frozenset({S.COMPLETED, S.CANCELED, S.ABORTED})
OPEN = frozenset(S) - ENDED


def move(c: Connection, job_id: int, to: JobState, *reasons: Message) -> None:
    """Move a job to another state, with the reasons that hold there.

    Raises `NotFound`, or `Conflict` when the table has no such move: nothing is changed then.
    """
    found = c.execute(sa.select(job.c.state).where(job.c.id == job_id)).scalar()
    if found is None:
        raise NotFound("job-unknown", job=job_id)
    if to not in MOVES[JobState(found)]:
        raise Conflict("job-cannot-move", job=job_id, state=found, to=to.value)
    set_state(c, job_id, to, reasons)


def set_state(c: Connection, job_id: int, to: JobState, reasons: Sequence[Message]) -> None:
    """Write a state that `move` has found legal."""
    c.execute(job.update().where(job.c.id == job_id).values(state=to.value, reasons=to_json(reasons), changed_at=now()))
