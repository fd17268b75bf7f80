"""`fabd submit --wait`: stays with a job until it is over."""

import time
from typing import TYPE_CHECKING

from fabd import words
from fabd.cli import screen, tables
from fabd.cli.desk import Desk
from fabd.cli.exits import Exit
from fabd.i18n import _
from fabd.model import JobState

if TYPE_CHECKING:
    from fabd.client import Client
    from fabd.views import JobView

LOOK_S = 0.5
OVER = (JobState.COMPLETED, JobState.CANCELED, JobState.ABORTED)


def wait(desk: Desk, daemon: "Client", job: "JobView") -> int:
    """Show how far `job` is, on standard error, and at its end what it costs."""
    try:
        job = _follow(daemon, job)
    except KeyboardInterrupt:
        goes_on = _("Job {job} goes on without you. Look at it with: fabd job show {job}").format(job=job.id)
        screen.err().print(goes_on)
        return Exit.INTERRUPTED
    desk.show(job, lambda: tables.ended(job))
    return Exit.OK if job.state is JobState.COMPLETED else Exit.BAD_OUTCOME


def _follow(daemon: "Client", job: "JobView") -> "JobView":
    from rich.progress import BarColumn, Progress, TextColumn

    console = screen.err()
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}\u00a0%"),
        TextColumn("{task.description}", markup=False),
    )
    said = ""
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=1.0)
        while job.state not in OVER:
            where = words.harmless(_where(job))
            progress.update(
                bar, completed=job.progress or 0.0, description=f"{where} {words.duration(job.remaining_s)}"
            )
            if where != said and not console.is_terminal:
                console.print(where)
            said = where
            time.sleep(LOOK_S)
            job = daemon.job(job.id)
    return job


def _where(job: "JobView") -> str:
    reasons = words.told_all(job.reasons)
    state = _("Job {job}: {state}").format(job=job.id, state=words.job_state(job.state))
    return f"{state}. {reasons}" if reasons else state
