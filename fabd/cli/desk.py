"""What every command has: the options that may stand anywhere, the way to the daemon, and the way to the screen.

A command is a function of a `Desk` and its own parameters; `verb` makes it a command, `noun` a group of them.
"""

import inspect
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate

import typer

from fabd.cli import screen
from fabd.cli.borrowed import Noun, Verb
from fabd.i18n import _

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fabd.client import Client
    from fabd.views import View

_PANEL = _("With every command")
Json = Annotated[bool, typer.Option("--json", help=_("Print JSON, for scripts."), rich_help_panel=_PANEL)]
Socket = Annotated[
    Path | None,
    typer.Option(
        "--socket",
        metavar="PATH",
        help=_("The daemon's socket; also FABD_SOCKET. Else /run/fabd/fabd.sock."),
        rich_help_panel=_PANEL,
    ),
]
Person = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="MEMBER",
        help=_("The facilitator who acts, where the account is shared; also FABD_AS."),
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, slots=True)
class Desk:
    """One command's place: how it reaches the daemon, and how it speaks."""

    as_json: bool = False
    socket: Path | None = None
    person: str | None = None

    def with_options(self, as_json: bool, socket: Path | None, person: str | None) -> "Desk":
        """Options that stand further right win."""
        return replace(
            self,
            as_json=as_json or self.as_json,
            socket=socket or self.socket,
            person=person or self.person,
        )

    @contextmanager
    def daemon(self) -> Generator["Client", None, None]:
        """The client of the daemon."""
        from fabd.client import DEFAULT_SOCKET, Client

        socket = self.socket or Path(os.environ.get("FABD_SOCKET") or DEFAULT_SOCKET)
        with Client(socket, self.person or os.environ.get("FABD_AS") or None) as client:
            yield client

    def show(self, views: "View | Sequence[View]", table: "Callable[[], RenderableType]") -> None:
        """Print `views` as JSON where that is asked for, else what `table` makes of them."""
        if self.as_json:
            screen.print_json(views)
        else:
            screen.out().print(table())


def verb(
    app: typer.Typer,
    name: str,
    work: Callable[Concatenate[Desk, ...], int | None],
    *,
    help: str,  # noqa: A002  # as typer calls it
) -> None:
    """Make `work` the command `name` of `app`. What it returns is the exit code."""

    def run(context: typer.Context, as_json: bool, socket: Path | None, person: str | None, **own: Any) -> int:
        return work(context.obj.with_options(as_json, socket, person), **own) or 0

    _desk, *own_parameters = inspect.signature(work).parameters.values()
    run.__signature__ = inspect.Signature([_CONTEXT, *own_parameters, *_EVERYWHERE])  # type: ignore[attr-defined]
    app.command(name, cls=Verb, help=help)(run)


def noun(app: typer.Typer, name: str, *, help: str) -> typer.Typer:  # noqa: A002  # as typer calls it
    """A group of verbs under `app`; the options that may stand anywhere may stand after the noun, too."""
    group = typer.Typer(cls=Noun, no_args_is_help=True)

    @group.callback(help=help)
    def options(context: typer.Context, as_json: Json = False, socket: Socket = None, person: Person = None) -> None:
        context.obj = context.obj.with_options(as_json, socket, person)

    app.add_typer(group, name=name)
    return group


def _everywhere(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


_CONTEXT = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
_EVERYWHERE = (
    _everywhere("as_json", Json, False),
    _everywhere("socket", Socket, None),
    _everywhere("person", Person, None),
)
