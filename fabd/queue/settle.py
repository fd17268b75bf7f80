"""The end of an attempt: one transaction closes it, moves its job, posts the charge, and asks for a clear bed."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import structlog

from fabd.clock import now
from fabd.config import Configuration
from fabd.config.model import Charged, Machine, Material
from fabd.errors import StoreError
from fabd.metering import ledger, levels, members, meter, tariff
from fabd.model import Fault, JobState, Message, Meter, Method, Outcome, Phase, Prompt, Reading
from fabd.queue import prompts, rows, standing, states
from fabd.queue.endings import Ending
from fabd.queue.says import from_json, to_json
from fabd.queue.terms import LoadedLot, Terms
from fabd.store import Connection
from fabd.store.schema import attempt, job, member, prompt

log = structlog.get_logger(__name__)


def settle(c: Connection, config: Configuration, attempt_id: int, ending: Ending, reading: Reading | None) -> None:
    """Close the attempt and post its charge. Nothing can cancel it halfway; the second time it does nothing.

    `reading` is the last one; `None` leaves the checkpoint that stands in the row.
    """
    done = c.execute(
        attempt.update()
        .where(attempt.c.id == attempt_id, attempt.c.state != "ended")
        .values(
            state="ended",
            ended_at=now(),
            outcome=ending.outcome.value,
            fault=ending.fault.value,
            reasons=to_json(ending.reasons),
            wish=None,
            **({} if reading is None else {"reading": reading_to_json(reading)}),
        )
    )
    if done.rowcount == 0:
        return
    if ending.outcome is Outcome.COMPLETED:
        of = sa.select(attempt.c.job).where(attempt.c.id == attempt_id).scalar_subquery()
        c.execute(job.update().where(job.c.id == of).values(copies_done=job.c.copies_done + 1))
    row = _attempt_with_job(c, attempt_id)
    prompts.withdraw(c, attempt_id)
    reasons = _move_job(c, row, ending)
    _ask_for_clear_output(c, config, row)
    uncharged = _post_charge(c, config, attempt_id)
    if uncharged is not None:
        rows.set_reasons(c, row.job, *reasons, uncharged)
        told = to_json([*ending.reasons, uncharged])
        c.execute(attempt.update().where(attempt.c.id == attempt_id).values(reasons=told))


def charge_for(c: Connection, config: Configuration, attempt_id: int) -> ledger.Charge:
    """What an ended attempt costs, from its own row: its reading, its fault, and the terms that its quote froze.

    It is the attempt's first charge, or the one that follows the charge which stands.
    """
    row = _attempt_with_job(c, attempt_id)
    terms = Terms.model_validate(row.terms)
    loaded = LoadedLot.model_validate(row.lot)
    reading = None if row.reading is None else reading_from_json(row.reading)
    measured = {} if reading is None else meter.billable(reading.used, reading.method, loaded.material)
    charged = levels.charged_for(terms.level, Outcome(row.outcome), Fault(row.fault))
    stands = ledger.standing(c, attempt_id)
    return ledger.Charge(
        job=row.job,
        attempt_id=attempt_id,
        attempt=row.number,
        machine=row.machine,
        machine_kind=row.kind,
        member=_pseudonym(c, row.member),
        payer=_pseudonym(c, row.payer or row.member),
        facilitator=_facilitator(c, row.released_by),
        level=terms.level.id,
        tariff=terms.tariff.version,
        outcome=Outcome(row.outcome),
        fault=Fault(row.fault),
        charged=charged,
        measured=measured,
        lines=_lines(c, config, row, terms, loaded.material, measured, charged),
        revision=1 if stands is None else stands.revision + 1,
        material=loaded.material.id,
        lot=loaded.lot,
        material_is_default=loaded.is_default,
    )


def _lines(
    c: Connection,
    config: Configuration,
    row: Any,
    terms: Terms,
    material: Material,
    measured: Mapping[Meter, meter.Measured],
    charged: Charged,
) -> tuple[tariff.Line, ...]:
    before = ledger.charged_before(c, row.job, row.number)
    return tariff.price(
        terms.tariff,
        level=terms.level,
        machine=_machine(config, row),
        material=material,
        quantities=measured,
        before=before.quantities,
        first=before.first,
        charged=charged,
        locale=config.fabd.site.locale,
    )


def _attempt_with_job(c: Connection, attempt_id: int) -> Any:
    beside = [column for column in job.c if column.name not in attempt.c]
    query = sa.select(*attempt.c, *beside).join(job, job.c.id == attempt.c.job).where(attempt.c.id == attempt_id)
    return c.execute(query).one()


def _post_charge(c: Connection, config: Configuration, attempt_id: int) -> Message | None:
    """Post the charge of an attempt that has ended; why there is none, where it cannot be made."""
    try:
        with c.begin_nested():
            book = ledger.open_book(c, config.fabd.site.id, now())
            ledger.post_charge(c, book, charge_for(c, config, attempt_id), now())
    except (StoreError, sa.exc.SQLAlchemyError):
        raise
    except Exception as error:  # an attempt that ended is over: no price may keep it open, nor the house from opening
        log.exception("an attempt could not be charged", attempt=attempt_id)
        return Message(code="attempt-not-charged-for", params={"detail": str(error)})
    return None


def _move_job(c: Connection, row: Any, ending: Ending) -> tuple[Message, ...]:
    """Give the job its next state; returns the reasons that hold there."""
    to, reasons = ending.job_state, ending.reasons
    if to is None and row.copies_done >= row.copies:
        to = JobState.COMPLETED
    elif to is None:  # another copy is to be made; unless one was found spoiled meanwhile: it is not replaced unasked
        reasons = _found_spoiled_since(c, row)
        to = JobState.HELD if reasons else JobState.PENDING
    states.move(c, row.job, to, *reasons, only_from=states.UNDER_WAY)
    return reasons


def _found_spoiled_since(c: Connection, row: Any) -> tuple[Message, ...]:
    """What was said of another piece of this job that was judged, and found no good, while this attempt ran."""
    judged = sa.and_(prompt.c.attempt == attempt.c.id, prompt.c.key == prompts.CLEAR_OUTPUT)
    query = (
        sa.select(attempt.c.reasons)
        .join(prompt, judged)
        .where(attempt.c.job == row.job, prompt.c.answer.in_(prompts.FAILED), prompt.c.answered_at >= row.claimed_at)
        .order_by(attempt.c.id)
    )
    return tuple(reason for found in c.execute(query).scalars() for reason in from_json(found))


def _ask_for_clear_output(c: Connection, config: Configuration, row: Any) -> None:
    """The machine waits until a person has looked, unless it clears itself; a removed machine asks nobody."""
    found = [machine for machine in config.machines if machine.id == row.machine]
    if not found or found[0].clears_itself:
        return
    standing.write(c, row.machine, ready=False)
    prompts.ask(
        c,
        row.machine,
        row.id,
        Prompt(
            key=prompts.CLEAR_OUTPUT,
            message=Message(code="prompt-clear-output", params={"machine": row.machine, "ticket": row.ticket}),
            choices=(prompts.READY, *prompts.FAILED),
        ),
    )


def _machine(config: Configuration, row: Any) -> Machine:
    """The machine that made it; one that was taken out of the configuration since is priced by its kind."""
    for machine in config.machines:
        if machine.id == row.machine:
            return machine
    return Machine(id=row.machine, name=row.machine, kind=row.kind, driver="-")


def _pseudonym(c: Connection, member_id: str | None) -> str:
    return members.WALK_IN if member_id is None else members.find(c, member_id).pseudonym


def _facilitator(c: Connection, released_by: str | None) -> str | None:
    """The pseudonym of the person behind `account/person`, where one was named and is known."""
    person = (released_by or "").partition("/")[2]
    pseudonym: str | None = c.execute(sa.select(member.c.pseudonym).where(member.c.id == person)).scalar()
    return pseudonym


def reading_to_json(reading: Reading) -> dict[str, Any]:
    """A checkpoint as it stands in the attempt's row."""
    return {
        "phase": reading.phase.value,
        "position": reading.position,
        "used": {meter_.value: quantity for meter_, quantity in reading.used.items()},
        "method": reading.method.value,
    }


def reading_from_json(row: dict[str, Any]) -> Reading:
    """As `reading_to_json` wrote it."""
    return Reading(
        phase=Phase(row["phase"]),
        position=row["position"],
        used={Meter(name): quantity for name, quantity in row["used"].items()},
        method=Method(row["method"]),
    )
