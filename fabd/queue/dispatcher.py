"""Gives waiting jobs to free machines: reads rows, asks the router, claims in one transaction each."""

import asyncio
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from fabd.clock import now
from fabd.config import Configuration
from fabd.metering import levels, tariff
from fabd.model import JobState, Message
from fabd.queue import quoting, rows, standing, states
from fabd.queue.house import House
from fabd.queue.router import Spot, WaitingJob, route
from fabd.queue.terms import LoadedLot, Terms
from fabd.queue.worker import Worker
from fabd.store import Connection
from fabd.store.schema import attempt, job
from fabd.views import QuoteView

LOOK_S = 1.0
"""A machine that comes back, or goes, is in no row: it is seen within this time."""

log = structlog.get_logger(__name__)


class Dispatcher:
    """Holds only what can be found again: why a machine cannot make a program."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._config = house.config
        self._unfit: dict[tuple[str, str], Message | None] = {}

    async def work(self) -> None:
        """Dispatch whenever something changed; never returns."""
        while True:
            seen = self._house.store.version
            await self.dispatch()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._house.store.changed(seen)
            except TimeoutError:
                continue

    async def dispatch(self) -> None:
        """One round: every job that can go is claimed for its machine; the others know why they wait."""
        house = self._house
        if self._config is not house.config:
            self._config, self._unfit = house.config, {}
        jobs, spots = await house.store.read(self._look)
        routes = route(jobs, spots)
        house.waiting = routes.waiting
        for job_id, machine_id in routes.assigned:
            worker = house.workers[machine_id]
            claimed = await house.store.transaction(partial(claim, config=house.config, job_id=job_id, worker=worker))
            log.info("job claimed" if claimed else "job not claimed", job=job_id, machine=machine_id)

    def _look(self, c: Connection) -> tuple[list[WaitingJob], list[Spot]]:
        waiting = rows.jobs_in(c, JobState.PENDING)
        jobs = [
            WaitingJob(
                id=row.id,
                kind=row.kind,
                format=row.format,
                material=row.material_wanted,
                machine_wanted=row.machine_wanted,
                priority=row.priority,
                submitted_at=row.submitted_at,
                unfit=self._unfit_for(c, row.sha256, row.kind),
            )
            for row in waiting
        ]
        return jobs, [self._spot(c, worker) for worker in self._house.workers.values()] if jobs else []

    def _spot(self, c: Connection, worker: Worker) -> Spot:
        found = standing.look(c, self._house.config, worker.machine)
        return Spot(
            machine=worker.machine.id,
            kind=worker.machine.kind,
            accepts=worker.driver.accepts,
            material=None if found.lot is None else found.lot.material.id,
            unavailable=unavailable(c, worker, found),
        )

    def _unfit_for(self, c: Connection, sha256: str, kind: str) -> dict[str, Message]:
        unfit = {}
        for worker in self._house.workers.values():
            if worker.machine.kind == kind:
                why = self._why_unfit(c, sha256, worker)
                if why is not None:
                    unfit[worker.machine.id] = why
        return unfit

    def _why_unfit(self, c: Connection, sha256: str, worker: Worker) -> Message | None:
        key = (sha256, worker.machine.id)
        if key not in self._unfit:
            program = rows.program_of(c, sha256)
            against = worker.sample.check(program) if program is not None else ()
            self._unfit[key] = next(iter(against), None)
        return self._unfit[key]


def unavailable(c: Connection, worker: Worker, found: standing.Standing) -> Message | None:
    """Why a machine takes no job now; `None` when it does."""
    params = {"machine": worker.machine.id}
    if found.closed is not None:
        return Message(code="route-machine-closed", params=params)
    if not worker.session.connected:
        return Message(code="route-machine-away", params=params)
    if standing.open_attempt(c, worker.machine.id) is not None:
        return Message(code="route-machine-busy", params=params)
    if found.paused:
        return Message(code="route-machine-paused", params=params)
    if not found.ready:
        return Message(code="route-machine-not-ready", params=params)
    if found.lot is None:
        return Message(code="route-nothing-loaded", params=params)
    return None


def claim(c: Connection, config: Configuration, job_id: int, worker: Worker) -> bool:
    """Claim a job for a machine, before its first byte; whether it could be.

    The right to run is checked again: a level that changed since makes a new quote, and perhaps a wait.
    """
    row = rows.job_row(c, job_id)
    found = standing.look(c, config, worker.machine)
    if row.state != JobState.PENDING or unavailable(c, worker, found) is not None or found.lot is None:
        return False
    if not _still_allowed(c, config, row, worker, found.lot):
        return False
    number = 1 + c.execute(sa.select(sa.func.count()).where(attempt.c.job == job_id)).scalar_one()
    made = c.execute(
        attempt.insert().values(
            job=job_id,
            number=number,
            machine=worker.machine.id,
            ticket="",
            state="claimed",
            lot=found.lot.model_dump(mode="json"),
            claimed_at=now(),
            reasons=[],
            fault="none",
        )
    )
    assert made.inserted_primary_key is not None
    attempt_id = made.inserted_primary_key[0]
    c.execute(attempt.update().where(attempt.c.id == attempt_id).values(ticket=rows.ticket(attempt_id)))
    standing.write(c, worker.machine.id, ready=False)
    states.move(c, job_id, JobState.PROCESSING)
    return True


def _still_allowed(c: Connection, config: Configuration, row: Any, worker: Worker, lot: LoadedLot) -> bool:
    terms = Terms.model_validate(row.terms)
    level = levels.level_of(c, config, row.member, row.kind, now())
    if level.id == terms.level.id:
        return True
    before = QuoteView.model_validate(row.quote)
    quote, new_terms = quoting.requote(c, config, row, worker, lot.material)
    tariff.guard(c, new_terms.tariff, now())
    c.execute(
        job.update()
        .where(job.c.id == row.id)
        .values(quote=quote.model_dump(mode="json"), terms=new_terms.model_dump(mode="json"))
    )
    if quote.verdict == "allow" or (quote.verdict == "ask" and row.released_by is not None):
        return True
    changed = Message(code="job-level-changed", params={"before": before.level, "now": quote.level})
    states.move(c, row.id, JobState.HELD, changed)
    return False
