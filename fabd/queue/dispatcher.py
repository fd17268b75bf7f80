"""Gives waiting jobs to free machines: reads rows, asks the router, has each job claimed in one transaction."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import structlog

from fabd.config import Configuration
from fabd.model import Message
from fabd.queue import claims, rows
from fabd.queue.house import House
from fabd.queue.router import Routes, route
from fabd.queue.worker import Worker
from fabd.store import Connection

LOOK_S = 1.0
"""A machine that comes back, or goes, is in no row: it is seen within this time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Memory:
    """The machines between two reloads, and what each of them objects to in a file, by the file's hash."""

    config: Configuration
    workers: Mapping[str, Worker]
    unfit: dict[str, Mapping[str, Message]] = field(default_factory=dict)


class Dispatcher:
    """Holds only what can be found again: why a machine cannot make a program."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._memory = _Memory(house.config, house.workers)

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
        if self._memory.workers is not house.workers or self._memory.config is not house.config:
            self._memory = _Memory(house.config, house.workers)
        memory = self._memory
        routes, files = await house.store.read(partial(_look, memory=memory))
        house.waiting = routes.waiting
        for job_id, machine_id in routes.assigned:
            worker, unfit = memory.workers[machine_id], memory.unfit[files[job_id]]
            take = partial(claims.claim, config=memory.config, job_id=job_id, worker=worker, unfit=unfit)
            claimed = await house.store.transaction(take)
            log.info("job claimed" if claimed else "job not claimed", job=job_id, machine=machine_id)


def _look(c: Connection, memory: _Memory) -> tuple[Routes, dict[int, str]]:
    """Where the waiting jobs could go now; with the hash of each one's file."""
    waiting = rows.waiting_jobs(c)
    files = {row.id: row.sha256 for row in waiting}
    for gone in memory.unfit.keys() - files.values():
        del memory.unfit[gone]
    for sha256 in dict.fromkeys(files.values()):
        if sha256 not in memory.unfit:
            memory.unfit[sha256] = _objections(c, memory.workers, sha256)
    jobs = [claims.waiting_job(row, memory.unfit[row.sha256]) for row in waiting]
    spots = [claims.spot(c, memory.config, worker) for worker in memory.workers.values()] if jobs else []
    return route(jobs, spots), files


def _objections(c: Connection, workers: Mapping[str, Worker], sha256: str) -> Mapping[str, Message]:
    """For each machine that cannot make this file, the first reason why."""
    try:
        program = rows.program_of(c, sha256)
    except ValueError as error:  # what another fabd wrote, say: one file that cannot be read holds up no other
        log.exception("a stored program cannot be read", sha256=sha256)
        return dict.fromkeys(workers, Message(code="job-cannot-begin", params={"detail": repr(error)}))
    assert program is not None, "a job is written in the same transaction as its program"
    objections = {
        name: worker.objections(program) for name, worker in workers.items() if program.format in worker.driver.accepts
    }
    return {name: against[0] for name, against in objections.items() if against}
