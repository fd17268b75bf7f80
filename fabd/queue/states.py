"""The life of a job: one table of legal moves, and the one function that makes them."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from fabd.clock import now
from fabd.errors import Conflict, NotFound
from fabd.model import JobState, Message
from fabd.queue.says import to_json
from fabd.store import Connection
from fabd.store.schema import job, reservation

S = JobState

MOVES: Mapping[JobState, frozenset[JobState]] = {
    S.PENDING: frozenset({S.HELD, S.PROCESSING, S.CANCELED}),
    S.HELD: frozenset({S.PENDING, S.CANCELED}),
    # Back to pending: another copy is to be made. To held: the attempt ended, and a person must decide.
    S.PROCESSING: frozenset({S.STOPPED, S.PENDING, S.HELD, S.COMPLETED, S.CANCELED, S.ABORTED}),
    S.STOPPED: frozenset({S.PROCESSING, S.PENDING, S.HELD, S.COMPLETED, S.CANCELED, S.ABORTED}),
    # Finished is not yet good: a person may find the piece spoiled.
    S.COMPLETED: frozenset({S.ABORTED}),
    S.CANCELED: frozenset({S.PENDING}),
    S.ABORTED: frozenset({S.PENDING}),
}

ENDED = frozenset({S.COMPLETED, S.CANCELED, S.ABORTED})
OPEN = frozenset(S) - ENDED
UNDER_WAY = frozenset({S.PROCESSING, S.STOPPED})
"""A job is so while an attempt of it is open, and only then: it leaves these states when its attempt is settled."""
WAITING = frozenset({S.PENDING, S.HELD})


def move(
    c: Connection, job_id: int, to: JobState, *reasons: Message, only_from: Collection[JobState] = frozenset(S)
) -> None:
    """Move a job to another state, with the reasons that hold there; what it had reserved goes and comes with that.

    `only_from` says for which states the move is meant: what a person asks for is never meant for a job under way.
    Raises `NotFound`, or `Conflict` when the move is not legal: nothing is changed then.
    """
    found = c.execute(sa.select(job.c.state).where(job.c.id == job_id)).scalar()
    if found is None:
        raise NotFound("job-unknown", job=job_id)
    state = JobState(found)
    if to not in MOVES[state] or state not in only_from:
        raise Conflict("job-cannot-move", job=job_id, state=found, to=to.value)
    at = now()
    c.execute(job.update().where(job.c.id == job_id).values(state=to.value, reasons=to_json(reasons), changed_at=at))
    if (state in ENDED) is not (to in ENDED):
        released_at = at if to in ENDED else None
        c.execute(reservation.update().where(reservation.c.job == job_id).values(released_at=released_at))
