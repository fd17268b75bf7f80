"""What people do to jobs and machines: each one transaction, refused in words where it is not legal."""

from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
import structlog

from fabd.clock import now
from fabd.config import Configuration
from fabd.errors import Conflict, FabdError, MachineFault
from fabd.metering import ledger
from fabd.model import Fault, JobState, Message, Outcome
from fabd.queue import prompts, quoting, rows, settle, show, standing, states
from fabd.queue.house import Caller, House
from fabd.queue.says import to_json
from fabd.queue.terms import LoadedLot
from fabd.queue.worker import Worker
from fabd.store import Connection
from fabd.store.schema import attempt, job
from fabd.tasks import outlive_cancellation, own
from fabd.views import JobView, MachineView, PromptView

log = structlog.get_logger(__name__)

# --- jobs --------------------------------------------------------------------------------------------


async def cancel(house: House, job_id: str, caller: Caller) -> JobView:
    """End a job. One that runs is asked to stop: the machine stops first, the row follows."""

    def write(c: Connection) -> None:
        number = rows.job_number(job_id)
        if JobState(rows.job_row(c, number).state) in states.UNDER_WAY:
            rows.wish(c, rows.open_attempt_of(c, number).id, "cancel", caller.described)
        else:
            by = Message(code="job-canceled-by-user", params={"by": caller.described})
            states.move(c, number, JobState.CANCELED, by, only_from=states.WAITING)

    return await _with_job(house, job_id, caller, "job canceled", write)


async def hold(house: House, job_id: str, caller: Caller) -> JobView:
    """Keep a waiting job from starting until it is released."""
    by = Message(code="job-held", params={"by": caller.described})

    def write(c: Connection) -> None:
        states.move(c, rows.job_number(job_id), JobState.HELD, by, only_from={JobState.PENDING})

    return await _with_job(house, job_id, caller, "job held", write)


async def release(house: House, job_id: str, caller: Caller) -> JobView:
    """Let a held job start: a facilitator's act, on the record."""

    def write(c: Connection) -> None:
        number = rows.job_number(job_id)
        states.move(c, number, JobState.PENDING, only_from={JobState.HELD})
        c.execute(job.update().where(job.c.id == number).values(released_by=caller.described))

    return await _with_job(house, job_id, caller, "job released", write)


async def retry(house: House, job_id: str, caller: Caller) -> JobView:
    """Make a job once more that ended badly: a new attempt of the same job (IPP's Restart-Job)."""

    def write(c: Connection) -> None:
        number = rows.job_number(job_id)
        row = rows.job_row(c, number)
        if row.state == JobState.COMPLETED:
            raise Conflict("job-completed-already", job=number)
        states.move(c, number, JobState.PENDING, only_from={JobState.CANCELED, JobState.ABORTED})
        if row.released_by is None:
            c.execute(job.update().where(job.c.id == number).values(released_by=caller.described))

    return await _with_job(house, job_id, caller, "job retried", write)


# --- machines ----------------------------------------------------------------------------------------


async def ready(house: House, machine_id: str, caller: Caller, failed: Fault | None = None) -> MachineView:
    """A person has looked: the piece is taken away, the machine may be used. `failed`: the piece is no good."""
    write = partial(_ready, config=house.config, machine_id=machine_id, caller=caller, failed=failed)
    return await _with_machine(house, machine_id, caller, "machine ready", write)


async def load(house: House, machine_id: str, lot: str, caller: Caller) -> MachineView:
    """Say what is loaded: a lot, or a material by its own id."""

    def write(c: Connection) -> None:
        material = quoting.material_called(house.config, lot)
        _must_be_free(c, machine_id)
        loaded = LoadedLot(material=material, lot=None if lot == material.id else lot, is_default=False)
        standing.write(c, machine_id, lot=loaded.model_dump(mode="json"))

    return await _with_machine(house, machine_id, caller, "machine loaded", write)


async def pause(house: House, machine_id: str, caller: Caller) -> MachineView:
    """Pause what runs; an idle machine takes no new job until it is resumed."""
    write = partial(_pause, machine_id=machine_id, caller=caller, paused=True)
    return await _with_machine(house, machine_id, caller, "machine paused", write)


async def resume(house: House, machine_id: str, caller: Caller) -> MachineView:
    """Undo `pause`."""
    write = partial(_pause, machine_id=machine_id, caller=caller, paused=False)
    return await _with_machine(house, machine_id, caller, "machine resumed", write)


async def emergency(house: House, machine_id: str, caller: Caller) -> MachineView:
    """Stop the machine at once, before anything is written; then cancel what it was making, and close it.

    Raises `MachineFault` where the machine could not be told: it is closed, and the stop goes first when it answers.
    """
    whole = own(_emergency(house, house.worker(machine_id), caller), f"emergency {machine_id}")
    return await outlive_cancellation(whole)


async def close(house: House, machine_id: str, why: str, caller: Caller) -> MachineView:
    """Take a machine out of use, for a reason that everybody is shown; what runs on it ends first."""
    said = Message(code="machine-closed", params={"why": why, "by": caller.described})
    write = partial(standing.write, machine_id=machine_id, closed=to_json([said]))
    return await _with_machine(house, machine_id, caller, "machine closed", write)


async def open_(house: House, machine_id: str, caller: Caller) -> MachineView:
    """Put a closed machine back into use."""
    write = partial(standing.write, machine_id=machine_id, closed=None)
    return await _with_machine(house, machine_id, caller, "machine opened", write)


async def answer(house: House, machine_id: str, text: str, caller: Caller) -> PromptView:
    """Answer the oldest prompt of a machine that knows this answer."""

    def write(c: Connection) -> PromptView:
        standing.configured(house.config, machine_id)
        waiting = prompts.open_prompts(c, machine_id)
        if not waiting:
            raise Conflict("prompt-none", machine=machine_id)
        asked, choice, number = _asked(waiting, text)
        if asked.key == prompts.CLEAR_OUTPUT:
            failed = Fault(prompts.FAILED[choice]) if choice in prompts.FAILED else None
            _ready(c, config=house.config, machine_id=machine_id, caller=caller, failed=failed)
        else:
            prompts.answer(c, asked, choice, number, caller.described)
        return asked.view.model_copy(update={"answer": text, "answered_by": caller.described})

    view = await house.store.transaction(write)
    log.info("prompt answered", machine=machine_id, key=view.key, answer=text, by=caller.described)
    return view


# --- inside ------------------------------------------------------------------------------------------


async def _emergency(house: House, worker: Worker, caller: Caller) -> MachineView:
    machine_id = worker.machine.id
    why = Message(code="machine-emergency", params={"by": caller.described})

    def write(c: Connection) -> None:
        under_way = standing.open_attempt(c, machine_id)
        if under_way is not None:
            rows.wish(c, under_way.id, "cancel", caller.described)
        standing.write(c, machine_id, closed=to_json([why]), ready=False, owes_stop=worker.session.owes_stop)

    log.warning("emergency", machine=machine_id, by=caller.described)
    try:
        await worker.emergency(caller.described)
    except FabdError as error:
        await house.store.transaction(write)
        raise MachineFault("machine-stop-owed", machine=machine_id) from error
    await house.store.transaction(write)
    return await show.machine(house, machine_id)


def _asked(waiting: list[prompts.OpenPrompt], text: str) -> tuple[prompts.OpenPrompt, str, int | None]:
    """The first open prompt that knows this answer; raises `Refused` with what the first one expects."""
    for candidate in waiting:
        if any(text.strip().partition("=")[0] == choice.rstrip("=") for choice in candidate.choices):
            return candidate, *prompts.parse_answer(candidate.choices, text)
    return waiting[0], *prompts.parse_answer(waiting[0].choices, text)


def _ready(c: Connection, config: Configuration, machine_id: str, caller: Caller, failed: Fault | None) -> None:
    standing.configured(config, machine_id)
    _must_be_free(c, machine_id)
    asked = [waiting for waiting in prompts.open_prompts(c, machine_id) if waiting.key == prompts.CLEAR_OUTPUT]
    if failed is not None:
        if not asked or asked[-1].attempt_id is None:
            raise Conflict("machine-nothing-to-judge", machine=machine_id)
        _piece_is_no_good(c, config, asked[-1].attempt_id, failed, caller)
    choice = prompts.READY if failed is None else f"failed-{failed.value}"
    for waiting in asked:
        prompts.answer(c, waiting, choice, None, caller.described)
    standing.write(c, machine_id, ready=True)


def _piece_is_no_good(c: Connection, config: Configuration, attempt_id: int, fault: Fault, caller: Caller) -> None:
    """Finished is not yet good: the charge is taken back whole, and a new one says what a failed piece costs."""
    row = c.execute(sa.select(attempt).where(attempt.c.id == attempt_id)).one()
    reason = Message(code="job-piece-failed", params={"fault": fault.value, "by": caller.described})
    c.execute(
        attempt.update()
        .where(attempt.c.id == attempt_id)
        .values(outcome=Outcome.ABORTED.value, fault=fault.value, reasons=to_json([reason]))
    )
    if row.outcome == Outcome.COMPLETED:
        c.execute(job.update().where(job.c.id == row.job).values(copies_done=job.c.copies_done - 1))
        # Other copies may wait or run: those go on, but nothing begins again unasked.
        after = {JobState.COMPLETED: JobState.ABORTED, JobState.PENDING: JobState.HELD}
        state = JobState(rows.job_row(c, row.job).state)
        if state in after:
            states.move(c, row.job, after[state], reason)
    book = ledger.open_book(c, config.fabd.site.id, now())
    ledger.correct(c, book, attempt_id, settle.charge_for(c, config, attempt_id), now(), why="piece-failed")


def _pause(c: Connection, machine_id: str, caller: Caller, *, paused: bool) -> None:
    under_way = standing.open_attempt(c, machine_id)
    if under_way is not None:
        rows.wish(c, under_way.id, "pause" if paused else None, caller.described)
    standing.write(c, machine_id, paused=paused)


def _must_be_free(c: Connection, machine_id: str) -> None:
    under_way = standing.open_attempt(c, machine_id)
    if under_way is not None:
        raise Conflict("machine-busy", machine=machine_id, job=under_way.job)


async def _with_job(
    house: House, job_id: str, caller: Caller, action: str, write: Callable[[Connection], None]
) -> JobView:
    await house.store.transaction(write)
    log.info(action, job=job_id, by=caller.described)
    return await show.job(house, job_id)


async def _with_machine(
    house: House, machine_id: str, caller: Caller, action: str, write: Callable[[Connection], None]
) -> MachineView:
    standing.configured(house.config, machine_id)
    await house.store.transaction(write)
    log.info(action, machine=machine_id, by=caller.described)
    return await show.machine(house, machine_id)
