"""Jobs, machines and prompts as the outside sees them: rows, with what runs right now laid over them."""

from typing import Any

import sqlalchemy as sa

from fabd.metering import ledger
from fabd.model import Fault, JobState, MachineState, Message, Phase, Reading
from fabd.queue import prompts as prompt_rows
from fabd.queue import rows, standing, states
from fabd.queue.house import House
from fabd.queue.says import from_json, say_all
from fabd.queue.worker import Worker
from fabd.store import Connection
from fabd.store.schema import job as jobs_table
from fabd.views import AttemptView, JobView, MachineView, PromptView, QuoteView, TemperatureView

_RUNNING = (JobState.PROCESSING, JobState.STOPPED)


async def job(house: House, job_id: str) -> JobView:
    """One job; raises `NotFound`."""
    number = rows.job_number(job_id)
    return await house.store.read(lambda c: _job(c, house, rows.job_row(c, number)))


async def jobs(house: House, everything: bool) -> list[JobView]:
    """The open jobs, or all there ever were; oldest first."""

    def look(c: Connection) -> list[JobView]:
        found = rows.jobs_in(c, *(JobState if everything else states.OPEN))
        return [_job(c, house, row) for row in found]

    return await house.store.read(look)


async def machine(house: House, machine_id: str) -> MachineView:
    """One machine; raises `NotFound`."""
    standing.configured(house.config, machine_id)
    worker = house.workers[machine_id]
    return await house.store.read(lambda c: _machine(c, house, worker))


async def machines(house: House) -> list[MachineView]:
    """All machines, in the order of the configuration."""
    workers = list(house.workers.values())
    return await house.store.read(lambda c: [_machine(c, house, worker) for worker in workers])


async def prompts(house: House) -> list[PromptView]:
    """What waits for a person, oldest first."""
    return await house.store.read(lambda c: [waiting.view for waiting in prompt_rows.open_prompts(c)])


def _job(c: Connection, house: House, row: Any) -> JobView:
    attempts = rows.attempts_of(c, row.id)
    charged = ledger.totals(c, [attempt.id for attempt in attempts])
    worker = _worker_of(house, row, attempts)
    return JobView(
        id=str(row.id),
        title=row.title,
        state=JobState(row.state),
        reasons=say_all(_reasons(house, row)),
        member=row.member,
        payer=row.payer,
        format=row.format,
        kind=row.kind,
        sha256=row.sha256,
        size_bytes=rows.size_bytes_of(c, row.sha256),
        machine_wanted=row.machine_wanted,
        material_wanted=row.material_wanted,
        copies=row.copies,
        copies_done=row.copies_done,
        submitted_at=row.submitted_at,
        submitted_by=row.submitted_by,
        quote=QuoteView.model_validate(row.quote),
        attempts=tuple(_attempt(attempt, charged.get(attempt.id)) for attempt in attempts),
        progress=None if worker is None else worker.progress,
        remaining_s=None if worker is None else worker.remaining_s,
        total_ttc_cents=sum(charged.values()) if charged else None,
    )


def _attempt(row: Any, total_ttc_cents: int | None) -> AttemptView:
    return AttemptView(
        number=row.number,
        ticket=row.ticket,
        machine=row.machine,
        state=row.state,
        outcome=row.outcome,
        reasons=say_all(from_json(row.reasons)),
        fault=Fault(row.fault),
        started_at=row.started_at,
        ended_at=row.ended_at,
        total_ttc_cents=total_ttc_cents,
    )


def _reasons(house: House, row: Any) -> tuple[Message, ...]:
    """Why a job is where it is; for one that waits, what the router last said."""
    stored = from_json(row.reasons)
    if row.state == JobState.PENDING and row.id in house.waiting:
        return (*stored, house.waiting[row.id])
    return stored


def _worker_of(house: House, row: Any, attempts: list[Any]) -> Worker | None:
    """Who runs the job now."""
    if JobState(row.state) not in _RUNNING or not attempts:
        return None
    return house.workers.get(attempts[-1].machine)


def _machine(c: Connection, house: House, worker: Worker) -> MachineView:
    of = worker.machine
    found = standing.look(c, house.config, of)
    row = standing.open_attempt(c, of.id)
    waiting = prompt_rows.open_prompts(c, of.id)
    reading = worker.session.reading
    if worker.attempt is not None:
        reading = worker.attempt.last or Reading(phase=Phase.PREPARING)
    state, reasons = _state(found, worker, row, reading, asked=bool(waiting))
    return MachineView(
        id=of.id,
        name=of.name,
        kind=of.kind,
        driver=of.driver,
        state=state,
        reasons=say_all(reasons),
        connected=worker.session.connected,
        phase=reading.phase,
        material=None if found.lot is None else found.lot.material.id,
        lot=None if found.lot is None else found.lot.lot,
        material_is_default=found.lot is None or found.lot.is_default,
        job=None if row is None else str(row.job),
        ticket=None if row is None else row.ticket,
        member=None
        if row is None
        else c.execute(sa.select(jobs_table.c.member).where(jobs_table.c.id == row.job)).scalar(),
        progress=worker.progress,
        remaining_s=worker.remaining_s,
        temperatures=tuple(
            TemperatureView(name=t.name, current_c=t.current_c, target_c=t.target_c) for t in reading.temperatures
        ),
        prompt=waiting[0].view if waiting else None,
    )


def _state(
    found: standing.Standing, worker: Worker, row: Any, reading: Reading, *, asked: bool
) -> tuple[MachineState, tuple[Message, ...]]:
    """A machine's IPP state, and every reason for it."""
    params = {"machine": worker.machine.id}
    reasons: list[Message] = []
    if worker.session.trouble is not None:
        reasons.append(worker.session.trouble)
    if found.closed is not None:
        reasons.append(found.closed)
    if found.paused:
        reasons.append(Message(code="machine-paused", params=params))
    if row is None and not found.ready:
        reasons.append(Message(code="output-area-full", params=params))
    if found.lot is None:
        reasons.append(Message(code="material-needed", params=params))
    reasons += [Message(code=keyword, params=params) for keyword in sorted(reading.reasons)]
    if row is not None:
        stopped = reading.phase in (Phase.PAUSED, Phase.WAITING) or worker.session.trouble is not None
        if asked and reading.phase is not Phase.PAUSED:
            reasons.append(Message(code="prompt-open", params=params))
        return (MachineState.STOPPED if stopped else MachineState.PROCESSING), tuple(reasons)
    return (MachineState.STOPPED if reasons else MachineState.IDLE), tuple(reasons)
