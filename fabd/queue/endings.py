"""How an attempt can end: what its row says, for whose account, and what becomes of its job."""

import asyncio
from dataclasses import dataclass

import structlog

from fabd.errors import FabdError, JobLost, JobRejected
from fabd.model import Fault, JobState, Message, Outcome

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """The end of an attempt. `job_state` is `None` when it completed: its job then is too, unless copies are left."""

    outcome: Outcome
    fault: Fault
    reasons: tuple[Message, ...] = ()
    job_state: JobState | None = None


COMPLETED = Ending(outcome=Outcome.COMPLETED, fault=Fault.NONE)


def canceled(by: str) -> Ending:
    """Somebody did not want it any more."""
    reason = Message(code="job-canceled-by-user", params={"by": by})
    return Ending(outcome=Outcome.CANCELED, fault=Fault.MEMBER, reasons=(reason,), job_state=JobState.CANCELED)


def interrupted(code: str) -> Ending:
    """The daemon ended in the middle of it: nobody's fault but ours, and a person must decide about the job."""
    return _aborted(Message(code=code), Fault.MACHINE, JobState.HELD)


def of_run(run: "asyncio.Task[None]") -> Ending:
    """What it means that the task `run`, which nobody cancelled, ended as it did."""
    error = run.exception()
    return COMPLETED if error is None else of_error(error)


def of_error(error: BaseException) -> Ending:
    """The member's fault where the file cannot be made, else the machine's."""
    if isinstance(error, JobRejected):
        return _aborted(error.message, Fault.MEMBER, JobState.ABORTED)
    if isinstance(error, JobLost):
        return _aborted(error.message, Fault.MACHINE, JobState.HELD)
    if isinstance(error, FabdError):
        return _aborted(error.message, Fault.MACHINE, JobState.ABORTED)
    log.error("attempt failed by a mistake of ours", exc_info=error)
    reason = Message(code="attempt-failed", params={"detail": repr(error)})
    return _aborted(reason, Fault.MACHINE, JobState.ABORTED)


def _aborted(reason: Message, fault: Fault, job_state: JobState) -> Ending:
    return Ending(outcome=Outcome.ABORTED, fault=fault, reasons=(reason,), job_state=job_state)
