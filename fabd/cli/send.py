"""`fabd quote` and `fabd submit`: a file goes to the daemon, as bytes."""

import shutil
import sys
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from fabd.cli import screen, tables, waiting
from fabd.cli.desk import Desk, verb
from fabd.cli.exits import Exit
from fabd.i18n import _

if TYPE_CHECKING:
    from fabd.client import Params
    from fabd.views import QuoteView

STDIN = "-"

File = Annotated[str, typer.Argument(metavar="FILE", help=_("The file; - is standard input."), show_default=False)]
For = Annotated[str | None, typer.Option("--for", metavar="MEMBER", help=_("Whose job it is; else a walk-in's."))]
Payer = Annotated[str | None, typer.Option(metavar="MEMBER", help=_("Who is billed, if it is somebody else."))]
Machine = Annotated[str | None, typer.Option(metavar="MACHINE", help=_("This machine and no other."))]
Material = Annotated[str | None, typer.Option(metavar="MATERIAL", help=_("The material that it must be made of."))]
Copies = Annotated[int, typer.Option(metavar="N", help=_("How many of it."))]
Title = Annotated[str | None, typer.Option(metavar="TEXT", help=_("What it is called; else the file's name."))]


def add_to(app: typer.Typer) -> None:
    verb(app, "quote", quote, help=_("What a file would cost, and whether it may be made. Changes nothing."))
    verb(app, "submit", submit, help=_("Have a file made."))


def quote(
    desk: Desk,
    file: File,
    member: For = None,
    payer: Payer = None,
    machine: Machine = None,
    material: Material = None,
    copies: Copies = 1,
    title: Title = None,
) -> int:
    options = _options(file, member, payer, machine, material, copies, title)
    with _opened(file) as content, desk.daemon() as daemon:
        view = daemon.quote(content, options)
    desk.show(view, lambda: tables.quote(view))
    return Exit.REFUSED if view.verdict == "refuse" else Exit.OK


def submit(
    desk: Desk,
    file: File,
    member: For = None,
    payer: Payer = None,
    machine: Machine = None,
    material: Material = None,
    copies: Copies = 1,
    title: Title = None,
    wait: Annotated[bool, typer.Option("--wait", help=_("Stay until it is over, and show how far it is."))] = False,
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask."))] = False,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help=_("A key of your own: sending again under the same key makes no second job.")),
    ] = None,
) -> int:
    options = _options(file, member, payer, machine, material, copies, title)
    asks = not yes and not desk.as_json and screen.is_somebody_there()
    with desk.daemon() as daemon:
        with _opened(file) as content:
            if asks and not _agreed(daemon.quote(content, options)):
                return Exit.REFUSED
            content.seek(0)
            job = daemon.submit(content, options, key or str(uuid.uuid4()))
        if not asks and not desk.as_json:
            screen.out().print(tables.quote(job.quote))
        if wait:
            return waiting.wait(desk, daemon, job)
    desk.show(job, lambda: tables.accepted(job))
    return Exit.OK


def _options(
    file: str,
    member: str | None,
    payer: str | None,
    machine: str | None,
    material: str | None,
    copies: int,
    title: str | None,
) -> "Params":
    name = "stdin" if file == STDIN else Path(file).name
    given = {"member": member, "payer": payer, "machine": machine, "material": material}
    return {
        "title": title or name,
        "copies": copies,
        **{key: value for key, value in given.items() if value is not None},
    }


@contextmanager
def _opened(file: str) -> Generator[BinaryIO, None, None]:
    """The file, or a copy of what can be read only once: standard input, a pipe."""
    if file == STDIN:
        with _copy(sys.stdin.buffer) as copy:
            yield copy
        return
    try:
        with Path(file).open("rb") as opened:
            if opened.seekable():
                yield opened
                return
            with _copy(opened) as copy:
                yield copy
    except OSError as error:  # also in the middle: the stick was pulled out
        from fabd.client import ClientError, Trouble

        detail = error.strerror or str(error)
        raise ClientError.of(Trouble.WRONG, "client-file-unreadable", file=file, detail=detail) from error


@contextmanager
def _copy(stream: BinaryIO) -> Generator[BinaryIO, None, None]:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield copy


def _agreed(quoted: "QuoteView") -> bool:
    """Show the quote and ask; whoever only presses Enter has not agreed."""
    screen.out().print(tables.quote(quoted))
    if quoted.verdict == "refuse":
        return False
    try:
        answer = input(_("Send it? [y/N] "))
    except EOFError:
        answer = ""
    if answer.strip().casefold() in _("y yes").split():
        return True
    screen.err().print(_("Nothing was sent."))
    return False
