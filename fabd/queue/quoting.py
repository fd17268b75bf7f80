"""From a program and a wish to a quote: which machine, which material, which level, which tariff."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from fabd.clock import now
from fabd.config import Configuration
from fabd.config.model import Material
from fabd.errors import JobRejected, NotFound
from fabd.metering import levels, members, meter
from fabd.metering import quote as metering_quote
from fabd.metering import tariff as tariffs
from fabd.model import Meter, Method, Program
from fabd.queue import rows, standing, states
from fabd.queue.house import Wish
from fabd.queue.terms import Terms
from fabd.queue.worker import Worker
from fabd.store import Connection
from fabd.store.schema import job
from fabd.views import QuoteView


def quote(
    c: Connection, config: Configuration, workers: Sequence[Worker], program: Program, wish: Wish
) -> tuple[QuoteView, Terms]:
    """What `wish` would cost, and whether its member may.

    Raises `NotFound` for a member, payer, machine or material that does not exist, `JobRejected` when no machine
    here can make the program.
    """
    for person in (wish.member, wish.payer):
        if person is not None:
            members.find(c, person)
    wanted = None if wish.material is None else material_called(config, wish.material)
    worker = _choose(c, config, workers, program, wish, wanted)
    loaded = standing.look(c, config, worker.machine).lot
    material = wanted or (None if loaded is None else loaded.material)
    if material is None:
        raise JobRejected("material-not-said", known=", ".join(material.id for material in config.materials))
    return _quote(c, config, worker, program, material, wish.member, wish.copies)


def requote(
    c: Connection, config: Configuration, row: Any, worker: Worker, material: Material
) -> tuple[QuoteView, Terms]:
    """The quote of a job that waits, made again: the member's level changed."""
    program = rows.program_of_job(c, row.id)
    return _quote(c, config, worker, program, material, row.member, row.copies, but=row.id)


def material_called(config: Configuration, name: str) -> Material:
    """The material with this id, or that of the lot with this id; raises `NotFound` with what exists."""
    lots = {lot.id: lot.material for lot in config.lots}
    for material in config.materials:
        if material.id == lots.get(name, name):
            return material
    known = ", ".join([*(material.id for material in config.materials), *lots])
    raise NotFound("material-unknown", material=name, known=known)


def _quote(
    c: Connection,
    config: Configuration,
    worker: Worker,
    program: Program,
    material: Material,
    member: str | None,
    copies: int,
    but: int | None = None,
) -> tuple[QuoteView, Terms]:
    at = now()
    machine = worker.machine
    level = levels.level_of(c, config, member, machine.kind, at)
    tariff = tariffs.tariff_at(config, tariffs.day_of(config, at))
    used = {**program.curve.total, Meter.MACHINE_S: worker.estimate_s(program)}
    view = metering_quote.make_quote(
        config,
        member_id=member,
        level=level,
        tariff=tariff,
        machine=machine,
        material=material,
        quantities=meter.billable(used, Method.ESTIMATE, material),
        copies=copies,
        open_jobs=_open_jobs(c, member, machine.kind, but),
        remarks=program.remarks,
    )
    return view, Terms(level=level, tariff=tariff)


def _choose(
    c: Connection,
    config: Configuration,
    workers: Sequence[Worker],
    program: Program,
    wish: Wish,
    material: Material | None,
) -> Worker:
    """The machine that is asked for, else the one that could begin soonest, among those that can make it."""
    if wish.machine is not None:
        standing.configured(config, wish.machine)
    able = [w for w in workers if program.format in w.driver.accepts and wish.machine in (None, w.machine.id)]
    if not able:
        raise JobRejected("no-machine-for-format", format=program.format, machine=wish.machine or "-")
    against = {w.machine.id: w.objections(program) for w in able}
    fit = [w for w in able if not against[w.machine.id]]
    if not fit:
        first = against[able[0].machine.id][0]
        raise JobRejected(first.code, **first.params)

    def lateness(worker: Worker) -> tuple[bool, bool]:
        found = standing.look(c, config, worker.machine)
        wrong = material is not None and (found.lot is None or found.lot.material.id != material.id)
        return wrong, not found.ready

    return min(fit, key=lateness)


def _open_jobs(c: Connection, member: str | None, kind: str, but: int | None) -> int:
    """How many jobs of that kind the member has open; walk-ins share no limit."""
    if member is None:
        return 0
    names = [state.value for state in states.OPEN]
    query = sa.select(sa.func.count()).where(job.c.member == member, job.c.kind == kind, job.c.state.in_(names))
    if but is not None:
        query = query.where(job.c.id != but)
    return c.execute(query).scalar_one()
