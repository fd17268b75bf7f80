"""The whole command line: which nouns and verbs there are."""

from typing import Annotated

import typer

from fabd import __version__
from fabd.cli import borrowed, house, job, machine, member, prompt, send, usage, watch
from fabd.cli.borrowed import Noun
from fabd.cli.desk import Desk, Json, Person, Socket
from fabd.i18n import _


def build() -> typer.Typer:
    """The application, in the language of the environment."""
    borrowed.speak()
    app = typer.Typer(cls=Noun, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback(help=_("fabd drives a café's machines, queues the jobs, and meters them for the till."))(_root)
    for room in (send, job, machine, prompt, member, usage, watch, house):
        room.add_to(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fabd {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    as_json: Json = False,
    socket: Socket = None,
    person: Person = None,
    version: Annotated[  # noqa: ARG001  # typer calls `_print_version`
        bool,
        typer.Option("--version", help=_("Print the version and stop."), is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    context.obj = Desk().with_options(as_json, socket, person)
