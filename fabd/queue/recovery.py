"""What a start does with the attempts that the last end of the daemon left open."""

from typing import Any

import sqlalchemy as sa
import structlog

from fabd.config import Configuration
from fabd.queue import endings, rows, standing
from fabd.queue.settle import settle
from fabd.store import Connection

log = structlog.get_logger(__name__)


def recover(c: Connection, config: Configuration, adopting: frozenset[str]) -> None:
    """End what was under way on machines that cannot go on without us; `adopting` are the ids of those that can.

    Such a machine may still be hot: its open attempt is an owed stop. The job waits for a person, unless a person had
    canceled it.
    """
    for row in rows.open_attempts(c):
        if row.machine not in adopting or row.state != "running":
            standing.write(c, row.machine, owes_stop=True)
            _settle(c, config, row)


def _settle(c: Connection, config: Configuration, row: Any) -> None:
    ending = endings.canceled(row.wished_by) if row.wish == "cancel" else endings.interrupted("host-restarted")
    try:
        with c.begin_nested():
            settle(c, config, row.id, ending, None)  # with the last checkpoint, as it stands in the row
    except sa.exc.SQLAlchemyError:
        raise
    except Exception:  # one attempt must not keep the house closed: its machine's worker finds it, and stops there
        log.exception("an attempt could not be settled", job=row.job, machine=row.machine)
    else:
        log.warning("the daemon ended in the middle of a job", job=row.job, machine=row.machine)
