"""`fabd watch`: what goes on, as it goes on."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from fabd import words
from fabd.cli import screen, tables
from fabd.cli.desk import Desk, verb
from fabd.i18n import _

if TYPE_CHECKING:
    from fabd.views import MachineView, SnapshotView


def add_to(app: typer.Typer) -> None:
    verb(app, "watch", watch, help=_("Show the machines, as things go on. Ctrl-C ends it."))


def watch(desk: Desk) -> None:
    with desk.daemon() as daemon:
        snapshots = daemon.watch()
        if desk.as_json:
            for snapshot in snapshots:
                screen.print_line(snapshot.model_dump_json())
        elif screen.out().is_terminal:
            _live(snapshots)
        else:
            _lines(snapshots)


def _live(snapshots: "Iterable[SnapshotView]") -> None:
    from rich.console import Group
    from rich.live import Live

    with Live(console=screen.out(), auto_refresh=False) as live:
        for snapshot in snapshots:
            live.update(Group(tables.machines(snapshot.machines), tables.jobs(snapshot.jobs)), refresh=True)


def _lines(snapshots: "Iterable[SnapshotView]") -> None:
    """A line for each machine whose state is another than before."""
    said: dict[str, str] = {}
    for snapshot in snapshots:
        for machine in snapshot.machines:
            line = _line(machine)
            if said.get(machine.id) != line:
                screen.print_line(words.harmless(line))
            said[machine.id] = line


def _line(machine: "MachineView") -> str:
    state, share = words.machine_state(machine.state), words.share(machine.progress)
    parts = (machine.id, state, machine.ticket or "", share, tables.why(machine))
    return " ".join(part for part in parts if part)
