"""Jobs, machines and prompts as the outside sees them: rows, with what runs right now laid over them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fabd.metering import ledger
from fabd.model import Fault, JobState, MachineState, Message, Phase
from fabd.queue import prompts as prompt_rows
from fabd.queue import rows, standing, states
from fabd.queue.house import House
from fabd.queue.says import from_json, say_all
from fabd.queue.worker import Glance
from fabd.store import Connection
from fabd.views import AttemptView, JobView, MachineView, PromptView, QuoteView, TemperatureView


async def job(house: House, job_id: str) -> JobView:
    """One job; raises `NotFound`."""
    number = rows.job_number(job_id)
    glances = _glances(house)

    def look(c: Connection) -> JobView:
        (view,) = _jobs(c, house, [rows.job_row(c, number)], glances)
        return view

    return await house.store.read(look)


async def jobs(house: House, everything: bool) -> list[JobView]:
    """The open jobs, or all there ever were; oldest first."""
    states_shown = JobState if everything else states.OPEN
    glances = _glances(house)
    return await house.store.read(lambda c: _jobs(c, house, rows.jobs_in(c, *states_shown), glances))


async def machine(house: House, machine_id: str) -> MachineView:
    """One machine; raises `NotFound`."""
    glance = house.worker(machine_id).glance()
    return await house.store.read(lambda c: _machine(c, house, glance))


async def machines(house: House) -> list[MachineView]:
    """All machines, in the order of the configuration."""
    glances = _glances(house)
    return await house.store.read(lambda c: [_machine(c, house, glance) for glance in glances.values()])


async def prompts(house: House) -> list[PromptView]:
    """What waits for a person at one of the machines that are here, oldest first."""
    here = frozenset(house.workers)
    asked = await house.store.read(prompt_rows.open_prompts)
    return [waiting.view for waiting in asked if waiting.machine in here]


def _glances(house: House) -> dict[str, Glance]:
    return {name: worker.glance() for name, worker in house.workers.items()}


def _jobs(c: Connection, house: House, found: Sequence[Any], glances: Mapping[str, Glance]) -> list[JobView]:
    """The jobs in these rows; what belongs to them is read for all of them at once."""
    attempts = rows.attempts_of(c, [row.id for row in found])
    numbers = [attempt.id for made in attempts.values() for attempt in made]
    charged: dict[int, int] = {}
    for some in rows.batched(numbers):
        charged |= ledger.totals(c, some)
    return [_job(house, row, attempts[row.id], charged, glances) for row in found]


def _job(
    house: House, row: Any, attempts: Sequence[Any], charged: Mapping[int, int], glances: Mapping[str, Glance]
) -> JobView:
    under_way = JobState(row.state) in states.UNDER_WAY
    glance = glances.get(attempts[-1].machine) if under_way and attempts else None
    totals = [charged[attempt.id] for attempt in attempts if attempt.id in charged]
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
        size_bytes=row.size_bytes,
        machine_wanted=row.machine_wanted,
        material_wanted=row.material_wanted,
        copies=row.copies,
        copies_done=row.copies_done,
        submitted_at=row.submitted_at,
        submitted_by=row.submitted_by,
        quote=QuoteView.model_validate(row.quote),
        attempts=tuple(_attempt(attempt, charged.get(attempt.id)) for attempt in attempts),
        progress=None if glance is None else glance.progress,
        remaining_s=None if glance is None else glance.remaining_s,
        total_ttc_cents=sum(totals) if totals else None,
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


def _machine(c: Connection, house: House, glance: Glance) -> MachineView:
    of, reading = glance.machine, glance.reading
    found = standing.look(c, house.config, of)
    row = standing.open_attempt(c, of.id)
    waiting = prompt_rows.open_prompts(c, of.id)
    state, reasons = _state(found, glance, row, asked=bool(waiting))
    return MachineView(
        id=of.id,
        name=of.name,
        kind=of.kind,
        driver=of.driver,
        state=state,
        reasons=say_all(reasons),
        connected=glance.connected,
        phase=reading.phase,
        material=None if found.lot is None else found.lot.material.id,
        lot=None if found.lot is None else found.lot.lot,
        material_is_default=found.lot is None or found.lot.is_default,
        job=None if row is None else str(row.job),
        ticket=None if row is None else row.ticket,
        member=None if row is None else rows.member_of(c, row.job),
        progress=glance.progress,
        remaining_s=glance.remaining_s,
        temperatures=tuple(
            TemperatureView(name=t.name, current_c=t.current_c, target_c=t.target_c) for t in reading.temperatures
        ),
        prompt=waiting[0].view if waiting else None,
    )


def _state(
    found: standing.Standing, glance: Glance, row: Any, *, asked: bool
) -> tuple[MachineState, tuple[Message, ...]]:
    """A machine's IPP state, and every reason for it."""
    params = {"machine": glance.machine.id}
    reasons: list[Message] = []
    if glance.trouble is not None:
        reasons.append(glance.trouble)
    if glance.owes_stop:
        reasons.append(Message(code="machine-stop-owed", params=params))
    if found.closed is not None:
        reasons.append(found.closed)
    if found.paused:
        reasons.append(Message(code="machine-paused", params=params))
    if row is None and not found.ready:
        reasons.append(Message(code="output-area-full", params=params))
    if found.lot is None:
        reasons.append(Message(code="material-needed", params=params))
    reasons += [Message(code=keyword, params=params) for keyword in sorted(glance.reading.reasons)]
    if row is not None:
        stopped = glance.reading.phase in (Phase.PAUSED, Phase.WAITING) or glance.trouble is not None
        if asked and glance.reading.phase is not Phase.PAUSED:
            reasons.append(Message(code="prompt-open", params=params))
        return (MachineState.STOPPED if stopped else MachineState.PROCESSING), tuple(reasons)
    return (MachineState.STOPPED if reasons else MachineState.IDLE), tuple(reasons)
