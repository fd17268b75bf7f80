"""A job is claimed for a machine before the machine is sent its first byte: what is asked then, and what is written."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import structlog

from fabd.clock import now
from fabd.config import Configuration
from fabd.config.model import Material
from fabd.errors import ConfigError, FabdError, StoreError
from fabd.metering import levels, tariff
from fabd.model import FOREIGN_JOB, Fault, JobState, Message
from fabd.queue import quoting, rows, standing, states
from fabd.queue.router import Spot, WaitingJob, why_not
from fabd.queue.terms import LoadedLot, Terms
from fabd.queue.worker import Worker
from fabd.store import Connection
from fabd.store.schema import attempt, job
from fabd.views import QuoteView

log = structlog.get_logger(__name__)


def waiting_job(row: Any, unfit: Mapping[str, Message]) -> WaitingJob:
    """The job in `row` as the router sees it; `unfit` says which machines cannot make its file."""
    return WaitingJob(
        id=row.id,
        kind=row.kind,
        format=row.format,
        material=row.material_wanted,
        machine_wanted=row.machine_wanted,
        priority=row.priority,
        unfit=unfit,
    )


def spot(c: Connection, config: Configuration, worker: Worker) -> Spot:
    """A machine as the router sees it."""
    found = standing.look(c, config, worker.machine)
    return Spot(
        machine=worker.machine.id,
        kind=worker.machine.kind,
        accepts=worker.driver.accepts,
        material=None if found.lot is None else found.lot.material.id,
        unavailable=_unavailable(c, worker, found),
    )


def claim(c: Connection, config: Configuration, job_id: int, worker: Worker, unfit: Mapping[str, Message]) -> bool:
    """Claim a job for a machine; whether it could be.

    All that the router was told is asked again, since a person may have been faster: may have loaded another
    material, say. So is the right to run: a level that changed since makes a new quote, and perhaps a wait.
    """
    row = rows.job_row(c, job_id)
    if row.state != JobState.PENDING or why_not(waiting_job(row, unfit), spot(c, config, worker)) is not None:
        return False
    lot = standing.look(c, config, worker.machine).lot
    assert lot is not None, "a machine that holds nothing is unavailable"
    against = _against(c, config, row, worker, lot.material)
    if against is not None:
        states.move(c, job_id, JobState.HELD, against)
        return False
    _write_attempt(c, job_id, worker, lot)
    # The claim asks that the machine is connected; one that is owes no stop: none may reach what starts now.
    standing.write(c, worker.machine.id, ready=False, owes_stop=False)
    states.move(c, job_id, JobState.PROCESSING)
    return True


def _write_attempt(c: Connection, job_id: int, worker: Worker, lot: LoadedLot) -> None:
    number = 1 + c.execute(sa.select(sa.func.count()).where(attempt.c.job == job_id)).scalar_one()
    made = c.execute(
        attempt.insert().values(
            job=job_id,
            number=number,
            machine=worker.machine.id,
            ticket="",
            state="claimed",
            lot=lot.model_dump(mode="json"),
            claimed_at=now(),
            reasons=[],
            fault=Fault.NONE.value,
        )
    )
    assert made.inserted_primary_key is not None
    attempt_id = made.inserted_primary_key[0]
    c.execute(attempt.update().where(attempt.c.id == attempt_id).values(ticket=rows.ticket(attempt_id)))


def _unavailable(c: Connection, worker: Worker, found: standing.Standing) -> Message | None:
    """Why a machine takes no job now; `None` when it does."""
    params = {"machine": worker.machine.id}
    if found.closed is not None:
        return Message(code="route-machine-closed", params=params)
    if not worker.takes_jobs:
        return Message(code="route-machine-away", params=params)
    if standing.open_attempt(c, worker.machine.id) is not None:
        return Message(code="route-machine-busy", params=params)
    if found.paused:
        return Message(code="route-machine-paused", params=params)
    if FOREIGN_JOB in worker.session.reading.reasons:
        return Message(code="route-machine-foreign", params=params)
    if not found.ready:
        return Message(code="route-machine-not-ready", params=params)
    if found.lot is None:
        return Message(code="route-nothing-loaded", params=params)
    return None


def _against(c: Connection, config: Configuration, row: Any, worker: Worker, material: Material) -> Message | None:
    """Why the job may not start after all, and a person must decide; `None` when it may."""
    try:
        with c.begin_nested():
            return _asked_again(c, config, row, worker, material)
    except (StoreError, sa.exc.SQLAlchemyError):
        raise
    except ConfigError as error:
        return error.problems[0]
    except FabdError as error:
        return error.message
    except Exception as error:  # what is wrong with one job must not keep the others waiting
        log.exception("a job cannot begin", job=row.id)
        return Message(code="job-cannot-begin", params={"detail": repr(error)})


def _asked_again(c: Connection, config: Configuration, row: Any, worker: Worker, material: Material) -> Message | None:
    terms = Terms.model_validate(row.terms)
    level = levels.level_of(c, config, row.member, row.kind, now())
    if level.id == terms.level.id:
        return None
    before = QuoteView.model_validate(row.quote)
    quote, new_terms = quoting.requote(c, config, row, worker, material)
    tariff.guard(c, new_terms.tariff, now())
    c.execute(
        job.update()
        .where(job.c.id == row.id)
        .values(quote=quote.model_dump(mode="json"), terms=new_terms.model_dump(mode="json"))
    )
    if quote.verdict == "allow" or (quote.verdict == "ask" and row.released_by is not None):
        return None
    return Message(code="job-level-changed", params={"before": before.level, "now": quote.level})
