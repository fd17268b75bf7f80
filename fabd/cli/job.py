"""`fabd job`: the queue."""

from typing import Annotated

import typer

from fabd.cli import tables
from fabd.cli.desk import Desk, noun, verb
from fabd.i18n import _

Job = Annotated[str, typer.Argument(metavar="JOB", help=_("The job's number."), show_default=False)]


def add_to(app: typer.Typer) -> None:
    group = noun(app, "job", help=_("Jobs: what waits, what is being made, what is over."))
    verb(group, "list", help=_("The jobs that are not over."))(list_)
    verb(group, "show", help=_("All about one job."))(show)
    verb(group, "cancel", help=_("Stop a job for good."))(cancel)
    verb(group, "hold", help=_("Keep a waiting job from starting."))(hold)
    verb(group, "release", help=_("Let a held job go."))(release)
    verb(group, "retry", help=_("Make a job again that did not end well."))(retry)


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
    with desk.daemon() as daemon:
        view = daemon.change_job(job, "cancel")
    desk.show(view, lambda: tables.jobs([view]))


def hold(desk: Desk, job: Job) -> None:
    with desk.daemon() as daemon:
        view = daemon.change_job(job, "hold")
    desk.show(view, lambda: tables.jobs([view]))


def release(desk: Desk, job: Job) -> None:
    with desk.daemon() as daemon:
        view = daemon.change_job(job, "release")
    desk.show(view, lambda: tables.jobs([view]))


def retry(desk: Desk, job: Job) -> None:
    with desk.daemon() as daemon:
        view = daemon.change_job(job, "retry")
    desk.show(view, lambda: tables.jobs([view]))
