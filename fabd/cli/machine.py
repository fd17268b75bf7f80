"""`fabd machine`: the machines, and what people do to them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fabd.cli import tables
from fabd.cli.desk import Desk, noun, verb
from fabd.i18n import _

if TYPE_CHECKING:
    from fabd.client import Client
    from fabd.views import MachineView

Machine = Annotated[str, typer.Argument(metavar="MACHINE", help=_("The machine's id."), show_default=False)]
Lot = Annotated[str, typer.Argument(metavar="LOT", help=_("The spool, roll or cone."), show_default=False)]


def add_to(app: typer.Typer) -> None:
    group = noun(app, "machine", help=_("Machines: what they do, and what people do to them."))
    verb(group, "list", list_, help=_("All machines."))
    verb(group, "show", show, help=_("All about one machine."))
    verb(group, "ready", ready, help=_("The machine is cleared: it may start the next job."))
    verb(group, "load", load, help=_("Somebody loaded a spool, roll or cone."))
    verb(group, "pause", pause, help=_("Pause what is being made."))
    verb(group, "resume", resume, help=_("Go on after a pause."))
    verb(group, "emergency", emergency, help=_("Stop the machine now, whatever it does."))
    verb(group, "close", close, help=_("The machine takes no new job."))
    verb(group, "open", open_, help=_("The machine takes jobs again."))


def list_(desk: Desk) -> None:
    with desk.daemon() as daemon:
        machines = daemon.machines()
    desk.show(machines, lambda: tables.machines(machines))


def show(desk: Desk, machine: Machine) -> None:
    with desk.daemon() as daemon:
        view = daemon.machine(machine)
    desk.show(view, lambda: tables.machine(view))


def ready(
    desk: Desk,
    machine: Machine,
    failed: Annotated[
        Literal["machine", "operator", "member"] | None,
        typer.Option(help=_("The last piece is no good, and this is whose fault it is.")),
    ] = None,
) -> None:
    _do(desk, lambda daemon: daemon.ready(machine, failed))


def load(desk: Desk, machine: Machine, lot: Lot) -> None:
    _do(desk, lambda daemon: daemon.load(machine, lot))


def pause(desk: Desk, machine: Machine) -> None:
    _do(desk, lambda daemon: daemon.change_machine(machine, "pause"))


def resume(desk: Desk, machine: Machine) -> None:
    _do(desk, lambda daemon: daemon.change_machine(machine, "resume"))


def emergency(desk: Desk, machine: Machine) -> None:
    _do(desk, lambda daemon: daemon.change_machine(machine, "emergency"))


def close(
    desk: Desk,
    machine: Machine,
    why: Annotated[str, typer.Option(metavar="TEXT", help=_("Why; people will read it."), show_default=False)],
) -> None:
    _do(desk, lambda daemon: daemon.close_machine(machine, why))


def open_(desk: Desk, machine: Machine) -> None:
    _do(desk, lambda daemon: daemon.change_machine(machine, "open"))


def _do(desk: Desk, act: "Callable[[Client], MachineView]") -> None:
    """Act on a machine, and show what it is then."""
    with desk.daemon() as daemon:
        view = act(daemon)
    desk.show(view, lambda: tables.machines([view]))
