"""`fabd job`: the queue."""

from typing import Annotated, Literal

import typer

from fabd.cli import tables
from fabd.cli.desk import Desk, noun, verb
from fabd.i18n import _

Job = Annotated[str, typer.Argument(metavar="JOB", help=_("The job's number."), show_default=False)]


def add_to(app: typer.Typer) -> None:
    group = noun(app, "job", help=_("Jobs: what waits, what is being made, what is over."))
    verb(group, "list", list_, help=_("The jobs that are not over."))
    verb(group, "show", show, help=_("All about one job."))
    verb(group, "cancel", cancel, help=_("Stop a job for good."))
    verb(group, "hold", hold, help=_("Keep a waiting job from starting."))
    verb(group, "release", release, help=_("Let a held job go."))
    verb(group, "retry", retry, help=_("Make a job again that did not end well."))


def list_(
    desk: Desk, everything: Annotated[bool, typer.Option("--all", help=_("Also those that are over."))] = False
) -> None:
    with desk.daemon() as daemon:
        jobs = daemon.jobs(everything=everything)
    desk.show(jobs, lambda: tables.jobs(jobs))


def show(desk: Desk, job: Job) -> None:
    with desk.daemon() as daemon:
        view = daemon.job(job)
    desk.show(view, lambda: tables.job(view))


def cancel(desk: Desk, job: Job) -> None:
    _change(desk, job, "cancel")


def hold(desk: Desk, job: Job) -> None:
    _change(desk, job, "hold")


def release(desk: Desk, job: Job) -> None:
    _change(desk, job, "release")


def retry(desk: Desk, job: Job) -> None:
    _change(desk, job, "retry")


def _change(desk: Desk, job: str, act: Literal["cancel", "hold", "release", "retry"]) -> None:
    with desk.daemon() as daemon:
        view = daemon.change_job(job, act)
    desk.show(view, lambda: tables.jobs([view]))
